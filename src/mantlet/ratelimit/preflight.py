"""Recognize CORS preflights, which take no tokens."""

from typing import Final

from mantlet.core.request import Request
from mantlet.http.headers import HeaderNames

__all__ = ["is_preflight"]

_HEADERS: Final = HeaderNames(
    "origin",
    "access-control-request-method",
    "authorization",
    "cookie",
    "content-length",
    "transfer-encoding",
)


def is_preflight(request: Request) -> bool:
    """Return whether an OPTIONS request is a preflight as browsers send it (Fetch, 4.8).

    It names an origin and a method, and has neither credentials nor a body. So it can't act on
    behalf of anyone, and its answer is the same for everyone: CORS middlewares and frameworks give
    it before any view runs. A request with more than that is counted like any other.
    """
    headers = request.get_headers(_HEADERS)
    return (
        bool(headers.get("origin"))
        and bool(headers.get("access-control-request-method"))
        and "authorization" not in headers
        and "cookie" not in headers
        and headers.get("content-length", "0") in ("", "0")
        and "transfer-encoding" not in headers
    )
