"""Request bodies with their content codings undone, within the limits (RFC 9110, 8.4).

What two readers may take in two ways is refused: data behind the end of a coded body, one that is
not finished, one of no bytes at all, and more codings than anybody needs.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from functools import cache
from typing import Any, Final, Self

from mantlet.core.request import Request
from mantlet.guard.errors import Fault, Invalid
from mantlet.guard.limits import BodyLimits
from mantlet.http.content_encoding import DecodeError, Decoder, decoders
from mantlet.http.headers import HeaderNames

__all__ = ["CONTENT_ENCODING", "decoded", "decoded_chunks", "read_codings", "undo"]

#: The one field that is looked for.
CONTENT_ENCODING: Final = "Content-Encoding"

_FIELDS: Final = HeaderNames(CONTENT_ENCODING)
#: How many codings a body may be in, one inside the other.
_MOST: Final = 2
_LONGEST: Final = 256
#: A decoded body of up to this size may be any number of times larger than the coded one.
_UNSUSPICIOUS: Final = 64 * 1024
#: A decoder is given so much at once: it copies what it has not used yet, piece by piece.
_SLICE: Final = 4 * 1024


@cache
def _decoders() -> Mapping[str, Callable[[], Decoder]]:
    return decoders(strict=True)


def _accepted() -> str:
    return ", ".join(name for name in _decoders() if name != "x-gzip")


def decoded(
    request: Request, limits: BodyLimits, fields: Mapping[str, str] | None = None
) -> Coroutine[Any, Any, bytes]:
    """Return the whole body of a request with its content codings undone, to be awaited.

    Args:
        request: the request.
        limits: its ``body``, ``decoded`` and ``ratio`` are held.
        fields: what `Request.get_headers()` has found of names with `CONTENT_ENCODING` and
            ``Content-Length`` among them, where that has been asked for already.

    Raises:
        Invalid: with 415 for codings that are not known, 400 for a body that is not in them, 413
            for one that is too large decoded.
        Problem: what `Request.body()` raises.
        ClientDisconnected: as `Request.body()` raises it.
    """
    found = request.get_headers(_FIELDS) if fields is None else fields
    if CONTENT_ENCODING not in found:
        return request.body(limits.body, fields)
    codings = read_codings(found[CONTENT_ENCODING])
    return _whole(request, limits, codings) if codings else request.body(limits.body, fields)


def decoded_chunks(
    request: Request, limits: BodyLimits, fields: Mapping[str, str] | None = None
) -> AsyncIterator[bytes]:
    """Return the body of a request piece by piece, with its content codings undone.

    Here the ratio is that of what has come so far.

    Args:
        request: the request.
        limits: its ``body``, ``decoded``, ``ratio`` and ``memory`` are held.
        fields: as `decoded()` has them.

    Raises:
        Invalid: as `decoded()` raises it, now or while it is iterated over.
        Problem: what `Request.chunks()` raises.
        ClientDisconnected: as `Request.chunks()` raises it.
    """
    found = request.get_headers(_FIELDS) if fields is None else fields
    codings = read_codings(found[CONTENT_ENCODING]) if CONTENT_ENCODING in found else ()
    chunks = request.chunks(limits.body, memory=limits.memory)
    return _Pieces(chunks, _Decoding(codings, limits)) if codings else chunks


def read_codings(value: str) -> tuple[str, ...]:
    """Return the codings that a ``Content-Encoding`` lists, in the order they were applied in.

    Args:
        value: the field's, several of them joined by a comma.

    Returns:
        Names in lower case (RFC 9110, 8.4.1), without ``identity``, which is none.

    Raises:
        Invalid: one is not known, or there are too many: 415, with the codings that are known
            (RFC 9110, 12.5.3 and 15.5.16).
    """
    names = value.lower().split(",") if len(value) <= _LONGEST else [""]
    codings = tuple(name for name in (name.strip(" \t") for name in names) if name != "identity")
    if len(codings) > _MOST or not all(name in _decoders() for name in codings):
        detail = f"The content coding must be one of {_accepted()}, or at most {_MOST} of them."
        fault = Fault("header", f"/{CONTENT_ENCODING}", "unknown_coding", detail)
        raise Invalid(415, [fault], {"Accept-Encoding": _accepted()})
    return codings


class _Decoding:
    """The codings of one body, undone as it comes.

    Args:
        codings: in the order they were applied in.
        limits: ``decoded`` and ``ratio`` are held for each of them, since the outcome of one may be
            far larger than that of the next.
    """

    __slots__ = ("_decoders", "_limit", "_ratio", "_raw", "_sizes")

    def __init__(self, codings: tuple[str, ...], limits: BodyLimits) -> None:
        self._decoders = [_decoders()[name]() for name in reversed(codings)]
        self._sizes = [0] * len(codings)
        self._limit = limits.decoded
        self._ratio = limits.ratio
        self._raw = 0

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Decode more of the body; what is returned must be read to its end."""
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
            detail = f"The body is larger than {self._limit} bytes once it is decoded."
            raise Invalid(413, [Fault("body", "", "decoded_too_large", detail)])
        if size > _UNSUSPICIOUS and size > self._raw * self._ratio:
            detail = f"The body is more than {self._ratio} times larger once it is decoded."
            raise Invalid(413, [Fault("body", "", "ratio_too_large", detail)])

    def finish(self) -> None:
        """Hear that this was all.

        Raises:
            Invalid: there should be more.
        """
        if not all(decoder.ended for decoder in self._decoders):
            raise _undecodable()


def _undecodable() -> Invalid:
    detail = "The body is not in the content coding that it is said to be in."
    return Invalid(400, [Fault("body", "", "undecodable", detail)])


async def _whole(request: Request, limits: BodyLimits, codings: tuple[str, ...]) -> bytes:
    return undo(await request.body(limits.body), codings, limits)


def undo(body: bytes, codings: tuple[str, ...], limits: BodyLimits) -> bytes:
    """Return a whole body with its codings undone.

    Args:
        body: all of it.
        codings: as `read_codings()` returns them.
        limits: its ``decoded`` and ``ratio`` are held.

    Raises:
        Invalid: with 400 for a body that is not in them, 413 for one that is too large decoded.
    """
    decoding = _Decoding(codings, limits)
    whole = b"".join(decoding.pieces(body))
    decoding.finish()
    return whole


class _Pieces:
    """A body in content codings, piece by piece.

    Args:
        chunks: the body as it comes.
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
