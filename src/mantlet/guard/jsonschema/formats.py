"""Formats of strings, which are held by option only, and those of OpenAPI besides the library's.

Of JSON Schema's, the library knows all (2020-12 Validation, 7.3). Formats of numbers are another
thing: they are always held.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from mantlet.exceptions import MantletError

__all__ = ["BUILT_IN", "Format", "FormatFailed", "Formats", "held_formats"]

#: Says whether a string is of a format.
Format = Callable[[str], bool]
#: Whether formats of strings are held, and which are besides the known ones.
Formats = bool | Mapping[str, Format]

# RFC 4648, 4 and 5; the latter's padding may be left out where the length is known (3.2).
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_BASE64URL: Final = re.compile(
    r"(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}(?:==)?|[A-Za-z0-9_-]{3}=?)?"
)

#: The library's own.
BUILT_IN: Final = frozenset({
    "date", "date-time", "duration", "email", "hostname", "idn-email", "idn-hostname", "ipv4",
    "ipv6", "iri", "iri-reference", "json-pointer", "regex", "relative-json-pointer", "time", "uri",
    "uri-reference", "uri-template", "uuid",
})  # fmt: skip


class FormatFailed(MantletError):
    """A format's function raised, so that nothing is known of the value."""


def _base64(text: str) -> bool:
    return _BASE64.fullmatch(text) is not None


def _base64url(text: str) -> bool:
    return _BASE64URL.fullmatch(text) is not None


def _anything(_: str) -> bool:
    return True


# OpenAPI's format registry: binary and password are any string.
_OPENAPI: Final[Mapping[str, Format]] = {
    "base64url": _base64url,
    "binary": _anything,
    "byte": _base64,
    "password": _anything,
}


def held_formats(formats: Formats) -> dict[str, Format] | None:
    """Return the formats that are held besides the library's own, or None if none is held at all.

    Raises:
        TypeError: it is no boolean and no mapping of names to functions.
    """
    if formats is False:
        return None
    # Any: it comes from a configuration, whatever its type says.
    given: Any = {} if formats is True else formats
    if not isinstance(given, Mapping) or not all(
        isinstance(name, str) and callable(function) for name, function in given.items()
    ):
        raise TypeError(
            f"formats must be True, False, or functions of one string by name, not {formats!r}"
        )
    return {**_OPENAPI, **{name: _guarded(name, function) for name, function in given.items()}}


def _guarded(name: str, function: Format) -> Format:
    """Return a format that does not tell the value in an error."""

    def held(text: str) -> bool:
        try:
            return bool(function(text))
        except Exception:  # noqa: BLE001  # the user's function may raise anything
            raise FormatFailed(f"the function of the format {name!r} raised") from None

    return held
