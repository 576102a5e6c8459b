"""The names that members are found by: what matches them, and the bytes that betray them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import translate
from itertools import product
from typing import Final, NamedTuple
from typing import Literal as OneOf

__all__ = [
    "LONGEST",
    "LONGEST_RAW",
    "Action",
    "Literal",
    "Names",
    "is_telling",
    "literals",
    "read_name",
]

Action = OneOf["mask", "drop"]

#: The most characters of a name, pattern or token that can be asked for.
LONGEST: Final = 256
#: The most bytes of a name in a document that is compared with globs.
LONGEST_RAW: Final = 4096
#: Quotes are in every JSON text so often that a search for them is slow. A name that has fewer
#: bytes is searched for with its quotes all the same.
_SHORT_TEXT: Final = 3
#: A character takes most bytes as two escapes, for a surrogate pair.
_PER_CHARACTER: Final = 12

# RFC 8259, 7: what must be written as an escape, and how else than by its number.
_SHORT: Final = {'"': b'"', "\\": b"\\", "\b": b"b", "\f": b"f", "\n": b"n", "\r": b"r", "\t": b"t"}
#: What may stand outside of strings: white space, punctuation, numbers, true, false and null, and
#: the NaN and Infinity of Python; with the separator of sequences (RFC 7464).
_OUTSIDE: Final = frozenset(" \t\r\n\x1e,:[]{}0123456789+-.eEtrufalsnNIiy")
#: What may stand behind the end of a string, and what before the begin of one.
_BEHIND: Final = frozenset(" \t\r\n\x1e,:]}")
_BEFORE: Final = frozenset(" \t\r\n\x1e,:[{")
_WHOLE_CHARACTERS: Final = re.compile(rb'(?:[^\\]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*', re.DOTALL)
_HALF_ESCAPE: Final = re.compile(rb"(?:\\u?[0-9a-fA-F]{0,3})?")


class Literal(NamedTuple):
    """Bytes to search for.

    Attributes:
        text: the bytes.
        begins: whether the name begins with them, behind its quote.
        ends: whether it ends with them.
    """

    text: bytes
    begins: bool
    ends: bool


def read_name(pattern: str) -> tuple[str | None, list[str]]:
    """Return the one name that a pattern means, or None and what its wildcards leave fixed.

    The wildcards are those of `fnmatch`: ``*``, ``?`` and ``[...]``. The fixed parts come with an
    empty one at either end where the pattern begins or ends with a wildcard.
    """
    fixed, pos, wild = [""], 0, False
    while pos < len(pattern):
        char = pattern[pos]
        pos += 1
        if char == "[":
            # As fnmatch has it: a bracket that stands first, or behind "!", closes nothing.
            end = pattern.find("]", pos + 1 + (pattern[pos : pos + 1] == "!"))
            if end < 0:
                fixed[-1] += char
                continue
            pos = end + 1
        elif char not in "*?":
            fixed[-1] += char
            continue
        wild = True
        fixed.append("")
    return (None, fixed) if wild else (fixed[0], fixed)


def literals(fixed: list[str]) -> list[Literal]:
    """Return bytes one of which is in every JSON text that has a name with these fixed parts."""
    text, begins, ends = _best(fixed)
    for char in text:  # one that is always an escape betrays the name by itself
        if char in _SHORT:
            return [_free(b"\\" + _SHORT[char]), *map(_free, _numbers(char))]
        if char < " ":
            return [_free(number) for number in _numbers(char)]
    raw = text.encode("utf-8", "surrogatepass")
    found = [Literal(raw, begins, ends)]
    if len(raw) < _SHORT_TEXT:  # it would be found in many words
        found = [_free(b'"' * begins + raw + b'"' * ends or b'"')]
    found += [_free(number) for char in dict.fromkeys(text) for number in _numbers(char)]
    if "/" in text:
        found.append(_free(b"\\/"))
    return found


def _free(text: bytes) -> Literal:
    return Literal(text, False, False)


def is_telling(fixed: list[str]) -> bool:
    """Return whether `literals()` are found in strings alone, or with the quotes of one string.

    A text such as ``,`` may also stand between two strings: ``{"a": "b","c": 1}`` has ``","``.
    """
    text, begins, ends = _best(fixed)
    if not text:
        return False
    if (begins and text[0] not in _BEHIND) or (ends and text[-1] not in _BEFORE):
        return True
    return any(char not in _OUTSIDE for char in text)


def _best(fixed: list[str]) -> tuple[str, bool, bool]:
    """Return the longest fixed part, and whether the name begins and ends with it."""
    last = len(fixed) - 1
    index = max(range(len(fixed)), key=lambda at: len(fixed[at]))
    text = fixed[index]
    return text, index == 0 and bool(text), index == last and bool(text)


def _numbers(char: str) -> Iterator[bytes]:
    """Iterate over what escapes of a character by its number begin with, in either case."""
    code = ord(char)
    if code > 0xFFFF:
        code = 0xD800 + ((code - 0x10000) >> 10)  # the first of a surrogate pair
    # Without the last digit: a few patterns more or less is what the search's time depends on.
    digits = [dict.fromkeys((digit, digit.upper())) for digit in f"{code:04x}"[:3]]
    for chosen in product(*digits):
        yield b"\\u" + "".join(chosen).encode()


class Names:
    """Names and globs, each with what becomes of the members that they match.

    Args:
        patterns: as `JsonField` has them. Of several that match a name,
            ``drop`` goes before ``mask``.
    """

    __slots__ = ("_exact", "_globs", "drops", "longest")

    def __init__(self, patterns: Mapping[str, Action]) -> None:
        self._exact: dict[str, Action] = {}
        self._globs: list[tuple[re.Pattern[str], Action]] = []
        self.drops = "drop" in patterns.values()
        for pattern, action in sorted(patterns.items(), key=lambda item: item[1]):  # drop, mask
            name, _ = read_name(pattern)
            if name is None:
                self._globs.append((re.compile(translate(pattern)), action))
            else:
                self._exact.setdefault(name, action)
        #: The most bytes of a name that is looked at.
        self.longest = LONGEST_RAW
        if not self._globs:
            self.longest = _PER_CHARACTER * max(map(len, self._exact), default=0)

    def action(self, name: str) -> Action | None:
        """Return what becomes of members of that name; None for most."""
        found = self._exact.get(name)
        if found == "drop":
            return found
        for glob, action in self._globs:
            if glob.match(name):
                return found if action == "mask" and found else action
        return found

    def may_begin(self, raw: bytes) -> bool:
        """Return whether a name that is looked for may begin with these bytes of a string."""
        if any(byte < 0x20 for byte in raw):
            return False
        if self._globs:
            return len(raw) <= self.longest
        whole = _WHOLE_CHARACTERS.match(raw)
        end = whole.end() if whole else 0
        if not _HALF_ESCAPE.fullmatch(raw, end):
            return False
        name = decoded(raw[:end], "ignore")
        if "\ud800" <= name[-1:] <= "\udbff":
            name = name[:-1]
        return any(exact.startswith(name) for exact in self._exact)


def decoded(raw: bytes, errors: str = "replace") -> str:
    """Return what a string of a JSON document says, without raising.

    Args:
        raw: what is between its quotes.
        errors: what becomes of bytes that are not UTF-8.
    """
    try:
        text = raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        text = raw.decode("utf-8", errors)
    if "\\" not in text:
        return text
    try:
        said: str = json.loads(f'"{text}"', strict=False)
    except ValueError:
        return text  # it has an escape that is none, so no parser takes it
    return said


def merged(patterns: Iterable[tuple[str, Action]]) -> dict[str, Action]:
    """Return patterns with their actions; of one that is given twice, ``drop`` is kept."""
    made: dict[str, Action] = {}
    for pattern, action in patterns:
        if made.get(pattern) != "drop":
            made[pattern] = action
    return made
