"""Read text one character at a time, whatever encodings each character is written in.

A character may stand there as it is; after a backslash, as in JSON, Python, cookies and Markdown;
as an HTML character reference; percent-encoded; as quoted-printable (RFC 2045, 6.7; RFC 2047, 4.2);
with its quote doubled as in CSV and SQL; or in a stack of these, such as JSON in JSON in HTML,
where the escapes' own characters are escaped again. Every expression is bounded.
"""

import re
import string
from functools import cache
from typing import Final

__all__ = ["LEAD", "LEAD_END", "LINE_BREAK", "MAX_BREAKS", "PARTIAL_BREAK", "Reader"]

#: How many escapes of different kinds may be nested within each other.
_MAX_DEPTH: Final = 8
#: How many of these may be within the other characters of an escape.
_MAX_DEEPER: Final = 2
#: How often a quote is doubled at most.
_MAX_DOUBLED: Final = 3
#: How many backslashes one escape may have: five levels of JSON in JSON have 31.
_MAX_BACKSLASHES: Final = 32

_BACKSLASH, _PERCENT, _AMPERSAND, _EQUALS = b"\\%&="
_QUOTES: Final = frozenset(b"\"'")
_SPACE: Final = ord(" ")
#: How a space may be written in a form and in a header (RFC 2047, 4.2).
_FOR_SPACE: Final = frozenset(b"+_")
_HEADS: Final = frozenset({_BACKSLASH, _PERCENT, _AMPERSAND, _EQUALS})

#: What follows a backslash; each group is a way to give the character. The last one is a character
#: that stands for itself, or one of ``bfnrtv``.
_AFTER_BACKSLASH: Final = (
    rb"(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|U([0-9A-Fa-f]{8})|u\{0{0,5}([0-9A-Fa-f]{1,6})\}"
    rb"|([0-3][0-7]{2})|([!-/:-@\[\]^_`{-~ bfnrtv]))"
)
_REFERENCE: Final = (
    rb"(?:\#0{0,6}([0-9]{1,7})|\#[xX]0{0,6}([0-9A-Fa-f]{1,6})|([A-Za-z][A-Za-z0-9]{1,9}));"
)
#: An escape of one kind, however often it was applied.
_TOKEN: Final = re.compile(
    rb"\\{1,32}" + _AFTER_BACKSLASH + rb"|%(?:25){0,3}(?:u([0-9A-Fa-f]{4})|([0-9A-Fa-f]{2}))"
    rb"|&(?:amp;){0,3}" + _REFERENCE + rb"|=(?:3D){0,3}([0-9A-F]{2})"
)
#: The bases of these groups; a letter or a name has none.
_BASES: Final = (0, 16, 16, 16, 16, 8, 0, 16, 16, 10, 16, 0, 16)
_LETTER: Final = 6
#: The beginning of such an escape at the end of the data.
_PARTIAL: Final = re.compile(
    rb"(?:\\{1,32}(?:u[0-9A-Fa-f]{0,3}|u\{[0-9A-Fa-f]{0,11}|x[0-9A-Fa-f]?|U[0-9A-Fa-f]{0,7}"
    rb"|[0-3][0-7]?|)"
    rb"|%(?:25){0,3}(?:[0-9A-Fa-f]?|u[0-9A-Fa-f]{0,3})|=(?:3D){0,3}[0-9A-F]?"
    rb"|&(?:amp;){0,3}(?:\#[xX]?[0-9A-Fa-f]{0,13}|[A-Za-z][A-Za-z0-9]{0,9})?)\Z"
)
#: How the first character of an escape is escaped once more.
_REPEATED: Final = {_PERCENT: b"25", _AMPERSAND: b"amp;", _EQUALS: b"3D"}
#: The same after the first character of an escape, once its characters are decoded. The groups have
#: the numbers of those above.
_BODIES: Final = {
    _BACKSLASH: re.compile(rb"\\{0,31}" + _AFTER_BACKSLASH.replace(rb"\[\]", rb"\[\\\]")),
    _PERCENT: re.compile(b"()" * 6 + rb"(?:25){0,3}(?:u([0-9A-Fa-f]{4})|([0-9A-Fa-f]{2}))"),
    _AMPERSAND: re.compile(b"()" * 8 + rb"(?:amp;){0,3}" + _REFERENCE),
    _EQUALS: re.compile(b"()" * 11 + rb"(?:3D){0,3}([0-9A-F]{2})"),
}
_GOES_ON: Final = re.compile(rb"[A-Za-z0-9#]{0,12}[\\%&=]")
_HEX_DIGITS: Final = b"0123456789ABCDEFabcdef"
#: The characters of such an escape, and how many there are at most; of backslashes there may be
#: more.
_IN_BODIES: Final = {
    _BACKSLASH: (frozenset(range(0x20, 0x7F)), 10),
    _PERCENT: (frozenset(_HEX_DIGITS + b"u"), 11),
    _AMPERSAND: (frozenset(string.ascii_letters.encode() + b"0123456789#;"), 28),
    _EQUALS: (frozenset(_HEX_DIGITS), 8),
}
_LETTERS: Final = dict(zip(b"bfnrtv", b"\b\f\n\r\t\v", strict=True))

