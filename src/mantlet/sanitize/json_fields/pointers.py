"""JSON Pointers (RFC 6901): their tree, and expressions that lead to the fields they refer to.

Names in pointers are compared exactly, since pointers are addresses; a document may escape them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from mantlet.http.json_pointer import has_bad_escape, split_pointer
from mantlet.sanitize.json_fields.expressions import (
    NAME,
    SIMPLE,
    STRING,
    VALUE,
    VALUE_END,
    WS,
    container,
    exact_name,
)
from mantlet.sanitize.json_fields.names import decode_string
from mantlet.sanitize.json_fields.prefilter import MAX_PATTERN_LENGTH, search_literals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mantlet.sanitize.json_fields.names import Action

    Expression = tuple[Callable[[bytes, int], re.Match[bytes] | None], re.Pattern[bytes]]

__all__ = ["Level", "PointerNode", "PointerTree", "items", "pointer_literals", "pointer_tokens"]

_INDEX: Final = re.compile(r"0|[1-9][0-9]*")
_ANY: Final = "*"
_PAST_END: Final = "-"


# -- pointers -------------------------------------------------------------------------------------


class PointerNode:
    """A node in the tree of all pointers.

    Attributes:
        children: the nodes by token.
        any: the node of the token ``*``.
        action: the action for the value that this node refers to, if a pointer ends here.
    """

    __slots__ = ("action", "any", "children")

    def __init__(self) -> None:
        self.children: dict[str, PointerNode] = {}
        self.any: PointerNode | None = None
        self.action: Action | None = None


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
        node = root
        for token in pointer_tokens(pointer):
            if token == _ANY:
                node.any = node.any or PointerNode()
                node = node.any
            else:
                node = node.children.setdefault(token, PointerNode())
        if node.action != "drop":
            node.action = action
    return root


def step(
    nodes: Iterable[PointerNode], token: str | None
) -> tuple[Action | None, tuple[PointerNode, ...]]:
    """Return the action for a field, or for an item by its index, and the nodes of its value.

    Args:
        nodes: the nodes of the container.
        token: the name or the index; None for one that no pointer names.
    """
    action: Action | None = None
    inner: list[PointerNode] = []
    for node in nodes:
        for child in (node.children.get(token) if token is not None else None, node.any):
            if child is None:
                continue
            if child.action is not None and action != "drop":
                action = child.action
            if child.children or child.any is not None:
                inner.append(child)
    return action, tuple(inner)


def pointer_literals(pointer: str) -> list[bytes]:
    """Return literals, one of which is in every document in which a pointer refers to a value."""
    names = [token for token in pointer_tokens(pointer) if _is_name(token)]
    if names:
        return search_literals(max(names, key=len), exact=True)
    return [b"{", b"["]


def _is_name(token: str) -> bool:
    """Return whether a token cannot refer to an array item."""
    return token != _ANY and not _INDEX.fullmatch(token)


# -- expressions ----------------------------------------------------------------------------------

_LITERAL: Final = rb'(?:[^ \t\r\n\x1e,:"\[\]{}]++|' + STRING + b")"
#: What precedes a member or an item: a comma, or the bracket before the first one.
_BEFORE: Final = rb"(?:[ \t\r\n\x1e]*+,|(?<=[\[{]))"
#: In invalid JSON, a value may be missing.
_VALUE: Final = b"(?:" + VALUE + b"|" + VALUE_END + b")"
_ITEM: Final = re.compile(_BEFORE + WS + VALUE, re.DOTALL)
#: How deep in the tree of pointers expressions look for something to edit.
_LOOKAHEAD: Final = 3
#: How many sets of nodes have expressions of their own. Only with many stars there are more.
_MAX_LEVELS: Final = 256
_MAX_CACHED: Final = 1024


def _any_of(ways: Iterable[bytes]) -> bytes:
    """Return the expression of any of these; of nothing if there is none."""
    found = list(ways)
    return b"|".join(found) if found else b"(?!)"


def items(data: bytes, pos: int) -> Iterator[re.Match[bytes]]:
    """Iterate over the items of an array from an offset on, as far as they are simple."""
    # `re.Pattern.scanner()` is as old as the module, and what re.Scanner uses; nothing else matches
    # at one place after the other in C.
    scanner: Any = cast("Any", _ITEM).scanner(data, pos)
    return iter(scanner.match, None)


class Level:
    """What a set of nodes has to say about the members and the items of one container.

    Args:
        tree: all levels.
        nodes: the nodes.

    Attributes:
        nodes: the nodes.
        wants_object: whether they lead to a member of an object.
        wants_array: whether they lead to an item of an array.
        indices: the array indexes that they name, in order.
        rest: the step to a member or an item that they do not name.
    """

    __slots__ = (
        "_compiled", "_steps", "_tree", "indices", "names", "nodes", "rest", "wants_array",
        "wants_object",
    )  # fmt: skip

    def __init__(self, tree: PointerTree, nodes: tuple[PointerNode, ...]) -> None:
        self._tree = tree
        self.nodes = nodes
        self.names = sorted({name for node in nodes for name in node.children})
        self.rest = step(nodes, None)
        has_rest = self.rest != (None, ())
        self.indices = sorted({int(name) for name in self.names if _INDEX.fullmatch(name)})
        self.wants_object = bool(self.names) or has_rest
        self.wants_array = bool(self.indices) or has_rest
        self._compiled: dict[tuple[bool, bytes, str | None], Expression] = {}
        self._steps: dict[bytes, tuple[Action | None, tuple[PointerNode, ...]]] = {}

    def step_by(self, raw: bytes) -> tuple[Action | None, tuple[PointerNode, ...]]:
        """Return the step to a member, by its name as it is written."""
        found = self._steps.get(raw)
        if found is None:
            found = step(self.nodes, decode_string(raw))
            if len(raw) < _MAX_CACHED and len(self._steps) < _MAX_CACHED:
                self._steps[raw] = found
        return found

    def expression(self, is_array: bool, sibling: bytes, kind: str | None = None) -> Expression:
        """Return a function that finds the next member or item of interest from an offset on.

        Its groups are numbered in `PointerScanner`; ``lastindex`` says what was found. The second
        expression matches the further members or items to mask that were found, up to their values.

        Args:
            is_array: whether the container is an array.
            sibling: the expression of the text between this container and another one for which the
                same nodes are, if there may be one; or nothing.
            kind: for an array with indexes: what is to be done with the next item.
        """
        key = is_array, sibling, kind
        found = self._compiled.get(key)
        if found is None:
            after = rb"[ \t\r\n\x1e]*+(?:,|%b)" % (sibling or b"(?!)")
            before = rb"(?:%b|(?<=[\[{]))" % after
            kind = kind or ("mask" if not is_array else self.kind(*self.rest))
            clean, drop, mask, enter = self._items(kind) if is_array else self._members()
            head = after + WS + mask + WS + b"(?!null)"
            masked = b"(?!)" if self.indices else head + VALUE
            inner = rb"%b|%b%b(?!null)(%b)((?:%b)*+)|%b" % (drop, mask, WS, VALUE, masked, enter)
            source = rb"(?:%b%b(?:%b))*+(?:(%b)%b()(?:%b)|%b([\]}]))?" % (
                before, WS, clean, before, WS, inner, WS,
            )  # fmt: skip
            found = self._compiled[key] = (
                re.compile(source, re.DOTALL).match,
                re.compile(rb"(%b)%b" % (head, SIMPLE), re.DOTALL),
            )
        return found

    @staticmethod
    def kind(action: Action | None, nodes: tuple[PointerNode, ...]) -> str:
        """Return what is to be done: ``"mask"``, ``"drop"``, ``"enter"`` or ``"skip"``."""
        return action or ("enter" if nodes else "skip")

    def _members(self) -> tuple[bytes, bytes, bytes, bytes]:
        """Return expressions of members: clean, to drop, to mask up to the value, to enter."""
        groups: dict[str, list[bytes]] = {"drop": [], "mask": [], "enter": [], "skip": []}
        for name in self.names:
            groups[self.kind(*step(self.nodes, name))].append(exact_name(name))
        if self.rest != (None, ()):
            groups[self.kind(*self.rest)].append(NAME)
        colon = rb'"%b:%b' % (WS, WS)
        drop, mask, enter = (_any_of(groups[kind]) for kind in ("drop", "mask", "enter"))
        to_drop = rb'"(?:%b)%b(%b(?:,%b"(?:%b)%b%b)*+)' % (
            drop, colon, VALUE, WS, drop, colon, VALUE,
        )  # fmt: skip
        # A name that two pointers name, one of them with a star, is dropped if one of them says so.
        to_mask = rb'"(?!(?:%b)")(?:%b)%b' % (drop, mask, colon)
        to_enter = rb'"(?!(?:%b|%b)")(%b)%b([\[{])' % (drop, mask, enter, colon)
        clean = rb"%b|%b(?:null)?%b" % (self.clean_member(_LOOKAHEAD), to_mask, VALUE_END)
        return clean, to_drop, to_mask, to_enter

    def _items(self, kind: str) -> tuple[bytes, bytes, bytes, bytes]:
        """Return expressions of items: clean, to drop, to mask up to the value, to enter."""
        clean = rb"(?:null)?" + VALUE_END if kind == "mask" else self.clean_item(_LOOKAHEAD)
        return (
            b"(?!)" if self.indices else clean,
            rb"(%b)" % (VALUE if kind == "drop" else b"(?!)"),
            b"" if kind == "mask" else b"(?!)",
            rb"()(%b)" % (rb"[\[{]" if kind == "enter" else b"(?!)"),
        )

    def clean_member(self, depth: int) -> bytes:
        """Return the expression of a member in which nothing is to be edited."""
        if self.rest[0] is not None:
            return b"(?!)"
        special = _any_of(map(exact_name, self.names))
        plain = _VALUE
        if self.rest[1]:
            plain = rb"(?:%b?+%b)" % (self._tree.level(self.rest[1]).clean(depth - 1), VALUE_END)
        ways = [rb'(?!(?:%b)")%b"%b:%b%b' % (special, NAME, WS, WS, plain)]
        for name in self.names:
            action, nodes = step(self.nodes, name)
            if action is None and nodes:
                clean = self._tree.level(nodes).clean(depth - 1)
                ways.append(rb'%b"%b:%b%b?+%b' % (exact_name(name), WS, WS, clean, VALUE_END))
        return rb'"(?:%b)' % b"|".join(ways)

    def clean_item(self, depth: int) -> bytes:
        """Return the expression of an item in which nothing is to be edited."""
        action, nodes = self.rest
        if action is not None or self.indices:
            return b"(?!)"
        return self._tree.level(nodes).clean(depth - 1) + VALUE_END if nodes else _VALUE

    def clean(self, depth: int) -> bytes:
        """Return the expression of a value in which nothing is to be edited."""
        ways = [_LITERAL]
        for wanted, bracket, closing, inner in (
            (self.wants_object, rb"\{", rb"\}", self.clean_member),
            (self.wants_array, rb"\[", rb"\]", self.clean_item),
        ):
            if not wanted:
                ways.append(rb"(?=%b)%b" % (bracket, container(4)))
            elif depth <= 0:
                ways.append(bracket + WS + closing)
            else:
                ways.append(
                    rb"%b(?:%b%b%b)*+%b%b" % (bracket, _BEFORE, WS, inner(depth), WS, closing)
                )
        return rb"(?:%b)" % b"|".join(ways)


class PointerTree:
    """The tree of all pointers, and the levels that documents have been found to lead to."""

    __slots__ = ("_levels", "documents", "root")

    def __init__(self, pointers: Mapping[str, Action]) -> None:
        self._levels: dict[tuple[PointerNode, ...], Level] = {}
        self.root = self.level((build_tree(pointers),))
        #: Documents in which nothing is to be edited.
        self.documents = re.compile(
            rb"(?:[ \t\r\n\x1e,:\]}]*+(?:%b))*+[ \t\r\n\x1e,:\]}]*+([\[{])?"
            % self.root.clean(_LOOKAHEAD).replace(
                _LITERAL, rb'(?:[^ \t\r\n\x1e,:"\[\]{}]++(?=[ \t\r\n\x1e,:\]}])|' + STRING + b")", 1
            ),
            re.DOTALL,
        )

    def level(self, nodes: tuple[PointerNode, ...]) -> Level:
        """Return the level of some nodes."""
        found = self._levels.get(nodes)
        if found is None:
            found = Level(self, nodes)
            if len(self._levels) < _MAX_LEVELS:
                self._levels[nodes] = found
        return found
