"""Search for many literals at once, by Aho-Corasick automatons (CACM 18(6), 1975)."""

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Final

__all__ = ["LiteralSearch"]

#: A match of a literal: its index, its start and its end.
Hit = tuple[int, int, int]
_Search = Callable[..., list[Hit]]

#: Automatons with at most this many patterns have a prefilter that reads at memory speed. Above
#: some 80 patterns it is left out, and the search takes ten times as long.
_SHARD_SIZE: Final = 60
#: This many automatons side by side are still faster than a single one. Above that, one DFA holds
#: all patterns: it takes half the time of the other kinds, and some 15 KB of memory a pattern.
_MAX_SHARDS: Final = 8
#: The characters of words, as bytes.
_WORD: Final = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
#: An escape of JSON or of a URL, whose last character is none of a word.
_ESCAPE_END: Final = re.compile(rb"(?:\\[bfnrt]|(?:%|\\u00)[0-9A-Fa-f]{2})\Z")
_position: Final = itemgetter(1, 2)


class LiteralSearch:
    """Search for many literals at once. Immutable; may be shared by threads.

    The time depends on the size of the data and hardly on the number of patterns: 64 KiB without a
    match take some 16 µs for 60 patterns, and 60 µs for 240.

    Args:
        patterns: the literals, none of them empty. A duplicate is found twice.
        words: those of them that are of no use after a letter, a digit or an underscore.
        labels: those that may be sent before what follows them is known.
    """

    __slots__ = (
        "_find_all",
        "_finders",
        "_labels",
        "_patterns",
        "_prefixes",
        "_prefixes_in_words",
        "_sorted",
        "longest",
    )

    def __init__(
        self,
        patterns: Iterable[bytes],
        words: Collection[bytes] = (),
        labels: Collection[bytes] = (),
    ) -> None:
        self._patterns = tuple(patterns)
        # The prefilter prefers patterns with a common prefix, so neighbors share an automaton.
        self._sorted = sorted(set(self._patterns))
        # Stands in for the automatons until the first search needs them.
        self._finders: tuple[_Search, ...] = (self._build,) if self._sorted else ()
        self._find_all: _Search | None = None
        self._labels = _Prefixes(sorted(labels))
        self._prefixes = _Prefixes([one for one in self._sorted if one not in labels])
        within = [one for one in self._sorted if one not in words and one not in labels]
        self._prefixes_in_words = _Prefixes(within)
        #: The length of the longest pattern.
        self.longest = max(map(len, self._sorted), default=0)

    def _build(self, data: bytes) -> list[Hit]:
        """Build the automatons, and return the hits of the first one that has any."""
        # Not loaded before the first search.
        from ahocorasick_rs import (  # noqa: PLC0415  # for searches alone
            BytesAhoCorasick,
            Implementation,
            MatchKind,
        )

        count = len(self._sorted)
        if count <= _SHARD_SIZE * _MAX_SHARDS:
            shards = [self._sorted[at : at + _SHARD_SIZE] for at in range(0, count, _SHARD_SIZE)]
            automatons = [BytesAhoCorasick(shard, MatchKind.LeftmostLongest) for shard in shards]
        else:
            kind = Implementation.DFA
            automatons = [BytesAhoCorasick(self._sorted, MatchKind.LeftmostLongest, kind)]
        finders = tuple(automaton.find_matches_as_indexes for automaton in automatons)
        self._finders = finders
        return next((hits for find in finders if (hits := find(data))), [])

    def __len__(self) -> int:
        return len(self._patterns)

    def hits(self, data: bytes) -> bool:
        """Return whether the data contains any pattern."""
        for find in self._finders:  # noqa: SIM110  # a generator would cost each response a frame
            if find(data):
                return True
        return False

    def find(self, data: bytes, begin: int = 0) -> list[Hit]:
        """Return all matches of all patterns, overlapping ones too, in order of their start.

        Args:
            data: the data.
            begin: where the search begins. The offsets are those in the data.
        """
        if begin:
            found = self.find(data[begin:])
            return [(index, start + begin, end + begin) for index, start, end in found]
        if not self.hits(data):
            return []
        find_all = self._find_all
        if find_all is None:  # built on first use, since nearly all responses are clean
            from ahocorasick_rs import BytesAhoCorasick, MatchKind  # noqa: PLC0415  # the same

            find_all = self._find_all = BytesAhoCorasick(
                self._patterns, MatchKind.Standard
            ).find_matches_as_indexes
        found = find_all(data, overlapping=True)
        found.sort(key=_position)
        return found

    def tail(self, data: bytes) -> int:
        """Return how many bytes at the end of the data may become a pattern when more follow.

        This is the length of the longest tail that is a proper prefix of a pattern. Within a word
        the patterns that are of no use there do not count, so that the end of most words is none.
        Labels do not count either.
        """
        size = len(data)
        for start in self._prefixes.find(data, self.longest):
            in_word = start > 0 and data[start - 1] in _WORD
            if not in_word or self._prefixes_in_words.has(data[start:]):
                return size - start
            if _ESCAPE_END.search(data[max(0, start - 6) : start]):
                return size - start
        return 0

    def ends_in_label(self, data: bytes) -> bool:
        """Return whether a label may have begun at the end of the data."""
        return any(True for _ in self._labels.find(data, self.longest))


class _Prefixes:
    """The proper prefixes of patterns.

    Args:
        patterns: the patterns, sorted.
    """

    __slots__ = ("_sorted", "starts")

    def __init__(self, patterns: Sequence[bytes]) -> None:
        self._sorted = patterns
        #: The prefixes of one byte and of two, some of which are whole patterns.
        self.starts = frozenset(pattern[:size] for pattern in patterns for size in (1, 2))

    def find(self, data: bytes, longest: int) -> Iterator[int]:
        """Yield where a proper prefix begins that lasts to the end of the data.

        Args:
            data: the data.
            longest: the length of the longest pattern.
        """
        for start in range(max(0, len(data) - longest + 1), len(data)):
            if data[start : start + 2] in self.starts and self.has(data[start:]):
                yield start

    def has(self, tail: bytes) -> bool:
        """Return whether some bytes are a proper prefix of a pattern."""
        patterns = self._sorted
        index = bisect_left(patterns, tail)
        if index < len(patterns) and patterns[index] == tail:
            index += 1
        return index < len(patterns) and patterns[index].startswith(tail)
