"""Get the OpenAPI document that an app generates.

Litestar documents parameters that match the rest of a path like any others; its routes tell them
apart. Of the routes that are not in the document, those without parameters pass, and so do the
app's own pages of documentation, its static files and mounted apps. The others are closed, since
nothing tells what they take. All of them are reported as warnings.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from mantlet.guard.apps import litestar, smorest
from mantlet.guard.routing.app_routes import AppRoute, AppRoutes
from mantlet.guard.routing.framework_routes import litestar_routes, werkzeug_routes

__all__ = ["AppDocument", "app_document"]

#: A converter after a parameter's name: ``{id:int}``.
_CONVERTER: Final = re.compile(r"\{([^{}:]+):([^{}]+)\}")

#: The methods of the routes that Litestar adds to each path.
_AUTOMATIC: Final = frozenset({"OPTIONS"})


class AppDocument(NamedTuple):
    """The document of an app.

    Attributes:
        root: the document.
        templates: replacements for path templates: ``{"/files/{p}": "/files/{p:path}"}``.
        warnings: routes that are not in the document: pointers and messages.
        routes: all routes of the app in its router's order, or None if they are not known.
        booleans: the texts that the app takes for booleans in parameters and forms, or None for
            those of JSON.
    """

    root: Mapping[str, Any]  # plain JSON
    templates: Mapping[str, str]
    warnings: tuple[tuple[str, str], ...]
    routes: AppRoutes | None = None
    booleans: Mapping[str, bool] | None = None


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
        litestar.adapt_document(root)
        documented = root.get("paths", {})
        routes = litestar_routes(app, documented)
        templates = dict(_rest_templates(app.routes, documented))
        return AppDocument(
            root, templates, tuple(_undocumented(routes.routes)), routes, litestar.BOOLEANS
        )
    spec = getattr(app, "spec", app)
    if callable(getattr(spec, "to_dict", None)) and hasattr(spec, "openapi_version"):
        if spec is app:
            return AppDocument(spec.to_dict(), {}, ())
        root = smorest.adapt_document(spec.to_dict())
        # flask-smorest's Api has the app that it was given.
        inner = getattr(app, "_app", None)
        is_flask = hasattr(inner, "url_map")
        known = werkzeug_routes(inner, root.get("paths", {})) if is_flask else None
        notes = tuple(_undocumented(known.routes if known else ()))
        return AppDocument(root, {}, notes, known, smorest.BOOLEANS)
    raise TypeError(
        "from_app() needs a FastAPI or Litestar app, a flask-smorest Api or an APISpec, "
        f"not {type(app).__qualname__}{_hint(app)}"
    )


def _hint(app: Any) -> str:
    """Return what to use for an app that declares nothing."""
    if not callable(app):
        return ""
    hint = (
        ", which does not declare what it takes: write contracts, and wrap it: "
        'mantlet.wrap(app, SchemaGuard({"POST /items": Item}))'
    )
    if "flask-smorest" in getattr(app, "extensions", ()):
        hint += "; or pass the Api of flask-smorest instead of its app"
    return hint


# Any: Litestar's routes.
def _rest_templates(
    routes: Iterable[Any], documented: Mapping[str, Any]
) -> Iterable[tuple[str, str]]:
    """Iterate over the documented paths whose parameter takes the rest of the path."""
    for route in routes:
        plain = _CONVERTER.sub(r"{\1}", route.path)
        # Any other converter matches one segment, which the parameter's schema checks.
        path = _CONVERTER.sub(_keep_path_converter, route.path)
        if plain in documented and path != plain:
            yield plain, path


def _keep_path_converter(match: re.Match[str]) -> str:
    return match[0] if match[2] == "path" else f"{{{match[1]}}}"


def _undocumented(routes: Iterable[AppRoute]) -> Iterable[tuple[str, str]]:
    for route in routes:
        if route.template is not None or route.methods == _AUTOMATIC:
            continue
        path = _CONVERTER.sub(_keep_path_converter, route.path)
        name = f"{','.join(sorted(route.methods or ('*',)))} {path}"
        message = f"{name} is not in the app's document"
        if route.passes:
            message += ": requests for it pass"
        else:
            message += f', so it is closed; a contract, or exempt=["{name}"], opens it'
        yield name, message
