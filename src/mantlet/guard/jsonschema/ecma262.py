r"""Read regular expressions of ECMA-262, and write them so that the engine reads the same.

JSON Schema asks for patterns with the flag ``u`` (2020-12 Core, 6.4). Many documents have patterns
that JavaScript accepts only without it, such as ``[\w-\.]`` and ``\_``, or that come from
another language, such as ``\p{Alnum}`` and ``\A``. They are read where the meaning is plain. A
character is a code point in any case.

Source: ECMA-262, 2024, 22.2.1 (Patterns) and B.1.2 (the syntax without the flag).
"""

import re
from typing import Final, Literal, NamedTuple

from mantlet.guard.jsonschema.character_classes import (
    ANY_CHARACTER,
    CLASSES,
    JAVA,
    LAST,
    LINE_ENDS,
    NO_CHARACTER,
    POSIX,
    SURROGATES,
    Ranges,
    complement,
    write_character,
    write_class,
    write_item,
)

__all__ = ["EcmaPattern", "read_pattern"]

#: The deepest nesting of groups.
_MAX_DEPTH: Final = 100
_CONTROLS: Final = {"f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B}
_SYNTAX: Final = frozenset("^$\\.*+?()[]{}|/")
#: Anchors of other languages.
_ANCHORS: Final = {"A": "^", "Z": "$", "z": "$"}
_QUANTIFIER: Final = re.compile(r"[*+?]\??|\{([0-9]{1,9})(,([0-9]{1,9})?)?\}\??")
_GROUP_NAME: Final = re.compile(r"\(\?P?<([^\W\d][\w$]*)>")
_PROPERTY: Final = re.compile(r"\{([A-Za-z_]+(?:=[A-Za-z0-9_]+)?)\}|([A-Z])")
_POSIX_CLASS: Final = re.compile(r"\[:(\^?)([a-z]+):\]")
_HEX: Final = re.compile(r"[ux]\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})")
_REFERENCE: Final = re.compile(r"k<([^>]*)>|([1-9][0-9]?)")
_LOW_SURROGATE: Final = re.compile(r"\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})")
_OCTAL: Final = re.compile(r"0[0-7]{0,2}")
_LOOKAROUND: Final = ("(?=", "(?!", "(?<=", "(?<!")
_W: Final = "[0-9A-Z_a-z]"
_BOUNDARIES: Final = {
    "b": (r"(?-u:\b)", f"(?:(?<={_W})(?!{_W})|(?<!{_W})(?={_W}))"),
    "B": (r"(?-u:\B)", f"(?:(?<={_W})(?={_W})|(?<!{_W})(?!{_W}))"),
}


class EcmaPattern(NamedTuple):
    """A regular expression that has been read.

    Attributes:
        text: the expression as the engine reads it.
        is_lenient: whether it is not one of ECMA-262 with the flag ``u``.
    """

    text: str
    is_lenient: bool


def read_pattern(pattern: str, engine: Literal["linear", "bounded"] = "linear") -> EcmaPattern:
    """Read a regular expression.

    Properties of Unicode are left to the engine.

    Args:
        pattern: the expression.
        engine: the engine to write it for.

    Raises:
        ValueError: it is not an expression of ECMA-262, and has no plain meaning elsewhere.
    """
    reader = _Reader(pattern, is_bounded=engine == "bounded")
    text = reader.read()
    if not reader.is_lenient and not reader.is_rewritten:
        return EcmaPattern(pattern, is_lenient=False)  # the engine reads it alike
    return EcmaPattern(text, reader.is_lenient)


class _Reader:
    """Reads one expression, and writes it with all classes spelled out."""

    def __init__(self, pattern: str, *, is_bounded: bool) -> None:
        self._text = pattern
        self._is_bounded = is_bounded
        self._at = 0
        self._depth = 0
        self.is_lenient = False
        #: Whether the engine would read the expression in another way.
        self.is_rewritten = False
        self._names, self._groups = _groups(pattern)
        #: Whether it has lookaround or back-references, for which the engine is another one.
        self._is_hard = self._groups > 0 and re.search(r"\\[1-9k]", pattern) is not None
        self._is_hard = self._is_hard or any(mark in pattern for mark in _LOOKAROUND)
        self.is_rewritten = self._is_hard

    def read(self) -> str:
        flags = "(?i)" if self._text.startswith("(?i)") else ""
        if flags:  # unknown to JavaScript, but unambiguous
            self._at, self.is_lenient = len(flags), True
        text = self._disjunction()
        if self._at < len(self._text):
            raise ValueError("an unmatched parenthesis")
        return flags + text

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, text: str) -> bool:
        if not self._text.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _match(self, expression: re.Pattern[str]) -> re.Match[str] | None:
        match = expression.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
        return match

    # -- terms --------------------------------------------------------------------------------

    def _disjunction(self) -> str:
        parts: list[str] = []
        while self._peek() not in ("", ")"):
            if self._take("|"):
                parts.append("|")
                continue
            term, is_repeatable = self._term()
            parts.append(term + self._quantifier(is_repeatable))
        return "".join(parts)

    def _quantifier(self, is_repeatable: bool) -> str:
        match = self._match(_QUANTIFIER)
        if match is None:
            return ""
        if not is_repeatable:
            raise ValueError("nothing to repeat")
        if match[3] and int(match[3]) < int(match[1]):
            raise ValueError("a quantifier out of order")
        if _QUANTIFIER.match(self._text, self._at):
            raise ValueError("nothing to repeat")  # possessive in other languages
        return match[0]

    def _term(self) -> tuple[str, bool]:
        """Read a term; return it, and whether it can be repeated."""
        character = self._peek()
        if character == "(":
            return self._group()
        self._at += 1
        if character in "^$":
            return character, False
        if character == ".":
            return write_class(complement(LINE_ENDS)) if self._is_hard else ".", True
        if character == "[":
            return self._character_class(), True
        if character == "\\":
            return self._escape()
        if character in "*+?":
            raise ValueError("nothing to repeat")
        if character in "{}]":
            self._at -= 1
            if character == "{" and _QUANTIFIER.match(self._text, self._at):
                raise ValueError("nothing to repeat")
            self._at += 1
            self.is_lenient = True
        return write_character(ord(character)), True

    def _group(self) -> tuple[str, bool]:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError("groups that are nested too deeply")
        opening, is_lookaround = self._opening()
        inner = self._disjunction()
        if not self._take(")"):
            raise ValueError("an unmatched parenthesis")
        self._depth -= 1
        return f"{opening}{inner})", not is_lookaround

    def _opening(self) -> tuple[str, bool]:
        for mark in _LOOKAROUND:
            if self._take(mark):
                return mark, True
        if self._take("(?:"):
            return "(?:", False
        match = self._match(_GROUP_NAME)
        if match is not None:
            self.is_lenient = self.is_lenient or match[0].startswith("(?P")
            return "(", False
        if self._text.startswith("(?", self._at):
            raise ValueError("an unknown group")
        self._at += 1
        return "(", False

    # -- escapes ------------------------------------------------------------------------------

    def _escape(self) -> tuple[str, bool]:
        character = self._peek()
        if character in _BOUNDARIES:
            self._at += 1
            self.is_rewritten = True
            return _BOUNDARIES[character][self._is_hard or self._is_bounded], False
        if character in _ANCHORS:
            self._at += 1
            self.is_lenient = True
            return _ANCHORS[character], False
        reference = self._back_reference()
        if reference is not None:
            return reference, True
        item = self._class_escape()
        if isinstance(item, int):
            return write_character(item), True
        return (item if isinstance(item, str) else write_class(item)), True

    def _back_reference(self) -> str | None:
        match = self._match(_REFERENCE)
        if match is None:
            return None
        number = self._names.get(match[1], 0) if match[1] else int(match[2])
        if not 0 < number <= self._groups:
            raise ValueError("a reference to a group that does not exist")
        return rf"(?:\{number})"

    def _class_escape(self) -> int | str | Ranges:
        """Read an escape after its backslash: a code point, a property, or a class."""
        character = self._peek()
        self._at += 1
        known = CLASSES.get(character) or _CONTROLS.get(character)
        if known is not None:
            return known
        if character in ("p", "P"):
            return self._property(is_negated=character == "P")
        if character == "c" and re.match("[A-Za-z]", self._peek()):
            self._at += 1
            return ord(self._text[self._at - 1]) % 32
        self._at -= 1
        return self._character_escape()

    def _character_escape(self) -> int:
        """Read an escape of one character by its number, or of itself."""
        match = self._match(_HEX)
        if match is not None:
            self.is_lenient = self.is_lenient or match[0].startswith("x{")
            return self._code_point(int(match[1] or match[2] or match[3], 16))
        match = self._match(_OCTAL)
        if match is not None:
            self.is_lenient = self.is_lenient or len(match[0]) > 1
            self.is_rewritten = True
            return int(match[0], 8)
        character = self._peek()
        if not character or (character.isascii() and character.isalnum()):
            raise ValueError(f"an unknown escape: \\{character}")
        self._at += 1
        self.is_lenient = self.is_lenient or character not in _SYNTAX
        return ord(character)

    def _code_point(self, value: int) -> int:
        if value > LAST:
            raise ValueError("an escape beyond Unicode")
        low = self._match(_LOW_SURROGATE) if 0xD800 <= value <= 0xDBFF else None
        if low is not None:
            self.is_rewritten = True
            value = 0x10000 + (value - 0xD800) * 0x400 + int(low[1], 16) - 0xDC00
        if SURROGATES[0] <= value <= SURROGATES[1]:
            self.is_rewritten = True
        return value

    def _property(self, *, is_negated: bool) -> str | Ranges:
        match = self._match(_PROPERTY)
        if match is None:
            raise ValueError("a property without a name")
        name = match[1] or match[2]
        self.is_lenient = self.is_lenient or match[2] is not None
        if name in JAVA:
            self.is_lenient = True
            ranges = POSIX[name.lower()]
            return complement(ranges) if is_negated else ranges
        return f"\\{'P' if is_negated else 'p'}{{{name}}}"

    # -- classes ------------------------------------------------------------------------------

    def _character_class(self) -> str:
        is_negated = self._take("^")
        items: list[str] = []
        while not self._take("]"):
            if not self._peek():
                raise ValueError("an unmatched bracket")
            first = self._class_item()
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                self._add_range(items, first, self._class_item())
            else:
                items.append(write_item(first))
        text = "".join(items)
        if text:
            return f"[{'^' if is_negated else ''}{text}]"
        # A class of nothing, or of surrogates, which no valid text has.
        self.is_rewritten = True
        return ANY_CHARACTER if is_negated else NO_CHARACTER

    def _add_range(
        self, items: list[str], first: int | str | Ranges, last: int | str | Ranges
    ) -> None:
        if isinstance(first, int) and isinstance(last, int):
            if last < first:
                raise ValueError("a range out of order")
            items.append(write_item(((first, last),)))
        else:
            self.is_lenient = True
            items += [write_item(first), write_item(0x2D), write_item(last)]

    def _class_item(self) -> int | str | Ranges:
        if self._text.startswith("[:", self._at):
            match = self._match(_POSIX_CLASS)
            if match is not None and match[2] in POSIX:
                self.is_lenient = True
                return complement(POSIX[match[2]]) if match[1] else POSIX[match[2]]
        if self._take("\\"):
            if self._take("b"):
                self.is_rewritten = True
                return 0x08
            if self._take("-"):
                return 0x2D
            return self._class_escape()
        if not self._peek():
            raise ValueError("an unmatched bracket")
        self._at += 1
        return ord(self._text[self._at - 1])


def _groups(pattern: str) -> tuple[dict[str, int], int]:
    """Return the numbers of named groups, and the number of all that capture."""
    names: dict[str, int] = {}
    count = at = 0
    in_class = False
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            at += 1
        elif character in "[]":
            in_class = character == "["
        elif character == "(" and not in_class:
            name = _GROUP_NAME.match(pattern, at)
            if name is not None or pattern[at + 1 : at + 2] != "?":
                count += 1
            if name is not None and names.setdefault(name[1], count) != count:
                raise ValueError(f"the group {name[1]!r} twice")
        at += 1
    return names, count
