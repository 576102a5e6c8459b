"""List the routes of an app, in the order in which its router tries them.

No framework is imported: apps and routes are known by their attributes. A route whose path can't be
written as a route pattern, such as one of a regular expression, is left out.
"""

import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from types import SimpleNamespace
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr
from mantlet.core.listed_routes import ListedRoute
from mantlet.core.policy import Policy
from mantlet.http.routing import METHODS, check_template, parse_pattern
from mantlet.http.routing.werkzeug_rules import tried_rules
from mantlet.integrations.app_search import kinds_of, wrapped_apps

__all__ = ["report_routes"]

#: A parameter of Starlette and Litestar, ``{id:int}``; and of Werkzeug and Django, ``<int:id>``.
_BRACES: Final = re.compile(r"\{([^{}:]+)(?::([^{}]*))?\}")
_ANGLES: Final = re.compile(r"<(?:([a-zA-Z_]\w*)(?:\([^<>]*\))?:)?([a-zA-Z_]\w*)>")
#: The expressions of converters that Starlette and Django name alike, or one of them has.
_CONVERTERS: Final = {
    "int": "[0-9]+",
    "float": r"[0-9]+(?:\.[0-9]+)?",
    "uuid": "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}",
    "path": ".*",
    "slug": "[-a-zA-Z0-9_]+",
}
#: Classes in an expression without a slash, and escaped characters; and what else may match one.
_WITHOUT_SLASH: Final = re.compile(r"\[\^[^\[\]/]*+/[^\[\]]*+\]|\[[^\[\]^/][^\[\]/]*+\]|\\[^DWS]")
_WITH_SLASH: Final = re.compile(r"[/.\[]|\\[DWS]")
# Any: converters of frameworks.
_NO_CONVERTERS: Final[Mapping[str, Any]] = {}
#: A parameter of Falcon, which may be empty if it is a whole segment.
_FALCON_SEGMENT: Final = SimpleNamespace(regex="[^/]*")
_PART: Final = SimpleNamespace(regex="[^/]+")
#: The parameters of Litestar that are no paths; it reads their values after the search.
_NOT_PATHS: Final = re.compile(r"\{([^{}:]+):(?!path\})")
#: The most levels of mounted apps, and of routes.
_MAX_DEPTH: Final = 8
_MAX_ROUTES: Final = 5000


def report_routes(app: Any, policies: Iterable[Policy]) -> None:
    """Tell policies the routes of an app, if they want to know and it is one app of a framework.

    Args:
        app: any app, wrapped or not.
        policies: the policies around it.
    """
    asking = [one for one in policies if one.sees_routes and one.mode != "off"]
    if not asking:
        return
    for one in wrapped_apps(app):
        for kind in kinds_of(one):
            if kind in _READERS:
                read, takes_first = _READERS[kind]
                try:
                    routes = list(islice(read(one), _MAX_ROUTES))
                except Exception:  # noqa: BLE001  # another version of the framework
                    return
                for policy in asking:
                    policy.check_routes(routes, takes_first=takes_first)
                return


# Any: apps and routes of frameworks.
def _werkzeug(app: Any) -> Iterator[ListedRoute]:
    for rule, _, path, expression in tried_rules(app.url_map) or ():
        pattern = _pattern(("GET",) if rule.websocket else rule.methods, path)
        if pattern is not None:
            group = f"{rule.websocket} {rule.subdomain} {rule.host}"
            yield ListedRoute(pattern, expression, group=group)


def _starlette(
    app: Any,
    prefix: str = "",
    depth: int = _MAX_DEPTH,
    outer: Mapping[str, Any] = _NO_CONVERTERS,
) -> Iterator[ListedRoute]:
    for route in safe_getattr(app, "routes") or ():
        converters = {**outer, **(safe_getattr(route, "param_convertors") or {})}
        kinds = kinds_of(route)
        path = safe_getattr(route, "path")
        included = safe_getattr(route, "original_router")
        if included is not None and depth:  # FastAPI's include_router()
            context = safe_getattr(route, "include_context")
            inner = safe_getattr(context, "prefix")
            yield from _starlette(included, prefix + (inner or ""), depth - 1, outer)
        elif ("starlette", "Host") in kinds and depth:
            for one in _starlette(route, prefix, depth - 1, outer):
                yield one._replace(group=f"{one.group} {safe_getattr(route, 'host')}")
        elif not isinstance(path, str):
            continue
        elif ("starlette", "Mount") in kinds and depth:
            mounted = safe_getattr(route, "routes")
            if mounted:
                yield from _starlette(route, prefix + path, depth - 1, converters)
            else:
                yield from _mounted(prefix + path, _BRACES, converters)
        elif ("starlette", "WebSocketRoute") in kinds:
            for one in _listed(prefix + path, ("GET",), _BRACES, converters):
                yield one._replace(group="websocket")
        else:
            yield from _listed(prefix + path, safe_getattr(route, "methods"), _BRACES, converters)


def _litestar(app: Any) -> Iterator[ListedRoute]:
    for route in sorted(app.routes, key=_litestar_order):
        methods = safe_getattr(route, "methods") or ("GET",)
        path = route.path
        if safe_getattr(safe_getattr(route, "route_handler"), "is_mount"):
            for one in _mounted(path, _BRACES):
                yield one._replace(may_pass=True)
            continue
        converters = dict.fromkeys(_NOT_PATHS.findall(path), _PART)
        for one in _listed(path, methods, _BRACES, converters):
            expression = one.expression and re.compile(f"{one.expression.pattern}/*")
            yield one._replace(expression=expression)


