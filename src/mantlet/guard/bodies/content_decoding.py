"""Decode the content codings of bodies, within the limits (RFC 9110, 8.4).

The app gets the decoded body, so that nothing in the encoding can be read as another body: gzip's
header has fields of any bytes, and most frameworks take a coded body as it is. Bodies that decoders
read differently are rejected all the same: data after the end of an encoded body, an incomplete or
empty encoded body, and more codings than anybody needs.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from functools import cache
from io import BytesIO
from typing import Any, Final, Self

from mantlet.core.body_filters import SLICE
from mantlet.core.request import Request
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.limits import BodyLimits
from mantlet.http.content_encoding import DecodeError, Decoder, decoders
from mantlet.http.headers import HeaderNames

__all__ = ["CONTENT_ENCODING", "decode", "decode_body", "decode_chunks", "parse_codings"]

CONTENT_ENCODING: Final = "Content-Encoding"

_HEADERS: Final = HeaderNames(CONTENT_ENCODING)
#: The maximum number of nested codings.
_MAX_CODINGS: Final = 2
_MAX_LENGTH: Final = 256
#: The ratio of decoded to encoded size is only checked for larger bodies.
_MIN_RATIO_SIZE: Final = 64 * 1024
#: A decoder gets this much at once, since it copies its unused input for each piece.
_SLICE: Final = 4 * 1024


@cache
def _decoders() -> Mapping[str, Callable[[], Decoder]]:
    """Return the decoders; imports their libraries at the first use."""
    return decoders(strict=True)


def _accepted() -> str:
    return ", ".join(name for name in _decoders() if name != "x-gzip")


def decode_body(
    request: Request, limits: BodyLimits, headers: Mapping[str, str] | None = None
) -> Coroutine[Any, Any, bytes]:
    """Return an awaitable of the complete, decoded body of a request.

    Args:
        request: the request.
        limits: ``body``, ``decoded`` and ``ratio`` apply.
        headers: the result of `Request.get_headers()` for names that include `CONTENT_ENCODING`
            and ``Content-Length``, if the caller has it.

    Raises:
        ValidationFailed: with 415 for unknown codings, 400 for a body that can't be decoded, 413
            for one that is too large when decoded.
        Problem: see `Request.body()`.
        ClientDisconnected: see `Request.body()`.
    """
    found = request.get_headers(_HEADERS) if headers is None else headers
    if CONTENT_ENCODING not in found:
        return request.body(limits.body, headers)
    codings = parse_codings(found[CONTENT_ENCODING])
    return _decode_full(request, limits, codings) if codings else request.body(limits.body, headers)


def decode_chunks(
    request: Request, limits: BodyLimits, headers: Mapping[str, str] | None = None
) -> AsyncIterator[bytes]:
    """Iterate over the decoded body of a request.

    The ratio is that of the data received so far.

    Args:
        request: the request.
        limits: ``body``, ``decoded``, ``ratio``, ``memory``, ``directory`` and ``disk`` apply.
        headers: see `decode_body()`.

    Raises:
        ValidationFailed: see `decode_body()`; now or during the iteration.
        Problem: see `Request.chunks()`.
        ClientDisconnected: see `Request.chunks()`.
    """
    found = request.get_headers(_HEADERS) if headers is None else headers
    codings = parse_codings(found[CONTENT_ENCODING]) if CONTENT_ENCODING in found else ()
    chunks = request.chunks(
        limits.body, memory=limits.memory, directory=limits.directory, disk=limits.disk
    )
    return _DecodedChunks(chunks, _Decoding(codings, limits)) if codings else chunks


def parse_codings(value: str) -> tuple[str, ...]:
    """Return the codings of a ``Content-Encoding``, in the order in which they were applied.

    Args:
        value: the header's value; repeated headers are joined by a comma.

    Returns:
        Names in lower case (RFC 9110, 8.4.1), without ``identity``.

    Raises:
        ValidationFailed: with 415, if a coding is unknown or there are too many; its headers list
            the supported codings (RFC 9110, 12.5.3 and 15.5.16).
    """
    names = value.lower().split(",") if len(value) <= _MAX_LENGTH else [""]
    codings = tuple(name for name in (name.strip(" \t") for name in names) if name != "identity")
    if len(codings) > _MAX_CODINGS or not all(name in _decoders() for name in codings):
        detail = f"Unsupported content coding; use at most {_MAX_CODINGS} of {_accepted()}"
        error = ErrorItem("header", f"/{CONTENT_ENCODING}", "unknown_coding", detail)
        raise ValidationFailed(415, [error], {"Accept-Encoding": _accepted()})
    return codings


class _Decoding:
    """Decodes one body while it is received.

    Args:
        codings: in the order in which they were applied.
        limits: ``decoded`` and ``ratio`` apply to each coding, since an intermediate result may be
            far larger than the final one.
    """

    __slots__ = ("_decoders", "_limit", "_ratio", "_raw", "_sizes")

    def __init__(self, codings: tuple[str, ...], limits: BodyLimits) -> None:
        self._decoders = [_decoders()[name]() for name in reversed(codings)]
        self._sizes = [0] * len(codings)
        self._limit = limits.decoded
        self._ratio = limits.ratio
        self._raw = 0

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Decode more of the body; the iterator must be exhausted."""
        self._raw += len(chunk)
        try:
            yield from self._through(0, chunk)
        except DecodeError:
            raise _undecodable() from None

    def _through(self, stage: int, data: bytes) -> Iterator[bytes]:
        if stage == len(self._decoders):
            yield data
            return
        decoder = self._decoders[stage]
        for start in range(0, len(data), _SLICE):
            for piece in decoder.pieces(data[start : start + _SLICE]):
                self._count(stage, len(piece))
                yield from self._through(stage + 1, piece)

    def _count(self, stage: int, size: int) -> None:
        size += self._sizes[stage]
        self._sizes[stage] = size
        if size > self._limit:
            detail = f"The decoded body is larger than {self._limit} bytes"
            raise ValidationFailed(413, [ErrorItem("body", "", "decoded_too_large", detail)])
        if size > _MIN_RATIO_SIZE and size > self._raw * self._ratio:
            detail = (
                f"The decoded body is more than {self._ratio} times larger than the encoded one"
            )
            raise ValidationFailed(413, [ErrorItem("body", "", "ratio_too_large", detail)])

    def finish(self) -> None:
        """Note the end of the body.

        Raises:
            ValidationFailed: the body is incomplete.
        """
        if not all(decoder.ended for decoder in self._decoders):
            raise _undecodable()