#: The first character of an escape in any encoding, and what an encoder may have repeated of it.
_SEMICOLON: Final = rb"(?:;|%(?:25){0,3}3[bB]|\\{1,32}(?:u003[bB]|073)|=3B)"
_SHARP: Final = rb"(?:\#|%(?:25){0,3}23|\\{1,32}(?:u0023)?\#?|=23)"
_BACKSLASHES: Final = (
    rb"(?>(?:\\(?!u00(?:2[56]|3[dD])|x2[56]|x3[dD])(?:u005[cC]|x5[cC]|134)?|%(?:25){0,3}5[cC]|=5C"
    rb"|&(?:amp;){0,3}(?:\#0{0,6}92|\#[xX]0{0,6}5[cC]|bsol);){1,32})"
)
_AMPERSANDS: Final = (
    rb"(?:&|%(?:25){0,3}26|=26|(?:\\{1,32}|%(?:25){0,3}5[cC])(?:u0026|x26)"
    rb"|&(?:amp;){0,3}\#(?:38|[xX]26);)(?:amp"
    + _SEMICOLON
    + rb"|\#(?:38|[xX]26)"
    + _SEMICOLON
    + rb"){0,3}"
)
_PERCENTS: Final = (
    rb"(?:%|=25|\\{1,32}(?:u0025|x25)|&(?:amp;){0,3}(?:\#37|\#[xX]25|percnt);)(?:25){0,3}"
)
_EQUAL_SIGNS: Final = (
    rb"(?:=|%(?:25){0,3}3[dD]|\\{1,32}u003[dD]|&(?:amp;){0,3}(?:\#61|\#[xX]3[dD]|equals);)"
    rb"(?:3D){0,3}"
)
_OTHER_LEADS: Final = (
    rb"(?:"
    + _AMPERSANDS
    + rb"(?:"
    + _SHARP
    + rb"[xX]?0{0,6})?|"
    + _EQUAL_SIGNS
    + rb"|"
    + _PERCENTS
    + rb")"
)
#: The lead of an escape: its part before the literal that is searched for.
LEAD: Final = re.compile(_BACKSLASHES + _OTHER_LEADS + rb"?|" + _OTHER_LEADS)
LEAD_END: Final = re.compile(rb"(?:" + LEAD.pattern + rb")\Z")

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
        starved: whether any reading reached the end of the data, so that more data may change it.
    """

    __slots__ = ("_depth", "data", "size", "starved")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.starved = False
        self._depth = 0

    def ends(self, at: int, unit: int, *, is_last: bool = False) -> set[int]:
        """Return where a character that begins at an offset may end.

        Args:
            at: the offset.
            unit: the character's code point, or one byte or surrogate of it.
            is_last: whether the value ends with it; a quote after it is then a delimiter.
        """
        if unit == _BACKSLASH:
            return self._backslashes(at)
        readings = self.readings(at)
        found = {end for read, end in readings if read == unit}
        if unit == _SPACE:
            found |= {end for read, end in readings if read in _FOR_SPACE}
        elif unit in _QUOTES:
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
            if read in _QUOTES and first.endswith(self.data[end:second])
        }

    def readings(self, at: int) -> list[tuple[int, int]]:
        """Return the possible characters at an offset: code points or bytes, each with its end."""
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
            elif _GOES_ON.match(data, at + 1):
                # The other characters of the escape may have been escaped.
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
        for _ in range(_MAX_DEPTH):
            body = _BODIES.get(unit)
            if body is None:
                return
            text, ends = self._plain(at, unit)
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

    def _plain(self, at: int, head: int) -> tuple[bytes, list[int]]:
        """Return the characters after the first one of an escape, decoded, with their ends."""
        text = bytearray()
        ends: list[int] = []
        chars, most = _IN_BODIES[head]
        while len(ends) < most:
            if at >= self.size:
                self.starved = True
                break
            unit, end = self.data[at], at + 1
            if unit in _HEADS:
                self.starved |= _PARTIAL.match(self.data, at) is not None
                token = _TOKEN.match(self.data, at)
                if token is not None:
                    group = token.lastindex or 0
                    unit, end = _decoded(group, token[group]), token.end()
            if unit not in chars:
                unit, end = self._deeper(unit, end)
            if unit not in chars:
                break
            most += unit == _BACKSLASH and len(ends) < _MAX_BACKSLASHES
            text.append(unit)
            ends.append(end)
            at = end
        return bytes(text), ends

    def _deeper(self, unit: int, at: int) -> tuple[int, int]:
        """Return the character of an escape whose first one was escaped, with its end."""
        found = [(unit, at)]
        if unit in _BODIES and self._depth < _MAX_DEEPER:
            self._depth += 1
            self._nested(unit, at, found)
            self._depth -= 1
        return found[-1]

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
        return _LETTERS.get(text[0], text[0])
    return int(text, _BASES[group]) if _BASES[group] else _entity(text)


@cache
def _entities() -> dict[str, str]:
    from html.entities import html5  # a large table, and rarely needed

    return html5


def _entity(name: bytes) -> int:
    text = _entities().get(f"{name.decode()};", "")
    return ord(text) if len(text) == 1 else -1
