"""Find path templates that match the same paths.

Where every path of one template is also one of the other's, as with ``/items/mine`` and
``/items/{id}``, the narrower one is meant (OpenAPI 3.2.0, "Path Templating Matching"), and an app
has to try it first, or it could never run. Where each of two templates has paths of its own, as
with ``/public/{x}`` and ``/{tenant}/admin``, no rule says which one runs ``/public/admin``: routers
disagree. Such templates *cross*.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Generic, TypeVar

from mantlet.http.routing.trie import PARAMETER, REST, Node, Segment, SegmentPattern

__all__ = ["Crossings", "includes"]

T = TypeVar("T")

#: A character of no literal, in place of a parameter's text.
_ANY: Final = "\ue000"
#: The maximum number of pairs of nodes that are compared, for each node of the trie; beyond that,
#: all templates count as crossing, which only costs time per request.
_PAIRS_PER_NODE: Final = 64


def includes(wider: Sequence[Segment], narrower: Sequence[Segment]) -> bool:
    """Return whether a template matches every path of another one.

    Args:
        wider: the segments of the template.
        narrower: the segments of the other one.
    """
    for index, segment in enumerate(wider):
        if index >= len(narrower):
            return False
        if segment is REST:
            return True
        if not _includes(segment, narrower[index]):
            return False
    return len(wider) == len(narrower)


def _includes(wider: Segment, narrower: Segment) -> bool:
    if narrower is REST:
        return False
    if wider is PARAMETER:
        return narrower != ""
    if isinstance(wider, str):
        return wider == narrower
    text = _ANY.join(narrower.literals) if isinstance(narrower, SegmentPattern) else narrower
    return (
        isinstance(wider, SegmentPattern)
        and isinstance(text, str)
        and wider.split(text) is not None
    )


class Crossings(Generic[T]):
    """Finds the crossing templates of a trie.

    Args:
        root: the trie, whose values have the ``shape`` of their templates.

    Attributes:
        pairs: values whose templates cross.
        complete: whether all pairs were compared; if not, any two templates may cross.
    """

    def __init__(self, root: Node[Any]) -> None:  # Any: values with a shape
        self.pairs: list[tuple[Any, Any]] = []
        self.complete = True
        budget = 1000 + _PAIRS_PER_NODE * sum(1 for _ in _nodes(root))
        #: Nodes that match a common beginning of paths, and whether each is a rest.
        pending = [(root, root, False, False)]
        while pending:
            one, other, one_rests, other_rests = pending.pop()
            budget -= 1
            if budget < 0:
                self.complete = False
                return
            self._compare(one.value, other.value)
            if one_rests or other_rests:
                if not (one_rests and other_rests):
                    inner, rest = (other, one) if one_rests else (one, other)
                    pending += [(child, rest, child is inner.rest, True) for child in inner]
            else:
                pending += _children(one, other)

    def _compare(self, one: Any, other: Any) -> None:
        if (
            one is not None
            and other is not None
            and one is not other
            and not includes(one.shape, other.shape)
            and not includes(other.shape, one.shape)
        ):
            self.pairs.append((one, other))


def _nodes(root: Node[T]) -> Iterator[Node[T]]:
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        pending += node


def _children(one: Node[T], other: Node[T]) -> Iterator[tuple[Node[T], Node[T], bool, bool]]:
    """Iterate over the pairs of children that have a segment in common."""
    few, many = sorted((one.literals, other.literals), key=len)
    for text in few:
        if text in many:
            yield one.literals[text], other.literals[text], False, False
    yield from _wide(one, other)
    if one is not other:
        for first, second, first_rests, second_rests in _wide(other, one):
            yield second, first, second_rests, first_rests
    if one.parameter is not None and other.parameter is not None:
        yield one.parameter, other.parameter, False, False
    if one.rest is not None and other.rest is not None:
        yield one.rest, other.rest, True, True
    if one.index is not None and other.index is not None:
        for target, another in one.index.meeting(other.index):
            if one is not other or id(target) <= id(another):
                yield target, another, False, False


def _wide(one: Node[T], other: Node[T]) -> Iterator[tuple[Node[T], Node[T], bool, bool]]:
    """Iterate over children of one node that a wider child of another one may match, too."""
    if other.parameter is None and other.rest is None and other.index is None:
        return
    for text, child in one.literals.items():
        if text and other.parameter is not None:
            yield child, other.parameter, False, False
        if other.index is not None:
            yield from ((child, target, False, False) for target in other.index.find(text))
        if other.rest is not None:
            yield child, other.rest, False, True
    for child in () if one.index is None else one.index.targets():
        if other.parameter is not None:
            yield child, other.parameter, False, False
        if other.rest is not None:
            yield child, other.rest, False, True
    if one.parameter is not None and other.rest is not None:
        yield one.parameter, other.rest, False, True
