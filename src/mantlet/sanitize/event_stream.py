"""Edit the data of Server-Sent Events (HTML, 9.2.6) in a stream.

Only ``data`` fields are changed; other fields, comments and the line ends between them never are.
Consecutive lines of an event's data are edited in one step, however many there are.
"""

import re
from abc import abstractmethod
from typing import Final

__all__ = ["EVENT_END", "EventStreamFilter", "last_event_end", "with_names", "without_names"]

#: The end of an event: a blank line.
EVENT_END: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_EVENT_ENDS: Final = (b"\n\n", b"\n\r", b"\r\r")
_BOM: Final = b"\xef\xbb\xbf"
_NAME: Final = b"data:"
#: The rest of a line of data, and the lines of data that follow it.
_DATA: Final = re.compile(rb"[^\r\n]*+(?:(?:\r\n|\n|\r)data:[^\r\n]*+)*+")
#: Complete lines of other fields, comments, and blank lines.
_OTHERS: Final = re.compile(rb"(?:(?!data:)[^\r\n]*+(?:\r\n|\n|\r))*+")
_REST: Final = re.compile(rb"[^\r\n]*+")
#: A line end, and what may be the beginning of another line of data after it.
_MAY_GO_ON: Final = re.compile(rb"(?:\r\n?|\n)(?:d(?:a(?:ta?)?)?)?\Z")
_LINE_NAME: Final = re.compile(rb"(\r\n|\n|\r)data:")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_LINE_ENDS: Final = b"\r\n"


def last_event_end(data: bytes | bytearray, start: int = 0) -> int:
    """Return the offset after the last event, or 0 if none ends.

    Args:
        data: events.
        start: no event ends before this offset.
    """
    at = max(data.rfind(end, start) for end in _EVENT_ENDS)
    if at < 0:
        return 0
    return at + 2 + (data[at + 1 : at + 3] == b"\r\n")


def without_names(data: bytes) -> bytes:
    """Return several lines of data without ``data:`` at the beginnings of lines but the first."""
    if b"\r" in data:
        return _LINE_NAME.sub(rb"\1", data)
    return data.replace(b"\ndata:", b"\n")


def with_names(data: bytes) -> bytes:
    """Return data with ``data:`` at the beginning of each line but the first."""
    if b"\r" in data:
        return _LINE_END.sub(rb"\g<0>data:", data)
    return data.replace(b"\n", b"\ndata:")


