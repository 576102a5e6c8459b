"""`ExactRoutes`: routes that a policy opens, for paths that all apps read alike.

Route patterns ignore slashes at the end of a path, repeated ones and newlines, which is safe for a
rule that restricts. For one that opens it is not: the app may have another route for such a
spelling, for example one that takes any path.
"""

import re
from collections.abc import Iterable
from typing import Final

from mantlet.core.preflight import METHOD_OVERRIDE_NAMES
from mantlet.core.request import Request
from mantlet.http.routing import Routes

__all__ = ["ExactRoutes"]

#: In a path as sent: dot segments; a beginning without a slash, but for the target ``*``; escapes
#: that nobody needs (of unreserved characters, RFC 3986, 2.3), or that readers take for more than a
#: part of a name.
_ODD: Final = re.compile(
    rb"/\.{1,2}(?:/|$)|^(?!/|\*$)|%(?:[01][0-9a-f]|2[5d-f]|3[0-9b]|[46][1-9a-f]|[57][0-9a]|5[cf]|7[ef])",
    re.IGNORECASE,
)
#: In a decoded path: slashes that may be merged, parameters of segments, escapes that are left,
#: Windows' slashes and control characters.
_AMBIGUOUS: Final = re.compile(r"//|[;%\\\x00-\x1f\x7f]")


class ExactRoutes:
    """Finds the requests that are on some routes, however their path and method are read.

    A path has to be spelled as the pattern: with a slash at its end or without, with single
    slashes, without escapes that it does not need, and without characters that a proxy or an app
    may take for more than a part of a name; and the method in upper case, as methods are (RFC 9110,
    9.1). All readings of the path (`Request.route_paths`) have to match, and so does each method
    that a header may put in its place.

    Args:
        option: the option's name, for errors.
        patterns: of `mantlet.http.routing`; and ``"OPTIONS *"``, as the target of a request is
            written that asks about the whole server (RFC 9110, 9.3.7), for ``"OPTIONS /*"``.

    Raises:
        TypeError: the patterns are not a list of texts.
        ValueError: a pattern is malformed.
    """

    __slots__ = ("_routes",)

    def __init__(self, option: str, patterns: Iterable[str]) -> None:
        if isinstance(patterns, str | bytes) or not isinstance(patterns, Iterable):
            raise TypeError(
                f'{option} must be a list of patterns such as ["GET /health"], not {patterns!r}'
            )
        given = ["OPTIONS /*" if one == "OPTIONS *" else one for one in patterns]
        #: For each pattern, whether its path ends with a slash; None for one that ends with a rest.
        self._routes: Routes[bool | None] | None = None
        if given:
            self._routes = Routes((pattern, _has_slash(pattern)) for pattern in given)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self._routes is not None

    def include(self, request: Request) -> bool:
        """Return whether a request is on one of the routes."""
        routes = self._routes
        if routes is None or _ODD.search(request.raw_path):
            return False
        overrides = request.get_headers(METHOD_OVERRIDE_NAMES).values()
        paths = request.route_paths
        return all(
            _match(routes, method, path)
            for method in (request.method, *overrides)
            for path in paths
        )


def _match(routes: Routes[bool | None], method: str, path: str) -> bool:
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
