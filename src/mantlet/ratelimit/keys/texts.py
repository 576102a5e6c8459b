"""Texts that a client chose: kept small, and read strictly."""

import re
from hashlib import blake2b
from typing import Final
from unicodedata import normalize

from mantlet.http.headers import TOKEN

__all__ = [
    "AMBIGUOUS",
    "Ambiguous",
    "bounded",
    "digest",
    "folded",
    "is_digest",
    "parameters",
]

#: The key of all that two readers may read differently. `bounded()` returns it for no text.
AMBIGUOUS: Final = "#ambiguous"

_LONGEST = 64
#: Unicode's normalization takes time by the square of a text's length, at worst.
_LONGEST_NAME = 1024
_HASHED = "#"
_DIGEST = re.compile(rf"{_HASHED}[0-9a-f]{{32}}")
# RFC 9110, 5.6.6, without the backslash, of which no two readers think the same. The value is
# cut at the next semicolon or the end, so whatever else stands there is an error.
_PARAMETER = re.compile(
    rf"[ \t;]*({TOKEN})="
    rf"(?:({TOKEN})|\"([^\"\\\x00-\x08\x0a-\x1f\x7f]*)\")[ \t]*(?=;|\Z)"
)


class Ambiguous(ValueError):
    """The app may read something else than what is read here, if anything."""


def digest(text: str) -> str:
    """Return a short text in the place of another: 33 characters, of which the first is ``#``.

    It does not tell what the other was, though whoever can guess it can check the guess.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    return _HASHED + blake2b(encoded, digest_size=16).hexdigest()


def is_digest(text: str) -> bool:
    """Return whether a text is what `digest()` returns, or stands for what nobody could read."""
    return text == AMBIGUOUS or _DIGEST.fullmatch(text) is not None


def bounded(text: str) -> str:
    """Return a text that a client may have chosen so that it can stand in a key.

    One of at most 64 characters, all printable ASCII, stays as it is; any other is hashed. The two
    can't be mistaken for each other, since a text that begins as a hash does is hashed as well.
    """
    if (
        len(text) <= _LONGEST
        and text.isascii()
        and text.isprintable()
        and not text.startswith(_HASHED)
    ):
        return text
    return digest(text)


def folded(text: str) -> str:
    """Return a name in the one form that all its usual spellings have.

    That is its compatibility form (Unicode, UAX 15: NFKC) in folded case, without white space
    around it. One of more than 1,024 characters is left in its own form.
    """
    text = text.strip()
    if len(text) <= _LONGEST_NAME:
        text = normalize("NFKC", text).strip()
    return text.casefold()


def parameters(text: str) -> dict[str, str] | None:
    """Read parameters, such as ``for=192.0.2.1;proto="https"``.

    Args:
        text: what follows the first semicolon of ``Content-Type`` and the like (RFC 9110, 5.6.6),
            or a whole element of ``Forwarded`` (RFC 7239, 4).

    Returns:
        The values by their names in lower case; None where any of it is malformed, has a
        backslash, or names a parameter twice.
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
