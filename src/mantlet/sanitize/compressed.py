"""Look into bodies that the app has compressed, piece by piece (RFC 9110, 8.4.1).

A complete and clean body is sent as it was. A body that is streamed is compressed again, since a
compressed stream cannot be changed in the middle, and any piece may contain a leak. Each piece is
flushed, so that none waits for the next one.
"""

import sys
import zlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import cache, partial
from importlib import import_module
from io import BytesIO
from itertools import chain
from typing import Any, Final, NamedTuple

from mantlet._internal.coroutines import start_eagerly
from mantlet.core.body_filters import SLICE, join_pieces
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Filter, Filtered
from mantlet.exceptions import MantletError
from mantlet.http.content_encoding import PIECE, DecodeError, Decoder, decoders

__all__ = [
    "CompressedFilter",
    "Recompressor",
    "UndecodableBody",
    "read_codings",
    "supported_codings",
]

#: Maximum ratio of decompressed to compressed size, for bodies larger than `_UNSUSPICIOUS`.
_MAX_RATIO: Final = 250
_UNSUSPICIOUS: Final = 1024 * 1024
#: Maximum decompressed size of a complete body that is sent as it was.
_MAX_BUFFERED: Final = 16 * 1024 * 1024


class UndecodableBody(MantletError):
    """Raised if a body is not in the coding that it declares, or is far larger decompressed.

    Attributes:
        untouched: the body received so far, if nothing of it was sent and nothing was found in the
            part that could be decompressed, so that it may be sent as it is; else None.
    """

    untouched: bytes | None = None


class _Encoder(NamedTuple):
    """An encoder of one body.

    Attributes:
        compress: takes data, and returns the compressed data that is ready.
        flush: returns the rest, so that all of the data so far can be decompressed.
        finish: returns the rest and the end.
    """

    compress: Callable[[bytes], bytes]
    flush: Callable[[], bytes]
    finish: Callable[[], bytes]


class _Coding:
    """A content coding.

    Args:
        decoder: creates a decoder.
        encoder: creates an encoder.
    """

    def __init__(self, decoder: Callable[[], Decoder], encoder: Callable[[], _Encoder]) -> None:
        self.decoder = decoder
        self.encoder = encoder


def _deflate_encoder(wbits: int) -> _Encoder:
    deflate = zlib.compressobj(wbits=wbits)
    return _Encoder(deflate.compress, partial(deflate.flush, zlib.Z_SYNC_FLUSH), deflate.flush)


def _brotli_encoder() -> _Encoder:
    brotli: Any = import_module("brotli")
    compressor = brotli.Compressor(quality=5)
    return _Encoder(compressor.process, compressor.flush, compressor.finish)


def _zstd_encoder() -> _Encoder:
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    zstd: Any = import_module(name)
    compressor = zstd.ZstdCompressor()
    flush = partial(compressor.flush, compressor.FLUSH_BLOCK)
    return _Encoder(compressor.compress, flush, compressor.flush)


_ENCODERS: Final[dict[str, Callable[[], _Encoder]]] = {
    "gzip": partial(_deflate_encoder, 16 + zlib.MAX_WBITS),
    "x-gzip": partial(_deflate_encoder, 16 + zlib.MAX_WBITS),
    "deflate": partial(_deflate_encoder, zlib.MAX_WBITS),
    "br": _brotli_encoder,
    "zstd": _zstd_encoder,
}
#: The most codings of one body.
_MAX_CODINGS: Final = 3


@cache
def supported_codings() -> dict[str, _Coding]:
    """Return the content codings that can be decompressed here, by name (RFC 9110, 16.6.1)."""
    return {
        name: _Coding(decoder, _ENCODERS[name])
        for name, decoder in decoders().items()
        if name in _ENCODERS
    }


