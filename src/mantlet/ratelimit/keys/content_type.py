"""The media type of a body, as strictly as a key needs it.

Frameworks disagree about a ``Content-Type`` that is a list, a range or malformed: Falcon takes a
form for any of the types listed, Django REST framework takes ``*/*`` for its first parser's type,
Starlette reads the first of two lines and Litestar the last. Such a type is `Ambiguous`.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from mantlet.http.headers import TOKEN
from mantlet.http.media_types import UTF_8
from mantlet.http.parameters import read_parameters
from mantlet.ratelimit.keys.key import Ambiguous

__all__ = ["MULTIPART", "URLENCODED", "BodyType", "read_body_type"]

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

#: No usual type is longer, in characters.
_MAX_LENGTH: Final = 512
_KIND: Final = re.compile(rf"{TOKEN}/{TOKEN}")
_ASCII: Final = frozenset({"us-ascii", "ascii"})
#: The known parameters of each kind of form.
_FORM_PARAMETERS: Final = {
    URLENCODED: frozenset({"charset"}),
    MULTIPART: frozenset({"boundary", "charset"}),
}


class BodyType(NamedTuple):
    """The media type of a body.

    Attributes:
        kind: type and subtype in lower case; empty if the header is missing.
        charset: the declared charset in lower case, or None.
        boundary: the boundary of a multipart form, or None.
    """

    kind: str
    charset: str | None = None
    boundary: str | None = None

    @property
    def is_form(self) -> bool:
        """Whether it is one of the two types of forms."""
        return self.kind in _FORM_PARAMETERS

    @property
    def is_json(self) -> bool:
        """Whether it is JSON, or has the suffix ``+json`` (RFC 6839, 3.1)."""
        return self.kind in ("application/json", "text/json") or self.kind.endswith("+json")

    def check_charset(self, is_ascii: bool) -> None:
        """Raise unless a text is the same in the declared charset, which some parsers ignore.

        Args:
            is_ascii: whether the text is.

        Raises:
            Ambiguous: it may differ.
        """
        if self.charset is None or self.charset in UTF_8:
            return
        if self.charset not in _ASCII or not is_ascii:
            raise Ambiguous


#: The type of a body without a ``Content-Type``, and of no body.
_NO_TYPE: Final = BodyType("")


def read_body_type(value: str | None) -> BodyType:
    """Return the media type of a body.

    Args:
        value: the value of ``Content-Type``, several lines joined by commas; None if it is missing.

    Raises:
        Ambiguous: it lists several types, or is a range such as ``*/*``; it is malformed or too
            long; a form has unknown parameters, or another type has a boundary.
    """
    if not value:
        return _NO_TYPE
    if len(value) > _MAX_LENGTH:
        raise Ambiguous
    return _read(value)


@lru_cache(maxsize=256)
def _read(value: str) -> BodyType:
    kind, _, rest = value.partition(";")
    kind = kind.strip(" \t").lower()
    options = read_parameters(rest)
    if options is None or "," in value or "*" in kind:
        raise Ambiguous
    if kind and not _KIND.fullmatch(kind):
        raise Ambiguous
    if not options.keys() <= _FORM_PARAMETERS.get(kind, options.keys() - {"boundary"}):
        raise Ambiguous
    for name, option in options.items():
        # A name in the form of RFC 2231 may stand for another; a quoted value may look like more.
        if "*" in name or ";" in option or "=" in option:
            raise Ambiguous
    charset = options.get("charset")
    return BodyType(kind, charset and charset.lower(), options.get("boundary"))
