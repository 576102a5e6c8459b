"""Find fields by JSON Pointer (RFC 6901), parsing the document from its beginning.

This is also done for the few names that may occur between two strings. Parts of the document that
no pointer leads into are skipped at once. The depth of a document costs no more than the longest
pointer; if names are searched for at any depth, it is limited.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from enum import Enum
from typing import TYPE_CHECKING, Final

from mantlet.http.json_pointer import has_bad_escape, split_pointer
from mantlet.sanitize.json_fields.editor import (
    MAX_SPACE,
    NAME,
    Editor,
    ValueReader,
    skip_space,
)
from mantlet.sanitize.json_fields.names import MAX_RAW_NAME, decode_string
from mantlet.sanitize.json_fields.prefilter import (
    MAX_PATTERN_LENGTH,
    SearchLiteral,
    search_literals,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mantlet.sanitize.json_fields.names import Action, FieldNames
    from mantlet.sanitize.json_fields.prefilter import Prefilter

__all__ = [
    "MAX_DEPTH",
    "PointerScanner",
    "build_tree",
    "name_literals",
    "pointer_literals",
    "pointer_tokens",
]

#: Maximum depth to which names are searched for. A deeper container is masked as a whole.
MAX_DEPTH: Final = 1000

_INDEX: Final = re.compile(r"0|[1-9][0-9]*")
_ANY: Final = "*"
_PAST_END: Final = "-"
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


# -- pointers -------------------------------------------------------------------------------------


class PointerNode:
    """A node in the tree of all pointers.

    Attributes:
        children: the nodes by token.
        any: the node of the token ``*``.
        action: the action for the value that this node refers to, if a pointer ends here.
        needs_name: whether all pointers through this node have another name below it, so that its
            literals must occur in the value.
    """

    __slots__ = ("action", "any", "children", "needs_name")

    def __init__(self) -> None:
        self.children: dict[str, PointerNode] = {}
        self.any: PointerNode | None = None
        self.action: Action | None = None
        self.needs_name = True


def pointer_tokens(pointer: str) -> list[str]:
    """Split a pointer that begins with a slash into its decoded tokens, ``*`` included.

    Raises:
        ValueError: it is malformed, or refers to the item after the end of an array.
    """
    if has_bad_escape(pointer):
        raise ValueError(
            f"mask has the JSON Pointer {pointer!r}, in which a ~ is not followed by 0 or 1; "
            f'write "~0" for "~" and "~1" for "/" (RFC 6901, 3)'
        )
    tokens = split_pointer(pointer)
    for token in tokens:
        if token == _PAST_END:
            raise ValueError(
                f'mask has the JSON Pointer {pointer!r}, whose token "-" refers to an item that '
                f'does not exist (RFC 6901, 4); write an index, or "*" for every item'
            )
        if len(token) > MAX_PATTERN_LENGTH:
            raise ValueError(
                f"mask has a JSON Pointer with a token of {len(token)} characters; "
                f"write at most {MAX_PATTERN_LENGTH}"
            )
    return list(tokens)


def build_tree(pointers: Mapping[str, Action]) -> PointerNode:
    """Return the root of the tree of pointers."""
    root = PointerNode()
    for pointer, action in pointers.items():
        node, path = root, [root]
        tokens = pointer_tokens(pointer)
        for token in tokens:
            if token == _ANY:
                node.any = node.any or PointerNode()
                node = node.any
            else:
                node = node.children.setdefault(token, PointerNode())
            path.append(node)
        if node.action != "drop":
            node.action = action
        last = max((at for at, token in enumerate(tokens) if _is_name(token)), default=-1)
        for passed in path[last + 1 :]:
            passed.needs_name = False
    return root


def _step(
    nodes: Iterable[PointerNode], token: str
) -> tuple[Action | None, tuple[PointerNode, ...]]:
    """Return the action for a field, or for an item by its index, and the nodes of its value."""
    action: Action | None = None
    inner: list[PointerNode] = []
    for node in nodes:
        for child in (node.children.get(token), node.any):
            if child is None:
                continue
            if child.action is not None and action != "drop":
                action = child.action
            if child.children or child.any is not None:
                inner.append(child)
    return action, tuple(inner)


def pointer_literals(pointer: str) -> list[SearchLiteral]:
    """Return literals, one of which is in every document in which a pointer refers to a value."""
    names = [token for token in pointer_tokens(pointer) if _is_name(token)]
    if names:
        return search_literals([max(names, key=len)])
    return [SearchLiteral(bracket, False, False) for bracket in (b"{", b"[")]


def name_literals(pointer: str) -> list[SearchLiteral]:
    """Return literals, one of which is in every document that has any name of a pointer."""
    names = [token for token in pointer_tokens(pointer) if _is_name(token)]
    return [literal for name in names for literal in search_literals([name])]


def _is_name(token: str) -> bool:
    """Return whether a token cannot refer to an array item."""
    return token != _ANY and not _INDEX.fullmatch(token)


# -- the scanner ----------------------------------------------------------------------------------


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

    __slots__ = ("index", "is_array", "nodes")

    def __init__(self, is_array: bool, nodes: tuple[PointerNode, ...]) -> None:
        self.is_array = is_array
        self.nodes = nodes
        self.index = 0


class PointerScanner(Editor):
    """Edit the fields of one body that pointers refer to, in one document or a sequence of them.

    Args:
        root: the root of the tree of pointers.
        names: names to search for at any depth, if there are any.
        prefilter: finds the literals of the names and pointers.
        drops: whether any field is dropped.
    """

    __slots__ = (
        "_comma",
        "_containers",
        "_drops",
        "_hits",
        "_is_fresh",
        "_names",
        "_next_hit",
        "_nodes",
        "_prefilter",
        "_skipped",
        "_state",
        "_top",
    )

    def __init__(
        self, root: PointerNode, names: FieldNames | None, prefilter: Prefilter, *, drops: bool
    ) -> None:
        super().__init__()
        self._top = (root,)
        self._names = names
        self._prefilter = prefilter
        self._drops = drops
        self._containers: list[_Container] = []
        self._state = _State.VALUE
        self._nodes: tuple[PointerNode, ...] = self._top  # those of the next value
        self._skipped = ValueReader()
        self._comma = _NO_COMMA
        self._is_fresh = True
        self._hits: list[int] = []
        self._next_hit = 0

    def on_data(self, more: bool) -> int:
        """Search the data for the literals."""
        if self._names is None or (self._is_fresh and not more):
            hits = self._hits = self._prefilter.find(self._data)
            self._next_hit = 0
            if self._is_fresh and not more and not hits:
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
        data, size = self._data, len(self._data)
        while pos < size and self._edit_state is None:
            if self._state in _SKIPPING:
                pos = self._skip(pos)
                continue
            pos = skip_space(data, pos)
            if pos == size:
                break
            if self._state is _State.NAME:
                pos = self._read_name(pos, more)
                if pos > self._hold:
                    return pos
            elif self._state is _State.VALUE:
                pos = self._enter_value(pos)
            elif self._state is _State.AFTER_VALUE:
                pos = self._leave_value(pos)
            else:
                pos = self._read_colon(pos)
        if pos == size and self._edit_state is None and more:
            self._hold_comma(size)
        return pos

    # -- states -----------------------------------------------------------------------------------

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
            return pos + 1
        found = NAME.match(data, pos + 1, pos + 2 + MAX_RAW_NAME)
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
        name = decode_string(data[pos + 1 : end])
        action, nodes = _step(self._containers[-1].nodes, name)
        if self._names is not None and action != "drop":
            action = self._names.action(name) or action
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
            action, nodes = _step(array.nodes, str(array.index)) if array.nodes else (None, ())
        if byte in _OPEN and self._names is not None and len(self._containers) >= MAX_DEPTH:
            action = action or "mask"
        if action is not None:
            return self._begin(action, pos, pos, colon=False)
        self._comma = _NO_COMMA
        if byte in _OPEN and (nodes or self._names is not None):
            end = self._clean_end(pos, nodes)
            if end:
                self._state = _State.AFTER_VALUE
                return end
            self._containers.append(_Container(byte == _ARRAY, nodes))
            self._enter_container()
            return pos + 1
        self._skipped = ValueReader()
        self._state = _State.SKIPPING_VALUE
        return pos

    def _clean_end(self, pos: int, nodes: tuple[PointerNode, ...]) -> int:
        """Return where a container ends that has none of the names needed, or 0."""
        if self._names is not None or not all(node.needs_name for node in nodes):
            return 0
        hits, size = self._hits, len(self._data)
        self._next_hit = bisect_left(hits, pos, self._next_hit)
        hit = hits[self._next_hit] if self._next_hit < len(hits) else size
        # It is only read up to the next match, at most once for each token of a pointer.
        value = ValueReader()
        end = value.read(self._data, pos, hit)
        return end if value.ended else 0

    def _leave_value(self, pos: int) -> int:
        byte = self._data[pos]
        if byte in _CLOSE:
            return self._close(pos)
        if not self._containers:
            self._state = _State.VALUE  # another document
            return pos + 1 if byte in b",:" else pos
        if byte == _COMMA:
            self._after_comma(pos)
        elif byte == _QUOTE or byte in _OPEN:  # invalid JSON: skip it like a value
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
            self._nodes = self._top
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
