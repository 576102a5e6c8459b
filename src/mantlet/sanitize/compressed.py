"""Look into bodies that the app has compressed, piece by piece (RFC 9110, 8.4.1).

A complete and clean body is sent as it was. A body that is streamed is compressed again, since a
compressed stream cannot be changed in the middle, and any piece may contain a leak. Each piece is
flushed, so that none waits for the next one.
"""

import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Final

from mantlet.core.problem import Problem
from mantlet.core.response import Filter
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


class _Coding:
    """A content coding.

    Args:
        decoder: creates a decoder.
        encoder: creates an encoder.
    """

    def __init__(self, decoder: Callable[[], Decoder], encoder: Callable[[], Filter]) -> None:
        self.decoder = decoder
        self.encoder = encoder


def _deflate_encoder(wbits: int) -> Callable[[], Filter]:
    def make() -> Filter:
        deflate = zlib.compressobj(wbits=wbits)

        def encode(piece: bytes, more: bool) -> bytes:
            encoded = deflate.compress(piece)
            return encoded + deflate.flush(zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH)

        return encode

    return make


def _brotli_encoder() -> Filter:
    brotli: Any = import_module("brotli")
    compressor = brotli.Compressor(quality=5)

    def encode(piece: bytes, more: bool) -> bytes:
        encoded: bytes = compressor.process(piece)
        encoded += compressor.flush() if more else compressor.finish()
        return encoded

    return encode


def _zstd_encoder() -> Filter:
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    zstd: Any = import_module(name)
    compressor = zstd.ZstdCompressor()

    def encode(piece: bytes, more: bool) -> bytes:
        mode = compressor.FLUSH_BLOCK if more else compressor.FLUSH_FRAME
        encoded: bytes = compressor.compress(piece, mode)
        return encoded

    return encode


_ENCODERS: Final[dict[str, Callable[[], Filter]]] = {
    "gzip": _deflate_encoder(16 + zlib.MAX_WBITS),
    "x-gzip": _deflate_encoder(16 + zlib.MAX_WBITS),
    "deflate": _deflate_encoder(zlib.MAX_WBITS),
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

    Args:
        coding: a key of `supported_codings()`.
        inner: the filter of the decompressed body.
        limit: maximum size of the decompressed body in bytes.

    A call raises `UndecodableBody` if the body cannot be decompressed.
    """

    __slots__ = (
        "_coding",
        "_decoded",
        "_decoder",
        "_encode",
        "_encoded",
        "_inner",
        "_limit",
        "_raw",
    )

    def __init__(self, coding: str, inner: Filter, limit: int) -> None:
        self._coding = supported_codings()[coding]
        self._inner = inner
        self._limit = limit
        self._decoder = self._coding.decoder()
        self._encode: Filter | None = None
        self._encoded = self._decoded = 0
        self._raw = b""  # the body so far, as long as it has no decompressed content

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk of the compressed body; return the data to send in its place."""
        pieces = self._decode(chunk, more)
        if not self._encoded and not more:
            return self._filter_whole(chunk, pieces)
        self._raw = self._raw + chunk if not self._decoded else b""
        try:
            out = b"".join([self._inner(piece, True) for piece in pieces])
            if len(self._raw) > PIECE and not self._decoded:
                raise UndecodableBody(f"it has no content within {PIECE} bytes")
        except UndecodableBody as error:
            error.untouched = None if self._decoded else self._raw
            raise
        if not more:
            out += self._inner(b"", False)
        elif not out:
            return b""
        if self._encode is None:
            self._encode = self._coding.encoder()
        return self._encode(out, more)

    def _filter_whole(self, body: bytes, pieces: Iterator[bytes]) -> bytes:
        decoded = bytearray()
        try:
            for piece in pieces:
                decoded += piece
                if len(decoded) > _MAX_BUFFERED:
                    return self._recompress(bytes(decoded), pieces)
        except UndecodableBody as error:
            # Clients show as much as they can decompress.
            if len(decoded) <= _MAX_BUFFERED and self._is_clean(bytes(decoded)):
                error.untouched = body
            raise
        before = bytes(decoded)
        try:
            after = self._inner(before, False)
        except UndecodableBody as error:  # of another coding inside of this one
            if error.untouched is not None:
                error.untouched = body
            raise
        return body if after == before else self._coding.encoder()(after, False)

    def _is_clean(self, decoded: bytes) -> bool:
        return self._inner(decoded, False) == decoded

    def _recompress(self, start: bytes, pieces: Iterator[bytes]) -> bytes:
        """Compress a body again, clean or not, that is too large to be held decompressed."""
        encode = self._coding.encoder()
        out = [encode(self._inner(start, True), True)]
        out += [encode(self._inner(piece, True), True) for piece in pieces]
        out.append(encode(self._inner(b"", False), False))
        return b"".join(out)

    def _decode(self, chunk: bytes, more: bool) -> Iterator[bytes]:
        self._encoded += len(chunk)
        try:
            for piece in self._decoder.pieces(chunk):
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
    ) -> None:
        for coding in codings:
            inner = Recompressor(coding, inner, limit)
        self._recompressor: Filter | None = inner
        self._on_undecodable = on_undecodable
        self._fallback = fallback

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk of the compressed body; return the data to send in its place.

        Raises:
            Problem: it cannot be decompressed, and is blocked or cannot be sent as it is.
        """
        fallback = self._fallback
        if self._recompressor is None:
            return fallback(chunk, more) if fallback is not None else chunk
        try:
            return self._recompressor(chunk, more)
        except UndecodableBody as error:
            self._on_undecodable()
            if fallback is None or error.untouched is None:
                raise Problem(502) from error
            self._recompressor = None
            return fallback(error.untouched, more)
