"""``application/x-www-form-urlencoded`` (WHATWG URL, 5), where every parser reads the same.

Rejected are bytes outside printable ASCII (latin-1 to some parsers, cut off at the end by others),
``;`` (a separator to some), a ``%`` without two hexadecimal digits, invalid UTF-8, NUL, an empty
name, and an empty field between two ``&``. No serializer that follows the standard produces any of
them but NUL.
"""

import re
from collections.abc import Iterator
from typing import Final

from mantlet.http.forms.text import MalformedForm, decode_text
from mantlet.http.percent_encoding import decode_escapes

__all__ = ["Pairs", "iter_urlencoded", "parse_urlencoded"]

#: The fields of a form in order: names and values.
Pairs = list[tuple[str, str]]

_ENCODED: Final = re.compile(rb"(?:[!-$&-:<-~]++|%[0-9A-Fa-f]{2})*+")
#: The most bytes that are matched at once: one call keeps the GIL.
_SLICE: Final = 64 * 1024
_NOT_ENCODED: Final = "The form has unencoded bytes or an invalid percent-encoding."


def parse_urlencoded(
    body: bytes, *, max_fields: int, max_field_size: int, max_name_size: int
) -> Pairs:
    """Return the fields of a body.

    Args:
        body: the whole body.
        max_fields: the most fields.
        max_field_size: the largest decoded value, in bytes.
        max_name_size: the largest decoded name, in bytes.

    Raises:
        MalformedForm: parsers read the body differently, or a limit is exceeded.
    """
    fields = iter_urlencoded(
        body, max_fields=max_fields, max_field_size=max_field_size, max_name_size=max_name_size
    )
    return list(fields)


def iter_urlencoded(
    body: bytes, *, max_fields: int, max_field_size: int, max_name_size: int
) -> Iterator[tuple[str, str]]:
    """Yield the fields of a body, of which no more than one is copied; see `parse_urlencoded()`."""
    if not body:
        return
    # Before anything is split.
    if body.count(b"&") >= max_fields:
        raise MalformedForm("too_many_fields", f"The form has more than {max_fields} fields.")
    if not _is_encoded(body):
        raise MalformedForm("urlencoding", _NOT_ENCODED)
    start = 0
    while start <= len(body):
        end = body.find(b"&", start)
        end = end if end >= 0 else len(body)
        raw_name, _, raw = body[start:end].decode().partition("=")
        name = _name(raw_name, max_name_size)
        yield name, _value(raw, max_field_size, name)
        start = end + 1


def _is_encoded(body: bytes) -> bool:
    """Return whether a body has complete escapes only, and no bytes that must be escaped."""
    end = 0
    while end < len(body):
        start = end
        end = _ENCODED.match(body, start, start + _SLICE).end()  # type: ignore[union-attr]
        if end == start:
            return False
    return True


def _name(raw: str, max_size: int) -> str:
    octets = _decoded(raw, max_size)
    if octets is None:
        detail = f"The name of a field is longer than {max_size} bytes."
        raise MalformedForm("name_too_long", detail)
    name = octets if isinstance(octets, str) else decode_text(octets)
    if not name:
        raise MalformedForm("field_name", "The name of a field is empty or not UTF-8.")
    return name


def _value(raw: str, max_size: int, name: str) -> str:
    octets = _decoded(raw, max_size)
    if octets is None:
        detail = f"The field is larger than {max_size} bytes."
        raise MalformedForm("field_too_large", detail, name, too_large=True)
    value = octets if isinstance(octets, str) else decode_text(octets)
    if value is None:
        raise MalformedForm("field_text", "The field is not UTF-8, or contains a NUL.", name)
    return value


def _decoded(raw: str, max_size: int) -> str | bytes | None:
    """Decode a name or value, to octets if it has escapes; None if it is too long.

    Args:
        raw: ASCII, with complete escapes only.
        max_size: the largest result, in bytes.
    """
    if "+" in raw:
        raw = raw.replace("+", " ")
    if "%" not in raw:
        return raw if len(raw) <= max_size else None
    # Each escape is three characters, so longer text need not be decoded.
    octets = decode_escapes(raw.encode()) if len(raw) <= 3 * max_size else b""
    return octets if 0 < len(octets) <= max_size else None
