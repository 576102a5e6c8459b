"""Check the limits of a JSON text on its bytes, before a parser builds anything from it.

A text is searched as a whole with methods of `bytes` that run at the speed of memory, not byte by
byte. Upper bounds come first (a text is not deeper than its number of opening brackets); only if
they exceed a limit is the text reduced to its structure. Whatever a text contains, the work is
linear in its length, and the memory is a small multiple of it.

For malformed JSON, the violation that is found may not be its first error. But no violation before
the first syntax error goes unnoticed, and a parser would read no further.
"""

import re
from itertools import islice
from math import ceil, isinf
from typing import Final

from jiter import from_json

from mantlet.guard.limits import BodyLimits

__all__ = [
    "FOLDING",
    "HUGE",
    "JsonLimits",
    "count_containers",
    "count_members",
    "hide_escapes",
    "without_strings",
]

#: A translation of bytes. In a folded text, a number that may be too large for a double contains
#: `HUGE`, a long number contains a run of zeros, and all opening brackets are alike. More texts
#: seem to have such a number where "+" is not removed, which takes longer.
FOLDING: Final = bytes.maketrans(b"+123456789E{", b"0000000000e[")
#: An exponent of three digits. With one of two, only an integer part of over 200 digits overflows.
HUGE: Final = b"0e000"
_OVERFLOWING: Final = 200

_MARKS: Final = b'[]{},"'
_NO_MARKS: Final = bytes(set(range(256)).difference(_MARKS))
_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_LEAF: Final = re.compile(rb"[\[{],*+[\]}]")
_STRING: Final = re.compile(rb'"[^"]*+"')
# A match begins where a number does, so that no byte is read more than twice. An integer without an
# exponent or fraction is exact, whatever its size.
_ENORMOUS: Final = re.compile(
    rb"(?<![-+.0-9eE])-?+(?:[.0-9]++[eE]\+?+0*+[1-9][0-9]{2}|[0-9]{%d,}+[.eE])[-+.0-9eE]*+"
    % _OVERFLOWING
)

#: The effort to shorten a text, in bytes for each of its own, before it is walked mark by mark,
#: which takes ten times as long; and the constant cost of one pass in bytes.
_EFFORT: Final = 6
_START: Final = 64
#: The size of the blocks in which a text is split, since the pieces take more memory.
_PIECE: Final = 64 * 1024
#: The number of numbers that are parsed at once.
_BATCH: Final = 1_000

_COMMA, _ARRAY, _OBJECT = b",[{"


class JsonLimits:
    """The limits of JSON texts.

    Args:
        limits: ``depth``, ``members``, ``items``, ``string``, ``digits`` and ``checks`` apply.

    Attributes:
        short: a text of at most this many bytes is within ``members``, ``items`` and ``string``.
        certain: a text of at most this many bytes is within ``digits``, and its numbers fit a
            double unless its folded form contains `HUGE`.
        run: a text whose folded form does not contain this is within ``digits``.
    """

    def __init__(self, limits: BodyLimits) -> None:
        self._checks = limits.checks
        self._depth = limits.depth
        self._items = limits.items
        self._members = limits.members
        self._string = limits.string
        self._least = min(limits.items, limits.members)
        self.short = min(2 * self._least, limits.string)
        self.certain = min(limits.digits, _OVERFLOWING)
        # A sign, a point, and an exponent with a sign leave three runs of digits.
        self.run = b"0" * min(max(ceil((limits.digits - 3) / 3), 1), _OVERFLOWING)
        self._long = re.compile(rb"(?<![-+.0-9eE])[-+.0-9eE]{%d}" % (limits.digits + 1))

    def violation(self, text: bytes, folded: bytes) -> str | None:
        """Return the error code of a limit that a text exceeds, or None.

        Args:
            text: the text.
            folded: its translation by `FOLDING`, without "+".
        """
        opened = folded.count(b"[")
        deep, many = opened > self._depth, opened > self._checks
        wide = text.count(b",") >= self._least
        odd = HUGE in folded or self.run in folded
        long = len(text) > self._string
        if not (deep or wide or odd or long):
            return None
        text = hide_escapes(text)
        return (
            (self._strings(text) if long else None)
            or (self._containers(text, deep=deep, wide=wide) if deep or wide else None)
            or (self._count(text) if many else None)
            or (self._numbers(text) if odd else None)
        )

    def _count(self, text: bytes) -> str | None:
        """Bound the arrays and objects, each of which takes time and memory."""
        return "json_checks" if count_containers(text) > self._checks else None

    def _strings(self, text: bytes) -> str | None:
        if not _has_gap(text, self._string):
            return None
        for found in _STRING.finditer(text):
            start, end = found.span()
            if end - start - 2 > self._string and _characters(found[0]) > self._string:
                return "json_string"
        return None

    def _numbers(self, text: bytes) -> str | None:
        text = without_strings(text)
        folded = text.translate(FOLDING, b"+")
        if self.run in folded and self._long.search(text):
            return "json_digits"
        return "json_number" if _overflows(text) else None

    def _containers(self, text: bytes, *, deep: bool, wide: bool) -> str | None:
        # Removing adjacent quotes does not change what is inside or outside of strings.
        marks = without_strings(text.translate(None, _NO_MARKS).replace(b'""', b""))
        if deep:
            brackets = marks.translate(_SQUARE, b",")
            if b"[" * (self._depth + 1) in brackets:
                return "json_depth"
            effort = _EFFORT * len(brackets)
            # Each pass removes the innermost level, so nothing is left of an allowed depth.
            for _ in range(self._depth):
                effort -= len(brackets) + _START
                if effort < 0:
                    break
                brackets = brackets.replace(b"[]", b"")
            if brackets:
                return self._walk(marks)
        return self._width(marks) if wide else None

    def _width(self, marks: bytes) -> str | None:
        """Look for a container with too many items; remove equal innermost ones at once."""
        effort = _EFFORT * len(marks)
        while effort > 0:
            if marks.count(b",") < self._least:
                return None
            match = _LEAF.search(marks)
            if match is None:
                break
            leaf = match[0]
            if len(leaf) - 2 >= self._max_commas(leaf[0]):
                return _TOO_MANY[leaf[0]]
            effort -= len(marks) + _START
            marks = marks.replace(leaf, b"")
        return self._walk(marks)

    def _max_commas(self, bracket: int) -> int:
        return self._items if bracket == _ARRAY else self._members

    def _walk(self, marks: bytes) -> str | None:
        """Check the limits mark by mark."""
        outer: list[int] = []
        # The number of commas that is too many: one, outside of all containers.
        left = 1
        for at, mark in enumerate(marks):
            if mark == _COMMA:
                left -= 1
                if not left:
                    return _TOO_MANY[_enclosing(marks[:at])] if outer else None
            elif mark == _ARRAY or mark == _OBJECT:  # noqa: PLR1714, SIM109  # "in" is slower
                if len(outer) == self._depth:
                    return "json_depth"
                outer.append(left)
                left = self._items if mark == _ARRAY else self._members
            elif outer:
                left = outer.pop()
            else:
                return None  # an unmatched closing bracket: a parser stops here
        return None


