"""Search for many literals at once.

Few are found by an Aho-Corasick automaton (CACM 18(6), 1975) with a vectorized prefilter. Many are
found by Hyperscan (NSDI 2019) where it is installed, else by an automaton without a prefilter.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from importlib import import_module
from operator import itemgetter
from typing import Any, Final

__all__ = [
    "LiteralSearch",
    "build_test",
    "load_hyperscan",
    "search_by_automaton",
    "search_by_hyperscan",
]

#: A match of a literal: its index, its start and its end.
Hit = tuple[int, int, int]

#: Automatons with at most this many literals have a prefilter that reads at memory speed. Above
#: some 80 it is left out, and the search takes ten times as long.
FEW: Final = 60
#: Hyperscan takes ten times as long to prepare a search for longer literals than this, in bytes.
_LONGEST: Final = 40
#: The characters of words, as bytes.
_WORD: Final = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
#: An escape of JSON or of a URL, whose last character is not part of a word.
_ESCAPE_END: Final = re.compile(rb"(?:\\[bfnrt]|(?:%|\\u00)[0-9A-Fa-f]{2})\Z")
_position: Final = itemgetter(1, 2)


def build_test(literals: Sequence[bytes]) -> Callable[[bytes], object]:
    """Return a function whose result is true for data that contains any of some literals.

    It may also be true for data that contains the first 40 bytes of one.

    It may be called by several threads at once. 64 KiB take it some 10 µs for up to 60 literals;
    for any number of them 16 µs with Hyperscan, and 120 µs without.

    Args:
        literals: byte strings, none of them empty.
    """
    if len(literals) > FEW and (hyperscan := load_hyperscan()):
        scan, _ = search_by_hyperscan(hyperscan, literals, hyperscan.HS_FLAG_SINGLEMATCH)
        return scan
    return search_by_automaton(literals)


# Any: a module without types.
def load_hyperscan() -> Any:
    """Return the module of Hyperscan, or None if it is not installed."""
    # Libraries are not loaded before the first search.
    try:
        return import_module("hyperscan")
    except ImportError:
        return None  # it is optional


def search_by_automaton(literals: Sequence[bytes]) -> Callable[[bytes], list[Hit]]:
    """Return a function that finds literals; of those that overlap, the first and longest one."""
    from ahocorasick_rs import (  # for searches alone
        BytesAhoCorasick,
        Implementation,
        MatchKind,
    )

    # Automatons of the standard kind have no prefilter.
    kind, way = MatchKind.LeftmostLongest, Implementation.DFA if len(literals) > FEW else None
    find: Callable[[bytes], list[Hit]]
    find = BytesAhoCorasick(literals, kind, way).find_matches_as_indexes
    return find


def _stop(*_match: object) -> bool:
    """End a search at its first match."""
    return True


# Any: a module without types.
def search_by_hyperscan(
    hyperscan: Any, literals: Sequence[bytes], flags: int
) -> tuple[Callable[..., bool], list[int]]:
    """Return a function that finds the first 40 bytes of literals, and how long these are.

    The function takes the data, and what to call for each match, with the index of the literal's
    size, 0 and where the match ends. A true result ends the search, as the first match does by
    default. Its own result is whether one has done so. It may be called by several threads at once.

    Args:
        hyperscan: the module.
        literals: byte strings, none of them empty.
        flags: for each of them.
    """
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    # As expressions, since the library cuts a literal at a zero byte.
    beginnings = sorted({literal[:_LONGEST] for literal in literals})
    expressions = ["".join(f"\\x{byte:02x}" for byte in one).encode() for one in beginnings]
    database.compile(expressions, flags=flags)
    scratch = hyperscan.Scratch(database)
    unused = [scratch]  # a thread takes one for each search, or a new one
    search, terminated = database.scan, hyperscan.ScanTerminated

    def scan(data: bytes, on_match: Callable[..., bool] = _stop) -> bool:
        try:
            own = unused.pop()
        except IndexError:
            own = scratch.clone()
        try:
            search(data, on_match, 0, None, own)  # keywords would take a dict
        except terminated:
            return True
        finally:
            unused.append(own)
        return False

    return scan, [len(one) for one in beginnings]


class LiteralSearch:
    """Search for many literals at once. Immutable; may be shared by threads.

    Args:
        patterns: the literals, none of them empty. A duplicate is found twice.
        words: patterns that can't begin a leak after a letter, a digit or an underscore.
        labels: patterns that may be sent before the data after them is known.
    """

    __slots__ = (
        "_find_all",
        "_labels",
        "_patterns",
        "_prefixes",
        "_prefixes_in_words",
        "_sorted",
        "hits",
        "longest",
    )

    def __init__(
        self,
        patterns: Iterable[bytes],
        words: Collection[bytes] = (),
        labels: Collection[bytes] = (),
    ) -> None:
        self._patterns = tuple(patterns)
        self._sorted = sorted(set(self._patterns))
        #: Its result is true if the data contains any pattern, or the first 40 bytes of one.
        self.hits: Callable[[bytes], object] = self._first_test if self._sorted else _is_empty
        self._find_all: Callable[..., list[Hit]] | None = None
        self._labels = _Prefixes(sorted(labels))
        self._prefixes = _Prefixes([one for one in self._sorted if one not in labels])
        within = [one for one in self._sorted if one not in words and one not in labels]
        self._prefixes_in_words = _Prefixes(within)
        #: The length of the longest pattern.
        self.longest = max(map(len, self._sorted), default=0)

    def _first_test(self, data: bytes) -> object:
        """Build the test on first use, which takes some 10 ms for 1,000 patterns."""
        self.hits = build_test(self._sorted)
        return self.hits(data)

    def __len__(self) -> int:
        return len(self._patterns)

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
            from ahocorasick_rs import BytesAhoCorasick, MatchKind  # the same

            find_all = self._find_all = BytesAhoCorasick(
                self._patterns, MatchKind.Standard
            ).find_matches_as_indexes
        found = find_all(data, overlapping=True)
        found.sort(key=_position)
        return found

    def tail(self, data: bytes) -> int:
        """Return how many bytes at the end of the data may become a pattern when more data follows.

        This is the length of the longest tail that is a proper prefix of a pattern. Inside a word
        the patterns in ``words`` are ignored, so that few ends of words count. Labels are ignored
        everywhere.
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


def _is_empty(_data: bytes) -> bool:
    """Search for no pattern."""
    return False


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
        """Yield the offsets from which the rest of the data is a proper prefix.

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
