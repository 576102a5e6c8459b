"""Decode content codings in pieces of bounded size (RFC 9110, 8.4.1).

Readers differ on data after the end of the coded data: many ignore it. If two readers of one body
must not differ, use a strict decoder.
"""

import sys
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Final, Protocol

from mantlet.exceptions import MantletError

__all__ = ["PIECE", "DecodeError", "Decoder", "decoders"]

#: The most bytes that are decoded at once; Brotli's library may return half as many more.
PIECE: Final = 64 * 1024
#: The most gzip members that a strict decoder accepts: even an empty one costs time.
_MAX_MEMBERS: Final = 10_000
#: RFC 9659, 3: no frame may need a window of more than 8 MiB, 2^23 bytes.
_WINDOW_LOG: Final = 23
#: So many Zstandard frames, and one for so many bytes of a body: even an empty one costs time.
_FIRST_FRAMES: Final = 1000
_BYTES_PER_FRAME: Final = 64
_GZIP: Final = 16 + zlib.MAX_WBITS


class DecodeError(MantletError):
    """A body is not in the coding that its ``Content-Encoding`` names."""


class Decoder(Protocol):
    """Decodes a content coding of one body."""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Decode a chunk of the body; consume the iterator to its end.

        Raises:
            DecodeError: the body is not in this coding.
        """
        ...

    @property
    def ended(self) -> bool:
        """Whether the body may end here."""
        ...


class _Zlib:
    """Gzip with one or more members (RFC 1952, 2.2), and deflate with or without zlib's frame.

    Args:
        wbits: zlib's parameter of that name.
        strict: whether data after the end is an error, and too many members.
    """

    def __init__(self, wbits: int, strict: bool) -> None:
        self._wbits = wbits
        self._strict = strict
        self._members = 0
        self._inflate: Any = None  # the type has no public name

    @property
    def ended(self) -> bool:
        if self._inflate is None:
            return not self._strict
        return bool(self._inflate.eof)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        try:
            yield from self._pieces(data)
        except zlib.error:
            raise DecodeError("invalid gzip or deflate data") from None

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            if (self._inflate is None or self._inflate.eof) and not self._begin(data):
                return
            piece = self._inflate.decompress(data, PIECE)
            data = self._inflate.unconsumed_tail or self._inflate.unused_data
            if self._inflate.eof and not self._strict and not data.startswith(b"\x1f"):
                data = b""  # padding after the last member, which clients ignore too
            if piece:
                yield piece
        # Output that zlib still holds although it has consumed all of the input.
        while self._inflate is not None and not self._inflate.eof:
            piece = self._inflate.decompress(b"", PIECE)
            if not piece:
                return
            yield piece

    def _begin(self, data: bytes) -> bool:
        """Begin a member; return whether one may begin here."""
        self._members += 1
        if self._members > 1:
            if self._wbits != _GZIP:
                if self._strict:
                    raise DecodeError("data after the end")
                return False
            if self._strict and self._members > _MAX_MEMBERS:
                raise DecodeError(f"more than {_MAX_MEMBERS} gzip members")
        self._inflate = zlib.decompressobj(self._bits(data))
        return True

    def _bits(self, data: bytes) -> int:
        if self._wbits == _GZIP:
            return _GZIP
        # RFC 9110, 8.4.1.2: some servers omit the frame. RFC 1950, 2.2: its first two bytes have a
        # checksum.
        framed = data[0] & 0x0F == 8 and (len(data) < 2 or int.from_bytes(data[:2]) % 31 == 0)
        return zlib.MAX_WBITS if framed else -zlib.MAX_WBITS


class _Brotli:
    """Brotli (RFC 7932).

    Args:
        brotli: the module.
        strict: whether data after the end is an error.
    """

    def __init__(self, brotli: Any, strict: bool) -> None:
        self._inflate = brotli.Decompressor()
        self._error = brotli.error
        self._strict = strict

    @property
    def ended(self) -> bool:
        return bool(self._inflate.is_finished())

    def pieces(self, data: bytes) -> Iterator[bytes]:
        inflate = self._inflate
        if inflate.is_finished():
            if data and self._strict:
                raise DecodeError("data after the end")
            return
        try:
            piece = inflate.process(data, output_buffer_limit=PIECE)
            while piece:
                yield piece
                if inflate.is_finished():
                    return
                piece = inflate.process(b"", output_buffer_limit=PIECE)
        except self._error:
            raise DecodeError("invalid Brotli data") from None


class _Zstd:
    """Zstandard (RFC 8878), with windows of at most 8 MiB (RFC 9659).

    Args:
        zstd: the module.
        strict: whether data after the first frame is an error; else there may be several.
    """

    def __init__(self, zstd: Any, strict: bool) -> None:
        self._zstd = zstd
        self._strict = strict
        self._size = self._frames = 0
        self._inflate = self._frame()

    def _frame(self) -> Any:
        options = {self._zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
        return self._zstd.ZstdDecompressor(options=options)

    @property
    def ended(self) -> bool:
        return bool(self._inflate.eof)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        self._size += len(data)
        try:
            # Frame by frame, but never with more than a piece of the rest, which each one copies.
            for at in range(0, len(data), PIECE):
                yield from self._pieces(data[at : at + PIECE])
        except self._zstd.ZstdError:
            raise DecodeError("invalid Zstandard data") from None

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inflate.eof:
                if self._strict:
                    raise DecodeError("data after the end")
                self._frames += 1
                if self._frames > _FIRST_FRAMES + self._size // _BYTES_PER_FRAME:
                    raise DecodeError("too many Zstandard frames")
                self._inflate = self._frame()
            yield from self._frame_pieces(data)
            data = self._inflate.unused_data

    def _frame_pieces(self, data: bytes) -> Iterator[bytes]:
        inflate = self._inflate
        piece = inflate.decompress(data, PIECE)
        while piece:
            yield piece
            if inflate.eof or inflate.needs_input:
                return
            piece = inflate.decompress(b"", PIECE)


def _zlib(wbits: int, strict: bool) -> Callable[[], Decoder]:
    return lambda: _Zlib(wbits, strict)


def decoders(*, strict: bool = False) -> dict[str, Callable[[], Decoder]]:
    """Return the factories of decoders by the names of the supported codings.

    These are gzip and deflate, and br and zstd if their libraries are installed (RFC 9110, 16.6.1,
    with RFC 7932 and RFC 8878).

    Args:
        strict: raise an error for everything that readers may take differently: data after the
            end, and an empty body. `Decoder.ended` is False for a truncated stream.
    """
    gzip = _zlib(_GZIP, strict)
    found: dict[str, Callable[[], Decoder]] = {
        "gzip": gzip,
        "x-gzip": gzip,  # RFC 9110, 8.4.1.3
        "deflate": _zlib(zlib.MAX_WBITS, strict),
    }
    brotli = _module("brotli")
    if brotli is not None:
        found["br"] = lambda: _Brotli(brotli, strict)
    zstd = _module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    if zstd is not None:
        found["zstd"] = lambda: _Zstd(zstd, strict)
    return found


def _module(name: str) -> Any:
    """Return a module, or None if it is not installed and its coding is unsupported."""
    try:
        return import_module(name)
    except ImportError:
        return None
