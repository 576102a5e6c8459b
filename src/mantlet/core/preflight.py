"""Recognize CORS preflights: policies let them pass, since they act on behalf of nobody."""

from typing import Final

from mantlet.core.problem import BodyTooLarge
from mantlet.core.request import Request
from mantlet.http.headers import HeaderNames

__all__ = [
    "METHOD_OVERRIDES",
    "METHOD_OVERRIDE_NAMES",
    "has_body",
    "is_preflight",
    "may_replace_method",
]

#: With one of these, a middleware inside the app may take the request for one of another method.
METHOD_OVERRIDES: Final = ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method")
#: The same for `Request.get_headers()`.
METHOD_OVERRIDE_NAMES: Final = HeaderNames(*METHOD_OVERRIDES)
_HEADERS: Final = HeaderNames(
    "origin",
    "access-control-request-method",
    "authorization",
    "cookie",
    "content-length",
    "transfer-encoding",
    *METHOD_OVERRIDES,
)


# The same in the form of each protocol.
_OVERRIDES: Final = {
    is_async: tuple(METHOD_OVERRIDE_NAMES.lower if is_async else METHOD_OVERRIDE_NAMES.keys)
    for is_async in (True, False)
}


def may_replace_method(request: Request) -> bool:
    """Return whether a request has a header of `METHOD_OVERRIDES`, at the least cost."""
    is_async = request.is_async
    first, second, third = _OVERRIDES[is_async]
    names = dict(request.raw["headers"]) if is_async else request.raw
    return first in names or second in names or third in names


def is_preflight(request: Request) -> bool:
    """Return whether an OPTIONS request is a preflight as browsers send it (Fetch, 4.8).

    It names an origin and a method, and has neither credentials, a body, nor a header that replaces
    its method. So it can't act on behalf of anyone, and its answer is the same for everyone: CORS
    middlewares and frameworks give it before any view runs. A request with more than that is one
    like any other.

    Only the headers are looked at: under HTTP/2 they need not tell of a body. See `has_body()`.
    """
    headers = request.get_headers(_HEADERS)
    return (
        bool(headers.get("origin"))
        and bool(headers.get("access-control-request-method"))
        and "authorization" not in headers
        and "cookie" not in headers
        and headers.get("content-length", "0") in ("", "0")
        and "transfer-encoding" not in headers
        and headers.keys().isdisjoint(METHOD_OVERRIDES)
    )


async def has_body(request: Request) -> bool:
    """Return whether a request has a body, by waiting for its first bytes or its end.

    HTTP/2 and HTTP/3 need neither ``Content-Length`` nor ``Transfer-Encoding`` for one (RFC 9113,
    8.1).
    """
    try:
        await request.body(0)
    except BodyTooLarge:
        return True
    return False
