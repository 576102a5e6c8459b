"""The media type of a response, from one `Content-Type`, several, or a malformed one.

Clients treat several types differently: browsers use the last (Fetch, 2.2.4), others the first, and
some join them. Here, of several types, the one that needs the strictest search counts. No header is
changed: a charset may be declared in the body, and a type that the app has not set would be a
guess.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from mantlet.http.headers import TOKEN
from mantlet.sanitize.body_kind import strictest_type
from mantlet.sanitize.headers.native import as_text

__all__ = ["MISSING", "ContentType", "ContentTypes"]

#: Maximum number of values that are cached.
_MAX_CACHED: Final = 256
#: No type that clients know is longer, in characters.
_MAX_LENGTH: Final = 1024
#: RFC 9110, 8.3.1, with the whitespace that apps put around it.
_MEDIA_TYPE: Final = re.compile(rf"\s*({TOKEN}/{TOKEN})")
_QUOTED: Final = re.compile(r'"[^"]*"')


class ContentType(NamedTuple):
    """The type of a body, as declared by the response.

    Attributes:
        media: the media type in lower case, without parameters; None if there is no usable one.
        fault: the id of a rule that it breaks, or None.
    """

    media: str | None
    fault: str | None


MISSING: Final = ContentType(None, "missing-content-type")


class ContentTypes:
    """Reads the types of responses, and caches them: an app has a handful.

    Attributes:
        cached: the types by the native value of a single header.
    """

    __slots__ = ("cached",)

    def __init__(self) -> None:
        self.cached: dict[Any, ContentType] = {}

    def read(self, values: Sequence[Any]) -> ContentType:
        """Return the type that one or several headers give."""
        if len(values) != 1:
            return _parse([as_text(value) for value in values])
        value = values[0]
        try:
            found = self.cached.get(value)
        except TypeError:  # a bytearray, which servers accept, is not hashable
            return _parse([as_text(value)])
        if found is None:
            found = _parse([as_text(value)])
            if len(self.cached) < _MAX_CACHED and len(value) <= _MAX_LENGTH:
                self.cached[value] = found
        return found


def _parse(values: list[str]) -> ContentType:
    types: list[str] = []
    malformed = False
    for value in values:
        short = value if len(value) <= _MAX_LENGTH else ""
        # A comma inside quotes is part of a parameter.
        elements = _QUOTED.sub("", short).split(",") if "," in short else [short]
        for element in elements:
            found = _MEDIA_TYPE.match(element)
            if found is not None:
                types.append(found[1].lower())
            elif element.strip() or not short:
                malformed = True
    if malformed:
        return ContentType(strictest_type(types), "malformed-content-type")
    repeated = len(set(types)) > 1
    return ContentType(strictest_type(types), "repeated-content-type" if repeated else None)
