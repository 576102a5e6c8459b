"""Media types, read strictly (RFC 9110, 8.3): what may be read in two ways is none."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from mantlet.http.headers import TOKEN

__all__ = ["UTF_8", "MediaType", "read_media_type"]

#: What UTF-8 is called as a charset, in lower case (the Encoding Standard's common names of it).
UTF_8: Final = frozenset({"utf-8", "utf8"})

_TYPE: Final = re.compile(rf"({TOKEN})/({TOKEN})")
# RFC 9110, 5.6.6. A quoted value with a backslash is read differently by different parsers.
_PARAMETER: Final = re.compile(
    rf"[ \t]*;[ \t]*({TOKEN})=(?:({TOKEN})|\"([^\"\\\x00-\x08\x0a-\x1f\x7f]*)\")"
)
_LONGEST: Final = 512


class MediaType(NamedTuple):
    """A media type.

    Attributes:
        kind: type and subtype in lower case, such as ``"application/json"``.
        parameters: names in lower case, with their values, in their order.
    """

    kind: str
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def is_json(self) -> bool:
        """Whether it is JSON, or one of its structured syntax (RFC 6839, 3.1)."""
        return self.kind == "application/json" or self.kind.endswith("+json")

    def get(self, name: str) -> str | None:
        """Return a parameter's value, or None."""
        for found, value in self.parameters:
            if found == name:
                return value
        return None


@lru_cache(maxsize=256)
def read_media_type(text: str) -> MediaType | None:
    """Return the media type that a ``Content-Type`` states, or None where it states none for sure.

    A parameter that comes twice, a comma between two types, a bare ``;`` and unbalanced quotes are
    all read differently by different parsers.
    """
    text = text.strip(" \t")
    found = _TYPE.match(text)
    if found is None or len(text) > _LONGEST:
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
