"""Regular expressions for JSON: its strings, its values, and names however they are escaped.

They read whole members in C, at some 100 MB/s; so Python is left with one step for each field to
edit. All of them take linear time: their alternatives begin with different bytes, and quantifiers
give nothing back. A value nested deeper than they go is left to `ValueReader`.
"""

import re
from functools import cache
from typing import Final

from mantlet.redact.names import Token, case_variants, name_expression, parse_name

__all__ = [
    "MAX_RAW_NAME",
    "NAME",
    "SHORT_ESCAPES",
    "SIMPLE",
    "STRING",
    "VALUE",
    "VALUE_END",
    "WS",
    "container",
    "exact_name",
    "name_in_json",
]

# RFC 8259, 7: characters that must be escaped, and their short escapes.
SHORT_ESCAPES: Final = {
    '"': b'"', "\\": b"\\", "\b": b"b", "\f": b"f", "\n": b"n", "\r": b"r", "\t": b"t",
}  # fmt: skip

#: Whitespace (RFC 8259, 2), and the separator of JSON text sequences (RFC 7464, 2.2).
WS: Final = rb"[ \t\r\n\x1e]*+"
#: A string with its quotes.
STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
#: The content of a name.
NAME: Final = rb'[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+'
_FLAT: Final = rb'[^"\[\]{}]++|' + STRING
#: How deep the containers are that are read in C.
_LEVELS: Final = 8


@cache
def container(levels: int) -> bytes:
    """Return the expression of a container with at most this many levels of others in it."""
    inner = _FLAT if levels == 0 else _FLAT + b"|" + container(levels - 1)
    return rb"[\[{](?:" + inner + rb")*+[\]}]"


#: What ends a value, after whitespace.
VALUE_END: Final = rb"(?=[ \t\r\n\x1e]*+[,\]}])"
#: A value that is not too deep.
SIMPLE: Final = rb'(?:[^ \t\r\n\x1e,:"\[\]{}]++|' + STRING + b"|" + container(_LEVELS) + b")"
#: A value that something follows. Others are incomplete, too deep, or invalid.
VALUE: Final = SIMPLE + VALUE_END


# -- names ----------------------------------------------------------------------------------------

#: Maximum length of a name that a glob matches, in bytes.
MAX_RAW_NAME: Final = 4096
_RAW: Final = r'[^"\\\x00-\x1f]'
_ESCAPE: Final = r"\\(?:u[0-9a-fA-F]{4}|[^u\x00-\x1f])"
_MANY: Final = (
    rf"{_RAW}{{0,{MAX_RAW_NAME}}}(?:{_ESCAPE}{_RAW}{{0,{MAX_RAW_NAME}}}){{0,{MAX_RAW_NAME // 2}}}"
)
_FEW: Final = f"(?:{_RAW}|{_ESCAPE}){{0,{MAX_RAW_NAME}}}?"
#: One character of a name, in one byte or several, or in one escape or two.
_ONE: Final = (
    r'(?:[^"\\\x00-\x1f\x80-\xff]|[\xc0-\xff][\x80-\xbf]*+|[\x80-\xbf]'
    rf"|\\u[dD][89abAB][0-9a-fA-F]{{2}}\\u[dD][c-fC-F][0-9a-fA-F]{{2}}|{_ESCAPE})"
)
_SEPARATOR: Final = r"(?:[_. -]|\\u00(?:5[fF]|2[eEdD0]))"
# A hump beside an escape is decided by `NameMatcher`.
_HUMP: Final = (
    r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?=\\u)|(?<=\\u00[0-9a-fA-F][0-9a-fA-F])"
)
_EXPRESSIONS: Final = {
    "join": _SEPARATOR + "{0,8}+",
    "separator": _SEPARATOR + "{1,8}+",
    "boundary": f"(?:{_SEPARATOR}|{_HUMP})",
    "one": _ONE,
    "set": _ONE,
}
_SLASH: Final = "/"


def name_in_json(pattern: str) -> bytes:
    """Return the expression of the names in JSON that a pattern may match.

    With ``[...]`` and with humps beside an escape it matches too many; all else is exact.
    """
    source = name_expression(pattern, _write, _MANY, _FEW).encode("latin-1")
    tokens = parse_name(pattern)
    last = tokens[-1]
    if tokens[0].kind != "char" and last.kind == "char" and last.text.isascii():
        # Most names end in another character, and have no escapes.
        end = "".join(case_variants(last.text)).encode()
        return rb'(?=%b{0,%d}+(?:\\|(?<=[%b])"))%b' % (
            _RAW.encode(), MAX_RAW_NAME, re.escape(end), source,
        )  # fmt: skip
    return source


def exact_name(name: str) -> bytes:
    """Return the expression of the ways to write exactly this name in JSON."""
    return "".join(_ways([char]) for char in name).encode("latin-1")


def _write(token: Token) -> str:
    return _ways(case_variants(token.text)) if token.kind == "char" else _EXPRESSIONS[token.kind]


def _ways(chars: list[str]) -> str:
    """Return the expression of the ways to write one of these characters."""
    plain, others = "", []
    for char in chars:
        if "\x20" <= char < "\x7f" and char not in SHORT_ESCAPES:
            plain += "\\" + char if char in "]^-[" else char
        elif char >= "\x7f":
            raw = char.encode("utf-8", "surrogatepass").decode("latin-1")
            others.append("".join(f"\\x{ord(byte):02x}" for byte in raw))
        if char in SHORT_ESCAPES:
            others.append(f"\\\\{_literal(SHORT_ESCAPES[char].decode())}")
        if char == _SLASH:
            others.append(r"\\/")
        units = char.encode("utf-16-be", "surrogatepass").hex()
        others.append("".join(rf"\\u{_hex(units[at : at + 4])}" for at in range(0, len(units), 4)))
    if plain:
        others.insert(0, f"[{plain}]")
    return f"(?:{'|'.join(others)})"


def _literal(char: str) -> str:
    return "\\\\" if char == "\\" else char


def _hex(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit > "9" else digit for digit in digits)
