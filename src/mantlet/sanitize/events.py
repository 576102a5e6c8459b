"""Server-Sent Events (HTML, 9.2.6) as they stream by, so that what their data is can be changed.

Fields other than ``data``, comments and line ends are never touched, and nothing of a line stays
behind once its end has come.
"""

from abc import abstractmethod
from typing import Final

__all__ = ["Events"]

_MARK: Final = b"\xef\xbb\xbf"
_NAME: Final = b"data:"
#: How much of the field's name was read: all of it, and what follows is data.
_DATA: Final = len(_NAME)
#: The line is another field's, or a comment.
_OTHER: Final = _DATA + 1
_CR: Final = 0x0D
_LF: Final = 0x0A


class Events:
    """A filter of event streams; what it does to data is said by a class under it.

    A line is not kept: its data is handed on in the pieces that it comes in.
    """

    __slots__ = ("_after_cr", "_field", "_marked")

    def __init__(self) -> None:
        self._field = 0  # how much of its name is read; 0: nothing of the line
        self._after_cr = False
        self._marked = 0  # how much of the byte order mark is read; 3: all, or there is none

    @abstractmethod
    def passes(self, chunk: bytes) -> bool:
        """Return whether a chunk, before what was held back, holds nothing to change at all."""

    @abstractmethod
    def data(self, piece: bytes, ends: bool) -> bytes:
        """Return what takes the place of a piece of a line's data.

        Args:
            piece: may be empty; with the space behind the colon.
            ends: whether the line ends behind it. Nothing may be held back then.
        """

    @abstractmethod
    def end(self) -> None:
        """Take note that an event ends."""

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return what may be sent of it and of those before."""
        if chunk.endswith((b"\n\n", b"\r\n\r\n")) and self.passes(chunk):
            self._field = 0
            self._after_cr = False
            self._marked = 3
            self.end()
            return chunk
        out: list[bytes] = []
        sent = self._lines(chunk, out)
        if not more and self._field == _DATA:
            held = self.data(b"", True)
            if held:
                out += (chunk[sent:], held)
                sent = len(chunk)
        if not out:
            return chunk
        out.append(chunk[sent:])
        return b"".join(out)

    def _lines(self, chunk: bytes, out: list[bytes]) -> int:
        """Read a chunk; return how much of it is in what goes out already."""
        size = len(chunk)
        pos = self._start(chunk)
        sent, feed, carriage = 0, -1, -1
        while pos < size:
            if feed < pos:
                feed = _find(chunk, b"\n", pos)
            if carriage < pos:
                carriage = _find(chunk, b"\r", pos)
            end = min(feed, carriage)
            begin = self._name(chunk, pos, end)
            if self._field == _DATA:
                piece = chunk[begin:end]
                made = self.data(piece, end < size)
                if made is not piece:
                    out += (chunk[sent:begin], made)
                    sent = end
            if end == size:
                break
            if not self._field:
                self.end()
            self._field = 0
            pos = end + 1
            if chunk[end] == _CR:
                self._after_cr = pos == size
                pos += chunk[pos : pos + 1] == b"\n"
        return sent

    def _start(self, chunk: bytes) -> int:
        """Return where in a chunk what has a meaning begins."""
        pos = 0
        if chunk and self._after_cr:
            self._after_cr = False
            pos = int(chunk[0] == _LF)
        while self._marked < len(_MARK) and pos < len(chunk):
            if chunk[pos] != _MARK[self._marked]:
                if self._marked:
                    self._field = _OTHER
                self._marked = len(_MARK)
                break
            self._marked += 1
            pos += 1
        return pos

    def _name(self, chunk: bytes, pos: int, end: int) -> int:
        """Read on in the name of a line's field; return where it stops."""
        while self._field < _DATA and pos < end:
            if chunk[pos] != _NAME[self._field]:
                self._field = _OTHER
                break
            self._field += 1
            pos += 1
        return pos


def _find(chunk: bytes, byte: bytes, pos: int) -> int:
    at = chunk.find(byte, pos)
    return len(chunk) if at < 0 else at
