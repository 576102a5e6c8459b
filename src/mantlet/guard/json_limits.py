"""The bounds of a JSON text, held on its bytes: before a parser makes anything of it.

A text is looked at in whole with what `bytes` does at the speed of memory, not byte by byte. First
come upper bounds (no text is deeper than it has opening brackets); only where they don't settle it
is the text reduced to what matters. Whatever a text holds, the work grows with its length only, and
the memory is a few times its length.

For a text that is no JSON, a bound that is found broken may not be what is wrong with it. No bound
is broken unseen in what stands before its first fault, which is all that a parser would read.
"""

import re
from itertools import islice
from math import ceil, isinf
from typing import Final

from jiter import from_json

from mantlet.guard.limits import BodyLimits

__all__ = ["FORMS", "HUGE", "Bounds", "outside", "plain"]

#: With it, and without "+", a number that may be too large for a double has `HUGE` in it, a long
#: number has a run of zeros, and all brackets that open are alike.
FORMS: Final = bytes.maketrans(b"123456789E{", b"000000000e[")
#: An exponent of three digits. With one of two, only an integer part of over 200 digits overflows.
HUGE: Final = b"0e000"
_OVERFLOWING: Final = 200

_MARKS: Final = b'[]{},"'
_NO_MARKS: Final = bytes(set(range(256)).difference(_MARKS))
_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_LEAF: Final = re.compile(rb"[\[{],*+[\]}]")
_STRING: Final = re.compile(rb'"[^"]*+"')
# Each begins where a number does, so that no byte is looked at more than twice. An integer alone is
# read as what it is, of whatever size.
_ENORMOUS: Final = re.compile(
    rb"(?<![-+.0-9eE])-?+(?:[.0-9]++[eE]\+?+0*+[1-9][0-9]{2}|[0-9]{%d,}+[.eE])[-+.0-9eE]*+"
    % _OVERFLOWING
)

#: How many bytes are gone through to shorten a text, for each of its own, before it is walked,
#: which takes ten times as long; and how many of them going through none at all counts for.
_EFFORT: Final = 6
_START: Final = 64
#: How much of a text is split at once, since the pieces take more memory than it.
_PIECE: Final = 64 * 1024
#: How many numbers are read at once.
_SOME: Final = 1_000

_COMMA, _ARRAY, _OBJECT = b",[{"


