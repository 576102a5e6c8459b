"""Segments with several pieces, such as ``{name}.{ext}``, taken apart in bounded time.

A segment is read as the routers of frameworks read it, each of which writes a parameter as
``[^/]+`` in a regular expression: every parameter has a character or more, and the first takes as
many as it can, then the second, and so on. ``{name}.{ext}`` finds ``a.b`` and ``c`` in ``a.b.c``.
Looking for each literal from the end gives the same without an expression that could backtrack.
"""

from collections.abc import Sequence
from typing import Final, Generic, TypeVar

__all__ = ["Fork", "Pieces"]

T = TypeVar("T")

#: How many ways one fork may have to try for a segment.
MOST_WAYS: Final = 64


class Pieces:
    """Parameters with literals between, before or behind them, in one segment.

    Args:
        literals: what is before the first parameter, between each two, and behind the last. Only
            the first and the last may be empty.
    """

    __slots__ = ("_between", "literals", "prefix", "suffix")

    def __init__(self, literals: Sequence[str]) -> None:
        self.literals: Final = tuple(literals)
        self.prefix, *between, self.suffix = literals
        self._between = between[::-1]

    def split(self, segment: str) -> list[str] | None:
        """Return the parameters' values in a segment, or None where it is another one."""
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


class Fork(Generic[T]):
    """Where segments with pieces lead to, the most specific first.

    That is the one with more text before and behind its parameters, then with more before them,
    then with more between them. It takes a look-up for each two lengths of these.
    """

    __slots__ = ("_groups", "_tries", "_ways")

    def __init__(self) -> None:
        self._ways: dict[tuple[str, ...], T] = {}
        #: The ways by what is before and behind their parameters, by the lengths of these.
        self._groups: dict[tuple[int, int], dict[tuple[str, str], list[tuple[Pieces, T]]]] = {}
        #: The same, each with these lengths, the least specific first.
        self._tries: list[tuple[int, int, dict[tuple[str, str], list[tuple[Pieces, T]]]]] = []

    def get(self, pieces: Pieces) -> T | None:
        """Return where segments of these pieces lead to, if they do."""
        return self._ways.get(pieces.literals)

    def add(self, pieces: Pieces, target: T) -> None:
        """Have segments of these pieces lead somewhere.

        Raises:
            ValueError: there would be too many ways to try for one segment.
        """
        self._ways[pieces.literals] = target
        lengths = (len(pieces.prefix), len(pieces.suffix))
        ways = self._groups.setdefault(lengths, {}).setdefault((pieces.prefix, pieces.suffix), [])
        ways.append((pieces, target))
        ways.sort(key=lambda way: (len("".join(way[0].literals)), way[0].literals))
        ordered = sorted(self._groups, key=lambda lengths: (sum(lengths), lengths))
        self._tries = [(*lengths, self._groups[lengths]) for lengths in ordered]
        if len(self._tries) + len(ways) > MOST_WAYS:
            raise ValueError(f"more than {MOST_WAYS} segments like it have to be tried for one")

    def targets(self) -> list[T]:
        """Return everything that is led to."""
        return list(self._ways.values())

    def find(self, segment: str) -> list[T]:
        """Return where a segment leads to, the least specific first."""
        found = []
        length = len(segment)
        for before, behind, group in self._tries:
            # Where it is shorter than that, nothing is found for what is taken in its place.
            outer = (segment[:before], segment[max(length - behind, 0) :])
            for pieces, target in group.get(outer, ()):
                if pieces.split(segment) is not None:
                    found.append(target)
        return found
