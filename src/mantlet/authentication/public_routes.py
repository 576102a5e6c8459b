"""`PublicRoutes`: the routes that need no credential."""

from collections.abc import Iterable

from mantlet.core.preflight import METHOD_OVERRIDE_NAMES
from mantlet.core.request import Request
from mantlet.http.routing import Routes

__all__ = ["PublicRoutes"]


class PublicRoutes:
    """The routes that need no credential.

    Args:
        patterns: of `mantlet.http.routing`; and ``"OPTIONS *"``, as the target of a request is
            written that asks about the whole server (RFC 9110, 9.3.7), for ``"OPTIONS /*"``.

    Raises:
        TypeError: the patterns are one text, or one of them is not text.
        ValueError: a pattern is malformed.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        if isinstance(patterns, str):
            raise TypeError(f"public must be a list of patterns, such as public=[{patterns!r}]")
        given = ["OPTIONS /*" if one == "OPTIONS *" else one for one in patterns]
        self._routes: Routes[bool] | None = None
        if given:
            self._routes = Routes((pattern, True) for pattern in given)

    def includes(self, request: Request) -> bool:
        """Return whether a request is on a public route, however its path and method are read."""
        routes = self._routes
        if routes is None:
            return False
        overrides = request.get_headers(METHOD_OVERRIDE_NAMES).values()
        paths = request.route_paths
        return all(
            found
            for method in (request.method, *overrides)
            for found in routes.match_all(method, paths)
        )
