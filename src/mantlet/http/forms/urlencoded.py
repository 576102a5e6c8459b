"""``application/x-www-form-urlencoded`` (WHATWG URL, 5), where every parser reads the same.

What is refused: bytes that are no printable ASCII (latin-1 to some, cut off at the end by others),
``;`` (a separator to some), a ``%`` without two hexadecimal digits, octets that are no UTF-8, NUL,
an empty name and an empty field between two ``&``. No serializer that follows the standard writes
any of them but NUL.
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from mantlet.http.forms.malformed import Malformed
from mantlet.http.forms.texts import read_text

__all__ = ["Pairs", "read_pairs"]

#: The fields of a form in their order, each with its name.
Pairs = list[tuple[str, str]]

_AMBIGUOUS: Final = re.compile(rb"[^!-:<-~]|%(?![0-9A-Fa-f]{2})")
_WHAT: Final = "The form has bytes that must be percent-encoded, or a malformed percent-encoding."


def read_pairs(body: bytes, *, most: int, longest: int, longest_name: int) -> Pairs:
    """Return the fields of a body.

    Args:
        body: all of it.
        most: fields of it.
        longest: bytes that one field may say.
        longest_name: bytes that a name may say.

    Raises:
        Malformed: it is not read alike by all, or over one of the bounds.
    """
    if not body:
        return []
    # Before any of it is taken apart.
    if body.count(b"&") >= most:
        raise Malformed("too_many_fields", f"A form has at most {most} fields.")
    if _AMBIGUOUS.search(body):
        raise Malformed("urlencoding", _WHAT)
    pairs = []
    for piece in body.decode().split("&"):
        raw_name, _, raw = piece.partition("=")
        name = _name(raw_name, longest_name)
        pairs.append((name, _value(raw, longest, name)))
    return pairs


def _name(raw: str, longest: int) -> str:
    octets = _unquoted(raw, longest)
    if octets is None:
        raise Malformed("name_too_long", f"The name of a field has more than {longest} bytes.")
    name = octets if isinstance(octets, str) else read_text(octets)
    if not name:
        raise Malformed("field_name", "A field has no name, or no name that is UTF-8.")
    return name


def _value(raw: str, longest: int, name: str) -> str:
    octets = _unquoted(raw, longest)
    if octets is None:
        detail = f"The field has more than {longest} bytes."
        raise Malformed("field_too_large", detail, name, too_large=True)
    value = octets if isinstance(octets, str) else read_text(octets)
    if value is None:
        raise Malformed("field_text", "The field is not UTF-8, or has a NUL.", name)
    return value


def _unquoted(raw: str, longest: int) -> str | bytes | None:
    """Return what a name or value says, as octets if it has escapes; None if it is too long.

    Args:
        raw: ASCII, and only with whole escapes.
        longest: bytes that it may say.
    """
    if "+" in raw:
        raw = raw.replace("+", " ")
    if "%" not in raw:
        return raw if len(raw) <= longest else None
    # Each escape is three characters, so a longer one need not be looked at.
    octets = unquote_to_bytes(raw) if len(raw) <= 3 * longest else b""
    return octets if 0 < len(octets) <= longest else None
