"""Edit the data of Server-Sent Events (HTML, 9.2.6) in a stream.

Only ``data`` fields are changed; other fields, comments and line ends never are. Nothing of a line
is held back once its end has arrived.
"""

import re
from abc import abstractmethod
from typing import Final

__all__ = ["EventStreamFilter"]

_BOM: Final = b"\xef\xbb\xbf"
_NAME: Final = b"data:"
#: How much of the field name was read: all of it, so the rest of the line is data.
_DATA: Final = len(_NAME)
#: The line is another field or a comment.
_OTHER: Final = _DATA + 1
_BLANK_LINES: Final = re.compile(rb"[\r\n]++")
_CR: Final = 0x0D
_LF: Final = 0x0A


class EventStreamFilter:
    """A filter for event streams; subclasses edit the data.

    Lines are not stored: their data is edited in the pieces in which it arrives.
    """

    __slots__ = ("_after_cr", "_bom_read", "_field")

    def __init__(self) -> None:
        self._field = 0  # how much of the field name was read; 0 at the beginning of a line
        self._after_cr = False
        self._bom_read = 0  # how much of the byte order mark was read; 3: all, or there is none

    @abstractmethod
    def passes(self, chunk: bytes) -> bool:
        """Return whether a chunk has nothing to edit, and can be sent without being parsed."""

    @abstractmethod
    def on_data(self, piece: bytes, ends: bool) -> bytes:
        """Return the replacement for a piece of the data of a line.

        Args:
            piece: the data, with the space after the colon; may be empty.
            ends: whether the line ends after it. Nothing may be held back then.
        """

    @abstractmethod
    def on_event_end(self) -> None:
        """Handle the end of an event."""

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return the data that may be sent now."""
        if chunk.endswith((b"\n\n", b"\r\n\r\n")) and self.passes(chunk):
            self._field = 0
            self._after_cr = False
            self._bom_read = 3
            self.on_event_end()
            return chunk
        out: list[bytes] = []
        sent = self._read_lines(chunk, out)
        if not more and self._field == _DATA:
            held = self.on_data(b"", True)
            if held:
                out += (chunk[sent:], held)
                sent = len(chunk)
        if not out:
            return chunk
        out.append(chunk[sent:])
        return b"".join(out)

    def _read_lines(self, chunk: bytes, out: list[bytes]) -> int:
        """Parse a chunk; return how much of it is in the output already."""
        size = len(chunk)
        pos = self._skip_start(chunk)
        sent, feed, carriage = 0, -1, -1
        while pos < size:
            blank = _BLANK_LINES.match(chunk, pos) if not self._field else None
            if blank is not None:
                self.on_event_end()
                pos = blank.end()
                self._after_cr = pos == size and chunk[-1] == _CR
                continue
            if feed < pos:
                feed = _find(chunk, b"\n", pos)
            if carriage < pos:
                carriage = _find(chunk, b"\r", pos)
            end = min(feed, carriage)
            begin = self._read_name(chunk, pos, end)
            if self._field == _DATA:
                piece = chunk[begin:end]
                edited = self.on_data(piece, end < size)
                if edited is not piece:
                    out += (chunk[sent:begin], edited)
                    sent = end
            if end == size:
                break
            self._field = 0
            pos = end + 1
            if chunk[end] == _CR:
                self._after_cr = pos == size
                pos += chunk[pos : pos + 1] == b"\n"
        return sent

    def _skip_start(self, chunk: bytes) -> int:
        """Skip the second half of a line end, and a byte order mark; return the offset after it."""
        pos = 0
        if chunk and self._after_cr:
            self._after_cr = False
            pos = int(chunk[0] == _LF)
        while self._bom_read < len(_BOM) and pos < len(chunk):
            if chunk[pos] != _BOM[self._bom_read]:
                if self._bom_read:
                    self._field = _OTHER
                self._bom_read = len(_BOM)
                break
            self._bom_read += 1
            pos += 1
        return pos

    def _read_name(self, chunk: bytes, pos: int, end: int) -> int:
        """Continue to read the field name of a line; return the offset after it."""
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