def read_codings(value: str) -> tuple[str, ...] | None:
    """Return the codings of a body, in the order in which they were applied.

    Args:
        value: of ``Content-Encoding``, in lower case.

    Returns:
        None if one of them is unknown here, or if there are too many.
    """
    names = tuple(name for part in value.split(",") if (name := part.strip()))
    codings = tuple(name for name in names if name != "identity")
    is_known = len(codings) <= _MAX_CODINGS and supported_codings().keys() >= set(codings)
    return codings if is_known else None


class Recompressor:
    """Apply a filter within a content coding.

    A long chunk is decompressed, filtered and compressed piece by piece, and the event loop goes on
    after each.

    Args:
        coding: a key of `supported_codings()`.
        inner: the filter of the decompressed body.
        limit: maximum size of the decompressed body in bytes.
        request: the request, if the event loop is to go on.

    A call raises `UndecodableBody` if the body cannot be decompressed.
    """

    __slots__ = (
        "_coding",
        "_decoded",
        "_decoder",
        "_encoded",
        "_encoder",
        "_inner",
        "_limit",
        "_raw",
        "_request",
        "_since_pause",
    )

    def __init__(
        self, coding: str, inner: Filter, limit: int, *, request: Request | None = None
    ) -> None:
        self._coding = supported_codings()[coding]
        self._inner = inner
        self._limit = limit
        self._request = request
        self._decoder = self._coding.decoder()
        self._encoder: _Encoder | None = None
        self._encoded = self._decoded = self._since_pause = 0
        self._raw = b""  # the body so far, as long as it has no decompressed content

    def __call__(self, chunk: bytes, more: bool) -> bytes | Awaitable[bytes]:
        """Take a chunk of the compressed body; return the data to send in its place."""
        return start_eagerly(self._filter(chunk, more))

    async def _filter(self, chunk: bytes, more: bool) -> bytes:
        pieces = self._decode(chunk, more)
        if not self._encoded and not more:
            return await self._filter_whole(chunk, pieces)
        self._raw = self._raw + chunk if not self._decoded else b""
        out: list[bytes] = []
        has_content = False
        try:
            for piece in pieces:
                filtered = await self._filtered(piece, True)
                has_content = has_content or bool(filtered)
                await self._compress(filtered, out)
            if len(self._raw) > PIECE and not self._decoded:
                raise UndecodableBody(f"it has no content within {PIECE} bytes")
        except UndecodableBody as error:
            error.untouched = None if self._decoded else self._raw
            raise
        if not more:
            await self._finish(out)
        elif has_content and self._encoder is not None:
            out.append(self._encoder.flush())
        return b"".join(out)

    async def _filter_whole(self, body: bytes, pieces: Iterator[bytes]) -> bytes:
        decoded = BytesIO()
        try:
            for piece in pieces:
                decoded.write(piece)
                if decoded.tell() > _MAX_BUFFERED:
                    return await self._recompress(decoded.getvalue(), pieces)
                await self._pause(len(piece))
        except UndecodableBody as error:
            # Clients show as much as they can decompress.
            if decoded.tell() <= _MAX_BUFFERED and await self._is_clean(decoded.getvalue()):
                error.untouched = body
            raise
        before = decoded.getvalue()
        try:
            after = await self._filtered(before, False)
        except UndecodableBody as error:  # of another coding inside of this one
            if error.untouched is not None:
                error.untouched = body
            raise
        if after == before:
            return body
        out: list[bytes] = []
        await self._compress(after, out)
        return b"".join(out) + self._get_encoder().finish()

    async def _is_clean(self, decoded: bytes) -> bool:
        return await self._filtered(decoded, False) == decoded

    async def _recompress(self, start: bytes, pieces: Iterator[bytes]) -> bytes:
        """Compress a body again, clean or not, that is too large to be held decompressed."""
        out: list[bytes] = []
        await self._compress(await self._filtered(start, True), out)
        for piece in pieces:
            await self._compress(await self._filtered(piece, True), out)
        await self._finish(out)
        return b"".join(out)

    async def _finish(self, out: list[bytes]) -> None:
        """Add the end of the body."""
        await self._compress(await self._filtered(b"", False), out)
        out.append(self._get_encoder().finish())

    async def _filtered(self, piece: bytes, more: bool) -> Filtered:
        await self._pause(len(piece))
        result = self._inner(piece, more)
        return result if isinstance(result, bytes) else await result

    async def _compress(self, filtered: Filtered, out: list[bytes]) -> None:
        """Compress filtered data, and add what is ready of it."""
        compress = self._get_encoder().compress
        for piece in filtered if isinstance(filtered, list) else (filtered,):
            for start in range(0, len(piece), SLICE):
                part = piece[start : start + SLICE]
                out.append(compress(part))
                await self._pause(len(part))

    def _get_encoder(self) -> _Encoder:
        encoder = self._encoder
        if encoder is None:
            encoder = self._encoder = self._coding.encoder()
        return encoder

    async def _pause(self, size: int) -> None:
        """Count filtered bytes; let other tasks run after every ``SLICE`` bytes."""
        self._since_pause += size
        if self._since_pause >= SLICE:
            self._since_pause = 0
            if self._request is not None:
                await self._request.checkpoint()

    def _decode(self, chunk: bytes, more: bool) -> Iterator[bytes]:
        self._encoded += len(chunk)
        try:
            # A decoder copies what it has not consumed, so it gets little at a time.
            parts = (chunk[start : start + SLICE] for start in range(0, len(chunk), SLICE))
            for piece in chain.from_iterable(map(self._decoder.pieces, parts)):
                self._decoded += len(piece)
                if self._decoded > self._limit:
                    raise UndecodableBody(f"it is larger than {self._limit} bytes")
                if self._decoded > max(_UNSUSPICIOUS, self._encoded * _MAX_RATIO):
                    raise UndecodableBody(f"it is more than {_MAX_RATIO} times larger decompressed")
                yield piece
        except DecodeError as error:
            raise UndecodableBody("it is not in the coding that it declares") from error
        if not more and self._encoded and not self._decoder.ended:
            raise UndecodableBody("it ends early")


