"""Search a body for byte strings that any masked field requires: in its name, with its quotes.

The search has no regard to the case of ASCII letters: the body is searched in lower case.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any, Final

from mantlet.redact.literal_search import (
    FEW,
    load_hyperscan,
    search_by_automaton,
    search_by_hyperscan,
)
from mantlet.redact.names import MAX_NAME_LENGTH, case_variants, parse_name
from mantlet.sanitize.json_fields.expressions import SHORT_ESCAPES

__all__ = ["MAX_PATTERN_LENGTH", "Prefilter", "is_selective", "search_literals"]

#: Maximum length of a name, a glob or a pointer token, in characters.
MAX_PATTERN_LENGTH: Final = MAX_NAME_LENGTH
#: The data is searched in blocks, so that the first match ends the search.
_BLOCK: Final = 64 * 1024
#: Each literal in the data takes a step of Python. Where there is more than one in so many bytes,
#: in the data or at its beginning, expressions look at every quote instead.
_DENSE: Final = 64
_BEGINNING: Final = 1024

#: Characters that may occur outside of strings: whitespace, punctuation, numbers, true, false and
#: null, Python's NaN and Infinity, and the separator of JSON text sequences (RFC 7464).
_OUTSIDE: Final = frozenset(" \t\r\n\x1e,:[]{}0123456789+-.eEtrufalsnNIiy")
#: Characters that may follow the end of a string, and precede the start of one.
_AFTER_STRING: Final = frozenset(" \t\r\n\x1e,:]}")
_BEFORE_STRING: Final = frozenset(" \t\r\n\x1e,:[{")
#: The literal of names of which no byte is certain.
_ANY_NAME: Final = b'"'
#: Literals that JSON does not have. With several first bytes, an automaton searches for several
#: bytes of all literals at once, and else for first bytes alone, such as that of each string.
_SPARE: Final = (b"\x01\x02\x03", b"\x04\x05\x06", b"\x0e\x0f\x10", b"\x11\x12\x13")
_BACKSLASH: Final = 0x5C

#: Returns where literals begin in some data, whatever the case of ASCII letters, in no order; None
#: if there are more than the given number.
_Locate = Callable[[bytes, int], list[int] | None]


def search_literals(pattern: str, *, exact: bool = False) -> list[bytes]:
    """Return literals, one of which is in every JSON text in lower case that has such a name.

    Args:
        pattern: a name or a glob; a name as it is if it is ``exact``.
        exact: whether the pattern is a name without wildcards and separators of words.
    """
    if exact:
        text, begins, ends = pattern, True, True
    else:
        text, begins, ends = _longest(pattern)
    if not text:
        return [b'"']
    forms = [[char] if exact else case_variants(char) for char in text]
    for cases in forms:  # a character that is always escaped is enough by itself
        if any(char in SHORT_ESCAPES or char < " " for char in cases):
            return sorted({escape for char in cases for escape in _escapes(char)})
    raw = {b"".join(chars) for chars in product(*map(_encodings, forms))}
    # With its quotes a name is not found in the text of a string, where they would be escaped.
    raw = {b'"' * begins + one + b'"' * ends for one in raw}
    return sorted(raw | {escape for cases in forms for char in cases for escape in _escapes(char)})


def is_selective(pattern: str) -> bool:
    """Return whether the text between two strings never matches a pattern.

    A name such as ``,`` may stand there too: ``{"a": "b","c": 1}`` contains ``","``.
    """
    tokens = parse_name(pattern)
    first, last = tokens[0], tokens[-1]
    if first.kind == "char" and first.text not in _AFTER_STRING:
        return True
    if last.kind == "char" and last.text not in _BEFORE_STRING:
        return True
    return any(token.kind == "char" and token.text not in _OUTSIDE for token in tokens)


def _longest(pattern: str) -> tuple[str, bool, bool]:
    """Return the longest text in a name, and whether the name begins and ends with it."""
    tokens = parse_name(pattern)
    last = len(tokens) - 1
    runs = [("", False, False)]
    begin = 0
    for at, token in enumerate(tokens):
        if token.kind != "char":
            begin = at + 1
            continue
        # A letter that has its cases not in ASCII stands alone, since each is searched for.
        if len(_encodings(case_variants(token.text))) > 1:
            begin = at
        text = "".join(one.text for one in tokens[begin : at + 1])
        runs.append((text, begin == 0, at == last))
        if len(_encodings(case_variants(token.text))) > 1:
            begin = at + 1
    return max(runs, key=lambda run: len(run[0]))


def _encodings(chars: Iterable[str]) -> set[bytes]:
    return {char.encode("utf-8", "surrogatepass").lower() for char in chars}


def _escapes(char: str) -> list[bytes]:
    r"""Return the beginnings of a character's escapes, in lower case.

    Of ``\u`` escapes the last digit is left out: the search takes longer the more literals it has.
    """
    found = [b"\\" + SHORT_ESCAPES[char]] if char in SHORT_ESCAPES else []
    if char == "/":
        found.append(b"\\/")
    code = ord(char)
    if code > 0xFFFF:
        code = 0xD800 + ((code - 0x10000) >> 10)  # the first of a surrogate pair
    return [*found, b"\\u" + f"{code:04x}"[:3].encode()]


class Prefilter:
    """Find out where a text may have a name. Immutable; may be shared by threads.

    Args:
        literals: the literals of all names, in lower case.
    """

    __slots__ = ("_locate", "_overlap")

    def __init__(self, literals: Iterable[bytes]) -> None:
        patterns = sorted(set(literals))
        hyperscan = load_hyperscan() if len(patterns) > FEW else None
        self._locate = (
            _locate_by_automatons(patterns)
            if hyperscan is None
            else _locate_by_hyperscan(hyperscan, patterns)
        )
        self._overlap = max(map(len, patterns), default=1) - 1

    def find(self, data: bytes) -> bool:
        """Return whether one of the literals may be in the data."""
        if len(data) <= _BLOCK:
            return self._locate(data, 0) is None
        return any(
            self._locate(data[start : start + _BLOCK + self._overlap], 0) is None
            for start in range(0, len(data), _BLOCK)
        )

    def openings(self, data: bytes) -> list[int] | None:
        """Return the offsets of all quotes that begin a name, and of some others, in order.

        Each is returned once; None if there are so many that it is faster to look at every quote.
        """
        size = len(data)
        if size > _BEGINNING and self._locate(data[:_BEGINNING], _BEGINNING // _DENSE) is None:
            return None
        found = self._locate(data, max(size, _BEGINNING) // _DENSE)
        if not found:
            return found
        found.sort()
        openings = []
        begin = 0
        for start in found:
            # A quote within a name follows a backslash, and the one that begins it does not.
            quote = data.rfind(b'"', begin, start + 1)
            while quote > 0 and data[quote - 1] == _BACKSLASH:
                quote = data.rfind(b'"', begin, quote)
            if quote >= 0:
                openings.append(quote)
            begin = start + 1
        return openings


def _locate_by_automatons(literals: Sequence[bytes]) -> _Locate:
    # An automaton finds one of several literals that overlap. That is enough, since they are in one
    # name, unless a quote ends the one and begins the other: none does in the same automaton.
    begun = [one.rstrip(b'"') or one for one in literals if one[:1] == b'"']
    others = [one for one in literals if one[:1] != b'"']
    searches = [search_by_automaton([*some, *_SPARE]) for some in (begun, others) if some]

    def locate(data: bytes, most: int) -> list[int] | None:
        lower = data.lower()
        found = [
            start
            for search in searches
            for _, start, _ in search(lower)
            if lower[start - 1 : start + 1] != b'\\"'  # no name begins with this quote
        ]
        return None if len(found) > most else found

    return locate


# Any: a module without types.
def _locate_by_hyperscan(hyperscan: Any, literals: Sequence[bytes]) -> _Locate:
    scan, sizes = search_by_hyperscan(hyperscan, literals, hyperscan.HS_FLAG_CASELESS)

    def locate(data: bytes, most: int) -> list[int] | None:
        found: list[int] = []

        def on_match(literal: int, _start: int, end: int, *_: object) -> bool:
            found.append(end - sizes[literal])
            return len(found) > most

        return None if scan(data, on_match) else found

    return locate
