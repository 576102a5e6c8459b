"""Read the operations of a FastAPI app from its routes.

The document that FastAPI generates can't say what pydantic accepts: ``"on"`` for a boolean, a
timestamp for a date, a set with a repeated item. So the operations are made of the routes, with the
validators that FastAPI itself calls. The document is generated only if responses are validated.

Validators of the app's models run twice, in the guard and in the app.

Nothing here imports FastAPI or Starlette: routes are known by their attributes.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from mantlet.guard.apps.files import class_names
from mantlet.guard.routing.app_routes import AppRoute, AppRoutes
from mantlet.guard.routing.app_table import CONVERTERS, PARAMETER_EXPRESSION

__all__ = ["FastApiRoute", "is_fastapi", "read_routes"]

_CONVERTER: Final = re.compile(r"\{([^{}:]+):([^{}]+)\}")
_WEBSOCKET: Final = "WS"


# Any: apps, routes and their parts are of classes that are not imported here.
def is_fastapi(app: Any) -> bool:
    """Return whether an app is a FastAPI app."""
    return callable(getattr(app, "openapi", None)) and hasattr(app, "openapi_url")


@dataclass(frozen=True, slots=True)
class FastApiRoute:
    """A route with declared parameters.

    Attributes:
        template: its path, with the converter ``path`` alone. No other one of these routes has both
            this template and one of its methods.
        methods: its methods.
        route: FastAPI's route, or its place in an included router.
    """

    template: str
    methods: frozenset[str]
    route: Any


@dataclass(slots=True)
class _Reading:
    routes: list[AppRoute] = field(default_factory=list)
    declared: list[FastApiRoute] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    #: The paths of methods and templates.
    taken: dict[tuple[str, str], str] = field(default_factory=dict)
    #: The routers whose routes are read.
    routers: list[Any] = field(default_factory=list)
    #: Tell whether a route that is not read matches, with the number of routes that precede it.
    others: list[tuple[int, Callable[[Any], bool]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The beginning of a router's paths.

    Attributes:
        path: with converters.
        expression: matches it; each parameter is a group with a name.
        groups: the number of these.
        is_custom: whether it has a converter that the app has registered.
        root_path: the root path that the app around the mounts sets itself.
    """

    path: str = ""
    expression: str = ""
    groups: int = 0
    is_custom: bool = False
    root_path: str = ""


def read_routes(app: Any) -> tuple[AppRoutes, list[FastApiRoute], list[tuple[str, str]]]:
    """Return all routes of an app in their order, those with parameters, and notes on the others.

    Args:
        app: a FastAPI app.
    """
    reading = _Reading()
    _read(app.router, _Prefix(root_path=getattr(app, "root_path", "")), reading)
    known = list(map(_version, reading.routers))
    routes = AppRoutes(
        tuple(reading.routes),
        slashes="both" if getattr(app.router, "redirect_slashes", False) else None,
        is_current=lambda: list(map(_version, reading.routers)) == known,
        others=tuple(runs for _, runs in reading.others),
        others_come_first=any(before < len(reading.routes) for before, _ in reading.others),
    )
    return routes, reading.declared, reading.notes


def _version(router: Any) -> Any:
    """Return a value that changes when routes are added, also to an included router."""
    version = getattr(router, "_get_routes_version", None)
    return (len(router.routes), version() if callable(version) else None)


def _read(router: Any, prefix: _Prefix, reading: _Reading) -> None:
    """Read the routes of a router, and then the files that it serves where no route matches."""
    reading.routers.append(router)
    _read_all(router.routes, prefix, reading)
    later = [*getattr(router, "_low_priority_routes", ())]
    for route in router.routes:
        later += getattr(route, "effective_low_priority_routes", tuple)()
    for found in later:
        group = getattr(found, "original_route", found)
        base = prefix.path + getattr(found, "frontend_prefix", "")
        for route in getattr(group, "routes", ()):
            _read_files(base + route.path.rstrip("/"), frozenset(route.methods), reading)


def _read_files(path: str, methods: frozenset[str], reading: _Reading) -> None:
    for template in (path or "/", f"{path}/{{path:path}}"):
        reading.routes.append(AppRoute(template, methods, None, passes=True))
    reading.notes.append((path or "/", "files are served, and requests for them pass"))


def _read_all(routes: Sequence[Any], prefix: _Prefix, reading: _Reading) -> None:
    for found in routes:
        if callable(getattr(found, "effective_candidates", None)):  # an included router
            _read_all(found.effective_candidates(), prefix, reading)
            continue
        _read_one(getattr(found, "starlette_route", None) or found, prefix, reading)


