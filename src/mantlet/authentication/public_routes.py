"""`PublicRoutes`: the routes that need no credential."""

import re
from collections.abc import Iterable
from typing import Final

from mantlet.core.preflight import METHOD_OVERRIDE_NAMES
from mantlet.core.request import Request
from mantlet.http.routing import Routes

__all__ = ["PublicRoutes"]

#: Slashes that may be merged; parameters of segments, escapes that are left, Windows' slashes and
#: control characters.
_AMBIGUOUS: Final = re.compile(r"//|[;%\\\x00-\x1f\x7f]")


class PublicRoutes:
    """The routes that need no credential.

    Route patterns ignore slashes at the end of a path, repeated ones and newlines, which is safe
    for a rule that restricts. The app may have another route for such a spelling, for example one
    that takes any path. So here a path has to be spelled as the pattern: with a slash at its end or
    without, with single slashes, and without characters that a proxy or an app may take for more
    than a part of a name; and the method in upper case, as methods are (RFC 9110, 9.1).

    Args:
        patterns: of `mantlet.http.routing`; and ``"OPTIONS *"``, as the target of a request is
            written that asks about the whole server (RFC 9110, 9.3.7), for ``"OPTIONS /*"``.

    Raises:
        TypeError: the patterns are one text, or one of them is not text.
        ValueError: a pattern is malformed.
    """

    __slots__ = ("_routes",)

    def __init__(self, patterns: Iterable[str]) -> None:
        if isinstance(patterns, str):
            raise TypeError(f"public must be a list of patterns, such as public=[{patterns!r}]")
        given = ["OPTIONS /*" if one == "OPTIONS *" else one for one in patterns]
        #: For each pattern, whether its path ends with a slash; None for one that ends with a rest.
        self._routes: Routes[bool | None] | None = None
        if given:
            self._routes = Routes((pattern, _has_slash(pattern)) for pattern in given)

    def includes(self, request: Request) -> bool:
        """Return whether a request is on a public route, however its path and method are read."""
        if self._routes is None:
            return False
        overrides = request.get_headers(METHOD_OVERRIDE_NAMES).values()
        paths = request.route_paths
        return all(
            _is_public(self._routes, method, path)
            for method in (request.method, *overrides)
            for path in paths
        )


def _is_public(routes: Routes[bool | None], method: str, path: str) -> bool:
    if _AMBIGUOUS.search(path) or not method.isupper():
        return False
    ends = path.endswith("/") and path != "/"
    return all(
        any(has_slash is None or has_slash == ends for has_slash, _ in found)
        for found in routes.match_all(method, (path,))
    )


def _has_slash(pattern: object) -> bool | None:
    """Return whether a pattern's path ends with a slash; None if it ends with any rest."""
    path = str(pattern)  # one that is not text is refused later
    if path.endswith(("/*", ":path}")):
        return None
    return path.endswith("/") and not path.endswith(" /")
