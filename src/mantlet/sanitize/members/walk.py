"""Members found by where they are in the document, which is read from its begin.

That is for JSON Pointers, and for the few names that may also stand between two strings. Parts of
the document that no pointer leads into are passed over at once. A document's depth costs no more
than the longest pointer's; where names are looked for at any depth, it is bounded.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from mantlet.sanitize.members.editing import MOST_SPACE, Editor, space_end
from mantlet.sanitize.members.names import LONGEST_RAW, decoded
from mantlet.sanitize.members.near import NAME
from mantlet.sanitize.members.places import PASSES, At, Level
from mantlet.sanitize.members.pointers import children
from mantlet.sanitize.members.values import Value

if TYPE_CHECKING:
    from mantlet.sanitize.members.finding import Finder
    from mantlet.sanitize.members.names import Action, Names
    from mantlet.sanitize.members.pointers import Node

__all__ = ["MOST_DEPTH", "Walk"]

#: The most levels that names are looked for in. A container that is deeper is masked as a whole.
MOST_DEPTH: Final = 1000

_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C
_COMMA: Final = 0x2C
_COLON: Final = 0x3A
_ARRAY: Final = 0x5B
_OPEN: Final = b"[{"
_CLOSE: Final = b"]}"
#: There is no comma before what comes, or it was sent already.
_NONE: Final = -1
_SENT: Final = -2


class Walk(Editor):
    """The way through one body: a document, or several one after another.

    Args:
        root: of the pointers' tree.
        names: what is looked for at any depth; None: nothing is.
        finder: finds bytes that betray what is looked for.
    """

    __slots__ = (
        "_at",
        "_comma",
        "_drops",
        "_finder",
        "_found",
        "_fresh",
        "_hits",
        "_levels",
        "_names",
        "_next_hit",
        "_passing",
        "_top",
    )

    def __init__(self, root: Node, names: Names | None, finder: Finder, *, drops: bool) -> None:
        super().__init__()
        self._top = (root,)
        self._names = names
        self._finder = finder
        self._drops = drops
        self._levels: list[Level] = []
        self._at = At.VALUE
        self._found: tuple[Node, ...] = self._top  # that the next value is at
        self._passing = Value()
        self._comma = _NONE
        self._fresh = True
        self._hits: list[int] = []
        self._next_hit = 0

    def begin(self, more: bool) -> int:
        """Search the data for what betrays a member."""
        if self._names is None or (self._fresh and not more):
            hits = self._hits = self._finder.find(self._data)
            self._next_hit = 0
            if self._fresh and not more and not hits:
                return len(self._data)
        self._fresh = False
        # What is held back begins with the comma that was read already, if there is one.
        return int(self._comma >= 0)

    def sent(self, end: int) -> None:
        """Take note whether the comma goes out."""
        if self._comma >= 0:
            self._comma = 0 if self._comma == end else _SENT

    def edited(self, comma: bool) -> None:
        """Take note that a member is done with."""
        self._at = At.BEHIND
        if comma:
            self._next(_NONE)

    def seek(self, pos: int, more: bool) -> int:
        """Go on to the next member."""
        data, size = self._data, len(self._data)
        while pos < size and self._step is None:
            if self._at in PASSES:
                pos = self._pass(pos)
                continue
            pos = space_end(data, pos)
            if pos == size:
                break
            if self._at is At.NAME:
                pos = self._name(pos, more)
                if pos > self._hold:
                    return pos
            elif self._at is At.VALUE:
                pos = self._value_at(pos)
            elif self._at is At.BEHIND:
                pos = self._behind(pos)
            else:
                pos = self._colon(pos)
        if pos == size and self._step is None and more:
            self._keep_comma(size)
        return pos

    # -- what comes -------------------------------------------------------------------------------

    def _pass(self, pos: int) -> int:
        pos = self._passing.read(self._data, pos)
        if self._passing.ended:
            self._at = At.BEHIND if self._at is At.PASSING else At.COLON
        return pos

    def _colon(self, pos: int) -> int:
        if self._data[pos] != _COLON:
            self._at = At.BEHIND  # of a member without a value
            return pos
        self._at = At.VALUE
        return pos + 1

    def _name(self, pos: int, more: bool) -> int:
        data, size = self._data, len(self._data)
        if data[pos] in _CLOSE:
            return self._close(pos)
        if data[pos] != _QUOTE:
            return pos + 1
        found = NAME.match(data, pos + 1, pos + 2 + LONGEST_RAW)
        end = found.end() if found else pos + 1
        if end >= size - 1 and (end >= size or data[end] == _BACKSLASH):
            if more:
                self._hold = pos
                self._keep_comma(pos)
            return size + 1
        if data[end] != _QUOTE:
            self._at = At.PASSING_NAME
            self._passing = Value()
            self._found = ()
            self._comma = _NONE
            return pos
        name = decoded(data[pos + 1 : end])
        action, nodes = children(self._levels[-1].nodes, name)
        if self._names is not None and action != "drop":
            action = self._names.action(name) or action
        if action is not None:
            return self._begin_edit(action, pos, end + 1, colon=True)
        self._found = nodes
        self._comma = _NONE
        self._at = At.COLON
        return end + 1

    def _value_at(self, pos: int) -> int:
        byte = self._data[pos]
        if byte in _CLOSE:
            return self._close(pos)
        if byte in b",:":
            self._at = At.BEHIND
            return pos if byte == _COMMA and self._levels else pos + 1
        action: Action | None = None
        nodes = self._found
        if self._levels and self._levels[-1].array:
            level = self._levels[-1]
            action, nodes = children(level.nodes, str(level.index)) if level.nodes else (None, ())
        if byte in _OPEN and self._names is not None and len(self._levels) >= MOST_DEPTH:
            action = action or "mask"
        if action is not None:
            return self._begin_edit(action, pos, pos, colon=False)
        self._comma = _NONE
        if byte in _OPEN and (nodes or self._names is not None):
            end = self._clear_end(pos, nodes)
            if end:
                self._at = At.BEHIND
                return end
            self._levels.append(Level(byte == _ARRAY, nodes))
            self._enter()
            return pos + 1
        self._passing = Value()
        self._at = At.PASSING
        return pos

    def _clear_end(self, pos: int, nodes: tuple[Node, ...]) -> int:
        """Return where a container ends that has none of the names still to come, or 0."""
        if self._names is not None or not all(node.named for node in nodes):
            return 0
        hits, size = self._hits, len(self._data)
        self._next_hit = bisect_left(hits, pos, self._next_hit)
        hit = hits[self._next_hit] if self._next_hit < len(hits) else size
        # No more of it is read than that, once for each token of the pointer at most.
        value = Value()
        end = value.read(self._data, pos, hit)
        return end if value.ended else 0

    def _behind(self, pos: int) -> int:
        byte = self._data[pos]
        if byte in _CLOSE:
            return self._close(pos)
        if not self._levels:
            self._at = At.VALUE  # another document
            return pos + 1 if byte in b",:" else pos
        if byte == _COMMA:
            self._next(pos)
        elif byte == _QUOTE or byte in _OPEN:  # no JSON: read it as a value
            self._passing = Value()
            self._at = At.PASSING
            return pos
        return pos + 1

    def _close(self, pos: int) -> int:
        if self._levels:
            self._levels.pop()
        self._comma = _NONE
        self._at = At.BEHIND
        if not self._levels:
            self._at = At.VALUE
            self._found = self._top
        return pos + 1

    def _enter(self) -> None:
        self._at = At.VALUE if self._levels[-1].array else At.NAME

    def _next(self, comma: int) -> None:
        """Go on behind a comma."""
        self._comma = comma
        if self._levels:
            self._levels[-1].index += 1
            self._enter()

    def _begin_edit(self, action: Action, begin: int, pos: int, *, colon: bool) -> int:
        comma = self._comma
        self._comma = _NONE
        if comma == _SENT or (begin - comma - 1 > MOST_SPACE and comma >= 0):
            action = "mask"
        cut = comma if comma >= 0 else begin
        return self.start(action, pos, cut, first=comma < 0, colon=colon)

    def _keep_comma(self, end: int) -> None:
        """Hold back a comma that would go with what follows it."""
        comma = self._comma
        if self._drops and comma >= 0 and end - comma - 1 <= MOST_SPACE:
            self._hold = comma