def _read_one(route: Any, prefix: _Prefix, reading: _Reading) -> None:
    path = getattr(route, "path", None)
    if not isinstance(path, str) or _matches_itself(route):
        name = getattr(route, "host", None) or type(route).__name__
        name = name if not isinstance(path, str) else prefix.path + path
        reading.notes.append((name, "it is matched by more than its path, so it is closed"))
        reading.others.append((len(reading.routes), partial(_matches, route, prefix)))
        return
    place = _below(prefix, route)
    if hasattr(route, "app") and hasattr(route, "routes"):  # a mounted app
        _read_mount(route, prefix, reading)
        return
    methods: frozenset[str] | None = None
    if "WebSocketRoute" in class_names(type(route)):
        methods = frozenset((_WEBSOCKET,))
    elif getattr(route, "methods", None):
        methods = frozenset(route.methods)
    if methods and getattr(route, "dependant", None) is not None:
        _declare(route, place, prefix.path + path, methods, reading)
    else:
        reading.routes.append(_route(place, methods, passes=True))
        shown = ", ".join(sorted(methods or ("*",)))
        note = "it declares no parameters, so requests pass"
        reading.notes.append((f"{shown} {prefix.path}{path}", note))


def _declare(
    route: Any, place: _Prefix, path: str, methods: frozenset[str], reading: _Reading
) -> None:
    taken = reading.taken
    template = _CONVERTER.sub(_keep_path_converter, path)
    if any(taken.get((method, template), path) != path for method in methods):
        # Another converter: templates only have to differ.
        template = path if path != template else PARAMETER_EXPRESSION.sub(r"{\1:str}", path)
    free = {method for method in methods if (method, template) not in taken}
    if free:
        taken.update(((method, template), path) for method in free)
        reading.declared.append(FastApiRoute(template, frozenset(free), route))
    if free < methods:
        hidden = ", ".join(sorted(methods - free))
        reading.notes.append((f"{hidden} {path}", "an earlier route of the same path takes it"))
    reading.routes.append(_route(place, methods, template if free else None))


def _keep_path_converter(match: re.Match[str]) -> str:
    return match[0] if match[2] == "path" else f"{{{match[1]}}}"


def _route(
    place: _Prefix,
    methods: frozenset[str] | None,
    template: str | None = None,
    *,
    passes: bool = False,
) -> AppRoute:
    expression = re.compile(place.expression) if place.is_custom else None
    return AppRoute(place.path, methods, template, passes, expression)


def _below(prefix: _Prefix, route: Any) -> _Prefix:
    """Return the paths of a route or a mounted app below a prefix.

    A converter that the app has registered may match anything, slashes included.
    """
    is_custom = prefix.is_custom
    expression = route.path_regex.pattern.removeprefix("^").removesuffix("$")
    for number, name in enumerate(route.param_convertors, prefix.groups):
        expression = expression.replace(f"(?P<{name}>", f"(?P<p{number}>", 1)

    def shown(match: re.Match[str]) -> str:
        nonlocal is_custom
        converter = route.param_convertors.get(match[1])
        if converter is None:  # not a name: to Starlette these are literal braces
            return match[0]
        if converter.regex == CONVERTERS.get(match[2] or "str"):
            return match[0]
        is_custom = True
        return f"{{{match[1]}:path}}"

    path = PARAMETER_EXPRESSION.sub(shown, route.path)
    return replace(
        prefix,
        path=prefix.path + path,
        expression=prefix.expression + expression,
        groups=prefix.groups + len(route.param_convertors),
        is_custom=is_custom,
    )


def _read_mount(route: Any, prefix: _Prefix, reading: _Reading) -> None:
    """Read a mounted FastAPI app by its own routes; requests for any other app pass."""
    whole = _below(prefix, route)
    whole = replace(whole, path=f"{whole.path.rstrip('/')}/{{path:path}}")
    inner = getattr(route, "_base_app", None) or route.app
    if not is_fastapi(inner):
        reading.routes.append(_route(whole, None, passes=True))
        shown = prefix.path + route.path or "/"
        reading.notes.append((shown, "another app is mounted here, and requests for it pass"))
        return
    if getattr(inner, "root_path", ""):
        reading.others.append((0, partial(_changes_root, route, inner, prefix)))
    below = replace(
        whole,
        path=whole.path.removesuffix("/{path:path}"),
        expression=whole.expression.rpartition("/(?P<")[0],
        groups=whole.groups - 1,
    )
    _read(inner.router, below, reading)
    reading.routes.append(_route(whole, None))


# -- routes that are matched by more than their paths ---------------------------------------------


def _matches_itself(route: Any) -> bool:
    """Return whether a class outside of the framework decides which requests a route matches."""
    owner = next(one for one in type(route).__mro__ if "matches" in vars(one))
    return owner.__module__.partition(".")[0] not in ("fastapi", "starlette")


def _scope(scope: Any, prefix: _Prefix) -> Any:
    """Return a scope as a router below a prefix gets it."""
    root = prefix.root_path or scope.get("root_path", "")
    return {**scope, "root_path": root + prefix.path}


def _matches(route: Any, prefix: _Prefix, scope: Any) -> bool:
    match, _ = route.matches(_scope(scope, prefix))
    return bool(match.value)  # 0 is none


def _changes_root(route: Any, inner: Any, prefix: _Prefix, scope: Any) -> bool:
    """Return whether a mounted app has a root path by which it reads another path than its own."""
    match, child = route.matches(_scope(scope, prefix))
    return bool(match.value) and child["root_path"] != inner.root_path
