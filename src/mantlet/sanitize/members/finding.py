"""The search for bytes that betray names."""

from collections.abc import Callable, Iterable
from typing import Final

from mantlet.sanitize.members.names import Literal

__all__ = ["Finder"]

#: The index of a literal, where it begins and where it ends.
Hit = tuple[int, int, int]
#: A search of an automaton.
Search = Callable[..., list[Hit]]

_QUOTE: Final = 0x22


class Finder:
    """Finds literals where they may be part of a name. Immutable; may be shared by threads.

    Where a name begins or ends with a literal, the quote that must be there is looked for.

    Args:
        literals: of all names; one that several have in common is bound by quotes only if it is in
            all.
    """

    __slots__ = ("_bounds", "_every", "_find")

    def __init__(self, literals: Iterable[Literal]) -> None:
        from ahocorasick_rs import BytesAhoCorasick, MatchKind  # noqa: PLC0415  # for masks alone

        bounds: dict[bytes, list[Literal]] = {}
        for literal in dict.fromkeys(literals):
            bounds.setdefault(literal.text, []).append(literal)
        patterns = list(bounds)
        every = [literal for alike in bounds.values() for literal in alike]
        self._bounds = tuple(bounds.values())
        self._find: Search = BytesAhoCorasick(
            patterns, MatchKind.LeftmostLongest
        ).find_matches_as_indexes
        # That one is faster by far, and leaves out what begins within what it has found.
        self._every: Search | None = None
        if any(_hides(one, two) for one in every for two in every):
            self._every = BytesAhoCorasick(patterns, MatchKind.Standard).find_matches_as_indexes

    def find(self, data: bytes) -> list[int]:
        """Return where literals begin in the data, in order."""
        hits = self._find(data)
        if not hits:
            return []
        if self._every is not None:
            hits = self._every(data, overlapping=True)
        size, bounds, found = len(data), self._bounds, []
        for index, start, end in hits:
            for _, begins, ends in bounds[index]:
                if (not begins or data[start - 1 : start] == b'"') and (
                    not ends or end == size or data[end] == _QUOTE
                ):
                    found.append(start)
                    break
        if self._every is not None:
            found.sort()
        return found


def _hides(one: Literal, two: Literal) -> bool:
    """Return whether ``two``, with the quotes that it needs, may begin within ``one``."""
    if not two.ends and two.text != one.text and one.text.startswith(two.text):
        return True
    if two.begins:
        return False  # there is no quote before it
    text, other = one.text, two.text
    return any(
        text[at:].startswith(other) or other.startswith(text[at:]) for at in range(1, len(text))
    )