_TOO_MANY: Final = {_ARRAY: "json_items", _OBJECT: "json_members"}


def _enclosing(marks: bytes) -> int:
    """Return the innermost bracket that is open at the end of the marks."""
    opened, at = 0, len(marks)
    while opened < 1:
        at -= 1
        if marks[at] in _TOO_MANY:
            opened += 1
        elif marks[at] != _COMMA:
            opened -= 1
    return marks[at]


def hide_escapes(text: bytes) -> bytes:
    """Return a text of the same length whose only quotes are those around strings.

    Escaped quotes and backslashes become another escape, so the length of strings is kept.
    """
    if b"\\" not in text:
        return text
    return text.replace(rb"\\", rb"\n").replace(rb"\"", rb"\n")


def without_strings(text: bytes) -> bytes:
    """Return a text without its strings; it must have been passed through `hide_escapes()`."""
    if b'"' not in text:
        return text
    pieces = []
    inside = 0
    for start in range(0, len(text), _PIECE):
        parts = text[start : start + _PIECE].split(b'"')
        pieces.append(b"".join(parts[inside::2]))
        inside = (inside + len(parts) - 1) % 2
    return b"".join(pieces)


def count_containers(text: bytes) -> int:
    """Return the number of arrays and objects in a text passed through `hide_escapes()`."""
    marks = without_strings(text.translate(None, _NO_MARKS).replace(b'""', b""))
    return marks.count(b"[") + marks.count(b"{")


def count_members(text: bytes) -> int:
    """Return the number of members of all objects in a text, of equal names too."""
    return without_strings(hide_escapes(text)).count(b":")


def _has_gap(text: bytes, limit: int) -> bool:
    """Return whether a text has more than ``limit`` consecutive bytes without a quote."""
    quote, end = -1, len(text)
    while quote + limit + 1 < end:
        # Two steps go further than the limit.
        quote = text.rfind(b'"', start := quote + 1, start + limit + 1)
        if quote < 0:
            return True
    return False


def _characters(string: bytes) -> int:
    """Return the number of characters of a quoted string; 0 if it is malformed."""
    if b"\\" not in string and string.isascii():
        return len(string) - 2
    try:
        return len(from_json(string, cache_mode="none"))
    except ValueError:  # reported when the text is parsed
        return 0


def _overflows(text: bytes) -> bool:
    """Return whether a number outside of strings is too large for a double."""
    numbers = map(re.Match.group, _ENORMOUS.finditer(text))
    try:
        while batch := b",".join(islice(numbers, _BATCH)):
            # `float()` takes ten times as long.
            if any(map(isinf, from_json(b"[%b]" % batch))):
                return True
    except ValueError:  # reported when the text is parsed
        pass
    return False
