"""Parse parameters strictly (RFC 9110, 5.6.6): what parsers read in two ways is rejected."""

import re
from typing import Final

from mantlet.http.headers import TOKEN

__all__ = ["read_parameters"]

# RFC 9110, 5.6.6, without the backslash, which parsers interpret differently. A value ends at the
# next semicolon or at the end of the text, so any other character after it is an error.
_PARAMETER: Final = re.compile(
    rf"[ \t;]*({TOKEN})="
    rf"(?:({TOKEN})|\"([^\"\\\x00-\x08\x0a-\x1f\x7f]*)\")[ \t]*(?=;|\Z)"
)


def read_parameters(text: str) -> dict[str, str] | None:
    """Parse parameters such as ``for=192.0.2.1;proto="https"``.

    Args:
        text: the part of ``Content-Type`` and similar headers after the first semicolon (RFC 9110,
            5.6.6), or a whole element of ``Forwarded`` (RFC 7239, 4).

    Returns:
        The values by their names in lower case; None if any parameter is malformed, contains a
        backslash, or occurs twice.
    """
    found: dict[str, str] = {}
    text = text.strip(" \t;")
    position = 0
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if match is None or match[1].lower() in found:
            return None
        found[match[1].lower()] = match[3] if match[2] is None else match[2]
        position = match.end()
    return found
