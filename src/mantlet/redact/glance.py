"""Compile an expression that tells at a glance whether a value may begin at an offset.

Input that contains the literals of a secret many times costs one match of it for each, in C. It
accepts the first characters of the value in any encoding, and what may become one when more data
follows; then they are read one by one. It knows escapes within escapes to a depth of three kinds.
"""

import re
from typing import Final

from mantlet.redact.escapes import entity_names

__all__ = ["LEAD", "compile_glance"]

#: One character of a value: the ways to write it, as code points, bytes or surrogates.
Char = tuple[tuple[int, ...], ...]

#: How many characters of a value are looked at, at least and at most.
_MIN_CHARS: Final = 6
_MAX_CHARS: Final = 32

#: A backslash in any encoding, once.
_BACKSLASH: Final = (
    rb"(?:\\(?:u005[cC]|x5[cC])?|%(?:25){0,3}5[cC]"
    rb"|&(?:amp;){0,3}(?:\#0{0,6}92|\#[xX]0{0,6}5[cC]|bsol);)"
)
_BACKSLASHES: Final = rb"(?>" + _BACKSLASH + rb"{1,32})"
_SEMICOLON: Final = rb"(?:;|%(?:25){0,3}3[bB]|\\{1,32}u003[bB])"
_SHARP: Final = rb"(?:\#|%(?:25){0,3}23|\\{1,32}u0023)"
_AMPERSAND: Final = (
    rb"(?:&|%(?:25){0,3}26|(?:\\{1,32}|%(?:25){0,3}5[cC])(?:u0026|x26)|&(?:amp;){0,3}\#(?:38|x26);)"
    rb"(?:amp" + _SEMICOLON + rb"|\#38;|\#x26;){0,3}"
)
_PERCENT: Final = rb"(?:%|\\{1,32}(?:u0025|x25)|&(?:amp;){0,3}(?:\#37|\#x25|percnt);)(?:25){0,3}"
#: The beginning of an escape, at the end of the data.
_PARTIAL: Final = rb"[\\%&][\\%&#;A-Za-z0-9]{0,48}\Z"
#: The text before a literal that begins within an escape, or after a backslash.
LEAD: Final = re.compile(
    rb"(?:" + _AMPERSAND + rb"(?:" + _SHARP + rb"[xX]?0{0,6})?"
    rb"|" + _BACKSLASHES + rb"|" + _PERCENT + rb")\Z"
)


def compile_glance(chars: tuple[Char, ...]) -> re.Pattern[bytes]:
    """Compile the expression for a value.

    Args:
        chars: the characters of the value, each with its spellings; the end of a line has none.
    """
    expression = b""
    for char in reversed(chars[: _count(chars)]):
        rest = b"(?:" + expression + b")" if expression else b""
        expression = b"|".join((b"(?:" + _char(char) + b")" + rest, _PARTIAL, rb"\Z"))
    return re.compile(expression)


def _count(chars: tuple[Char, ...]) -> int:
    """Return how many characters are looked at: more after a beginning that many values share."""
    first = "".join(chr(char[0][0]) if char else "\n" for char in chars[:_MAX_CHARS])
    if first.startswith("-----BEGIN"):
        count = first.find("\n") if "\n" in first else _MAX_CHARS
    elif "://" in first:
        count = first.index("://") + 6
    else:
        count = _MIN_CHARS
    return next((at for at, char in enumerate(chars[:count]) if not char), count)


def _char(char: Char) -> bytes:
    code = char[0][0]
    if len(char) == 1 and bytes([code]).isalnum():
        return _plain(code)
    found = []
    for spelling in char:
        expression = b""
        for unit in reversed(spelling):
            rest = b"(?:" + expression + b"|" + _PARTIAL + rb"|\Z)" if expression else b""
            expression = _unit(unit) + rest
        found.append(expression)
    return b"|".join(found)


def _plain(code: int) -> bytes:
    """Return an expression for a letter or a digit, which is escaped only where all are."""
    digits = _in_any_case(b"%02x" % code)
    return (
        rb"%c|\\{1,32}(?:u00|x)%b|%%(?:25){0,3}(?:5[cC](?:u00|x))?%b"
        % (code, digits, digits)
        + rb"|(?:&|\\{1,32}u0026|%%(?:25){0,3}26)(?:amp;){0,3}"
        rb"(?:\#|%%23)(?:0{0,6}%d|[xX]0{0,6}%b)(?:;|%%3B)" % (code, digits)
    )


def _unit(unit: int) -> bytes:
    """Return an expression for a code point, a byte or a surrogate."""
    digits = b"%04x" % unit
    letters = {8: b"b", 9: b"t", 10: b"n", 11: b"v", 12: b"f", 13: b"r"}
    after = [_in_any_case(b"u" + digits), _in_any_case(b"U%08x" % unit)]
    found = []
    if unit <= 0xFF:
        raw = re.escape(bytes([unit]))
        after.append(_in_any_case(b"x%02x" % unit))
        after += [letters[unit]] if unit in letters else []
        after += [_QUOTED[unit]] if unit in _QUOTED else []
        found += [raw, _PERCENT + _in_any_case(b"%02x" % unit)]
    names = entity_names(unit)
    number = rb"0{0,6}%d|[xX]0{0,6}" % unit + _in_any_case(b"%x" % unit)
    references = _SHARP + b"(?:" + number + b")"
    found.append(_BACKSLASHES + b"(?:" + b"|".join(after) + b")")
    found.append(
        _AMPERSAND + b"(?:" + b"|".join((references, *map(re.escape, names))) + b")" + _SEMICOLON
    )
    if unit == 0x5C:
        found.append(_BACKSLASH + b"{1,8}")
    elif unit == 0x26:
        found.append(_AMPERSAND)
    elif unit == 0x22:
        found.append(_repeated(found, 8))
    elif unit == 0x20:
        found.append(_unit(0x2B))
    return b"(?:" + b"|".join(found) + b")"


#: A quote or a slash after a backslash, as it is, as a reference or in percent-encoding.
_QUOTED: Final = {
    0x22: rb"(?:\"{1,8}|%(?:25){0,3}22|&(?:amp;){0,3}(?:quot|\#34|\#x22);)",
    0x27: rb"(?:'|%(?:25){0,3}27|&(?:amp;){0,3}(?:apos|\#39|\#x27);)",
    0x2F: rb"(?:/|%(?:25){0,3}2[fF]|&(?:amp;){0,3}(?:sol|\#47|\#x2[fF]);)",
}


def _repeated(alternatives: list[bytes], most: int) -> bytes:
    return b"(?:" + b"|".join(alternatives) + b"){1,%d}" % most


def _in_any_case(digits: bytes) -> bytes:
    """Return an expression for hexadecimal digits in either case; the first may be a letter."""
    head, rest = (digits[:1], digits[1:]) if digits[:1] in b"uUx" else (b"", digits)
    return head + b"".join(
        b"[%c%c]" % (digit, digit - 32) if digit > 0x60 else bytes([digit]) for digit in rest
    )
