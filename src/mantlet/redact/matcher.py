"""The search for many byte strings at once, by Aho-Corasick automatons (CACM 18(6), 1975)."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Final

__all__ = ["Hit", "Matcher"]

#: The index of a pattern, where it begins and where it ends.
Hit = tuple[int, int, int]
_Search = Callable[..., list[Hit]]

#: An automaton of no more patterns than these has a prefilter that reads at memory speed; past some
#: 80 it is left out, and the search takes ten times as long.
_SHARD: Final = 60
#: So many automatons side by side are still faster than one of all patterns. That one is made a
#: DFA, which takes half the time of the others, and some 15 KB of memory a pattern.
_SHARDS: Final = 10


class Matcher:
    """Patterns to search for. Immutable; may be shared by threads.

    A search takes time by the bytes, hardly by the patterns: 64 KiB without a hit take some 16 us
    for 60 patterns and 60 us for 240 of them.

    Args:
        patterns: none of them empty. One that is given twice is found twice.
    """

    __slots__ = ("_every", "_finders", "_firsts", "_patterns", "_sorted", "_starts", "longest")

    def __init__(self, patterns: Iterable[bytes]) -> None:
        self._patterns = tuple(patterns)
        # Neighbours in an automaton begin alike, which the prefilter likes.
        self._sorted = sorted(set(self._patterns))
        # Stands for the automatons until the first search needs them.
        self._finders: tuple[_Search, ...] = (self._build,) if self._sorted else ()
        self._every: _Search | None = None
        self._starts = frozenset(pattern[:2] for pattern in self._sorted)
        self._firsts = frozenset(pattern[:1] for pattern in self._sorted if len(pattern) > 1)
        #: The length of the longest pattern.
        self.longest = max(map(len, self._sorted), default=0)

    def _build(self, data: bytes) -> list[Hit]:
        """Build the automatons, and return the hits of the first of them that has any."""
        from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind  # noqa: PLC0415

        count = len(self._sorted)
        if count <= _SHARD * _SHARDS:
            shards = [self._sorted[at : at + _SHARD] for at in range(0, count, _SHARD)]
            built = [BytesAhoCorasick(shard, MatchKind.LeftmostLongest) for shard in shards]
        else:
            kind = Implementation.DFA
            built = [BytesAhoCorasick(self._sorted, MatchKind.LeftmostLongest, kind)]
        finders = tuple(automaton.find_matches_as_indexes for automaton in built)
        self._finders = finders
        return next((hits for find in finders if (hits := find(data))), [])

    def __len__(self) -> int:
        return len(self._patterns)

    def hits(self, data: bytes) -> bool:
        """Return whether any pattern is in the data."""
        for find in self._finders:  # noqa: SIM110  # a generator would cost each answer a frame
            if find(data):
                return True
        return False

    def find(self, data: bytes) -> list[Hit]:
        """Return every place of every pattern, also those that overlap, in the order they begin."""
        if not self.hits(data):
            return []
        every = self._every
        if every is None:  # built when first wanted, for answers nearly always are clean
            from ahocorasick_rs import BytesAhoCorasick, MatchKind  # noqa: PLC0415

            every = self._every = BytesAhoCorasick(
                self._patterns, MatchKind.Standard
            ).find_matches_as_indexes
        return sorted(every(data, overlapping=True), key=_place)

    def tail(self, data: bytes) -> int:
        """Return how many bytes at the end of the data may become a pattern as more follow.

        It is the length of the longest tail that a pattern begins with, but is not.
        """
        patterns, starts = self._sorted, self._starts
        size = len(data)
        for start in range(max(0, size - self.longest + 1), size - 1):
            if data[start : start + 2] in starts:
                tail = data[start:]
                index = bisect_left(patterns, tail)
                if index < len(patterns) and patterns[index] == tail:
                    index += 1
                if index < len(patterns) and patterns[index].startswith(tail):
                    return len(tail)
        return int(data[-1:] in self._firsts)


def _place(hit: Hit) -> tuple[int, int]:
    return hit[1], hit[2]
