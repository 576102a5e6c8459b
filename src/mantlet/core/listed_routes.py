"""`ListedRoute`: a route of the app, as its own router has it."""

import re
from typing import NamedTuple

__all__ = ["ListedRoute"]


class ListedRoute(NamedTuple):
    """A route of the app.

    Attributes:
        pattern: its route pattern, such as ``"GET,HEAD /users/{id}"``; ``*`` is every method.
        expression: matches the paths that the router takes for it, beginning with a slash; None if
            the pattern tells.
        is_mount: whether another app, whose routes are unknown, has all paths of the pattern.
        group: the requests that the router tries it for, such as those of a host, or WebSockets.
            Of each group, the first route that matches runs.
        may_pass: whether the router may try later routes although the path matches, since a
            converter refuses the value.
    """

    pattern: str
    expression: re.Pattern[str] | None = None
    is_mount: bool = False
    group: str = ""
    may_pass: bool = False
