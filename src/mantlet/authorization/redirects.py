"""Redirects of routers, which run no view."""

from typing import Final
from urllib.parse import unquote, urlsplit

from mantlet.core.request import Request
from mantlet.core.response import Response

__all__ = ["is_slash_redirect"]

#: The permanent ones, and Starlette's; a 302 is a view's own.
_REDIRECTS: Final = frozenset({301, 307, 308})


def is_slash_redirect(request: Request, response: Response) -> bool:
    """Return whether a response sends the client to the same path, with other slashes.

    Routers do so before any view runs: Werkzeug, Starlette and Django add a slash at the end. A
    redirect to the very path is a view's, such as one to a signed URL of another host.
    """
    if response.status not in _REDIRECTS:
        return False
    location = response.headers.get("Location") or ""
    try:
        path = unquote(urlsplit(location).path)
    except ValueError:
        return False
    return path != request.path and _segments(path) == _segments(request.path)


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]
