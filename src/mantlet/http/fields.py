"""Header fields: what may name one and stand in one, and their forms under both protocols.

WSGI has a field as a pair of ``str``, ASGI as a pair of ``bytes`` with the name in lower case.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

__all__ = ["FieldNames"]

Native = TypeVar("Native", str, bytes)

# RFC 9110, 5.6.2: token; 5.5: field values hold no CR, LF or NUL, and no other control but HTAB.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
#: The two fields that CGI names without a prefix (RFC 3875, 4.1).
UNPREFIXED = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}
#: How many names are kept at the ready. Policies name theirs, so a few dozen is usual.
_KNOWN_NAMES = 512


class _LowerNames(dict[str, Native], Generic[Native]):
    """Fields' names in lower case, by the names that they were given as; each is checked once.

    Looking one up raises a ValueError where it is no token (RFC 9110, 5.6.2).
    """

    def __init__(self, native: Callable[[str], Native]) -> None:
        self._native: Callable[[str], Native] = native

    def __missing__(self, name: str) -> Native:
        if not _TOKEN.fullmatch(name):
            raise ValueError(
                f"a header field's name must be a token (RFC 9110, 5.6.2), not {name!r}"
            )
        lower = self._native(name.lower())
        if len(self) < _KNOWN_NAMES:
            self[name] = lower
        return lower


LOWER_TEXT = _LowerNames(str)
LOWER_BYTES = _LowerNames(str.encode)


def check_name(name: str) -> str:
    """Return ``name`` if it may name a header field, else raise.

    Raises:
        ValueError: it is no token (RFC 9110, 5.6.2).
    """
    LOWER_TEXT[name]
    return name


def environ_key(name: str) -> str:
    """Return the key that a request's field has in an environ (RFC 3875, 4.1.18)."""
    key = name.upper().replace("-", "_")
    return key if key in UNPREFIXED else f"HTTP_{key}"


class FieldNames:
    """Names of request fields, made ready to be looked up under both protocols.

    Args:
        names: in any case.

    Attributes:
        lower: the names as ASGI has them, each with the one that was given.
        keys: their keys in an environ, each with the one that was given.
    """

    __slots__ = ("keys", "lower")

    def __init__(self, *names: str) -> None:
        self.lower = {LOWER_BYTES[name]: name for name in names}
        self.keys = tuple((environ_key(name), name) for name in names)


def check_value(name: str, value: str) -> str:
    """Return ``value`` if it may stand in a header field, else raise.

    Raises:
        ValueError: ``value`` has a control character or one outside latin-1 (RFC 9110, 5.5).
    """
    if _FORBIDDEN.search(value):
        raise ValueError(
            f"the value of the header field {name} has a character that must not stand there "
            f"(RFC 9110, 5.5)"
        )
    return value


def bytes_field(name: str, value: str) -> tuple[bytes, bytes]:
    """Return a field in ASGI's form.

    Raises:
        ValueError: the name or the value must not stand in a header field (RFC 9110, 5).
    """
    if value.isascii() and value.isprintable():
        return LOWER_BYTES[name], value.encode()
    return LOWER_BYTES[name], check_value(name, value).encode("latin-1")


def text_field(name: str, value: str) -> tuple[str, str]:
    """Return a field in WSGI's form.

    Raises:
        ValueError: the name or the value must not stand in a header field (RFC 9110, 5).
    """
    if not (value.isascii() and value.isprintable()):
        check_value(name, value)
    return check_name(name), value


def with_fields(raw: Iterable[Any], fields: Mapping[Any, tuple[Any, Any]]) -> list[Any]:
    """Return native pairs with others behind them, in place of those of the same name.

    Args:
        raw: the pairs.
        fields: the others, by their names in lower case.
    """
    kept = list(raw)
    for name, _ in kept:
        if name in fields or (not name.islower() and name.lower() in fields):
            kept = [pair for pair in kept if pair[0].lower() not in fields]
            break
    for pair in fields.values():  # faster than +=, for so few
        kept.append(pair)
    return kept
