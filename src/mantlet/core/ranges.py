"""Partial responses (RFC 9110, 14) whose bodies are to be filtered.

Filters need whole bodies: they can't be applied to bytes from the middle of one. So a part that is
all of the body becomes an ordinary 200, and any other part is refused with a 416, after which
clients request the whole.
"""

import re
from typing import Final, NamedTuple

from mantlet.core.problem import Problem
from mantlet.core.response import Response

__all__ = ["PARTS", "Extent", "refused_range", "send_whole"]

#: The media type of a response with several parts.
PARTS: Final = "multipart/byteranges"

_CONTENT_RANGE: Final = re.compile(
    r"\s*bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)\s*", re.IGNORECASE | re.ASCII
)


class Extent(NamedTuple):
    """The range of a body that a partial response contains.

    Attributes:
        first: the offset of its first byte.
        total: the size of the whole body in bytes, if known.
        is_whole: whether the part is the whole body.
    """

    first: int
    total: int | None
    is_whole: bool

    @classmethod
    def of(cls, response: Response) -> "Extent | None":
        """Return the extent that ``Content-Range`` declares; None if that is missing or invalid."""
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range") or "")
        if found is None:
            return None
        first, last = int(found[1]), int(found[2])
        total = None if found[3] == "*" else int(found[3])
        return cls(first, total, first == 0 and total == last + 1)


def refused_range(extent: Extent | None) -> Problem:
    """Return the 416 for a range that can't be sent (RFC 9110, 15.5.17)."""
    total = "*" if extent is None or extent.total is None else extent.total
    return Problem(
        416,
        detail="This resource can only be requested as a whole.",
        headers={"Content-Range": f"bytes */{total}", "Accept-Ranges": "none"},
    )


def send_whole(response: Response) -> None:
    """Turn a 206 that contains the whole body into a 200.

    A response whose headers declare no range is left as it is.

    Raises:
        Problem: the response contains one part of the body, or several; a 416.
    """
    extent = Extent.of(response)
    if extent is not None and extent.is_whole:
        response.status = 200
        response.headers.remove("Content-Range")
    elif extent is not None or _has_parts(response):
        raise refused_range(extent)


def _has_parts(response: Response) -> bool:
    types = response.headers.getall("Content-Type")
    return any(PARTS in value.lower() for value in types)
