"""Read text in whatever way encoders have written it, one character at a time.

A character may stand there as it is; escaped for JSON, JavaScript or Python; as an HTML character
reference; percent-encoded; with its quote doubled as in CSV; or in a stack of these, such as JSON
in JSON in HTML, where the escapes' own characters are escaped again. Every expression is bounded.
"""

import re
from functools import cache
from typing import Final

__all__ = ["LINE_BREAK", "MAX_BREAKS", "MAX_DEPTH", "PARTIAL_BREAK", "Reader", "entity_names"]

#: How many escapes of different kinds may be nested within each other.
MAX_DEPTH: Final = 8
#: How often a quote is doubled at most.
_MAX_DOUBLED: Final = 3
#: How many backslashes one escape may have: five levels of JSON in JSON have 31.
_MAX_BACKSLASHES: Final = 32

_BACKSLASH, _PERCENT, _AMPERSAND, _QUOTE, _PLUS, _SPACE = b'\\%&"+ '
_HEADS: Final = frozenset({_BACKSLASH, _PERCENT, _AMPERSAND})

#: An escape of one kind, however often it was applied. Each group is a way to give the character.
_TOKEN: Final = re.compile(
    rb"\\{1,32}(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|U([0-9A-Fa-f]{8})|([\"'/bfnrtv]))"
    rb"|%(?:25){0,3}([0-9A-Fa-f]{2})"
    rb"|&(?:amp;){0,3}(?:\#0{0,6}([0-9]{1,7})|\#[xX]0{0,6}([0-9A-Fa-f]{1,6})"
    rb"|([A-Za-z][A-Za-z0-9]{1,9}));"
)
#: The bases of these groups; a letter or a name has none.
_BASES: Final = (0, 16, 16, 16, 0, 16, 10, 16, 0)
_LETTER: Final = 4
#: The beginning of such an escape at the end of the data.
_PARTIAL: Final = re.compile(
    rb"(?:\\{1,32}(?:u[0-9A-Fa-f]{0,3}|x[0-9A-Fa-f]?|U[0-9A-Fa-f]{0,7}|)"
    rb"|%(?:25){0,3}[0-9A-Fa-f]?"
    rb"|&(?:amp;){0,3}(?:\#[xX]?[0-9A-Fa-f]{0,13}|[A-Za-z][A-Za-z0-9]{0,9})?)\Z"
)
#: How the first character of an escape is escaped once more.
_REPEATED: Final = {_PERCENT: b"25", _AMPERSAND: b"amp;"}
#: The same after the first character of an escape, once its characters are decoded.
_BODIES: Final = {
    _BACKSLASH: re.compile(
        rb"\\{0,31}(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|U([0-9A-Fa-f]{8})|([\"'/bfnrtv\\]))"
    ),
    _PERCENT: re.compile(rb"()()()()(?:25){0,3}([0-9A-Fa-f]{2})"),
    _AMPERSAND: re.compile(
        rb"()()()()()(?:amp;){0,3}(?:\#0{0,6}([0-9]{1,7})|\#[xX]0{0,6}([0-9A-Fa-f]{1,6})"
        rb"|([A-Za-z][A-Za-z0-9]{1,9}));"
    ),
}
_IN_BODY: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789#;\\\"'/"
)
#: The most characters of such an escape.
_MAX_BODY: Final = 48
_LETTERS: Final = {
    **{ord(letter): ord(char) for letter, char in zip("bfnrtv", "\b\f\n\r\t\v", strict=True)},
    **{code: code for code in b"\"'/\\"},
}

#: The longest name of a character, with its semicolon.
_LONGEST_NAME: Final = 11

#: Written between two lines of a value, or of base64: the end of a line in any encoding, markup,
#: the ends of two JSON strings, the name of a field in an event stream.
LINE_BREAK: Final = re.compile(
    rb"[ \t\r\n]{1,32}|\\{1,32}(?:[nrt\"']|u00(?:0[aAdD9]|2[027]))|[\"',]|data:"
    rb"|%(?:25){0,3}(?:0[aAdD9]|2[027bBcC])"
    rb"|&(?:amp;){0,3}(?:\#0{0,6}(?:9|10|13|32|34|39)|\#[xX]0{0,6}(?:9|[aAdD]|2[027])"
    rb"|nbsp|quot|apos|NewLine);"
    rb"|</?[A-Za-z][^<>]{0,96}>"
    rb"|(?:&(?:amp;){0,3}lt;|\\{1,32}u003[cC]|%(?:25){0,3}3[cC])/?[A-Za-z][^<>&%\\]{0,64}"
    rb"(?:&(?:amp;){0,3}gt;|\\{1,32}u003[eE]|%(?:25){0,3}3[eE])"
)
_SEPARATOR: Final = re.compile(LINE_BREAK.pattern + rb"|[+|>]")
#: How many of these may follow each other.
MAX_BREAKS: Final = 16
PARTIAL_BREAK: Final = re.compile(
    rb"(?:\\{1,32}(?:u[0-9A-Fa-f]{0,3})?|d(?:a(?:ta?)?)?|%(?:25){0,3}[023]?"
    rb"|&(?:amp;){0,3}(?:\#[xX]?[0-9A-Fa-f]{0,9}|[A-Za-z]{0,7})|</?(?:[A-Za-z][^<>]{0,96})?"
    rb"|(?:&(?:amp;){0,3}lt;|\\{1,32}u003[cC]|%(?:25){0,3}3[cC])/?(?:[A-Za-z][^<>&%\\]{0,64})?"
    rb"(?:&[a-z;]{0,18}|\\{1,32}(?:u[03]{0,3})?|%(?:25){0,3}3?)?)\Z"
)


