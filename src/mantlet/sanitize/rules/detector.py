"""A detector: leaks that have a form and check digits, and no literal in common."""

import re
from collections.abc import Callable, Collection, Iterable
from typing import Final

__all__ = ["BEFORE", "BEHIND", "EDGE", "PatternDetector", "always", "digits_of", "luhn"]

#: What neither stands before a number nor behind it.
EDGE: Final = rb"0-9A-Za-z_"
BEFORE: Final = rb"(?<![%s.\-])" % EDGE
BEHIND: Final = rb"(?![%s]|[.\-][0-9])" % EDGE


class PatternDetector:
    """Finds what an expression matches, and a check confirms.

    Args:
        patterns: an id, an expression and a check of the bytes that it matched, each.
        tail: matches what may still become a match, at the end of the data.
        reach: how many bytes at the end that may be.
    """

    def __init__(
        self,
        patterns: Iterable[tuple[str, bytes, Callable[[bytes], bool]]],
        tail: bytes,
        reach: int,
    ) -> None:
        self._given = tuple(patterns)
        self._patterns = [(id, re.compile(form), check) for id, form, check in self._given]
        self._tail = tail
        self._end = re.compile(tail + rb"\Z")
        self._reach = reach

    @property
    def ids(self) -> frozenset[str]:
        """What leaks are reported as."""
        return frozenset(id for id, _, _ in self._given)

    def without(self, ids: Collection[str]) -> "PatternDetector":
        """Return a detector that does not look for some."""
        kept = [given for given in self._given if given[0] not in ids]
        return PatternDetector(kept, self._tail, self._reach)

    def find(
        self, data: bytes, start: int, more: bool, media: str | None
    ) -> list[tuple[str, int, int]]:
        """Return each leak that begins at ``start`` or behind it: its id, its begin and its end."""
        found = [
            (id, match.start(), match.end())
            for id, pattern, check in self._patterns
            for match in pattern.finditer(data, start)
            if check(match[0]) and not (more and match.end() == len(data))
        ]
        return sorted(found, key=_begin)

    def tail(self, data: bytes) -> int:
        """Return how many bytes at the end of the data may become a leak as more follow."""
        match = self._end.search(data, max(0, len(data) - self._reach))
        return len(data) - match.start() if match else 0


def _begin(found: tuple[str, int, int]) -> int:
    return found[1]


def digits_of(matched: bytes) -> list[int]:
    """Return the digits of what was matched."""
    return [byte - 48 for byte in matched if 48 <= byte <= 57]


def always(_matched: bytes) -> bool:
    """Confirm what has no check digits."""
    return True


def luhn(digits: list[int]) -> bool:
    """Return whether the last digit is Luhn's (ISO/IEC 7812-1, annex B)."""
    total = sum(digits[-1::-2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return total % 10 == 0
