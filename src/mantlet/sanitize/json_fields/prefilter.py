"""Search a body for byte strings that any masked field requires, before anything is parsed."""

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Final, NamedTuple

__all__ = [
    "MAX_PATTERN_LENGTH",
    "Prefilter",
    "SearchLiteral",
    "is_selective",
    "parse_pattern",
    "search_literals",
]

#: Maximum length of a name, a glob or a pointer token, in characters.
MAX_PATTERN_LENGTH: Final = 256
#: Quotes are so frequent in JSON that a search for them is slow. Only names with fewer bytes than
#: this are searched for together with their quotes.
_SHORT_TEXT: Final = 3

# RFC 8259, 7: characters that must be escaped, and their short escapes.
_SHORT_ESCAPES: Final = {
    '"': b'"', "\\": b"\\", "\b": b"b", "\f": b"f", "\n": b"n", "\r": b"r", "\t": b"t",
}  # fmt: skip
#: Characters that may occur outside of strings: whitespace, punctuation, numbers, true, false and
#: null, Python's NaN and Infinity, and the separator of JSON text sequences (RFC 7464).
_OUTSIDE: Final = frozenset(" \t\r\n\x1e,:[]{}0123456789+-.eEtrufalsnNIiy")
#: Characters that may follow the end of a string, and precede the start of one.
_AFTER_STRING: Final = frozenset(" \t\r\n\x1e,:]}")
_BEFORE_STRING: Final = frozenset(" \t\r\n\x1e,:[{")

_QUOTE: Final = 0x22

#: A match: the index of a literal, its start and its end.
Hit = tuple[int, int, int]


class SearchLiteral(NamedTuple):
    """A byte string to search for.

    Attributes:
        text: the bytes.
        begins: whether they must stand at the beginning of a name.
        ends: whether they must stand at the end of a name.
    """

    text: bytes
    begins: bool
    ends: bool


def parse_pattern(pattern: str) -> tuple[str | None, list[str]]:
    """Split a name or a glob at its wildcards.

    The wildcards are those of `fnmatch`: ``*``, ``?`` and ``[...]``.

    Returns:
        The name, or None for a glob; and the fixed parts, with an empty one at either end if the
        pattern begins or ends with a wildcard.
    """
    fixed, pos, is_glob = [""], 0, False
    while pos < len(pattern):
        char = pattern[pos]
        pos += 1
        if char == "[":
            # As in fnmatch, a bracket that comes first or after "!" does not close the set.
            end = pattern.find("]", pos + 1 + (pattern[pos : pos + 1] == "!"))
            if end < 0:
                fixed[-1] += char
                continue
            pos = end + 1
        elif char not in "*?":
            fixed[-1] += char
            continue
        is_glob = True
        fixed.append("")
    return (None, fixed) if is_glob else (fixed[0], fixed)


def search_literals(fixed: list[str]) -> list[SearchLiteral]:
    """Return literals, one of which is in every JSON text that has a name with these parts."""
    text, begins, ends = _longest(fixed)
    for char in text:  # a character that is always escaped is enough by itself
        if char in _SHORT_ESCAPES:
            return [
                _anywhere(b"\\" + _SHORT_ESCAPES[char]),
                *map(_anywhere, _escapes(char)),
            ]
        if char < " ":
            return [_anywhere(escape) for escape in _escapes(char)]
    raw = text.encode("utf-8", "surrogatepass")
    found = [SearchLiteral(raw, begins, ends)]
    if len(raw) < _SHORT_TEXT:  # it would be found within many words
        found = [_anywhere(b'"' * begins + raw + b'"' * ends or b'"')]
    found += [_anywhere(escape) for char in dict.fromkeys(text) for escape in _escapes(char)]
    if "/" in text:
        found.append(_anywhere(b"\\/"))
    return found


def is_selective(fixed: list[str]) -> bool:
    """Return whether `search_literals()` occur only in strings, or with the quotes of one string.

    A text such as ``,`` may also occur between two strings: ``{"a": "b","c": 1}`` contains ``","``.
    """
    text, begins, ends = _longest(fixed)
    if not text:
        return False
    if (begins and text[0] not in _AFTER_STRING) or (ends and text[-1] not in _BEFORE_STRING):
        return True
    return any(char not in _OUTSIDE for char in text)


def _anywhere(text: bytes) -> SearchLiteral:
    return SearchLiteral(text, False, False)


def _longest(fixed: list[str]) -> tuple[str, bool, bool]:
    """Return the longest fixed part, and whether the name begins and ends with it."""
    last = len(fixed) - 1
    index = max(range(len(fixed)), key=lambda at: len(fixed[at]))
    text = fixed[index]
    return text, index == 0 and bool(text), index == last and bool(text)


def _escapes(char: str) -> Iterator[bytes]:
    r"""Yield the beginnings of a character's ``\u`` escapes, in upper and lower case."""
    code = ord(char)
    if code > 0xFFFF:
        code = 0xD800 + ((code - 0x10000) >> 10)  # the first of a surrogate pair
    # The last digit is left out, since the time of the search depends on the number of patterns.
    digits = [dict.fromkeys((digit, digit.upper())) for digit in f"{code:04x}"[:3]]
    for chosen in product(*digits):
        yield b"\\u" + "".join(chosen).encode()


class Prefilter:
    """Find literals where they may be part of a name. Immutable; may be shared by threads.

    If a name begins or ends with a literal, the quote next to it is checked too.

    Args:
        literals: the literals of all names. One that several names share is only bound to quotes if
            it is for all of them.
    """

    __slots__ = ("_bounds", "_find", "_find_all")

    def __init__(self, literals: Iterable[SearchLiteral]) -> None:
        from ahocorasick_rs import BytesAhoCorasick, MatchKind  # noqa: PLC0415  # for masks alone

        bounds: dict[bytes, list[SearchLiteral]] = {}
        for literal in dict.fromkeys(literals):
            bounds.setdefault(literal.text, []).append(literal)
        patterns = list(bounds)
        every = [literal for same_text in bounds.values() for literal in same_text]
        self._bounds = tuple(bounds.values())
        self._find: Callable[..., list[Hit]] = BytesAhoCorasick(
            patterns, MatchKind.LeftmostLongest
        ).find_matches_as_indexes
        # It is by far the faster one, but skips literals that begin within another match.
        self._find_all: Callable[..., list[Hit]] | None = None
        if any(_hides(one, other) for one in every for other in every):
            self._find_all = BytesAhoCorasick(patterns, MatchKind.Standard).find_matches_as_indexes

    def find(self, data: bytes) -> list[int]:
        """Return the offsets of literals in the data, in order."""
        hits = self._find(data)
        if not hits:
            return []
        if self._find_all is not None:
            hits = self._find_all(data, overlapping=True)
        size, bounds, found = len(data), self._bounds, []
        for index, start, end in hits:
            for _, begins, ends in bounds[index]:
                if (not begins or data[start - 1 : start] == b'"') and (
                    not ends or end == size or data[end] == _QUOTE
                ):
                    found.append(start)
                    break
        if self._find_all is not None:
            found.sort()
        return found


def _hides(one: SearchLiteral, other: SearchLiteral) -> bool:
    """Return whether ``other``, with the quotes that it needs, may begin within ``one``."""
    if not other.ends and other.text != one.text and one.text.startswith(other.text):
        return True
    if other.begins:
        return False  # there is no quote before it
    text, inner = one.text, other.text
    return any(
        text[at:].startswith(inner) or inner.startswith(text[at:]) for at in range(1, len(text))
    )
