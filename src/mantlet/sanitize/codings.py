"""Bodies that the app has encoded: decoded piece by piece, looked at, sent on (RFC 9110, 8.4.1).

A body that is there whole and is clean is sent as it was. One that comes in pieces is encoded anew,
since a compressed stream can't be changed in its middle, and a leak may be in any piece; each piece
is flushed, so that nothing waits for the next one.
"""

import zlib
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Any, Final

from mantlet.exceptions import MantletError
from mantlet.http.content_encoding import PIECE, DecodeError, Decoder, decoders

__all__ = ["Recoded", "Undecodable", "codings"]

#: How often a body may be larger decoded than encoded, once it is larger than `_UNSUSPICIOUS`.
_RATIO: Final = 250
_UNSUSPICIOUS: Final = 1024 * 1024
#: A body that is there whole is sent on as it was only up to this size when decoded.
_WHOLE: Final = 16 * 1024 * 1024

Stage = Callable[[bytes, bool], bytes]


class Undecodable(MantletError):
    """A body is not in the coding that it is said to be in, or is far larger decoded.

    Attributes:
        untouched: the body as it has come so far, where nothing of it has gone, and nothing was
            found in what could be decoded, so that it may be sent as it is; else None.
    """

    untouched: bytes | None = None


class _Coding:
    """One content coding.

    Args:
        decoder: makes a decoder.
        encoder: makes an encoder: an object with ``compress()`` or ``process()``, and ``flush()``.
    """

    def __init__(self, decoder: Callable[[], Decoder], encoder: Callable[[], Stage]) -> None:
        self.decoder = decoder
        self.encoder = encoder


def _deflating(wbits: int) -> Callable[[], Stage]:
    def make() -> Stage:
        deflate = zlib.compressobj(wbits=wbits)

        def encode(piece: bytes, more: bool) -> bytes:
            encoded = deflate.compress(piece)
            return encoded + deflate.flush(zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH)

        return encode

    return make


def _brotli() -> Stage:
    brotli: Any = import_module("brotli")
    compressor = brotli.Compressor(quality=5)

    def encode(piece: bytes, more: bool) -> bytes:
        encoded: bytes = compressor.process(piece)
        encoded += compressor.flush() if more else compressor.finish()
        return encoded

    return encode


_ENCODERS: Final[dict[str, Callable[[], Stage]]] = {
    "gzip": _deflating(16 + zlib.MAX_WBITS),
    "x-gzip": _deflating(16 + zlib.MAX_WBITS),
    "deflate": _deflating(zlib.MAX_WBITS),
    "br": _brotli,
}


@cache
def codings() -> dict[str, _Coding]:
    """Return the codings that can be looked into here, by their names (RFC 9110, 16.6.1)."""
    return {
        name: _Coding(decoder, _ENCODERS[name])
        for name, decoder in decoders().items()
        if name in _ENCODERS
    }


class Recoded:
    """Puts a stage inside of a body's coding: a filter of the encoded body.

    Args:
        coding: a key of `codings()`.
        inner: the stage, which is given the decoded body.
        limit: the most bytes that the decoded body may have.

    A call raises `Undecodable` where the body is.
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

    def __init__(self, coding: str, inner: Stage, limit: int) -> None:
        self._coding = codings()[coding]
        self._inner = inner
        self._limit = limit
        self._decoder = self._coding.decoder()
        self._encode: Stage | None = None
        self._encoded = self._decoded = 0
        self._raw = b""  # what has come, as long as nothing of it could be decoded

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk of the encoded body; return what is sent in its place."""
        pieces = self._decode(chunk, more)
        if not self._encoded and not more:
            return self._whole(chunk, pieces)
        self._raw = self._raw + chunk if not self._decoded else b""
        try:
            out = b"".join([self._inner(piece, True) for piece in pieces])
            if len(self._raw) > PIECE and not self._decoded:
                raise Undecodable(f"it has no content within {PIECE} bytes")
        except Undecodable as error:
            error.untouched = None if self._decoded else self._raw
            raise
        if not more:
            out += self._inner(b"", False)
        elif not out:
            return b""
        if self._encode is None:
            self._encode = self._coding.encoder()
        return self._encode(out, more)

    def _whole(self, body: bytes, pieces: Iterator[bytes]) -> bytes:
        decoded = bytearray()
        try:
            for piece in pieces:
                decoded += piece
                if len(decoded) > _WHOLE:
                    return self._anew(bytes(decoded), pieces)
        except Undecodable as error:
            # Clients show as much as they can decode.
            if len(decoded) <= _WHOLE and self._is_clean(bytes(decoded)):
                error.untouched = body
            raise
        before = bytes(decoded)
        after = self._inner(before, False)
        return body if after == before else self._coding.encoder()(after, False)

    def _is_clean(self, decoded: bytes) -> bool:
        return self._inner(decoded, False) == decoded

    def _anew(self, start: bytes, pieces: Iterator[bytes]) -> bytes:
        """Encode a body anew, whatever it is, that is too large to be held decoded."""
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
                    raise Undecodable(f"it is larger than {self._limit} bytes")
                if self._decoded > max(_UNSUSPICIOUS, self._encoded * _RATIO):
                    raise Undecodable(f"it is more than {_RATIO} times larger than encoded")
                yield piece
        except DecodeError as error:
            raise Undecodable("it is not in the coding that it is said to be in") from error
        if not more and self._encoded and not self._decoder.ended:
            raise Undecodable("it ends early")
