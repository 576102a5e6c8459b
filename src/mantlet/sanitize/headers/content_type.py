"""The media type of a response, from one `Content-Type`, several, or a malformed one.

Clients treat several types differently: browsers use the last (Fetch, 2.2.4), others the first, and
some join them. Here, of several types, the one that needs the strictest search counts. No header is
changed: a charset may be declared in the body, and a type that the app has not set would be a
guess.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from mantlet.http.headers import TOKEN
from mantlet.sanitize.body_kind import BodyKind, Classify, strictest_type
from mantlet.sanitize.headers.native import as_text
from mantlet.sanitize.wide_text import wide_encoding

__all__ = ["ContentType", "ContentTypes"]

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
        kind: the kind of the body, which is not plain if the type declares wide text.
        fault: the id of a rule that it breaks, or None.
    """

    kind: BodyKind
    fault: str | None


class ContentTypes:
    """Reads the types of responses, and caches them: an app has a handful.

    Args:
        classify: returns the kind of a body by its media type.

    Attributes:
        cached: the types by the native value of a single header.
    """

    __slots__ = ("_classify", "cached")

    def __init__(self, classify: Classify) -> None:
        self._classify = classify
        self.cached: dict[Any, ContentType] = {}

    def read(self, values: Sequence[Any]) -> ContentType:
        """Return the type that any number of headers give, and cache that of a single one."""
        texts = [as_text(value) for value in values]
        media, fault = _parse(texts) if texts else (None, "missing-content-type")
        kind = self._classify(media)
        if any(wide_encoding(b"", text) for text in texts):
            kind = replace(kind, plain=False)
        found = ContentType(kind, fault)
        is_short = len(texts) == 1 and len(texts[0]) <= _MAX_LENGTH
        # A bytearray, which servers accept, is not hashable.
        if is_short and len(self.cached) < _MAX_CACHED and isinstance(values[0], (bytes, str)):
            self.cached[values[0]] = found
        return found


def _parse(values: list[str]) -> tuple[str | None, str | None]:
    """Return the media type of several headers, and the id of a rule that they break, if any."""
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
        return strictest_type(types), "malformed-content-type"
    repeated = len(set(types)) > 1
    return strictest_type(types), "repeated-content-type" if repeated else None
