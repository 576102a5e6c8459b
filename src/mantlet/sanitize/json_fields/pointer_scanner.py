"""Find fields by JSON Pointer (RFC 6901), parsing the document from its beginning.

Compiled expressions lead from one field to the next, across all members, items and documents that
are between them. Only where these end, as at the end of a chunk, in values nested deeply, and in
invalid JSON, it goes on byte by byte. The depth of a document costs no more memory than the longest
pointer.
"""

from __future__ import annotations

import re
from collections import deque
from enum import Enum
from itertools import count, islice
from typing import TYPE_CHECKING, Final

from mantlet.sanitize.json_fields.editor import Editor, ValueReader, skip_space
from mantlet.sanitize.json_fields.expressions import MAX_RAW_NAME, NAME, STRING, WS, container
from mantlet.sanitize.json_fields.names import MAX_SPACE
from mantlet.sanitize.json_fields.pointers import items

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet.sanitize.json_fields.names import Action
    from mantlet.sanitize.json_fields.pointers import Level, PointerNode, PointerTree
    from mantlet.sanitize.json_fields.prefilter import Prefilter

__all__ = ["PointerScanner"]

_NAME: Final = re.compile(NAME, re.DOTALL)
# In invalid JSON, the text that is skipped where a name, or a comma, is to come.
_NO_NAME: Final = re.compile(rb'[^"\]}]*+')
_NO_COMMA_YET: Final = re.compile(
    rb'(?:[^,\[\]{}"]++|' + STRING + b"|" + container(4) + b")*+", re.DOTALL
)
_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C
_COMMA: Final = 0x2C
_COLON: Final = 0x3A
_ARRAY: Final = 0x5B
_OPEN: Final = b"[{"
_CLOSE: Final = b"]}"
#: No comma precedes the next field or item; or it was sent already.
_NO_COMMA: Final = -1
_COMMA_SENT: Final = -2

# The groups of an expression that leads to a member or an item.
_BEFORE: Final = 1
_START: Final = 2
_DROPPED: Final = 3
_MASKED: Final = 4
_MASKED_TOO: Final = 5
_ENTERED: Final = 6
_BRACKET: Final = 7
_CLOSED: Final = 8


#: The text between two containers that the same nodes are for, for objects and for arrays: in a
#: sequence of documents, and in an array.
_NEXT_DOCUMENT: Final = (rb"\}" + WS + rb"\{", rb"\]" + WS + rb"\[")
_NEXT_ITEM: Final = (rb"\}" + WS + b"," + WS + rb"\{", rb"\]" + WS + b"," + WS + rb"\[")


class _State(Enum):
    """The part of the document that comes next while no field is edited."""

    VALUE = 1
    NAME = 2
    COLON = 3
    AFTER_VALUE = 4
    SKIPPING_VALUE = 5
    SKIPPING_NAME = 6  # a name that is too long


_SKIPPING: Final = (_State.SKIPPING_VALUE, _State.SKIPPING_NAME)


class _Container:
    """An open object or array."""

    __slots__ = ("find", "index", "is_array", "level", "masked")

    def __init__(self, is_array: bool, level: Level, sibling: bytes) -> None:
        self.is_array = is_array
        self.level = level
        self.index = 0
        #: Finds the next member or item; None if that depends on its index.
        self.find: Callable[[bytes, int], re.Match[bytes] | None] | None = None
        self.masked: re.Pattern[bytes] | None = None
        if not (is_array and level.indices):
            self.find, self.masked = level.expression(is_array, sibling)


