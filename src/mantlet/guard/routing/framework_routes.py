"""Read the routes of apps whose documents do not tell in which order their routers try them.

Nothing here imports a framework: routes are known by their attributes.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any, Final

from mantlet.guard.options import WEBSOCKET_METHOD
from mantlet.guard.routing.app_routes import AppRoute, AppRoutes
from mantlet.http.routing.werkzeug_rules import TriedRule, tried_rules

__all__ = ["litestar_routes", "werkzeug_routes"]

_CONVERTER: Final = re.compile(r"\{([^{}:]+):[^{}]+\}")
#: The module of the handlers of OPTIONS that Litestar makes.
_AUTOMATIC_OPTIONS: Final = "litestar.routes.http"
#: The parameters of Litestar's handlers that are no input of their own.
_LITESTAR_REQUEST: Final = frozenset(
    {"request", "socket", "scope", "state", "connection_lifespan_dependencies"}
)


# -- Litestar -------------------------------------------------------------------------------------


# Any: an app's class is the framework's.
def litestar_routes(app: Any, documented: Collection[str]) -> AppRoutes:
    """Return the routes of a Litestar app.

    Args:
        app: the app.
        documented: the paths of its document.
    """
    routes = [one for route in app.routes for one in _litestar_route(route, documented)]
    return AppRoutes(tuple(routes), order="litestar")


def _litestar_route(route: Any, documented: Collection[str]) -> Iterator[AppRoute]:
    kind = type(route).__name__
    if kind == "HTTPRoute":
        template = _CONVERTER.sub(r"{\1}", route.path)
        for handler in route.route_handlers:
            methods = frozenset(handler.http_methods)
            if template in documented and handler.include_in_schema:
                yield AppRoute(route.path, methods, template)
            else:
                yield AppRoute(route.path, methods, None, passes=_takes_nothing(handler))
    elif kind == "WebSocketRoute":
        passes = _takes_nothing(route.route_handler)
        yield AppRoute(route.path, frozenset((WEBSOCKET_METHOD,)), None, passes=passes)
    else:
        is_mount = bool(route.route_handler.is_mount)
        yield AppRoute(route.path, None, None, passes=True, is_prefix=is_mount)


def _takes_nothing(handler: Any) -> bool:
    """Return whether a handler declares no parameters, or is one of Litestar's own.

    Its own ones serve the pages of documentation and static files.
    """
    module = handler.fn.__module__
    if module == _AUTOMATIC_OPTIONS:
        return False
    is_own = module.partition(".")[0] == "litestar" and "websocket" not in module
    return is_own or handler.parsed_fn_signature.parameters.keys() <= _LITESTAR_REQUEST


# -- Werkzeug -------------------------------------------------------------------------------------


def werkzeug_routes(app: Any, documented: Collection[str]) -> AppRoutes | None:
    """Return the rules of a Flask or Quart app in the order in which Werkzeug tries them.

    Where rules have several hosts or subdomains, those of the one that has the documented rules are
    read, and requests for the others are a 404.

    Args:
        app: the app, with its ``url_map``.
        documented: the paths of its document.

    Returns:
        None if the rules are not known.
    """
    url_map = app.url_map
    found = tried_rules(url_map)
    if found is None:
        return None
    rules = list(url_map.iter_rules())
    tried = [(_domain(one.rule), _route(one, documented)) for one in found]
    domains = Counter(domain for domain, _ in tried)
    own = Counter(domain for domain, route in tried if route.template is not None)
    home = (own or domains).most_common(1)[0][0] if domains else ""
    return AppRoutes(
        tuple(route for domain, route in tried if domain == home),
        slashes="append",
        is_current=lambda: sum(1 for _ in url_map.iter_rules()) == len(rules),
        others=(partial(_is_elsewhere, app, home),) if len(domains) > 1 else (),
        others_come_first=len(domains) > 1,
    )


def _domain(rule: Any) -> str:
    return (rule.host if rule.map.host_matching else rule.subdomain) or ""


def _is_elsewhere(app: Any, home: str, environ: Any) -> bool:
    """Return whether a request is for another host or subdomain, as the app sees it."""
    if "REQUEST_METHOD" not in environ:
        return True  # an adapter around the app hides what it sees
    try:
        adapter = app.create_url_adapter(app.request_class(environ, populate_request=False))
    except Exception:  # noqa: BLE001  # whatever is wrong with the host
        return True
    domain = adapter.server_name if adapter.map.host_matching else adapter.subdomain
    return (domain or "") != home


def _route(tried: TriedRule, documented: Collection[str]) -> AppRoute:
    rule, path, shown, expression = tried
    methods = None if rule.methods is None else frozenset(rule.methods)
    template = path if path in documented else None
    serves_files = rule.endpoint.rpartition(".")[2] == "static"
    return AppRoute(
        shown,
        frozenset((WEBSOCKET_METHOD,)) if rule.websocket else methods,
        template,
        passes=template is None and (serves_files or not rule.arguments),
        expression=expression,
    )
