"""The OpenAPI document that an app makes of itself.

FastAPI and Litestar write parameters that take the rest of a path like any other one; their routes
tell them apart. What the app serves beside its document is closed, so it is noted.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

__all__ = ["AppDocument", "document_of"]

#: A converter behind a parameter's name: ``{id:int}``.
_CONVERTER: Final = re.compile(r"\{([^{}:]+):([^{}]+)\}")


class AppDocument(NamedTuple):
    """What an app says of itself.

    Attributes:
        root: the document.
        templates: other names of its templates: ``{"/files/{p}": "/files/{p:path}"}``.
        notes: what the app serves that is not in the document; a pointer and words.
    """

    root: Mapping[str, Any]  # plain JSON
    templates: Mapping[str, str]
    notes: tuple[tuple[str, str], ...]


# Any: apps of frameworks that are not imported here.
def document_of(app: Any) -> AppDocument:
    """Return the document of an app of FastAPI's or Litestar's, or of apispec's ``APISpec``.

    Of flask-smorest its ``Api`` is taken, which has one.

    Raises:
        TypeError: it is none of these.
        ValueError: its document is turned off.
    """
    if callable(getattr(app, "openapi", None)) and hasattr(app, "openapi_url"):
        return _with_routes(app.openapi(), _fastapi_routes(app.routes))
    if hasattr(app, "openapi_config") and hasattr(app, "route_handler_method_map"):
        if app.openapi_config is None:
            raise ValueError("of() needs an app with a document, and this has openapi_config=None")
        return _with_routes(app.openapi_schema.to_schema(), _litestar_routes(app.routes))
    spec = getattr(app, "spec", app)
    if callable(getattr(spec, "to_dict", None)) and hasattr(spec, "openapi_version"):
        return AppDocument(spec.to_dict(), {}, ())
    raise TypeError(
        "of() needs an app of FastAPI's or Litestar's, a flask-smorest Api or an APISpec, "
        f"not {type(app).__qualname__}"
    )


class _Route(NamedTuple):
    """A route: its path with converters, and what it is."""

    path: str
    kind: str


def _with_routes(root: Mapping[str, Any], routes: Iterator[_Route]) -> AppDocument:
    paths = root.get("paths", {})
    templates: dict[str, str] = {}
    notes: list[tuple[str, str]] = []
    for path, kind in dict.fromkeys(routes):
        plain = _CONVERTER.sub(r"{\1}", path)
        if kind != "route" or plain not in paths:
            words = f"the {kind} {path!r} of the app is not in its document, so it is closed"
            notes.append(("/paths", words))
        elif path != plain:
            # Any other converter takes one segment, which the parameter's schema is for.
            templates[plain] = _CONVERTER.sub(_keep_rest, path)
    renamed = {plain: path for plain, path in templates.items() if plain != path}
    return AppDocument(root, renamed, tuple(notes))


def _keep_rest(read: re.Match[str]) -> str:
    return read[0] if read[2] == "path" else f"{{{read[1]}}}"


def _fastapi_routes(routes: Any) -> Iterator[_Route]:
    for found in routes:
        route = getattr(found, "starlette_route", None) or found
        path = getattr(route, "path", None)
        if callable(getattr(route, "effective_candidates", None)):  # an included router
            yield from _fastapi_routes(route.effective_candidates())
        elif not isinstance(path, str):
            yield _Route(type(route).__name__, "router")
        elif getattr(route, "methods", None):
            yield _Route(path, "route")
        else:
            yield _Route(path, "mounted app" if hasattr(route, "routes") else "WebSocket")


def _litestar_routes(routes: Any) -> Iterator[_Route]:
    for route in routes:
        kind = {"HTTPRoute": "route", "WebSocketRoute": "WebSocket"}.get(type(route).__name__)
        yield _Route(route.path, kind or "mounted app")