class PointerScanner(Editor):
    """Edit the fields of one body that pointers refer to, in one document or a sequence of them.

    Args:
        tree: the tree of pointers.
        prefilter: finds the literals of the pointers.
        drops: whether any field is dropped.
    """

    __slots__ = (
        "_comma", "_containers", "_drops", "_is_fresh", "_nodes", "_prefilter", "_skipped",
        "_state", "_tree",
    )  # fmt: skip

    def __init__(self, tree: PointerTree, prefilter: Prefilter, *, drops: bool) -> None:
        super().__init__()
        self._tree = tree
        self._prefilter = prefilter
        self._drops = drops
        self._containers: list[_Container] = []
        self._state = _State.VALUE
        self._nodes: tuple[PointerNode, ...] = tree.root.nodes  # those of the next value
        self._skipped = ValueReader()
        self._comma = _NO_COMMA
        self._is_fresh = True

    def on_data(self, more: bool) -> int:
        """Search the data for the literals, if it is all of the body."""
        if self._is_fresh and not more and not self._prefilter.find(self._data):
            return len(self._data)
        self._is_fresh = False
        # Data held back begins with the comma that was parsed already, if there is one.
        return int(self._comma >= 0)

    def on_send(self, end: int) -> None:
        """Note whether the comma is sent."""
        if self._comma >= 0:
            self._comma = 0 if self._comma == end else _COMMA_SENT

    def on_edited(self, comma: bool) -> None:
        """Continue after an edited field."""
        self._state = _State.AFTER_VALUE
        if comma:
            self._after_comma(_NO_COMMA)

    def find_next(self, pos: int, more: bool) -> int:
        """Move to the next field to edit."""
        size = len(self._data)
        while pos < size and not self.is_editing():
            if self._state in _SKIPPING:
                pos = self._skip(pos)
                continue
            if self._state is not _State.COLON:
                pos = self._run(pos)
            if not self.is_editing():
                pos = skip_space(self._data, pos)
                if pos < size:
                    pos = self._read(pos, more)
        if pos == size and not self.is_editing() and self._hold == size and more:
            self._hold_comma(size)
        return pos

    # -- by expressions ---------------------------------------------------------------------------

    def _run(self, pos: int) -> int:
        """Move on as far as expressions lead, and edit the fields on the way."""
        data, containers, begin = self._data, self._containers, pos
        if not containers:
            pos = self._run_documents(pos)
        elif self._state is not _State.AFTER_VALUE and (not pos or data[pos - 1] not in _OPEN):
            return pos
        came = -1
        while containers and pos != came and not self.is_editing():
            container, came = containers[-1], pos
            if container.find is None:
                pos = self._run_indexed(container, pos)
            elif found := container.find(data, pos):
                pos = self._follow(found)
        if pos != begin:
            self._comma = _NO_COMMA
            if not self.is_editing():
                self._settle(pos)
        return pos

    def _run_documents(self, pos: int) -> int:
        """Move on across documents without a field to edit, and enter the next one."""
        found = self._tree.documents.match(self._data, pos)
        if found is None or self._state is not _State.VALUE:
            return pos
        if found.lastindex is not None:
            self._push(is_array=found[1] == b"[", nodes=self._tree.root.nodes)
        return found.end()

    def _settle(self, pos: int) -> None:
        """Set the state after expressions have led to an offset."""
        if not self._containers:
            self._state, self._nodes = _State.VALUE, self._tree.root.nodes
        elif self._data[pos - 1] in _OPEN:
            self._enter_container()
        else:
            self._state = _State.AFTER_VALUE

    def _follow(self, found: re.Match[bytes], nodes: tuple[PointerNode, ...] = ()) -> int:
        """Do what an expression has found; return where to go on.

        Args:
            found: the match.
            nodes: those of the value that is entered, if it is an item with an index.
        """
        group = found.lastindex
        if group == _MASKED_TOO:
            self.mask(*found.span(_MASKED))
            masked = self._containers[-1].masked
            return self.mask_all(*found.span(_MASKED_TOO), masked) if masked else found.end()
        if group == _DROPPED:
            comma = found.end(_BEFORE) - 1
            start, end = found.end(_START), found.end(_DROPPED)
            if self._data[comma] != _COMMA:
                return self.drop(start, end, first=True)
            if start - comma - 1 > MAX_SPACE:
                return found.start()
            return self.drop(comma, end, first=False)
        if group == _CLOSED:
            self._containers.pop()
        elif group == _BRACKET:
            level, name = self._containers[-1].level, found[_ENTERED]
            nodes = nodes or (level.step_by(name) if name else level.rest)[1]
            self._push(is_array=found[_BRACKET] == b"[", nodes=nodes)
        return found.end()

    def _run_indexed(self, container: _Container, pos: int) -> int:
        """Move on in an array in which items are edited by their indexes."""
        data, level = self._data, container.level
        index = container.index if data[pos - 1] == _ARRAY else container.index + 1
        action, nodes = level.step_by(b"%d" % index)
        kind = level.kind(action, nodes)
        if kind == "skip":
            ahead = next((one - index for one in level.indices if one > index), None)
            last = deque(zip(count(index), islice(items(data, pos), ahead)), maxlen=1)
            if last:
                container.index, item = last[0]
                return item.end()
        found = level.expression(True, b"", kind)[0](data, pos)
        if found is None:
            return pos
        came, pos = pos, self._follow(found, nodes)
        if pos != came and found.lastindex != _CLOSED:
            container.index = index
        return pos

    def _push(self, *, is_array: bool, nodes: tuple[PointerNode, ...]) -> None:
        """Enter a container."""
        level = self._tree.level(nodes)
        sibling = b""
        if not self._containers:
            sibling = _NEXT_DOCUMENT[is_array]
        else:
            outer = self._containers[-1]
            if outer.is_array and not outer.level.indices:
                sibling = _NEXT_ITEM[is_array]
        self._containers.append(_Container(is_array, level, sibling))

    # -- byte by byte -----------------------------------------------------------------------------

    def _read(self, pos: int, more: bool) -> int:
        if self._state is _State.NAME:
            return self._read_name(pos, more)
        if self._state is _State.VALUE:
            return self._enter_value(pos)
        if self._state is _State.AFTER_VALUE:
            return self._leave_value(pos)
        return self._read_colon(pos)

    def _skip(self, pos: int) -> int:
        pos = self._skipped.read(self._data, pos)
        if self._skipped.ended:
            skipped_value = self._state is _State.SKIPPING_VALUE
            self._state = _State.AFTER_VALUE if skipped_value else _State.COLON
        return pos

    def _read_colon(self, pos: int) -> int:
        if self._data[pos] != _COLON:
            self._state = _State.AFTER_VALUE  # the value is missing
            return pos
        self._state = _State.VALUE
        return pos + 1

    def _read_name(self, pos: int, more: bool) -> int:
        data, size = self._data, len(self._data)
        if data[pos] in _CLOSE:
            return self._close(pos)
        if data[pos] != _QUOTE:
            return _end_of(_NO_NAME, data, pos)
        found = _NAME.match(data, pos + 1, pos + 2 + MAX_RAW_NAME)
        end = found.end() if found else pos + 1
        if end >= size - 1 and (end >= size or data[end] == _BACKSLASH):
            if more:
                self._hold = pos
                self._hold_comma(pos)
            return size + 1
        if data[end] != _QUOTE:
            self._state = _State.SKIPPING_NAME
            self._skipped = ValueReader()
            self._nodes = ()
            self._comma = _NO_COMMA
            return pos
        action, nodes = self._containers[-1].level.step_by(data[pos + 1 : end])
        if action is not None:
            return self._begin(action, pos, end + 1, colon=True)
        self._nodes = nodes
        self._comma = _NO_COMMA
        self._state = _State.COLON
        return end + 1

    def _enter_value(self, pos: int) -> int:
        byte = self._data[pos]
        if byte in _CLOSE:
            return self._close(pos)
        if byte in b",:":
            self._state = _State.AFTER_VALUE
            return pos if byte == _COMMA and self._containers else pos + 1
        action: Action | None = None
        nodes = self._nodes
        if self._containers and self._containers[-1].is_array:
            array = self._containers[-1]
            action, nodes = array.level.step_by(b"%d" % array.index)
        if action is not None:
            return self._begin(action, pos, pos, colon=False)
        self._comma = _NO_COMMA
        if byte in _OPEN and nodes:
            self._push(is_array=byte == _ARRAY, nodes=nodes)
            self._enter_container()
            return pos + 1
        self._skipped = ValueReader()
        self._state = _State.SKIPPING_VALUE
        return pos

    def _leave_value(self, pos: int) -> int:
        byte = self._data[pos]
        if byte in _CLOSE:
            return self._close(pos)
        if not self._containers:
            self._state = _State.VALUE  # another document
            return pos + 1 if byte in b",:" else pos
        if byte == _COMMA:
            self._after_comma(pos)
            return pos + 1
        end = _end_of(_NO_COMMA_YET, self._data, pos)
        if end > pos:
            return end
        if byte == _QUOTE or byte in _OPEN:  # invalid JSON: skip it like a value
            self._skipped = ValueReader()
            self._state = _State.SKIPPING_VALUE
            return pos
        return pos + 1

    def _close(self, pos: int) -> int:
        if self._containers:
            self._containers.pop()
        self._comma = _NO_COMMA
        self._state = _State.AFTER_VALUE
        if not self._containers:
            self._state = _State.VALUE
            self._nodes = self._tree.root.nodes
        return pos + 1

    def _enter_container(self) -> None:
        self._state = _State.VALUE if self._containers[-1].is_array else _State.NAME

    def _after_comma(self, comma: int) -> None:
        """Continue after a comma at the given offset."""
        self._comma = comma
        if self._containers:
            self._containers[-1].index += 1
            self._enter_container()

    def _begin(self, action: Action, start: int, pos: int, *, colon: bool) -> int:
        comma = self._comma
        self._comma = _NO_COMMA
        if comma == _COMMA_SENT or (start - comma - 1 > MAX_SPACE and comma >= 0):
            action = "mask"
        cut = comma if comma >= 0 else start
        return self.begin_edit(action, pos, cut, first=comma < 0, colon=colon)

    def _hold_comma(self, end: int) -> None:
        """Hold back a comma that may be dropped with the next field."""
        comma = self._comma
        if self._drops and comma >= 0 and end - comma - 1 <= MAX_SPACE:
            self._hold = comma


def _end_of(pattern: re.Pattern[bytes], data: bytes, pos: int) -> int:
    found = pattern.match(data, pos)
    return found.end() if found else pos