class Reader:
    """Read one part of a stream.

    Args:
        data: the data.

    Attributes:
        starved: whether the end of the data was reached by any reading: more data may change it.
    """

    __slots__ = ("data", "size", "starved")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.starved = False

    def ends(self, at: int, unit: int, *, is_last: bool = False) -> set[int]:
        """Return where a character that begins at an offset may end.

        Args:
            at: the offset.
            unit: the character's code point, or one byte or surrogate of it.
            is_last: whether the value ends with it; a quote after it is then a delimiter.
        """
        if unit == _BACKSLASH:
            return self._backslashes(at)
        found = {end for read, end in self.readings(at) if read == unit}
        if unit == _SPACE:
            found |= {end for read, end in self.readings(at) if read == _PLUS}
        elif unit == _QUOTE:
            for _ in range(1 if is_last else _MAX_DOUBLED):
                for end in tuple(found):
                    if not is_last or end == at + 1:
                        found |= self._doubled(at, end)
        return found

    def _doubled(self, at: int, end: int) -> set[int]:
        """Return where a quote ends that is followed by another one, as in CSV."""
        first = self.data[at:end]
        return {
            second
            for read, second in self.readings(end)
            if read == _QUOTE and first.endswith(self.data[end:second])
        }

    def readings(self, at: int) -> list[tuple[int, int]]:
        """Return what may stand at an offset: code points or bytes, each with its end."""
        data = self.data
        if at >= self.size:
            self.starved = True
            return []
        first = data[at]
        found = [(first, at + 1)]
        if first in _HEADS:
            self._escaped(at, found)
        return found

    def _escaped(self, at: int, found: list[tuple[int, int]]) -> None:
        """Add the readings of an escape of one kind, or of several kinds within each other."""
        data, head = self.data, self.data[at]
        token = _TOKEN.match(data, at)
        if token is None:
            if _PARTIAL.match(data, at):
                self.starved = True
            elif head == _BACKSLASH:
                # A backslash before a character that an outer encoder has escaped.
                self._nested(head, at + 1, found)
            return
        end = token.end()
        if head != _BACKSLASH:
            # A percent sign or an ampersand that is a character of the value.
            part = _REPEATED[head]
            inner = at + 1 + len(part)
            while inner < end and data.endswith(part, at, inner):
                found.append((head, inner))
                inner += len(part)
        unit = _decoded(token.lastindex or 0, token[token.lastindex or 0])
        if unit < 0:
            return
        found.append((unit, end))
        self._nested(unit, end, found)

    def _nested(self, unit: int, at: int, found: list[tuple[int, int]]) -> None:
        """Add the readings of escapes whose first character was escaped itself."""
        for _ in range(MAX_DEPTH):
            body = _BODIES.get(unit)
            if body is None:
                return
            text, ends = self._plain(at)
            match = body.match(text)
            if match is None:
                return
            part = _REPEATED.get(unit, b"")
            inner = len(part)
            while part and inner < match.end() and text.endswith(part, 0, inner):
                found.append((unit, ends[inner - 1]))
                inner += len(part)
            group = match.lastindex or 0
            unit, at = _decoded(group, match[group]), ends[match.end() - 1]
            if unit >= 0:
                found.append((unit, at))

    def _plain(self, at: int) -> tuple[bytes, list[int]]:
        """Return the next characters as they are once decoded, with the end of each."""
        text = bytearray()
        ends: list[int] = []
        while len(ends) < _MAX_BODY:
            if at >= self.size:
                self.starved = True
                break
            unit, end = self.data[at], at + 1
            if unit in _HEADS:
                token = _TOKEN.match(self.data, at)
                if token is not None:
                    group = token.lastindex or 0
                    unit, end = _decoded(group, token[group]), token.end()
                elif _PARTIAL.match(self.data, at):
                    self.starved = True
                    break
            if unit not in _IN_BODY:
                break
            text.append(unit)
            ends.append(end)
            at = end
        return bytes(text), ends

    def _backslashes(self, at: int) -> set[int]:
        """Return where a backslash may end: each escape for JSON doubles it."""
        found: set[int] = set()
        frontier = {at}
        for _ in range(_MAX_BACKSLASHES):
            frontier = {
                end
                for place in frontier
                for unit, end in self.readings(place)
                if unit == _BACKSLASH and end not in found
            }
            if not frontier:
                break
            found |= frontier
        return found

    def separators(self, at: int) -> list[int]:
        """Return where the text between two lines may end: at each of its parts, or at once."""
        found = [at]
        for _ in range(MAX_BREAKS):
            part = _SEPARATOR.match(self.data, at)
            if part is None:
                self.starved |= at >= self.size or bool(PARTIAL_BREAK.match(self.data, at))
                break
            at = part.end()
            found.append(at)
        return found


def _decoded(group: int, text: bytes) -> int:
    """Return the code point that an escape stands for; -1 if its name is unknown."""
    if group == _LETTER:
        return _LETTERS[text[0]]
    return int(text, _BASES[group]) if _BASES[group] else _entity(text)


@cache
def _entities() -> dict[str, str]:
    from html.entities import html5  # noqa: PLC0415  # a large table, and rarely needed

    return html5


@cache
def _names() -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    for name, text in _entities().items():
        if len(text) == 1 and name.endswith(";") and len(name) <= _LONGEST_NAME:
            found.setdefault(ord(text), []).append(name[:-1].encode())
    return found


def entity_names(code: int) -> list[bytes]:
    """Return the names of a character in HTML, without the ampersand and the semicolon."""
    return _names().get(code, [])


def _entity(name: bytes) -> int:
    text = _entities().get(f"{name.decode()};", "")
    return ord(text) if len(text) == 1 else -1
