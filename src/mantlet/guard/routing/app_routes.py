"""The routes of an app, in the order in which its own router tries them.

Routers disagree about which of several matching routes runs: Starlette takes the first one that is
declared and goes on past those that lack the method, Werkzeug sorts rules by weights, and Litestar
takes literals before parameters and never falls back. A guard that picks another route than the
app checks the credentials and parameters of another operation than the one that runs. So a reader
of apps hands over all routes, also those that the app's document leaves out: each of them can come
before a documented one.
"""

import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

__all__ = ["AppRoute", "AppRoutes", "RouteOrder"]

#: How a router decides between routes that match a path: the first one that also has the method
#: (``"declared"``), or literals before parameters, segment by segment and without falling back,
#: whatever their methods (``"litestar"``).
RouteOrder = Literal["declared", "litestar"]


class AppRoute(NamedTuple):
    """One route of an app.

    Attributes:
        path: its path with converters, ``"/items/{id:int}"``. The converters ``str``, ``int``,
            ``float``, ``uuid`` and ``path`` are Starlette's; any other one needs an ``expression``.
            The app that Starlette mounts at ``/sub`` is the route ``"/sub/{path:path}"``.
        methods: its methods in upper case, as the router compares them: FastAPI's routes have
            ``HEAD`` only where it is declared, Starlette's wherever there is ``GET``. ``"WS"`` for
            a WebSocket. None for all methods, WebSockets included, as with a mounted app.
        template: the path of the document that declares the operations of this very route; None if
            the document leaves it out, or describes another route of the same path and method.
        passes: whether requests for a route without a declared operation pass unchecked; else they
            are a 404.
        expression: matches exactly the paths that the router takes for this route, where the path
            alone does not tell; its groups are the parameters, in their order.
        is_prefix: whether it is for every path that begins with its path, even if no slash follows
            (the mounts of Litestar).
    """

    path: str
    methods: frozenset[str] | None
    template: str | None
    passes: bool = False
    expression: re.Pattern[str] | None = None
    is_prefix: bool = False


class AppRoutes(NamedTuple):
    """All routes of an app.

    Attributes:
        routes: the routes, the one that the router tries first being the first.
        order: how the router decides between them.
        slashes: the paths that the app redirects to others: ``"both"`` where it adds or removes the
            slash at the end (Starlette), ``"append"`` where it only adds one (Werkzeug), or None.
            Requests for them pass to the app while ``is_current`` says that no route was added.
        is_current: returns whether the app still has the routes that were read. It is called only
            for requests that the app would redirect.
        others: tell, by the scope of a request, whether the app may run it by a route that was not
            read, such as one of a host; such a request is a 404.
        others_come_first: whether such a route may precede one that was read.
    """

    routes: tuple[AppRoute, ...]
    order: RouteOrder = "declared"
    slashes: Literal["both", "append"] | None = None
    is_current: Callable[[], bool] = lambda: True
    others: tuple[Callable[[Any], bool], ...] = ()  # Any: a scope
    others_come_first: bool = False

    # Any: a scope.
    def run_by_others(self, scope: Any) -> bool:
        """Return whether the app may run a request by a route that was not read."""
        return any(runs(scope) for runs in self.others)
