"""Fix redirects of an app whose paths differ from the client's (RFC 9110, 10.2.2)."""

import re
from typing import Final, NamedTuple
from urllib.parse import quote

from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.http.headers import HeaderNames

__all__ = ["Move"]

_HOST: Final = HeaderNames("Host")
#: The beginning of a reference that browsers resolve to another host (WHATWG URL, 4.4).
_NAMES_HOST: Final = re.compile(r"/[\t\n\r]*[/\\]")
_HEADERS: Final = ("Location", "Content-Location")


class Move(NamedTuple):
    """How the path of a request was changed for the app.

    Attributes:
        mount: the path that the app is mounted at, decoded; both paths begin with it.
        inner: the next part of the app's path, which names the version.
        outer: the next part of the client's path, which names the version.
    """

    mount: str
    inner: str
    outer: str

    def apply(self, request: Request, response: Response) -> None:
        """Replace the app's paths by the client's in the headers of a response.

        This changes absolute paths, and URLs of the request's own host. Relative paths are already
        right, and URLs of other hosts do not belong to the app.
        """
        headers = response.headers
        for name in _HEADERS:
            value = headers.get(name)
            if value is not None:
                changed = self._outward(request, value)
                if changed != value:
                    headers.set(name, changed)

    def _outward(self, request: Request, value: str) -> str:
        origin, path = "", value
        scheme, separator, rest = value.partition("://")
        if separator and scheme.lower() in ("http", "https"):
            host, slash, path = rest.partition("/")
            own = request.get_headers(_HOST).get("Host", "")
            if not slash or host.lower() != own.lower():
                return value
            origin, path = f"{scheme}://{host}", f"/{path}"
        elif not value.startswith("/") or value.startswith("//"):
            return value
        mount = quote(self.mount)
        start = mount + self.inner
        if not _begins(path, start) or (self.outer and _begins(path, mount + self.outer)):
            return value
        rest = path[len(start) :]
        changed = mount + self.outer + rest
        if not changed.startswith("/"):
            changed = f"/{changed}"
        return value if not origin and _NAMES_HOST.match(changed) else origin + changed


def _begins(path: str, start: str) -> bool:
    """Return whether a path begins with these whole segments."""
    return path.startswith(start) and path[len(start) : len(start) + 1] in ("", "/", "?", "#")
