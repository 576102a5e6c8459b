"""Requests that pass unchecked, by route patterns.

A pattern that exempts requests must not do so for a path that the app may take for another one. So
a request is exempt only if its path has the one form that all readers take alike (see
`mantlet.guard.routing.paths`), if every path that the app may take it for (`Request.route_paths`)
matches a pattern exactly, with its slashes, and if its method, and one that a header puts in its
place, is spelled as the pattern has it.
"""

import re
from collections.abc import Collection

from mantlet.core.preflight import METHOD_OVERRIDE_NAMES
from mantlet.core.request import Request
from mantlet.guard.errors import ValidationFailed
from mantlet.guard.options import WEBSOCKET_METHOD
from mantlet.guard.routing.app_routes import AppRoute
from mantlet.guard.routing.app_table import DeclaredTable
from mantlet.guard.routing.path_table import ANY_METHOD
from mantlet.guard.routing.paths import PathChecker
from mantlet.http.routing import RoutePattern, check_template, parse_pattern

__all__ = ["Exemptions"]

_STRICT = PathChecker("refuse")


class Exemptions:
    """Finds the requests that pass unchecked.

    Args:
        patterns: route patterns such as ``"GET /docs"`` and ``"* /static/*"``. ``HEAD`` follows
            ``GET``, ``WS`` is the method of WebSockets, and ``*`` is every method, WebSockets
            included.

    Raises:
        TypeError: the patterns are not a collection of texts.
        ValueError: a pattern is malformed; the message says what to write.
    """

    __slots__ = ("_table",)

    def __init__(self, patterns: Collection[str]) -> None:
        if isinstance(patterns, str):
            raise TypeError(f'exempt must be a list such as ["GET /docs"], not {patterns!r}')
        parsed = [parse_pattern(text, extra_methods=(WEBSOCKET_METHOD,)) for text in patterns]
        self._table: DeclaredTable[None] = DeclaredTable(list(map(_route, parsed)))

    def covers(self, request: Request) -> bool:
        """Return whether a request passes unchecked."""
        method = request.raw[request.method_key] if request.protocol == "http" else WEBSOCKET_METHOD
        if not self._has(method, request.route_paths[0]):
            return False
        try:
            path = _STRICT.check(request)
        except ValidationFailed:
            return False
        # A middleware of the app may take a header for the method.
        methods = {method, *request.get_headers(METHOD_OVERRIDE_NAMES).values()}
        return ";" not in path and all(
            self._has(one, reading) for reading in request.route_paths for one in methods
        )

    def _has(self, method: str, path: str) -> bool:
        found = self._table.find(path)
        if found is None:
            return False
        exempt = found[0].undeclared
        return method in exempt or (method != ANY_METHOD and ANY_METHOD in exempt)


def _route(pattern: RoutePattern) -> AppRoute:
    check_template(pattern)
    methods = None if pattern.any_method else frozenset(pattern.methods)
    if methods is not None and "GET" in methods:
        methods |= {"HEAD"}
    path, expression = pattern.path, None
    if path.endswith("/*"):
        path = f"{path[:-1]}{{rest:path}}"
    elif path.endswith(":path}"):  # a rest with a name is not empty
        literal, _, _ = path.rpartition("{")
        parts = re.split(r"\{[^{}]*\}", literal)
        expression = re.compile("([^/]+)".join(map(re.escape, parts)) + "(.+)")
    return AppRoute(path, methods, None, passes=True, expression=expression)
