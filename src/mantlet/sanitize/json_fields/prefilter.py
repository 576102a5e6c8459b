"""Search a body for byte strings that any masked field requires, before anything is parsed.

The search has no regard to the case of ASCII letters: the body is searched in lower case.
"""

from collections.abc import Iterable
from itertools import product
from typing import Final

from mantlet.redact.literal_search import build_test
from mantlet.redact.names import MAX_NAME_LENGTH, case_variants, parse_name
from mantlet.sanitize.json_fields.expressions import SHORT_ESCAPES

__all__ = ["MAX_PATTERN_LENGTH", "Prefilter", "is_selective", "search_literals"]

#: Maximum length of a name, a glob or a pointer token, in characters.
MAX_PATTERN_LENGTH: Final = MAX_NAME_LENGTH
#: Literals shorter than this would be found within many words, without a quote.
_SHORT_TEXT: Final = 3
#: The data is searched in blocks, so that the first match ends the search.
_BLOCK: Final = 64 * 1024

#: Characters that may occur outside of strings: whitespace, punctuation, numbers, true, false and
#: null, Python's NaN and Infinity, and the separator of JSON text sequences (RFC 7464).
_OUTSIDE: Final = frozenset(" \t\r\n\x1e,:[]{}0123456789+-.eEtrufalsnNIiy")
#: Characters that may follow the end of a string, and precede the start of one.
_AFTER_STRING: Final = frozenset(" \t\r\n\x1e,:]}")
_BEFORE_STRING: Final = frozenset(" \t\r\n\x1e,:[{")


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
    if len(text) < _SHORT_TEXT:
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
    """Find out whether a text may have a name. Immutable; may be shared by threads.

    Args:
        literals: the literals of all names, in lower case.
    """

    __slots__ = ("_overlap", "_test")

    def __init__(self, literals: Iterable[bytes]) -> None:
        patterns = sorted(set(literals))
        self._test = build_test(patterns, ignore_case=True)
        self._overlap = max(map(len, patterns), default=1) - 1

    def find(self, data: bytes) -> bool:
        """Return whether one of the literals is in the data."""
        if len(data) <= _BLOCK:
            return bool(self._test(data))
        return any(
            self._test(data[start : start + _BLOCK + self._overlap])
            for start in range(0, len(data), _BLOCK)
        )
