"""Get the OpenAPI document that an app generates.

Litestar documents parameters that match the rest of a path like any others; its routes tell them
apart. Routes that are not in the document are closed, and reported as warnings.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from mantlet.guard.routing.app_routes import AppRoutes
from mantlet.guard.routing.framework_routes import litestar_routes, werkzeug_routes

__all__ = ["AppDocument", "app_document"]

#: A converter after a parameter's name: ``{id:int}``.
_CONVERTER: Final = re.compile(r"\{([^{}:]+):([^{}]+)\}")


class AppDocument(NamedTuple):
    """The document of an app.

    Attributes:
        root: the document.
        templates: replacements for path templates: ``{"/files/{p}": "/files/{p:path}"}``.
        warnings: routes that are not in the document: pointers and messages.
        routes: all routes of the app in its router's order, or None if they are not known.
    """

    root: Mapping[str, Any]  # plain JSON
    templates: Mapping[str, str]
    warnings: tuple[tuple[str, str], ...]
    routes: AppRoutes | None = None


# Any: apps of frameworks that are not imported here.
def app_document(app: Any) -> AppDocument:
    """Return the document of a Litestar app, a flask-smorest Api or an APISpec.

    Raises:
        TypeError: the app has another type.
        ValueError: the document of the app is turned off.
    """
    if hasattr(app, "openapi_config") and hasattr(app, "route_handler_method_map"):
        if app.openapi_config is None:
            raise ValueError(
                "from_app() needs an app with an OpenAPI document, but its openapi_config is None"
            )
        root = app.openapi_schema.to_schema()
        made = _with_routes(root, _litestar_routes(app.routes))
        return made._replace(routes=litestar_routes(app, root.get("paths", {})))
    spec = getattr(app, "spec", app)
    if callable(getattr(spec, "to_dict", None)) and hasattr(spec, "openapi_version"):
        root = spec.to_dict()
        # flask-smorest's Api has the app that it was given.
        inner = getattr(app, "_app", None)
        routes = (
            werkzeug_routes(inner, root.get("paths", {})) if hasattr(inner, "url_map") else None
        )
        return AppDocument(root, {}, (), routes)
    raise TypeError(
        "from_app() needs a FastAPI or Litestar app, a flask-smorest Api or an APISpec, "
        f"not {type(app).__qualname__}"
    )


class _AppRoute(NamedTuple):
    """A route: its path with converters, and its kind."""

    path: str
    kind: str


def _with_routes(root: Mapping[str, Any], routes: Iterator[_AppRoute]) -> AppDocument:
    paths = root.get("paths", {})
    templates: dict[str, str] = {}
    warnings: list[tuple[str, str]] = []
    for path, kind in dict.fromkeys(routes):
        plain = _CONVERTER.sub(r"{\1}", path)
        if kind != "route" or plain not in paths:
            message = f"the {kind} {path!r} of the app is not in its document, so it is closed"
            warnings.append(("/paths", message))
        elif path != plain:
            # Any other converter matches one segment, which the parameter's schema checks.
            templates[plain] = _CONVERTER.sub(_keep_path_converter, path)
    renamed = {plain: path for plain, path in templates.items() if plain != path}
    return AppDocument(root, renamed, tuple(warnings))


def _keep_path_converter(match: re.Match[str]) -> str:
    return match[0] if match[2] == "path" else f"{{{match[1]}}}"


def _litestar_routes(routes: Any) -> Iterator[_AppRoute]:
    for route in routes:
        kind = {"HTTPRoute": "route", "WebSocketRoute": "WebSocket"}.get(type(route).__name__)
        yield _AppRoute(route.path, kind or "mounted app")
