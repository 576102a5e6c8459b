"""JSON Pointers (RFC 6901) as a tree, walked beside a document's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mantlet.sanitize.members.names import LONGEST, Literal, literals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mantlet.sanitize.members.names import Action

__all__ = ["Node", "Step", "betrayals", "children", "names_in", "pointer_tokens", "tree"]

_BAD_ESCAPE: Final = re.compile(r"~(?![01])")
_INDEX: Final = re.compile(r"0|[1-9][0-9]*")
_ANY: Final = "*"
_PAST_END: Final = "-"


class Node:
    """Where pointers part that begin alike.

    Attributes:
        members: where each token leads.
        any: where ``*`` leads.
        action: what becomes of what the pointer refers to that ends here.
        named: whether each pointer has a name still to come, the bytes of which betray it.
    """

    __slots__ = ("action", "any", "members", "named")

    def __init__(self) -> None:
        self.members: dict[str, Node] = {}
        self.any: Node | None = None
        self.action: Action | None = None
        self.named = True


#: What becomes of a value, and the nodes of what is in it.
Step = tuple["Action | None", tuple[Node, ...]]


def pointer_tokens(pointer: str) -> list[str]:
    """Return the tokens of a pointer that begins with a slash, ``*`` among them.

    Raises:
        ValueError: it is malformed, or ends behind an array's last item.
    """
    bad = _BAD_ESCAPE.search(pointer)
    if bad is not None:
        raise ValueError(
            f"mask has the JSON Pointer {pointer!r}, where a ~ is followed by neither 0 nor 1; "
            f'write "~0" for "~" and "~1" for "/" (RFC 6901, 3)'
        )
    tokens = pointer[1:].split("/")
    for token in tokens:
        if token == _PAST_END:
            raise ValueError(
                f'mask has the JSON Pointer {pointer!r}, whose token "-" refers to an item that '
                f'is not there (RFC 6901, 4); write an index, or "*" for every item'
            )
        if len(token) > LONGEST:
            raise ValueError(
                f"mask has a JSON Pointer with a token of {len(token)} characters; "
                f"write at most {LONGEST}"
            )
    return [token.replace("~1", "/").replace("~0", "~") for token in tokens]


def tree(pointers: Mapping[str, Action]) -> Node:
    """Return the root of the pointers' tree."""
    root = Node()
    for pointer, action in pointers.items():
        node, way = root, [root]
        tokens = pointer_tokens(pointer)
        for token in tokens:
            if token == _ANY:
                node.any = node.any or Node()
                node = node.any
            else:
                node = node.members.setdefault(token, Node())
            way.append(node)
        if node.action != "drop":
            node.action = action
        last = max((at for at, token in enumerate(tokens) if _is_name(token)), default=-1)
        for passed in way[last + 1 :]:
            passed.named = False
    return root


def children(nodes: Iterable[Node], token: str) -> Step:
    """Return what pointers at these nodes say of a member, or of an item by its index."""
    action: Action | None = None
    inner: list[Node] = []
    for node in nodes:
        for child in (node.members.get(token), node.any):
            if child is None:
                continue
            if child.action is not None and action != "drop":
                action = child.action
            if child.members or child.any is not None:
                inner.append(child)
    return action, tuple(inner)


def betrayals(pointer: str) -> list[Literal]:
    """Return bytes one of which is in every document that a pointer refers to a part of."""
    names = [token for token in pointer_tokens(pointer) if _is_name(token)]
    if names:
        return literals([max(names, key=len)])
    return [Literal(bracket, False, False) for bracket in (b"{", b"[")]


def names_in(pointer: str) -> list[Literal]:
    """Return bytes one of which is where a document has any name of a pointer."""
    names = [token for token in pointer_tokens(pointer) if _is_name(token)]
    return [literal for name in names for literal in literals([name])]


def _is_name(token: str) -> bool:
    """Return whether a token can't refer to an array's item."""
    return token != _ANY and not _INDEX.fullmatch(token)
