"""Bodies that the app has encoded: decoded piece by piece, looked at, sent on (RFC 9110, 8.4.1).

A body that is there whole and is clean is sent as it was. One that comes in pieces is encoded anew,
since a compressed stream can't be changed in its middle, and a leak may be in any piece; each piece
is flushed, so that nothing waits for the next one.
"""

import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Final, Protocol

from mantlet.exceptions import MantletError

__all__ = ["CODINGS", "Recoded", "Undecodable", "codings"]

#: The most bytes that are decoded in one go.
_PIECE: Final = 64 * 1024
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


class _Decoder(Protocol):
    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Decode more of the body."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the body may end here."""
        ...


class _Zlib:
    """Gzip, also of several members (RFC 1952, 2.2), and deflate, with or without zlib's frame.

    Args:
        wbits: as zlib has it.
    """

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._inflate: Any = None  # the type has no public name

    @property
    def ended(self) -> bool:
        return self._inflate is None or self._inflate.eof

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self.ended:
                if self._inflate is not None and self._wbits != _GZIP:
                    return
                self._inflate = zlib.decompressobj(self._bits(data))
            piece = self._inflate.decompress(data, _PIECE)
            data = self._inflate.unconsumed_tail or self._inflate.unused_data
            if self._inflate.eof and data and not data.startswith(b"\x1f"):
                data = b""  # padding behind the last member, which clients ignore too
            if piece:
                yield piece
        # What zlib keeps inside itself though it has taken all of the input.
        while self._inflate is not None and not self._inflate.eof:
            piece = self._inflate.decompress(b"", _PIECE)
            if not piece:
                return
            yield piece

    def _bits(self, data: bytes) -> int:
        if self._wbits == _GZIP:
            return _GZIP
        # RFC 9110, 8.4.1.2: some send it without the frame. RFC 1950, 2.2 has a check of the first
        # two bytes.
        framed = data[0] & 0x0F == 8 and (len(data) < 2 or int.from_bytes(data[:2]) % 31 == 0)
        return zlib.MAX_WBITS if framed else -zlib.MAX_WBITS


_GZIP: Final = 16 + zlib.MAX_WBITS


class _Brotli:
    """Brotli (RFC 7932)."""

    def __init__(self, brotli: Any) -> None:
        self._inflate = brotli.Decompressor()

    @property
    def ended(self) -> bool:
        return bool(self._inflate.is_finished())

    def pieces(self, data: bytes) -> Iterator[bytes]:
        inflate = self._inflate
        if inflate.is_finished():
            return
        piece = inflate.process(data, output_buffer_limit=_PIECE)
        while piece:
            yield piece
            if inflate.is_finished():
                return
            piece = inflate.process(b"", output_buffer_limit=_PIECE)


class _Coding:
    """One content coding.

    Args:
        decoder: makes a decoder.
        encoder: makes an encoder: an object with ``compress()`` or ``process()``, and ``flush()``.
    """

    def __init__(self, decoder: Callable[[], _Decoder], encoder: Callable[[], Stage]) -> None:
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


def _brotli() -> _Coding | None:
    try:
        brotli: Any = import_module("brotli")
    except ImportError:  # then it is an unknown coding
        return None

    def make() -> Stage:
        compressor = brotli.Compressor(quality=5)

        def encode(piece: bytes, more: bool) -> bytes:
            encoded: bytes = compressor.process(piece)
            encoded += compressor.flush() if more else compressor.finish()
            return encoded

        return encode

    return _Coding(lambda: _Brotli(brotli), make)


def codings() -> dict[str, _Coding]:
    """Return the codings that can be looked into here, by their names (RFC 9110, 16.6.1)."""
    gzip = _Coding(lambda: _Zlib(_GZIP), _deflating(_GZIP))
    deflate = _Coding(lambda: _Zlib(zlib.MAX_WBITS), _deflating(zlib.MAX_WBITS))
    codings = {"gzip": gzip, "x-gzip": gzip, "deflate": deflate}
    brotli = _brotli()
    if brotli is not None:
        codings["br"] = brotli
    return codings


#: Looked for once.
CODINGS: Final = codings()


class Recoded:
    """Puts a stage inside of a body's coding: a filter of the encoded body.

    Args:
        coding: a key of `CODINGS`.
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
        self._coding = CODINGS[coding]
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
            if len(self._raw) > _PIECE and not self._decoded:
                raise Undecodable(f"it has no content within {_PIECE} bytes")
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
        except Undecodable:
            raise
        except Exception as error:  # zlib.error, brotli.error
            raise Undecodable("it is not in the coding that it is said to be in") from error
        if not more and self._encoded and not self._decoder.ended:
            raise Undecodable("it ends early")
