"""Partial responses (RFC 9110, 14): what becomes of one whose body is filtered.

A filter is made for whole bodies: it can't be applied to bytes from the middle of one. So a part
that is all of the body becomes an ordinary 200, and any other is refused with a 416, after which
clients ask for the whole.
"""

import re
from typing import Final, NamedTuple

from mantlet.core.problem import Problem
from mantlet.core.response import Response

__all__ = ["PARTS", "Extent", "refused_range", "send_whole"]

#: The media type of several parts.
PARTS: Final = "multipart/byteranges"

_CONTENT_RANGE: Final = re.compile(
    r"\s*bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)\s*", re.IGNORECASE | re.ASCII
)


class Extent(NamedTuple):
    """The part of a body that a response has.

    Attributes:
        first: offset of its first byte.
        total: the size of the whole body in bytes, if known.
        is_whole: whether the part is the whole body.
    """

    first: int
    total: int | None
    is_whole: bool

    @classmethod
    def of(cls, response: Response) -> "Extent | None":
        """Return the extent of a 206 by its ``Content-Range``; None if that is invalid."""
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range") or "")
        if found is None:
            return None
        first, last = int(found[1]), int(found[2])
        total = None if found[3] == "*" else int(found[3])
        return cls(first, total, first == 0 and total == last + 1)


def refused_range(extent: Extent | None) -> Problem:
    """Return the response to a range that can't be sent (RFC 9110, 15.5.17)."""
    total = "*" if extent is None or extent.total is None else extent.total
    return Problem(
        416,
        detail="This resource is sent as a whole only.",
        headers={"Content-Range": f"bytes */{total}", "Accept-Ranges": "none"},
    )


def send_whole(response: Response) -> None:
    """Make a 206 with all of a body a 200; one that is not a part of anything stays.

    Raises:
        Problem: it is a part of a body, or several.
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
