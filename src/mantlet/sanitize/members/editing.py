"""What becomes of a member that was found, and the buffer that it is done in.

A masked value is skipped without being stored; of a dropped member its comma goes too: the one
before it, or, if it is the first, the one behind it.
"""

import re
from abc import abstractmethod
from enum import Enum
from typing import Final

from mantlet.sanitize.members.names import Action
from mantlet.sanitize.members.values import SPACE, Value

__all__ = ["MOST_SPACE", "Editor"]

#: The most whitespace that is held back with a comma, until it is known what follows.
MOST_SPACE: Final = 1024
WHITE: Final = b" \t\r\n\x1e"

_MASK: Final = b'"***"'
_NULL: Final = b"null"
_ENDS: Final = b",]}"
_BREAKS: Final = re.compile(rb"[\n\x1e]")
# What stands behind a value in what is no JSON goes with the value.
_REST: Final = re.compile(rb"[^ \t\r\n\x1e,\]}]*+")
_COMMA: Final = 0x2C
_COLON: Final = 0x3A
_BACKSLASH: Final = 0x5C


class _Step(Enum):
    """What of a member comes next."""

    COLON = 1
    SPACE = 2  # behind the colon
    VALUE = 3
    BEHIND = 4
    NEXT = 5  # whitespace behind the comma of a first member that is dropped


class Editor:
    """A filter that goes from member to member; how they are found is said by a class under it.

    Nothing is held back but what a name, ``null`` or a comma may begin with.
    """

    __slots__ = (
        "_data",
        "_drop",
        "_first",
        "_from",
        "_held",
        "_hold",
        "_odd",
        "_out",
        "_step",
        "_value",
    )

    def __init__(self) -> None:
        self._held = b""
        self._odd = False  # what was sent ends in a backslash that is not escaped itself
        self._data = b""
        self._out: list[bytes] = []
        self._from = 0  # what is before it in the data is in what goes out, or is left out
        self._hold = 0  # what stands from here on in the data waits for the next chunk
        self._step: _Step | None = None
        self._drop = False
        self._first = False
        self._value = Value()

    @abstractmethod
    def begin(self, more: bool) -> int:
        """Take note of new data; return where to go on in it, or its end to leave it as it is."""

    @abstractmethod
    def seek(self, pos: int, more: bool) -> int:
        """Go on to the next member from ``pos``; return where it stopped."""

    @abstractmethod
    def edited(self, comma: bool) -> None:
        """Take note that a member is done with, and whether the comma behind it was left out."""

    @abstractmethod
    def sent(self, end: int) -> None:
        """Take note that the data goes out up to ``end``."""

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return what may be sent of it and of those before."""
        data = self._data = self._held + chunk if self._held else chunk
        self._from = 0
        size = self._hold = len(data)
        pos = self.begin(more)
        while pos < self._hold:
            pos = self.seek(pos, more) if self._step is None else self._edit(pos, more)
        end = self._hold
        self.sent(end)
        if end:
            odd = self.is_escaped(end)
            self._odd = odd
        self._held = data[end:]
        self._data = b""
        if not self._out and not self._from:
            return data if end == size else data[:end]
        self._out.append(data[self._from : end])
        made = b"".join(self._out)
        self._out.clear()
        return made

    def release(self) -> bytes:
        """Return what is held back, which is sent as it is."""
        held = self._data = self._held
        if held:
            self._from = 0
            self.sent(len(held))
            self._odd = self.is_escaped(len(held))
            self._held = self._data = b""
        return held

    def is_escaped(self, pos: int) -> bool:
        """Return whether an odd number of backslashes stands before ``pos``."""
        data, start = self._data, pos
        while start and data[start - 1] == _BACKSLASH:
            start -= 1
        return ((pos - start) % 2 == 1) ^ (self._odd and not start)

    def comma_before(self, pos: int) -> tuple[int, bool]:
        """Return where the comma before ``pos`` is, or -1, and whether there is too much space."""
        data = self._data
        start = max(self._from, pos - MOST_SPACE - 1)
        kept = data[start:pos].rstrip(WHITE)
        if kept:
            return (start + len(kept) - 1 if kept[-1] == _COMMA else -1), False
        if start > self._from:
            return -1, data[self._from : start].rstrip(WHITE).endswith(b",")
        return -1, False

    def start(self, action: Action, pos: int, cut: int, *, first: bool, colon: bool) -> int:
        """Begin to mask or to drop a member, and return ``pos``.

        Args:
            action: which.
            pos: behind its name and its colon, as far as they are there.
            cut: where the dropped member begins.
            first: whether no comma stands before it that could go with it.
            colon: whether its colon is still to come.
        """
        self._drop = action == "drop"
        self._first = first
        self._step = _Step.COLON if colon else _Step.SPACE
        self._value = Value()
        if self._drop:
            self._out.append(self._data[self._from : cut])
            self._from = pos
        return pos

    # -- steps ------------------------------------------------------------------------------------

    def _edit(self, pos: int, more: bool) -> int:
        data, size, step = self._data, len(self._data), self._step
        if step is _Step.VALUE:
            pos = self._from = self._value.read(data, pos)
            if self._value.ended:
                self._step = _Step.BEHIND
            return pos
        end = space_end(data, pos)
        if step is _Step.BEHIND:
            return self._behind_value(pos, end)
        if self._drop:
            self._from = end
        if end == size:
            return end
        if step is _Step.COLON:
            return self._at_colon(end)
        if step is _Step.NEXT:
            return self._done(end, comma=True)
        return self._at_value(end, more)

    def _at_colon(self, pos: int) -> int:
        if self._data[pos] != _COLON:
            return self._done(pos)
        self._step = _Step.SPACE
        if self._drop:
            self._from = pos + 1
        return pos + 1

    def _at_value(self, pos: int, more: bool) -> int:
        data = self._data
        if data[pos] in _ENDS:  # there is none
            self._step = _Step.BEHIND
            return pos
        if not self._drop:
            start = data[pos : pos + 5]
            if start == _NULL[: len(start)] and more:
                self._hold = pos
                return pos
            if start[:4] == _NULL and start[4:] in b",]} \t\r\n\x1e":
                return self._done(pos + 4)
            self._out += (data[self._from : pos], _MASK)
            self._from = pos
        self._step = _Step.VALUE
        return pos

    def _behind_value(self, pos: int, end: int) -> int:
        data, size = self._data, len(self._data)
        dropped_first = self._drop and self._first
        if dropped_first:
            self._from = end
        if end < size and data[end] == _COMMA and dropped_first:
            self._from = end + 1
            self._step = _Step.NEXT
            return end + 1
        if end < size and data[end] in _ENDS:
            return self._done(end)
        if _BREAKS.search(data, pos, end) and not dropped_first:
            return self._done(end)  # another document, most likely
        if end == size:
            return end
        rest = _REST.match(data, end)
        stop = rest.end() if rest else end
        self._out.append(data[self._from : end])
        self._from = stop
        return stop

    def _done(self, pos: int, *, comma: bool = False) -> int:
        self._step = None
        self.edited(comma)
        return pos


def space_end(data: bytes, pos: int) -> int:
    """Return where the whitespace ends that begins at ``pos``."""
    found = SPACE.match(data, pos)
    return found.end() if found else pos