def _litestar_order(route: Any) -> list[int]:
    """Return the key of Litestar's search: literals, then paths, which precede parameters."""
    return [
        (1 if segment.endswith(":path}") else 2) if "{" in segment else 0
        for segment in route.path.split("/")
    ]


def _falcon(app: Any) -> Iterator[ListedRoute]:
    return _falcon_nodes(app._router._roots, {}, may_pass=False)


def _falcon_nodes(
    nodes: Iterable[Any], outer: Mapping[str, Any], *, may_pass: bool
) -> Iterator[ListedRoute]:
    # Literals, then several parts in a segment in the order in which they were added.
    for node in sorted(nodes, key=lambda one: one.is_var + (one.is_var and not one.is_complex)):
        parts = _PART if node.is_complex else _FALCON_SEGMENT
        own = {name: parts for name, kind, _ in node.var_converter_map if kind != "path"}
        if node.var_name is not None and not node.var_converter_map:
            own[node.var_name] = parts
        converters = {**outer, **own}
        passes = may_pass or bool(node.var_converter_map)
        if node.uri_template:
            methods = [
                name
                for name, responder in (node.method_map or {}).items()
                if safe_getattr(responder, "__self__") is node.resource
            ]
            for route in _listed(node.uri_template, methods, _BRACES, converters):
                yield route._replace(may_pass=passes)
        yield from _falcon_nodes(node.children, converters, may_pass=passes)


def _django(_app: Any) -> Iterator[ListedRoute]:
    return _django_patterns(sys.modules["django.urls"].get_resolver().url_patterns, "/")


def _django_patterns(
    patterns: Iterable[Any],
    prefix: str,
    depth: int = _MAX_DEPTH,
    outer: Mapping[str, Any] = _NO_CONVERTERS,
) -> Iterator[ListedRoute]:
    for one in patterns:
        if safe_getattr(one.pattern, "_route") is None:
            continue  # a regular expression
        path = prefix + str(one.pattern)
        converters = {**outer, **(safe_getattr(one.pattern, "converters") or {})}
        inner = safe_getattr(one, "url_patterns")
        if inner is not None:
            if depth:
                yield from _django_patterns(inner, path, depth - 1, converters)
            continue
        # A converter of the app's own may refuse a value, so that a later route is tried.
        is_certain = all(kinds_of(its)[0][0] == "django" for its in converters.values())
        for route in _listed(path, None, _ANGLES, converters):
            yield route._replace(may_pass=not is_certain)


def _mounted(
    path: str, syntax: re.Pattern[str], converters: Mapping[str, Any] = _NO_CONVERTERS
) -> Iterator[ListedRoute]:
    """Yield the paths of an app that is mounted at a path."""
    for route in _listed(f"{path.rstrip('/')}/{{path:path}}", None, syntax, converters):
        yield route._replace(is_mount=True)


def _listed(
    path: str,
    methods: Collection[str] | None,
    syntax: re.Pattern[str],
    converters: Mapping[str, Any] = _NO_CONVERTERS,
) -> Iterator[ListedRoute]:
    """Yield a route, if its path can be written as a route pattern.

    What comes after a parameter of several segments can't: the rest of the path stands for it.
    """
    named = _ANGLES is syntax
    template, expression, last, is_rest = "", "", 0, False
    for found in syntax.finditer(path):
        converter, name = (found[1], found[2]) if named else (found[2], found[1])
        literal, last = path[last : found.start()], found.end()
        own = safe_getattr(converters.get(name), "regex")
        value = own if isinstance(own, str) else _CONVERTERS.get(converter or "", "[^/]+")
        expression += f"{re.escape(literal)}(?:{value})"
        if not is_rest:
            is_rest = _WITH_SLASH.search(_WITHOUT_SLASH.sub("", value)) is not None
            template += f"{literal}{{{name}:path}}" if is_rest else f"{literal}{{{name}}}"
    template += "" if is_rest else path[last:]
    expression += re.escape(path[last:])
    pattern = _pattern(methods, template)
    if pattern is not None:
        yield ListedRoute(pattern, re.compile(expression))


def _pattern(methods: Collection[str] | None, path: str) -> str | None:
    """Return a route pattern, None if the path can't be written as one."""
    known = sorted(METHODS.intersection(methods or ()))
    try:
        pattern = parse_pattern(f"{','.join(known) or '*'} /{path.removeprefix('/')}")
        check_template(pattern)
    except ValueError:
        return None
    return pattern.text


_Reader = Callable[[Any], Iterator[ListedRoute]]
#: How the routes of each framework's apps are read, and whether the first that matches runs.
_READERS: Final[Mapping[tuple[str, str], tuple[_Reader, bool]]] = {
    ("django", "BaseHandler"): (_django, True),
    ("falcon", "App"): (_falcon, True),
    ("flask", "Flask"): (_werkzeug, True),
    ("litestar", "Litestar"): (_litestar, True),
    ("quart", "Quart"): (_werkzeug, True),
    ("starlette", "Router"): (_starlette, True),
    ("starlette", "Starlette"): (_starlette, True),
}