class EventStreamFilter:
    """A filter for event streams; subclasses edit the data.

    Lines are not buffered: their data is edited in the pieces in which it arrives. A line end at
    the end of a chunk is held back, since another line of data may follow it.
    """

    __slots__ = ("_after_cr", "_has_begun", "_has_looked", "_line", "_waiting")

    def __init__(self) -> None:
        self._has_begun = False
        self._has_looked = False  # whether the rest of the chunk has been tested by `passes()`
        self._line: bool | None = None  # whether the current line is data; None between lines
        self._after_cr = False
        self._waiting = b""

    @abstractmethod
    def passes(self, chunk: bytes) -> bool:
        """Return whether there is nothing to edit in the events that begin in a chunk."""

    @abstractmethod
    def on_data(self, piece: bytes, ends: bool) -> bytes:
        """Return the replacement for a piece of the data of an event.

        Args:
            piece: the data, with the space after the first colon; may be empty. Between its lines
                it has their line ends, each followed by ``data:``.
            ends: whether this is the end of the data. Then nothing may be held back.
        """

    def end_of_events(self, _data: bytes, pos: int) -> int:
        """Return the end of the whole events that can be edited in one step; ``pos`` for none.

        Args:
            _data: a part of the stream.
            pos: the offset after the name of the first line of data of an event.
        """
        return pos

    def on_events(self, piece: bytes) -> bytes:
        """Return the replacement for the data of whole events."""
        return piece

    @abstractmethod
    def on_event_end(self) -> None:
        """Handle the end of an event."""

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return the data that may be sent now."""
        data = self._waiting + chunk if self._waiting else chunk
        self._waiting = b""
        begin = 0
        if not self._has_begun:
            if more and len(data) < len(_BOM) and _BOM.startswith(data):
                self._waiting = data
                return b""
            self._has_begun = True
            begin = len(_BOM) if data.startswith(_BOM) else 0
        out: list[bytes] = []
        sent = self._read_lines(data, begin, more, out)
        end = len(data) - len(self._waiting)
        if not out:
            return data if end == len(data) else data[:end]
        out.append(data[sent:end])
        return b"".join(out)

    def _read_lines(self, data: bytes, pos: int, more: bool, out: list[bytes]) -> int:
        """Parse data from an offset on; return the number of bytes whose output was appended."""
        pos = self._begin(data, pos)
        sent, size = 0, len(data)
        while pos < size or (self._line and not more):
            if self._line is None:
                pos = self._skip_others(data, pos, more)
                if self._waiting:
                    break
                end = self._end_of_events(data, pos)
                if end > pos:
                    out += (data[sent:pos], self.on_events(data[pos:end]))
                    pos = sent = end
                continue
            if not self._line:
                pos = self._end_line(data, _end_of(_REST, data, pos))
                continue
            end = _end_of(_DATA, data, pos)
            goes_on = more and (end == size or _MAY_GO_ON.match(data, end) is not None)
            piece = data[pos:end]
            edited = self.on_data(piece, not goes_on)
            if edited is not piece:
                out += (data[sent:pos], edited)
                sent = end
            pos = end
            if goes_on:
                self._waiting = data[end:]
                break
            pos = self._end_line(data, pos)
            self._line = None
        return sent

    def _end_of_events(self, data: bytes, pos: int) -> int:
        """Return the end of the whole events that are edited in one step; ``pos`` for none."""
        if not self._line:
            return pos
        end = self.end_of_events(data, pos)
        if end > pos:
            self._line = None
        return end

    def _end_line(self, data: bytes, pos: int) -> int:
        """Skip a line end, if it is there; return the offset after it."""
        if pos < len(data):
            self._line = None
            pos += 2 if data.startswith(b"\r\n", pos) else 1
            self._after_cr = pos == len(data) and data.endswith(b"\r")
        return pos

    def _begin(self, data: bytes, pos: int) -> int:
        """Skip the beginning that need not be parsed; return the offset after it."""
        if self._after_cr and data:
            self._after_cr = False
            pos = int(data.startswith(b"\n"))
        self._has_looked = self.passes(data)
        return self._skip_events(data, pos) if self._has_looked else pos

    def _skip_events(self, data: bytes, pos: int) -> int:
        """Skip events in which nothing is edited; return the offset after the last one."""
        end = last_event_end(data)
        if end <= pos:
            return pos
        self.on_event_end()
        self._line = None
        self._after_cr = end == len(data) and data.endswith(b"\r")
        return end

    def _skip_others(self, data: bytes, pos: int, more: bool) -> int:
        """Skip lines without data; return where the next line of data, or the last line, begins."""
        end = _end_of(_OTHERS, data, pos)
        if end > pos:
            if data[pos] in _LINE_ENDS or EVENT_END.search(data, pos, end):
                self.on_event_end()
                if not self._has_looked:  # once, since that reads all of the data
                    self._has_looked = True
                    if self.passes(data[end:]):
                        end = self._skip_events(data, end)
            self._after_cr = end == len(data) and data.endswith(b"\r")
        if data.startswith(_NAME, end):
            self._line = True
            return end + len(_NAME)
        rest = data[end:]
        if rest and more and _NAME.startswith(rest):
            self._waiting = rest
        elif rest:
            self._line = False
        return end


def _end_of(pattern: re.Pattern[bytes], data: bytes, pos: int) -> int:
    found = pattern.match(data, pos)
    return found.end() if found else pos
