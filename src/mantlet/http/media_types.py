"""Parse media types strictly (RFC 9110, 8.3): ambiguous ones are rejected."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from mantlet.http.headers import TOKEN

__all__ = ["UTF_8", "MediaType", "read_media_type", "split_unquoted"]

#: The charset names of UTF-8, in lower case (those of the Encoding Standard in common use).
UTF_8: Final = frozenset({"utf-8", "utf8"})

_TYPE: Final = re.compile(rf"({TOKEN})/({TOKEN})")
# RFC 9110, 5.6.6. Parsers disagree about a quoted value with a backslash.
_PARAMETER: Final = re.compile(
    rf"[ \t]*;[ \t]*({TOKEN})=(?:({TOKEN})|\"([^\"\\\x00-\x08\x0a-\x1f\x7f]*)\")"
)
_MAX_LENGTH: Final = 512
# A quoted string, or a separator outside of all of them (RFC 9110, 5.6.4). One whose end is missing
# takes the rest of the text. Linear: a match is never begun again, and nothing in it backtracks.
_QUOTED: Final = r'"(?:[^"\\]|\\.)*+(?:"|\Z|\\\Z)'
_SEPARATORS: Final = {
    separator: re.compile(rf"{_QUOTED}|({separator})", re.DOTALL) for separator in ",;"
}


class MediaType(NamedTuple):
    """A media type.

    Attributes:
        kind: type and subtype in lower case, such as ``"application/json"``.
        parameters: names in lower case, with their values, in order.
    """

    kind: str
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def is_json(self) -> bool:
        """Whether it is JSON, or has the suffix ``+json`` (RFC 6839, 3.1)."""
        return self.kind == "application/json" or self.kind.endswith("+json")

    def get(self, name: str) -> str | None:
        """Return a parameter's value, or None."""
        for found, value in self.parameters:
            if found == name:
                return value
        return None


def read_media_type(text: str) -> MediaType | None:
    """Return the media type of a ``Content-Type``, or None if it is malformed or ambiguous.

    Parsers disagree about duplicate parameters, a comma between two types, a bare ``;`` and
    unbalanced quotes. One of more than 512 characters counts as malformed.
    """
    return _read(text) if len(text) <= _MAX_LENGTH else None  # the cache holds no longer ones


@lru_cache(maxsize=256)
def _read(text: str) -> MediaType | None:
    text = text.strip(" \t")
    found = _TYPE.match(text)
    if found is None:
        return None
    end = found.end()
    parameters: dict[str, str] = {}
    while end < len(text):
        read = _PARAMETER.match(text, end)
        if read is None or read[1].lower() in parameters:
            return None
        parameters[read[1].lower()] = read[2] if read[2] is not None else read[3]
        end = read.end()
    return MediaType(f"{found[1]}/{found[2]}".lower(), tuple(parameters.items()))


def split_unquoted(text: str, separator: str) -> list[str]:
    """Split a text at a separator, except within quoted strings.

    Args:
        text: a list such as that of ``Accept``, or one of its members.
        separator: ``","`` or ``";"``.
    """
    if '"' not in text:
        return text.split(separator)
    found = _SEPARATORS[separator].finditer(text)
    ends = [match.start() for match in found if match[1]]
    starts = [0, *(end + 1 for end in ends)]
    return [text[start:end] for start, end in zip(starts, [*ends, len(text)], strict=True)]
