"""Requests that a policy does not look at, by route patterns.

A pattern that exempts requests must not do so for a path that the app takes for another one. So a
request is exempt only if its path was sent in a form that all apps read alike, if every path that
the app may take it for (`Request.route_paths`) matches a pattern, and if it does so for the method
that a header may put in its place.
"""

import re
from collections.abc import Iterable
from typing import Final

from mantlet.core.preflight import METHOD_OVERRIDE_NAMES
from mantlet.core.request import Request
from mantlet.http.routing import Routes

__all__ = ["Exemptions"]

#: What apps, and servers before them, read in different ways: escapes, repeated slashes, dot
#: segments, parameters of segments, backslashes, and a path that does not begin with a slash.
_AMBIGUOUS: Final = re.compile(rb"%|//|/\.{1,2}(?:/|$)|;|\\|^(?!/)")


class Exemptions:
    """Finds the requests that are exempt.

    Args:
        option: the option's name, for errors.
        patterns: route patterns such as ``"POST /webhooks/{name}"``.

    Raises:
        TypeError: the patterns are not a list of texts.
        ValueError: a pattern is malformed.

    Attributes:
        any: whether there are any patterns.
    """

    __slots__ = ("_routes", "any")

    def __init__(self, option: str, patterns: Iterable[str]) -> None:
        if isinstance(patterns, str | bytes) or not isinstance(patterns, Iterable):
            raise TypeError(f'{option} must be a list such as ["POST /hooks"], not {patterns!r}')
        texts = tuple(patterns)
        self.any = bool(texts)
        self._routes = Routes((text, text) for text in texts)

    def covers(self, request: Request) -> bool:
        """Return whether a request is exempt."""
        if not self.any or _AMBIGUOUS.search(request.raw_path):
            return False
        methods = request.method, *request.get_headers(METHOD_OVERRIDE_NAMES).values()
        readings = [
            found
            for method in methods
            for found in self._routes.match_all(method, request.route_paths)
        ]
        has_slash = request.raw_path.endswith(b"/")
        return all(found and _ends_alike(found[0][0], has_slash) for found in readings)


def _ends_alike(pattern: str, has_slash: bool) -> bool:
    """Return whether a pattern ends with a slash if the path does; a rest may end in any way."""
    return pattern.endswith(("*", ":path}")) or pattern.endswith("/") == has_slash
