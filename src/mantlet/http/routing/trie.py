"""A trie of path templates; templates that begin alike share their beginning.

A segment with several parts, such as ``{name}.{ext}``, is matched as the routers of frameworks
match it, each of which writes a parameter as ``[^/]+`` in a regular expression: every parameter has
at least one character, and the first takes as many as it can, then the second, and so on:
``{name}.{ext}`` finds ``a.b`` and ``c`` in ``a.b.c``. Searching for each literal from the end gives
the same result without an expression that could backtrack.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Generic, TypeVar

__all__ = [
    "PARAMETER",
    "REST",
    "Node",
    "Segment",
    "SegmentIndex",
    "SegmentPattern",
    "insert",
    "walk",
]

T = TypeVar("T")

#: The most targets that one index may have to try for a segment.
MOST_TRIES: Final = 64


# -- segments with several parts ------------------------------------------------------------------


class SegmentPattern:
    """Parameters with literals between, before or after them, in one segment.

    Args:
        literals: the text before the first parameter, between each two, and after the last. Only
            the first and the last may be empty.
    """

    __slots__ = ("_between", "literals", "prefix", "suffix")

    def __init__(self, literals: Sequence[str]) -> None:
        self.literals: Final = tuple(literals)
        self.prefix, *between, self.suffix = literals
        self._between = between[::-1]

    def split(self, segment: str) -> list[str] | None:
        """Return the values of the parameters in a segment, or None if it does not match."""
        if not (segment.startswith(self.prefix) and segment.endswith(self.suffix)):
            return None
        start, end = len(self.prefix), len(segment) - len(self.suffix)
        values = []
        for literal in self._between:
            found = segment.rfind(literal, start + 1, max(end - 1, 0))
            if found < 0:
                return None
            values.append(segment[found + len(literal) : end])
            end = found
        if end <= start:
            return None
        values.append(segment[start:end])
        return values[::-1]


class SegmentIndex(Generic[T]):
    """Targets by segment patterns.

    The most specific pattern is the one with more text before and after its parameters, then with
    more before them, then with more between them. A search takes one lookup for each pair of
    lengths of prefix and suffix.
    """

    __slots__ = ("_groups", "_targets", "_tries")

    def __init__(self) -> None:
        self._targets: dict[tuple[str, ...], T] = {}
        #: The patterns and targets by prefix and suffix, by the lengths of these.
        self._groups: dict[
            tuple[int, int], dict[tuple[str, str], list[tuple[SegmentPattern, T]]]
        ] = {}
        #: The same with the lengths, the least specific first.
        self._tries: list[
            tuple[int, int, dict[tuple[str, str], list[tuple[SegmentPattern, T]]]]
        ] = []

    def get(self, pattern: SegmentPattern) -> T | None:
        """Return the target of a pattern, if it has one."""
        return self._targets.get(pattern.literals)

    def add(self, pattern: SegmentPattern, target: T) -> None:
        """Add a pattern.

        Raises:
            ValueError: one segment would have too many patterns to try.
        """
        self._targets[pattern.literals] = target
        lengths = (len(pattern.prefix), len(pattern.suffix))
        group = self._groups.setdefault(lengths, {})
        alike = group.setdefault((pattern.prefix, pattern.suffix), [])
        alike.append((pattern, target))
        alike.sort(key=lambda pair: (len("".join(pair[0].literals)), pair[0].literals))
        ordered = sorted(self._groups, key=lambda lengths: (sum(lengths), lengths))
        self._tries = [(*lengths, self._groups[lengths]) for lengths in ordered]
        if len(self._tries) + len(alike) > MOST_TRIES:
            raise ValueError(f"more than {MOST_TRIES} patterns would have to be tried per segment")

    def targets(self) -> list[T]:
        """Return all targets."""
        return list(self._targets.values())

    def meeting(self, other: "SegmentIndex[T]") -> Iterator[tuple[T, T]]:
        """Iterate over the targets here and in another index whose patterns share a segment.

        Patterns do if the texts before their parameters agree as far as both go, and those after
        them, too: their parameters may have any text.
        """
        for here, own in self._groups.items():
            for there, others in other._groups.items():
                before, after = map(min, here, there)
                cut: dict[tuple[str, str], list[T]] = {}
                for (prefix, suffix), found in others.items():
                    outer = prefix[:before], suffix[len(suffix) - after :]
                    cut.setdefault(outer, []).extend(target for _, target in found)
                for (prefix, suffix), found in own.items():
                    outer = prefix[:before], suffix[len(suffix) - after :]
                    for _, target in found:
                        yield from ((target, another) for another in cut.get(outer, ()))

    def find(self, segment: str) -> list[T]:
        """Return the targets whose patterns match a segment, the least specific first."""
        found = []
        length = len(segment)
        for before, after, group in self._tries:
            # A segment shorter than both matches nothing in the group: `split()` sees to that.
            outer = (segment[:before], segment[max(length - after, 0) :])
            for pattern, target in group.get(outer, ()):
                if pattern.split(segment) is not None:
                    found.append(target)
        return found


# -- the trie -------------------------------------------------------------------------------------


class _Wildcard:
    """A parameter in the shape of a template, where no literal can be mistaken for it."""

    __slots__ = ()


#: One segment of any text.
PARAMETER: Final = _Wildcard()
#: The rest of the path, slashes included.
REST: Final = _Wildcard()

#: One segment of a template, without the names of its parameters.
Segment = str | SegmentPattern | _Wildcard


class Node(Generic[T]):
    """A node of the trie, at which the next segment of a path decides.

    Attributes:
        value: the value of paths that end here; None if no template ends here.
    """

    __slots__ = ("index", "literals", "parameter", "rest", "value", "wide")

    def __init__(self) -> None:
        self.value: T | None = None
        self.literals: dict[str, Node[T]] = {}
        self.index: SegmentIndex[Node[T]] | None = None
        self.parameter: Node[T] | None = None
        self.rest: Node[T] | None = None
        #: Whether there is an index or a rest, which is rare.
        self.wide = False

    def widen(
        self, later: list[tuple["Node[T]", int]], part: str, depth: int, end: int
    ) -> "Node[T] | None":
        """Return the most specific child for a segment except a literal; add others to ``later``.

        Args:
            later: the argument of `walk()`.
            part: the segment.
            depth: the index of the next segment.
            end: the number of segments.
        """
        ways = [] if self.rest is None else [(self.rest, end)]
        if self.parameter is not None:
            ways.append((self.parameter, depth))
        if self.index is not None:
            ways += [(target, depth) for target in self.index.find(part)]
        if not ways or ways[-1][0] is self.rest:
            later += ways
            return None
        later += ways[:-1]
        return ways[-1][0]

    def __iter__(self) -> Iterator["Node[T]"]:
        """Iterate over the children."""
        yield from self.literals.values()
        yield from () if self.index is None else self.index.targets()
        yield from filter(None, (self.parameter, self.rest))


def insert(root: Node[T], shape: Sequence[Segment]) -> Node[T]:
    """Return the node at which paths of a shape end, created if it does not exist.

    Args:
        root: the root of the trie.
        shape: the segments of a template.

    Raises:
        ValueError: too many templates with several parts in one segment meet at a node.
    """
    node = root
    for segment in shape:
        if isinstance(segment, str):
            node = node.literals.setdefault(segment, Node())
        elif isinstance(segment, SegmentPattern):
            node.wide = True
            node.index = node.index or SegmentIndex()
            target = node.index.get(segment)
            if target is None:
                target = Node()
                node.index.add(segment, target)
            node = target
        elif segment is PARAMETER:
            node.parameter = node.parameter or Node()
            node = node.parameter
        else:
            node.wide = True
            node.rest = node.rest or Node()
            node = node.rest
    return node


def walk(
    later: list[tuple[Node[T], int]], parts: Sequence[str], end: int, *, empty: bool = False
) -> T | None:
    """Return the value of the next template that a path matches, the most specific first.

    In each segment, a literal precedes a pattern with several parts, which precedes a parameter,
    which precedes the rest. Only one way leads to each node, so all calls for a path together visit
    it at most once.

    Args:
        later: the nodes to begin at, each with the index of the path's next segment; the entries
            left after a call lead to less specific templates.
        parts: the segments of the path.
        end: the number of segments.
        empty: whether an empty segment is a value of a parameter.
    """
    while later:
        node, depth = later.pop()
        while depth < end:
            part = parts[depth]
            depth += 1
            literal, parameter = node.literals.get(part), node.parameter
            # An empty segment, as after a trailing slash, is usually not a value of a parameter.
            if not part and not empty:
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
