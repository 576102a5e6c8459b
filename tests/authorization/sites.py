"""The same small site in every framework, with its hidden part or without it."""

from __future__ import annotations

from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import django
import falcon
import falcon.asgi
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path as django_path
from fastapi import FastAPI
from flask import Flask, request
from litestar import Litestar
from litestar.handlers import route as litestar_route
from quart import Quart
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Mount, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Routes that all sites have, and those of the hidden part.
SHOWN: Final = ("/orders", "/orders/{id}")
HIDDEN: Final = ("/admin/users", "/admin/users/{id}", "/admin/{page}/edit", "/api/admin/{id}")
METHODS: Final = ["GET", "POST"]

# Any: the frameworks' own apps, requests and parameters.
App = Any


def paths(*, full: bool) -> tuple[str, ...]:
    """Return the paths of a site."""
    return (*SHOWN, *HIDDEN) if full else SHOWN


def _angles(path: str) -> str:
    return path.replace("{", "<").replace("}", ">")


def _flask_like(app: Any, full: bool, view: Callable[..., Any]) -> App:
    for path in paths(full=full):
        app.add_url_rule(_angles(path), path, view, methods=METHODS)
    return app


@contextmanager
def flask(full: bool) -> Iterator[App]:
    """A site of Flask."""
    yield _flask_like(Flask("site"), full, lambda **_: "shown")


@contextmanager
def flask_pages(full: bool) -> Iterator[App]:
    """A site of Flask whose page for unknown paths shows the path."""
    app = _flask_like(Flask("site"), full, lambda **_: "shown")

    def not_found(_error: Any) -> Any:
        page = {"path": request.path, "url": request.url}
        return page, 404, {"X-Path": request.path, "Link": f"<{request.path}>; rel=self"}

    app.register_error_handler(404, not_found)
    yield app


@contextmanager
def quart(full: bool) -> Iterator[App]:
    """A site of Quart."""

    async def view(**_: str) -> str:
        return "shown"

    yield _flask_like(Quart("site"), full, view)


def _starlette_routes(full: bool) -> list[Any]:
    async def view(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("shown")

    return [Route(path, view, methods=METHODS) for path in paths(full=full)]


@contextmanager
def starlette(full: bool) -> Iterator[App]:
    """A site of Starlette."""
    yield Starlette(routes=_starlette_routes(full))


@contextmanager
def starlette_compressed(full: bool) -> Iterator[App]:
    """A site of Starlette with long, compressed pages for unknown paths."""

    async def not_found(_request: Any, _error: Exception) -> HTMLResponse:
        return HTMLResponse("<p>nothing here</p>" * 100, 404)

    app = Starlette(routes=_starlette_routes(full), exception_handlers={404: not_found})
    app.add_middleware(GZipMiddleware)
    yield app


@contextmanager
def starlette_mounts(full: bool) -> Iterator[App]:
    """A site of Starlette with an app of FastAPI below it, which answers unknown paths itself."""
    inner = FastAPI(openapi_url=None)

    def view() -> str:
        return "shown"

    inner.add_api_route("/other", view)
    if full:
        inner.add_api_route("/admin/{id}", view, methods=METHODS)
    yield Starlette(routes=[Mount("/api", inner), *_starlette_routes(full)])


@contextmanager
def fastapi(full: bool) -> Iterator[App]:
    """A site of FastAPI."""
    app = FastAPI()
    for path in paths(full=full):
        app.add_api_route(path, lambda: "shown", methods=METHODS)
    yield app


@contextmanager
def litestar(full: bool) -> Iterator[App]:
    """A site of Litestar."""

    def endpoint(path: str) -> Any:
        path = path.replace("}", ":str}")

        @litestar_route(path, http_method=["GET", "POST"], sync_to_thread=False)
        def view() -> str:
            return "shown"

        return view

    yield Litestar([endpoint(path) for path in paths(full=full)], logging_config=None)


def _falcon(app: Any, resource: Any, full: bool) -> App:
    for path in paths(full=full):
        app.add_route(path, resource)
    return app


@contextmanager
def falcon_wsgi(full: bool) -> Iterator[App]:
    """A site of Falcon under WSGI."""

    class Resource:
        def on_get(self, _request: Any, response: Any, **_: str) -> None:
            response.text = "shown"

        on_post = on_get

    yield _falcon(falcon.App(), Resource(), full)


@contextmanager
def falcon_asgi(full: bool) -> Iterator[App]:
    """A site of Falcon under ASGI."""

    class Resource:
        async def on_get(self, _request: Any, response: Any, **_: str) -> None:
            response.text = "shown"

        on_post = on_get

    yield _falcon(falcon.asgi.App(), Resource(), full)


@contextmanager
def _django(full: bool, *, debug: bool = False) -> Iterator[None]:
    if not settings.configured:
        settings.configure(SECRET_KEY="of a test", USE_TZ=True)
        django.setup()

    def view(_request: Any, **_: str) -> HttpResponse:
        return HttpResponse("shown")

    urls = ModuleType("urls")
    urls.__dict__["urlpatterns"] = [
        django_path(_angles(path).lstrip("/"), view) for path in paths(full=full)
    ]
    with override_settings(
        ROOT_URLCONF=urls,
        DEBUG=debug,
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=[],
        LOGGING_CONFIG=None,
        FORCE_SCRIPT_NAME=None,
    ):
        yield


@contextmanager
def django_wsgi(full: bool) -> Iterator[App]:
    """A site of Django under WSGI."""
    with _django(full):
        yield get_wsgi_application()


@contextmanager
def django_asgi(full: bool) -> Iterator[App]:
    """A site of Django under ASGI."""
    with _django(full):
        yield get_asgi_application()


#: The sites, by name: the protocol, and a context manager of the app.
SITES: Final[dict[str, tuple[str, Callable[[bool], Any]]]] = {
    "django-asgi": ("asgi", django_asgi),
    "django-wsgi": ("wsgi", django_wsgi),
    "falcon-asgi": ("asgi", falcon_asgi),
    "falcon-wsgi": ("wsgi", falcon_wsgi),
    "fastapi": ("asgi", fastapi),
    "flask": ("wsgi", flask),
    "flask-pages": ("wsgi", flask_pages),
    "litestar": ("asgi", litestar),
    "quart": ("asgi", quart),
    "starlette": ("asgi", starlette),
    "starlette-compressed": ("asgi", starlette_compressed),
    "starlette-mounts": ("asgi", starlette_mounts),
}
