"""Mask and drop JSON values in a stream.

A masked value is skipped without being stored. A dropped field takes a comma with it: the one
before it, or, if it is the first field, the one after it.
"""

import re
from abc import abstractmethod
from enum import Enum
from itertools import accumulate, islice
from typing import Final

from mantlet.sanitize.json_fields.expressions import STRING, container
from mantlet.sanitize.json_fields.names import MAX_SPACE, Action

__all__ = ["MASK", "WHITESPACE", "Editor", "ValueReader", "skip_space"]

#: Whitespace (RFC 8259, 2), and the separator of JSON text sequences (RFC 7464, 2.2).
WHITESPACE: Final = b" \t\r\n\x1e"
#: The text of a masked value.
MASK: Final = b'"***"'
_NULL: Final = b"null"
_ENDS: Final = b",]}"
_SPACE: Final = re.compile(rb"[ \t\r\n\x1e]*+")
_DOCUMENT_BREAK: Final = re.compile(rb"[\n\x1e]")
# In invalid JSON, the garbage after a value is removed with the value.
_GARBAGE: Final = re.compile(rb"[^ \t\r\n\x1e,\]}]*+")
# The alternatives of these expressions begin with different bytes, so they take linear time.
_STRING: Final = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
_IN_STRING: Final = re.compile(_STRING, re.DOTALL)
_FLAT: Final = rb'[^"\[\]{}]*+(?:"' + _STRING + rb'"[^"\[\]{}]*+)*+'
_NESTED: Final = re.compile(
    rb'(?:[^"\[\]{}]++|"' + _STRING + rb'"|' + container(12) + rb")*+", re.DOTALL
)
# Brackets of one direction, with the text between them.
_OPENING: Final = re.compile(rb"(?:[\[{]" + _FLAT + rb")++", re.DOTALL)
_CLOSING: Final = re.compile(rb"(?:[\]}]" + _FLAT + rb")++", re.DOTALL)
_WHOLE_STRINGS: Final = re.compile(rb'(?:[^"]++|' + STRING + rb")*+", re.DOTALL)
# From this depth on, the brackets of several bytes for each level are counted at once.
_DEEP: Final = 32
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[{]}"))
_DEPTHS: Final = [(byte in b"[{") - (byte in b"]}") for byte in range(256)]
# One that does not end is removed too, so that no text is read twice.
_STRINGS: Final = re.compile(STRING + rb"?", re.DOTALL)
_NEXT_CLOSING: Final = re.compile(rb"[\]}]" + _FLAT, re.DOTALL)
# A number, true, false or null; or an invalid token.
_SCALAR: Final = re.compile(rb'[^ \t\r\n\x1e,:"\[\]{}]*+')
_COMMA: Final = 0x2C
_COLON: Final = 0x3A
_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C
_OPEN: Final = b"[{"


class ValueReader:
    """Find the end of one JSON value, however its bytes are split into chunks.

    Nothing of the value is stored, and no stack is needed: in JSON, it is enough to count brackets
    of either kind.

    Attributes:
        ended: whether the whole value was read. A number or a literal name ends only where
            something else begins.
    """

    __slots__ = ("_after_backslash", "_depth", "_has_begun", "_in_string", "ended")

    def __init__(self) -> None:
        self.ended = False
        self._has_begun = False
        self._depth = 0
        self._in_string = False
        self._after_backslash = False

    def read(self, data: bytes, pos: int, size: int | None = None) -> int:
        """Continue at ``data[pos]``; return where the value ends, or the end of the data.

        Args:
            data: the data that contains the value.
            pos: where to continue.
            size: where to stop; by default at the end of the data.
        """
        if size is None:
            size = len(data)
        if not self._has_begun:
            self._has_begun = True
            first = data[pos]
            if first == _QUOTE:
                self._in_string = True
                pos += 1
            elif first in _OPEN:
                self._depth = 1
                pos += 1
        while pos < size:
            if self._in_string:
                pos = self._read_string(data, pos, size)
            elif self._depth:
                pos = self._read_nested(data, pos, size)
            else:
                pos = _match_end(_SCALAR, data, pos, size)
                self.ended = pos < size
                return pos
            if self.ended:
                break
        return pos

    def _read_string(self, data: bytes, pos: int, size: int) -> int:
        if self._after_backslash:
            self._after_backslash = False
            pos += 1
        quote = data.find(b'"', pos, size)
        end = size if quote < 0 else quote
        # Searching for a single byte is far faster than a regular expression.
        has_escapes = data.find(b"\\", pos, end) >= 0
        pos = _match_end(_IN_STRING, data, pos, size) if has_escapes else end
        if pos < size:
            if data[pos] == _BACKSLASH:
                self._after_backslash = True  # it is the last byte
            else:
                self._in_string = False
                self.ended = not self._depth
            pos += 1
        return pos

    def _read_nested(self, data: bytes, pos: int, size: int) -> int:
        pos = _match_end(_NESTED, data, pos, size)
        if pos == size:
            return pos
        if data[pos] == _QUOTE:
            self._in_string = True
            return pos + 1
        if self._depth > _DEEP:
            end = _match_end(_WHOLE_STRINGS, data, pos, min(size, pos + 4 * self._depth))
            brackets = _STRINGS.sub(b"", data[pos:end]).translate(None, _NO_BRACKETS)
            depths = list(accumulate(map(_DEPTHS.__getitem__, brackets), initial=self._depth))
            if end > pos and min(depths) > 0:
                self._depth = depths[-1]
                return end
        if data[pos] in _OPEN:
            end = _match_end(_OPENING, data, pos, size)
            self._depth += _count(data[pos:end], b"[{")
            return end
        end = _match_end(_CLOSING, data, pos, size)
        closed = _count(data[pos:end], b"]}")
        if closed < self._depth:
            self._depth -= closed
            return end
        closing = islice(_NEXT_CLOSING.finditer(data, pos, end), self._depth - 1, None)
        self._depth = 0
        self.ended = True
        return next(closing).start() + 1


