"""A reader of JSON that is slow and easy to check by eye, for the guard's own to be held against.

It follows the grammar of RFC 8259, section by section, character by character.
"""

from __future__ import annotations

import re
from math import isinf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mantlet.guard import BodyLimits

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
SPACE = re.compile(r"[ \t\n\r]*")
ESCAPES = {
    '"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t",
}  # fmt: skip


class Malformed(Exception):
    """The text is no JSON."""


def broken(text: bytes, limits: BodyLimits) -> set[str] | None:
    """Return what is wrong with a text: codes, of which there are none for one that is accepted.

    None is returned for what is no JSON.
    """
    try:
        return Model(text.decode("utf-8"), limits).judge()
    except (Malformed, UnicodeDecodeError):
        return None


class Model:
    """One text, and where in it the reader is."""

    def __init__(self, text: str, limits: BodyLimits) -> None:
        self.text = text
        self.limits = limits
        self.at = 0
        self.codes: set[str] = set()

    def judge(self) -> set[str]:
        self.value(0)
        if self.at != len(self.text):
            raise Malformed
        return self.codes

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, expected: str) -> None:
        if not self.text.startswith(expected, self.at):
            raise Malformed
        self.at += len(expected)

    def space(self) -> None:
        found = SPACE.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    def hold(self, code: str, number: int, most: int) -> None:
        if number > most:
            self.codes.add(code)

    def value(self, depth: int) -> None:
        self.space()
        first = self.peek()
        if first in ("[", "{"):
            self.hold("json_depth", depth + 1, self.limits.depth)
            self.container(first, depth + 1)
        elif first == '"':
            self.string()
        elif first in ("t", "f", "n"):
            self.take({"t": "true", "f": "false", "n": "null"}[first])
        else:
            self.number()
        self.space()

    def container(self, opening: str, depth: int) -> None:
        closing = "]" if opening == "[" else "}"
        self.take(opening)
        self.space()
        count = 0
        names: set[str] = set()
        while self.peek() != closing or count:
            if count:
                if self.peek() == closing:
                    break
                self.take(",")
                self.space()
            count += 1
            if opening == "{":
                name = self.string()
                if name in names:
                    self.codes.add("json_duplicate_key")
                names.add(name)
                self.space()
                self.take(":")
            self.value(depth)
        self.take(closing)
        if opening == "[":
            self.hold("json_items", count, self.limits.items)
        else:
            self.hold("json_members", count, self.limits.members)

    def string(self) -> str:
        self.take('"')
        units: list[str] = []
        while (letter := self.peek()) != '"':
            if letter < " ":  # a control character, or the end
                raise Malformed
            self.at += 1
            units.append(self.escape() if letter == "\\" else letter)
        self.at += 1
        # Pairs of surrogates that are escaped one by one are one character.
        string = "".join(units).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        if any("\ud800" <= letter <= "\udfff" for letter in string):
            self.codes.add("json_surrogate")
        self.hold("json_string", len(string), self.limits.string)
        return string

    def escape(self) -> str:
        letter = self.peek()
        self.at += 1
        if letter != "u":
            if letter not in ESCAPES:
                raise Malformed
            return ESCAPES[letter]
        digits = self.text[self.at : self.at + 4]
        if not re.fullmatch("[0-9a-fA-F]{4}", digits):
            raise Malformed
        self.at += 4
        return chr(int(digits, 16))

    def number(self) -> None:
        found = NUMBER.match(self.text, self.at)
        if found is None:
            raise Malformed
        self.at = found.end()
        self.hold("json_digits", len(found[0]), self.limits.digits)
        if (found[1] or found[2]) and isinf(float(found[0])):
            self.codes.add("json_number")