class Bounds:
    """The bounds of JSON texts.

    Args:
        limits: of which `depth`, `members`, `items`, `string` and `digits` are meant.

    Attributes:
        short: a text of no more bytes is within `members`, `items` and `string`.
        certain: a text of no more bytes is within `digits`, and has no number that is too large for
            a double but one with `HUGE` in its `FORMS`.
        run: a text whose `FORMS` don't have it is within `digits`.
    """

    def __init__(self, limits: BodyLimits) -> None:
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

    def broken(self, text: bytes, forms: bytes) -> str | None:
        """Return the code of a bound that a text breaks, or None.

        Args:
            text: the text.
            forms: its `FORMS`.
        """
        deep = forms.count(b"[") > self._depth
        wide = text.count(b",") >= self._least
        odd = HUGE in forms or self.run in forms
        long = len(text) > self._string
        if not (deep or wide or odd or long):
            return None
        text = plain(text)
        return (
            (self._strings(text) if long else None)
            or (self._containers(text, deep=deep, wide=wide) if deep or wide else None)
            or (self._numbers(text) if odd else None)
        )

    def _strings(self, text: bytes) -> str | None:
        if not _has_gap(text, self._string):
            return None
        for found in _STRING.finditer(text):
            start, end = found.span()
            if end - start - 2 > self._string and _characters(found[0]) > self._string:
                return "json_string"
        return None

    def _numbers(self, text: bytes) -> str | None:
        text = outside(text)
        forms = text.translate(FORMS, b"+")
        if self.run in forms and self._long.search(text):
            return "json_digits"
        return "json_number" if _overflows(text) else None

    def _containers(self, text: bytes, *, deep: bool, wide: bool) -> str | None:
        # Two quotes with no mark between them go: what is left is still inside, or outside.
        marks = outside(text.translate(None, _NO_MARKS).replace(b'""', b""))
        if deep:
            brackets = marks.translate(_SQUARE, b",")
            if b"[" * (self._depth + 1) in brackets:
                return "json_depth"
            effort = _EFFORT * len(brackets)
            # Each time all that is deepest goes, so that of what may be so deep nothing is left.
            for _ in range(self._depth):
                effort -= len(brackets) + _START
                if effort < 0:
                    break
                brackets = brackets.replace(b"[]", b"")
            if brackets:
                return self._walk(marks)
        return self._width(marks) if wide else None

    def _width(self, marks: bytes) -> str | None:
        """Look for a container of too many, taking away the innermost ones, alike ones at once."""
        effort = _EFFORT * len(marks)
        while effort > 0:
            if marks.count(b",") < self._least:
                return None
            leaf = _LEAF.search(marks)
            if leaf is None:
                break
            alike = leaf[0]
            if len(alike) - 2 >= self._most(alike[0]):
                return _TOO_MANY[alike[0]]
            effort -= len(marks) + _START
            marks = marks.replace(alike, b"")
        return self._walk(marks)

    def _most(self, bracket: int) -> int:
        return self._items if bracket == _ARRAY else self._members

    def _walk(self, marks: bytes) -> str | None:
        """Go from mark to mark."""
        outer: list[int] = []
        # How many commas are one too many: one, where nothing is open.
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
                return None  # nothing is open that could be closed: a parser stops here
        return None


_TOO_MANY: Final = {_ARRAY: "json_items", _OBJECT: "json_members"}


def _enclosing(marks: bytes) -> int:
    """Return the last bracket that is open at the end of some marks, which have one."""
    opened, at = 0, len(marks)
    while opened < 1:
        at -= 1
        if marks[at] in _TOO_MANY:
            opened += 1
        elif marks[at] != _COMMA:
            opened -= 1
    return marks[at]


def plain(text: bytes) -> bytes:
    """Return a text of the same length whose only quotes are those around strings.

    Escaped quotes and backslashes are made another escape, so each string has as many characters as
    before.
    """
    if b"\\" not in text:
        return text
    return text.replace(rb"\\", rb"\n").replace(rb"\"", rb"\n")


def outside(text: bytes) -> bytes:
    """Return a plain text without its strings."""
    if b'"' not in text:
        return text
    pieces = []
    inside = 0
    for start in range(0, len(text), _PIECE):
        parts = text[start : start + _PIECE].split(b'"')
        pieces.append(b"".join(parts[inside::2]))
        inside = (inside + len(parts) - 1) % 2
    return b"".join(pieces)


def _has_gap(text: bytes, most: int) -> bool:
    """Return whether more than so many bytes of a text follow one another without a quote."""
    quote, end = -1, len(text)
    while quote + most + 1 < end:
        # Two steps go further than `most`.
        quote = text.rfind(b'"', start := quote + 1, start + most + 1)
        if quote < 0:
            return True
    return False


def _characters(string: bytes) -> int:
    """Return how many characters a string in its quotes has; 0 where it is none."""
    if b"\\" not in string and string.isascii():
        return len(string) - 2
    try:
        return len(from_json(string, cache_mode="none"))
    except ValueError:  # as will be said once the text is parsed
        return 0


def _overflows(text: bytes) -> bool:
    """Return whether a number that stands outside of strings is too large for a double."""
    numbers = map(re.Match.group, _ENORMOUS.finditer(text))
    try:
        while some := b",".join(islice(numbers, _SOME)):
            # `float()` takes ten times as long.
            if any(map(isinf, from_json(b"[%b]" % some))):
                return True
    except ValueError:  # as will be said once the text is parsed
        pass
    return False
