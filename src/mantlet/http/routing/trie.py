"""The tree that paths are walked down; templates that begin alike share their beginning."""

from collections.abc import Iterator, Sequence
from typing import Final, Generic, TypeVar

from mantlet.http.routing.pieces import Fork, Pieces

__all__ = ["ONE", "REST", "Node", "Segment", "plant", "walk"]

T = TypeVar("T")


class _Parameter:
    """A parameter in a template's shape, where no literal can be taken for it."""

    __slots__ = ()


#: One segment, whatever is in it.
ONE: Final = _Parameter()
#: What is left of the path, with any slashes in it.
REST: Final = _Parameter()

#: What a template has in place of a segment, without names.
Segment = str | Pieces | _Parameter


class Node(Generic[T]):
    """Where templates part that begin alike.

    Attributes:
        value: what holds where a path ends here; None where no template does.
    """

    __slots__ = ("fork", "literals", "parameter", "rest", "value", "wide")

    def __init__(self) -> None:
        self.value: T | None = None
        self.literals: dict[str, Node[T]] = {}
        self.fork: Fork[Node[T]] | None = None
        self.parameter: Node[T] | None = None
        self.rest: Node[T] | None = None
        #: Whether there is a fork or a rest, which is seldom.
        self.wide = False

    def widen(
        self, later: list[tuple["Node[T]", int]], part: str, depth: int, end: int
    ) -> "Node[T] | None":
        """Return the most specific way for a segment but a literal; put the others into ``later``.

        Args:
            later: as `walk()` has it.
            part: the segment.
            depth: the index of the next one.
            end: how many there are.
        """
        ways = [] if self.rest is None else [(self.rest, end)]
        if self.parameter is not None:
            ways.append((self.parameter, depth))
        if self.fork is not None:
            ways += [(target, depth) for target in self.fork.find(part)]
        if not ways or ways[-1][0] is self.rest:
            later += ways
            return None
        later += ways[:-1]
        return ways[-1][0]

    def __iter__(self) -> Iterator["Node[T]"]:
        """Iterate over the nodes right below."""
        yield from self.literals.values()
        yield from () if self.fork is None else self.fork.targets()
        yield from filter(None, (self.parameter, self.rest))


def plant(root: Node[T], shape: Sequence[Segment]) -> Node[T]:
    """Return the node at which paths of a shape end, made if it is not there.

    Args:
        root: where the walk begins.
        shape: of a template.

    Raises:
        ValueError: too many templates with several pieces in one segment meet at a node.
    """
    node = root
    for segment in shape:
        if isinstance(segment, str):
            node = node.literals.setdefault(segment, Node())
        elif isinstance(segment, Pieces):
            node.wide = True
            node.fork = node.fork or Fork()
            target = node.fork.get(segment)
            if target is None:
                target = Node()
                node.fork.add(segment, target)
            node = target
        elif segment is ONE:
            node.parameter = node.parameter or Node()
            node = node.parameter
        else:
            node.wide = True
            node.rest = node.rest or Node()
            node = node.rest
    return node


def walk(later: list[tuple[Node[T], int]], parts: Sequence[str], end: int) -> T | None:
    """Return the value of the next template that a path matches, the most specific first.

    Segment by segment, a literal goes before several pieces, these before a parameter, and that
    before the rest. There is one way to each node, so all calls for a path visit it once at most.

    Args:
        later: the nodes to begin at, each with the index of the path's next segment; what is left
            of it after a call leads to what is less specific.
        parts: the path's segments.
        end: how many they are.
    """
    while later:
        node, depth = later.pop()
        while depth < end:
            part = parts[depth]
            depth += 1
            literal, parameter = node.literals.get(part), node.parameter
            # An empty segment, as behind a slash at the end, is no value of a parameter.
            if not part:
                parameter = None
            elif node.wide:
                parameter = node.widen(later, part, depth, end)
            if literal is not None:
                if parameter is not None:
                    later.append((parameter, depth))
                node = literal
            elif parameter is not None:
                node = parameter
            else:
                break
        else:
            if node.value is not None:
                return node.value
    return None
