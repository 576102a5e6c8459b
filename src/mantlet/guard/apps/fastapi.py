"""Read the operations of a FastAPI app from its routes.

The document that FastAPI generates can't say what pydantic accepts: ``"on"`` for a boolean, a
timestamp for a date, a set with a repeated item. So the operations are made of the routes, with the
validators that FastAPI itself calls. The document is generated only if responses are validated.

Validators of the app's models run twice, in the guard and in the app.

Nothing here imports FastAPI or Starlette: routes are known by their attributes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from mantlet.guard.apps.files import class_names
from mantlet.guard.routing.app_routes import AppRoute, AppRoutes

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
    routes: list[AppRoute]
    declared: list[FastApiRoute]
    notes: list[tuple[str, str]]
    taken: set[tuple[str, str]]


def read_routes(app: Any) -> tuple[AppRoutes, list[FastApiRoute], list[tuple[str, str]]]:
    """Return all routes of an app in their order, those with parameters, and notes on the others.

    Args:
        app: a FastAPI app.
    """
    reading = _Reading([], [], [], set())
    _read(app.router, "", reading)
    known = _version(app.router)
    routes = AppRoutes(
        tuple(reading.routes),
        slashes="both" if getattr(app.router, "redirect_slashes", False) else None,
        is_current=lambda: _version(app.router) == known,
    )
    return routes, reading.declared, reading.notes


def _version(router: Any) -> Any:
    """Return a value that changes when routes are added, also to an included router."""
    version = getattr(router, "_get_routes_version", None)
    return (len(router.routes), version() if callable(version) else None)


def _read(router: Any, prefix: str, reading: _Reading) -> None:
    """Read the routes of a router, and then the files that it serves where no route matches."""
    _read_all(router.routes, prefix, reading)
    later = [*getattr(router, "_low_priority_routes", ())]
    for route in router.routes:
        later += getattr(route, "effective_low_priority_routes", tuple)()
    for found in later:
        group = getattr(found, "original_route", found)
        base = prefix + getattr(found, "frontend_prefix", "")
        for route in getattr(group, "routes", ()):
            _read_files(base + route.path.rstrip("/"), frozenset(route.methods), reading)


def _read_files(path: str, methods: frozenset[str], reading: _Reading) -> None:
    for template in (path or "/", f"{path}/{{path:path}}"):
        reading.routes.append(AppRoute(template, methods, None, passes=True))
    reading.notes.append((path or "/", "files are served, and requests for them pass"))


def _read_all(routes: Sequence[Any], prefix: str, reading: _Reading) -> None:
    for found in routes:
        if callable(getattr(found, "effective_candidates", None)):  # an included router
            _read_all(found.effective_candidates(), prefix, reading)
            continue
        _read_one(getattr(found, "starlette_route", None) or found, prefix, reading)


def _read_one(route: Any, prefix: str, reading: _Reading) -> None:
    path = getattr(route, "path", None)
    if not isinstance(path, str):
        reading.notes.append((type(route).__name__, "this router of the app is not read"))
        return
    path = prefix + path
    if hasattr(route, "app") and hasattr(route, "routes"):  # a mounted app
        _read_mount(route, path, reading)
        return
    methods: frozenset[str] | None = None
    if "WebSocketRoute" in class_names(type(route)):
        methods = frozenset((_WEBSOCKET,))
    elif getattr(route, "methods", None):
        methods = frozenset(route.methods)
    if methods and getattr(route, "dependant", None) is not None:
        _declare(route, path, methods, reading)
    else:
        _pass(path, methods, reading)


def _declare(route: Any, path: str, methods: frozenset[str], reading: _Reading) -> None:
    template = _CONVERTER.sub(_keep_path_converter, path)
    if any((method, template) in reading.taken for method in methods):
        template = path  # another converter
    free = {method for method in methods if (method, template) not in reading.taken}
    if free:
        reading.taken.update((method, template) for method in free)
        reading.declared.append(FastApiRoute(template, frozenset(free), route))
    if free < methods:
        hidden = ", ".join(sorted(methods - free))
        reading.notes.append((f"{hidden} {path}", "an earlier route of the same path takes it"))
    reading.routes.append(AppRoute(path, methods, template if free else None))


def _keep_path_converter(match: re.Match[str]) -> str:
    return match[0] if match[2] == "path" else f"{{{match[1]}}}"


def _pass(path: str, methods: frozenset[str] | None, reading: _Reading) -> None:
    reading.routes.append(AppRoute(path, methods, None, passes=True))
    shown = ", ".join(sorted(methods or ("*",)))
    reading.notes.append((f"{shown} {path}", "it declares no parameters, so requests pass"))


def _read_mount(route: Any, path: str, reading: _Reading) -> None:
    """Read a mounted FastAPI app by its own routes; requests for any other app pass."""
    path = path.rstrip("/")
    inner = getattr(route, "_base_app", None) or route.app
    rest = f"{path}/{{path:path}}"
    if is_fastapi(inner):
        _read(inner.router, path, reading)
        reading.routes.append(AppRoute(rest, None, None))
        return
    reading.routes.append(AppRoute(rest, None, None, passes=True))
    reading.notes.append((path or "/", "another app is mounted here, and requests for it pass"))