def _undecodable() -> ValidationFailed:
    detail = "The body does not match its Content-Encoding"
    return ValidationFailed(400, [ErrorItem("body", "", "undecodable", detail)])


async def _decode_full(request: Request, limits: BodyLimits, codings: tuple[str, ...]) -> bytes:
    return await decode(request, await request.body(limits.body), codings, limits)


async def decode(
    request: Request, body: bytes, codings: tuple[str, ...], limits: BodyLimits
) -> bytes:
    """Decode a complete body, and let the event loop go on after each 64 KiB.

    Args:
        request: the request.
        body: the encoded body.
        codings: see `parse_codings()`.
        limits: ``decoded`` and ``ratio`` apply.

    Raises:
        ValidationFailed: with 400 for a body that can't be decoded, 413 for one that is too large
            when decoded.
    """
    decoding = _Decoding(codings, limits)
    decoded = BytesIO()  # which gives up its bytes without a copy
    size = 0  # since the event loop has gone on
    for piece in decoding.pieces(body):
        decoded.write(piece)
        size += len(piece)
        if size >= SLICE:
            size = 0
            await request.checkpoint()
    decoding.finish()
    return decoded.getvalue()


class _DecodedChunks:
    """Iterates over a body while decoding it.

    Args:
        chunks: the encoded body.
        decoding: its codings.
    """

    __slots__ = ("_chunks", "_decoding", "_pieces")

    def __init__(self, chunks: AsyncIterator[bytes], decoding: _Decoding) -> None:
        self._chunks = chunks
        self._decoding = decoding
        self._pieces: Iterator[bytes] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while True:
            piece = next(self._pieces, None)
            if piece is not None:
                return piece
            chunk = await anext(self._chunks, None)
            if chunk is None:
                self._decoding.finish()
                raise StopAsyncIteration
            self._pieces = self._decoding.pieces(chunk)