class CompressedFilter:
    """A filter of a compressed body that handles failures.

    Args:
        codings: keys of `supported_codings()`, in the order in which they were applied.
        inner: the filter of the decompressed body.
        limit: maximum size of the decompressed body in bytes.
        on_undecodable: called if the body cannot be decompressed.
        fallback: the filter of such a body; None to block it.
        request: the request, if the event loop is to go on.
    """

    __slots__ = ("_fallback", "_on_undecodable", "_recompressor")

    def __init__(
        self,
        codings: Sequence[str],
        inner: Filter,
        limit: int,
        on_undecodable: Callable[[], None],
        *,
        fallback: Filter | None,
        request: Request | None = None,
    ) -> None:
        for coding in codings:
            inner = Recompressor(coding, inner, limit, request=request)
        self._recompressor: Filter | None = inner
        self._on_undecodable = on_undecodable
        self._fallback = fallback

    def __call__(self, chunk: bytes, more: bool) -> bytes | Awaitable[bytes]:
        """Take a chunk of the compressed body; return the data to send in its place.

        Raises:
            Problem: it cannot be decompressed, and is blocked or cannot be sent as it is.
        """
        return start_eagerly(self._filter(chunk, more))

    async def _filter(self, chunk: bytes, more: bool) -> bytes:
        fallback = self._fallback
        try:
            if self._recompressor is not None:
                return await _apply(self._recompressor, chunk, more)
        except UndecodableBody as error:
            self._on_undecodable()
            if fallback is None or error.untouched is None:
                raise Problem(502) from error
            self._recompressor = None
            chunk = error.untouched
        return chunk if fallback is None else await _apply(fallback, chunk, more)


async def _apply(fn: Filter, chunk: bytes, more: bool) -> bytes:
    result = fn(chunk, more)
    return join_pieces(result if isinstance(result, bytes) else await result)