def _count(data: bytes, brackets: bytes) -> int:
    """Return how many of two brackets are outside of the strings of a text."""
    if _QUOTE in data:
        data = _STRINGS.sub(b"", data)
    return data.count(brackets[0]) + data.count(brackets[1])


class _EditState(Enum):
    """The part of the edited field that comes next."""

    COLON = 1
    BEFORE_VALUE = 2
    VALUE = 3
    AFTER_VALUE = 4
    AFTER_COMMA = 5  # whitespace after the comma of a dropped first field


class Editor:
    """A filter that edits fields one by one; subclasses find them.

    Data is held back only if a name, ``null`` or a comma may begin with it.
    """

    __slots__ = (
        "_data",
        "_drop",
        "_edit_state",
        "_ends_escaped",
        "_first",
        "_from",
        "_held",
        "_hold",
        "_out",
        "_value",
    )

    def __init__(self) -> None:
        self._held = b""
        self._ends_escaped = False  # the data sent ends in a backslash
        self._data = b""
        self._out: list[bytes] = []
        self._from = 0  # data before this offset is in the output, or removed
        self._hold = 0  # data from this offset on waits for the next chunk
        self._edit_state: _EditState | None = None
        self._drop = False
        self._first = False
        self._value = ValueReader()

    @abstractmethod
    def on_data(self, more: bool) -> int:
        """Handle new data; return where to begin in it, or its end to leave it as it is."""

    @abstractmethod
    def find_next(self, pos: int, more: bool) -> int:
        """Move to the next field to edit, from ``pos``; return where the search stopped."""

    @abstractmethod
    def on_edited(self, comma: bool) -> None:
        """Handle the end of an edited field.

        Args:
            comma: whether the comma after it was removed.
        """

    @abstractmethod
    def on_send(self, end: int) -> None:
        """Handle that the data up to ``end`` is about to be sent."""

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return the data that may be sent now."""
        data = self._data = self._held + chunk if self._held else chunk
        self._from = 0
        size = self._hold = len(data)
        pos = self.on_data(more)
        while pos < self._hold:
            pos = self.find_next(pos, more) if self._edit_state is None else self._edit(pos, more)
        end = self._hold
        self.on_send(end)
        if end:
            self._ends_escaped = data[end - 1] == _BACKSLASH
        self._held = data[end:]
        self._data = b""
        if not self._out and not self._from:
            return data if end == size else data[:end]
        self._out.append(data[self._from : end])
        edited = b"".join(self._out)
        self._out.clear()
        return edited

    def flush(self) -> bytes:
        """Return the data held back, unchanged."""
        held = self._data = self._held
        if held:
            self._from = 0
            self.on_send(len(held))
            self._ends_escaped = held[-1] == _BACKSLASH
            self._held = self._data = b""
        return held

    def is_editing(self) -> bool:
        """Return whether a field is being edited that has not ended."""
        return self._edit_state is not None

    def mask(self, start: int, end: int) -> int:
        """Mask a value that is there as a whole; return where it ends."""
        self._out += (self._data[self._from : start], MASK)
        self._from = end
        return end

    def mask_all(self, start: int, end: int, pattern: re.Pattern[bytes]) -> int:
        """Mask the values of the fields between two offsets; return the last one.

        Args:
            start: where the fields begin; nothing is between it and the last edit.
            end: where the last value ends.
            pattern: matches each field, one after the other; its group is all but the value.
        """
        if end > start:
            # All that is between the matches, which is nothing, and their groups.
            kept = pattern.split(self._data[start:end])[1::2]
            self._out += (MASK.join(kept), MASK)
            self._from = end
        return end

    def drop(self, cut: int, end: int, *, first: bool) -> int:
        """Drop a field whose value is there as a whole, and ends at ``end``; return that.

        Args:
            cut: where the field begins, or the comma before it.
            end: where its value ends.
            first: whether no comma precedes it that could be dropped with it.
        """
        self._out.append(self._data[self._from : cut])
        self._from = end
        if first:
            self._drop = self._first = True
            self._edit_state = _EditState.AFTER_VALUE
        else:
            self.on_edited(False)
        return end

    def comma_before(self, pos: int) -> tuple[int, bool]:
        """Return the offset of the comma before ``pos`` or -1, and whether it is too far away."""
        data = self._data
        start = max(self._from, pos - MAX_SPACE - 1)
        kept = data[start:pos].rstrip(WHITESPACE)
        if kept:
            return (start + len(kept) - 1 if kept[-1] == _COMMA else -1), False
        if start > self._from:
            return -1, data[self._from : start].rstrip(WHITESPACE).endswith(b",")
        return -1, False

    def begin_edit(self, action: Action, pos: int, cut: int, *, first: bool, colon: bool) -> int:
        """Begin to mask or to drop a field; return ``pos``.

        Args:
            action: ``"mask"`` or ``"drop"``.
            pos: the offset after the name and the colon, as far as they have arrived.
            cut: where the field begins if it is dropped.
            first: whether no comma precedes the field that could be dropped with it.
            colon: whether the colon has yet to arrive.
        """
        self._drop = action == "drop"
        self._first = first
        self._edit_state = _EditState.COLON if colon else _EditState.BEFORE_VALUE
        self._value = ValueReader()
        if self._drop:
            self._out.append(self._data[self._from : cut])
            self._from = pos
        return pos

    # -- states -----------------------------------------------------------------------------------

    def _edit(self, pos: int, more: bool) -> int:
        data, size, state = self._data, len(self._data), self._edit_state
        if state is _EditState.VALUE:
            pos = self._from = self._value.read(data, pos)
            if self._value.ended:
                self._edit_state = _EditState.AFTER_VALUE
            return pos
        end = skip_space(data, pos)
        if state is _EditState.AFTER_VALUE:
            return self._after_value(pos, end)
        if self._drop:
            self._from = end
        if end == size:
            return end
        if state is _EditState.COLON:
            return self._at_colon(end)
        if state is _EditState.AFTER_COMMA:
            return self._end_edit(end, comma=True)
        return self._at_value(end, more)

    def _at_colon(self, pos: int) -> int:
        if self._data[pos] != _COLON:
            return self._end_edit(pos)
        self._edit_state = _EditState.BEFORE_VALUE
        if self._drop:
            self._from = pos + 1
        return pos + 1

    def _at_value(self, pos: int, more: bool) -> int:
        data = self._data
        if data[pos] in _ENDS:  # the value is missing
            self._edit_state = _EditState.AFTER_VALUE
            return pos
        if not self._drop:
            start = data[pos : pos + 5]
            if start == _NULL[: len(start)] and more:
                self._hold = pos
                return pos
            if start[:4] == _NULL and start[4:] in b",]} \t\r\n\x1e":
                return self._end_edit(pos + 4)
            self._out += (data[self._from : pos], MASK)
            self._from = pos
        self._edit_state = _EditState.VALUE
        return pos

    def _after_value(self, pos: int, end: int) -> int:
        data, size = self._data, len(self._data)
        dropped_first = self._drop and self._first
        if dropped_first:
            self._from = end
        if end < size and data[end] == _COMMA and dropped_first:
            self._from = end + 1
            self._edit_state = _EditState.AFTER_COMMA
            return end + 1
        if end < size and data[end] in _ENDS:
            return self._end_edit(end)
        if _DOCUMENT_BREAK.search(data, pos, end) and not dropped_first:
            return self._end_edit(end)  # another document, most likely
        if end == size:
            return end
        garbage = _GARBAGE.match(data, end)
        stop = garbage.end() if garbage else end
        self._out.append(data[self._from : end])
        self._from = stop
        return stop

    def _end_edit(self, pos: int, *, comma: bool = False) -> int:
        self._edit_state = None
        self.on_edited(comma)
        return pos


def skip_space(data: bytes, pos: int) -> int:
    """Return where the whitespace that begins at ``pos`` ends."""
    found = _SPACE.match(data, pos)
    return found.end() if found else pos


def _match_end(pattern: re.Pattern[bytes], data: bytes, pos: int, size: int) -> int:
    found = pattern.match(data, pos, size)
    return found.end() if found else pos
