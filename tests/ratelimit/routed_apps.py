"""The same endpoints in every framework, each of which reports that it was reached."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal

import a2wsgi
import django
import falcon
import falcon.asgi
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path as django_path
from django.urls import re_path
from fastapi import FastAPI
from flask import Flask
from hypercorn.middleware.dispatcher import AsyncioDispatcherMiddleware
from litestar import Litestar
from litestar import asgi as litestar_asgi
from litestar.handlers import route as litestar_route
from litestar.response import Response as LitestarResponse
from quart import Quart
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from werkzeug.middleware.dispatcher import DispatcherMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from mantlet._internal.asgi_types import Receive, Scope, Send

#: The endpoints: their methods and templates.
ENDPOINTS: Final[dict[str, tuple[Literal["GET", "POST"], str]]] = {
    "login": ("POST", "/login"),
    "user": ("GET", "/users/{id}"),
    "reset": ("POST", "/users/{id}/reset"),
    "file": ("GET", "/files/{file:path}"),
    "tenant": ("POST", "/{tenant}/login"),
}

# Any: the frameworks' own apps.
App = Any
Reached = list[str]


def templates(prefix: str = "") -> dict[str, str]:
    """Return the pattern of each endpoint's rule, for an app that is mounted at a prefix."""
    return {name: f"{method} {prefix}{path}" for name, (method, path) in ENDPOINTS.items()}


# -- ASGI -----------------------------------------------------------------------------------------


def starlette_routes(reached: Reached) -> list[Route]:
    """Return the endpoints as routes of Starlette."""

    def endpoint(name: str) -> Callable[..., Any]:
        async def respond(_request: Any) -> PlainTextResponse:
            reached.append(name)
            return PlainTextResponse(name)

        return respond

    return [
        Route(path, endpoint(name), methods=[method]) for name, (method, path) in ENDPOINTS.items()
    ]


@contextmanager
def starlette(reached: Reached) -> Iterator[App]:
    """An app of Starlette."""
    yield Starlette(routes=starlette_routes(reached))


@contextmanager
def starlette_mount(reached: Reached) -> Iterator[App]:
    """An app that Starlette mounts."""
    yield Starlette(routes=[Mount("/sub", Starlette(routes=starlette_routes(reached)))])


def fastapi_app(reached: Reached, root_path: str = "") -> FastAPI:
    """Return an app of FastAPI."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # FastAPI advises against the option
        app = FastAPI(root_path=root_path, openapi_url=None)
    app.router.routes.extend(starlette_routes(reached))
    return app


@contextmanager
def fastapi(reached: Reached, root_path: str = "") -> Iterator[App]:
    """An app of FastAPI."""
    yield fastapi_app(reached, root_path)


@contextmanager
def fastapi_mount(reached: Reached, path: str, root_path: str) -> Iterator[App]:
    """An app of FastAPI with a root path of its own, mounted in another."""
    yield Starlette(routes=[Mount(path, fastapi_app(reached, root_path))])


@contextmanager
def fastapi_hidden(reached: Reached) -> Iterator[App]:
    """An app of FastAPI with a root path of its own, in two wrappers."""
    inner = fastapi_app(reached, "/api")

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        await inner({**scope}, receive, send)

    yield partial(middleware)


@contextmanager
def quart(reached: Reached) -> Iterator[App]:
    """An app of Quart."""
    app = Quart("app")
    for name, (method, path) in ENDPOINTS.items():

        async def respond(name: str = name, **_: str) -> str:
            reached.append(name)
            return name

        app.add_url_rule(_flask_path(path), name, respond, methods=[method])
    yield app


@contextmanager
def litestar(reached: Reached, path: str = "/") -> Iterator[App]:
    """An app of Litestar."""

    def endpoint(name: str) -> Any:
        method, template = ENDPOINTS[name]
        template = template.replace("{id}", "{id:str}").replace("{tenant}", "{tenant:str}")

        @litestar_route(template, http_method=method, name=name, sync_to_thread=False)
        def respond() -> LitestarResponse[str]:
            reached.append(name)
            return LitestarResponse(name, media_type="text/plain")

        return respond

    yield Litestar(
        [endpoint(name) for name in ENDPOINTS], path=path, openapi_config=None, logging_config=None
    )


@contextmanager
def falcon_asgi(reached: Reached, *, strip: bool = False) -> Iterator[App]:
    """An app of Falcon under ASGI."""
    app = falcon.asgi.App()
    app.req_options.strip_url_path_trailing_slash = strip

    def resource(name: str) -> Any:
        async def respond(_self: Any, _request: Any, response: Any, **_: str) -> None:
            reached.append(name)
            response.text = name

        return type("Resource", (), {f"on_{ENDPOINTS[name][0].lower()}": respond})()

    for name, (_, path) in ENDPOINTS.items():
        app.add_route(path, resource(name))
    yield app


@contextmanager
def django_asgi(reached: Reached, script_name: str | None = None) -> Iterator[App]:
    """An app of Django under ASGI."""
    with _django(reached, script_name):
        yield get_asgi_application()


@contextmanager
def django_channels(reached: Reached) -> Iterator[App]:
    """An app of Django with ``FORCE_SCRIPT_NAME``, in the routers of channels."""
    with _django(reached, "/api"):
        yield ProtocolTypeRouter({"http": get_asgi_application()})


@contextmanager
def channels_http(reached: Reached) -> Iterator[App]:
    """The router of channels, which also takes HTTP."""

    def endpoint(name: str) -> Any:
        method, _ = ENDPOINTS[name]

        async def respond(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["method"] == method:
                reached.append(name)
            await PlainTextResponse(name)(scope, receive, send)

        return respond

    yield URLRouter(
        [django_path(_django_path(path), endpoint(name)) for name, (_, path) in ENDPOINTS.items()]
    )


@contextmanager
def flask_in_asgi(reached: Reached) -> Iterator[App]:
    """An app of Flask in an adapter for ASGI, mounted in Starlette."""
    with flask(reached) as app:
        adapter: App = a2wsgi.WSGIMiddleware(app)
        yield Starlette(routes=[Mount("/sub", adapter)])


@contextmanager
def litestar_mount(reached: Reached, inner: Any) -> Iterator[App]:
    """An app that Litestar mounts."""
    with inner(reached) as app:

        @litestar_asgi("/sub", is_mount=True, copy_scope=True)
        async def mounted(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)

        yield Litestar([mounted], openapi_config=None, logging_config=None)


@contextmanager
def hypercorn_mount(reached: Reached, inner: Any) -> Iterator[App]:
    """An app that the dispatcher of Hypercorn mounts."""
    with inner(reached) as app:
        yield AsyncioDispatcherMiddleware({"/sub": app})


@contextmanager
def files(_reached: Reached, directory: Path) -> Iterator[App]:
    """The files of a directory."""
    yield Starlette(routes=[Mount("/static", StaticFiles(directory=directory))])


# -- WSGI -----------------------------------------------------------------------------------------


@contextmanager
def flask(reached: Reached, root: str = "/") -> Iterator[App]:
    """An app of Flask."""
    app = Flask("app")
    app.config["APPLICATION_ROOT"] = root
    for name, (method, path) in ENDPOINTS.items():

        def respond(name: str = name, **_: str) -> str:
            reached.append(name)
            return name

        app.add_url_rule(_flask_path(path), name, respond, methods=[method])
    yield app


@contextmanager
def flask_mount(reached: Reached) -> Iterator[App]:
    """An app of Flask that Werkzeug mounts."""
    with flask(reached) as app:
        yield DispatcherMiddleware(Flask("other"), {"/sub": app})


@contextmanager
def falcon_wsgi(reached: Reached, *, strip: bool = False) -> Iterator[App]:
    """An app of Falcon under WSGI."""
    app = falcon.App()
    app.req_options.strip_url_path_trailing_slash = strip

    def resource(name: str) -> Any:
        def respond(_self: Any, _request: Any, response: Any, **_: str) -> None:
            reached.append(name)
            response.text = name

        return type("Resource", (), {f"on_{ENDPOINTS[name][0].lower()}": respond})()

    for name, (_, path) in ENDPOINTS.items():
        app.add_route(path, resource(name))
    yield app


@contextmanager
def django_wsgi(reached: Reached, script_name: str | None = None) -> Iterator[App]:
    """An app of Django under WSGI."""
    with _django(reached, script_name):
        yield get_wsgi_application()


@contextmanager
def fastapi_in_wsgi(reached: Reached) -> Iterator[App]:
    """An app of FastAPI with a root path of its own, in an adapter for WSGI."""
    app: App = fastapi_app(reached, "/api")
    yield a2wsgi.ASGIMiddleware(app)


# -- all of them ----------------------------------------------------------------------------------


@contextmanager
def _django(reached: Reached, script_name: str | None) -> Iterator[None]:
    if not settings.configured:
        settings.configure(SECRET_KEY="of a test", USE_TZ=True)
        django.setup()

    def endpoint(name: str) -> Callable[..., HttpResponse]:
        method, _ = ENDPOINTS[name]

        def view(request: Any, **_: str) -> HttpResponse:
            if request.method != method:
                return HttpResponse(status=405)
            reached.append(name)
            return HttpResponse(name)

        return view

    urls = ModuleType("urls")
    urls.__dict__["urlpatterns"] = [
        # The dollar also matches before a newline.
        re_path(r"^login/?$", endpoint("login")),
        *(
            django_path(_django_path(path), endpoint(name))
            for name, (_, path) in ENDPOINTS.items()
            if name != "login"
        ),
    ]
    with override_settings(
        ROOT_URLCONF=urls,
        DEBUG=False,
        MIDDLEWARE=[],
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=[],
        LOGGING_CONFIG=None,
        FORCE_SCRIPT_NAME=script_name,
    ):
        yield


def _flask_path(path: str) -> str:
    return path.replace("{file:path}", "<path:file>").replace("{", "<").replace("}", ">")


def _django_path(path: str) -> str:
    return _flask_path(path).lstrip("/")


def variants(directory: Path) -> Mapping[str, tuple[str, Any, Mapping[str, str]]]:
    """Return the apps by name: the protocol, the app, and the patterns of the endpoints' rules."""
    own, sub = templates(), templates("/sub")
    return {
        "starlette": ("asgi", starlette, own),
        "starlette-mount": ("asgi", starlette_mount, sub),
        "fastapi": ("asgi", fastapi, own),
        "fastapi-root": ("asgi", partial(fastapi, root_path="/api"), own),
        "fastapi-root-slash": ("asgi", partial(fastapi, root_path="/api/"), own),
        "fastapi-root-mount": (
            "asgi",
            partial(fastapi_mount, path="/", root_path="/api"),
            own,
        ),
        "fastapi-root-same": (
            "asgi",
            partial(fastapi_mount, path="/sub", root_path="/sub"),
            sub,
        ),
        "fastapi-hidden": ("asgi", fastapi_hidden, own),
        "quart": ("asgi", quart, own),
        "litestar": ("asgi", litestar, own),
        "litestar-path": ("asgi", partial(litestar, path="/api"), templates("/api")),
        "falcon-asgi": ("asgi", falcon_asgi, own),
        "falcon-asgi-strip": ("asgi", partial(falcon_asgi, strip=True), own),
        "django-asgi": ("asgi", django_asgi, own),
        "django-asgi-forced": ("asgi", partial(django_asgi, script_name="/api"), own),
        "django-channels": ("asgi", django_channels, own),
        "channels": ("asgi", channels_http, own),
        "flask-in-asgi": ("asgi", flask_in_asgi, sub),
        "litestar-mount-quart": ("asgi", partial(litestar_mount, inner=quart), sub),
        "litestar-mount-starlette": ("asgi", partial(litestar_mount, inner=starlette), sub),
        "litestar-mount-falcon": ("asgi", partial(litestar_mount, inner=falcon_asgi), sub),
        "hypercorn-mount-quart": ("asgi", partial(hypercorn_mount, inner=quart), sub),
        "hypercorn-mount-starlette": ("asgi", partial(hypercorn_mount, inner=starlette), sub),
        "hypercorn-mount-litestar": ("asgi", partial(hypercorn_mount, inner=litestar), sub),
        "files": (
            "asgi",
            partial(files, directory=directory),
            {"private": "GET /static/private/{name}"},
        ),
        "flask": ("wsgi", flask, own),
        "flask-root": ("wsgi", partial(flask, root="/api"), own),
        "flask-mount": ("wsgi", flask_mount, sub),
        "falcon-wsgi": ("wsgi", falcon_wsgi, own),
        "falcon-wsgi-strip": ("wsgi", partial(falcon_wsgi, strip=True), own),
        "django-wsgi": ("wsgi", django_wsgi, own),
        "django-wsgi-forced": ("wsgi", partial(django_wsgi, script_name="/api"), own),
        "fastapi-in-wsgi": ("wsgi", fastapi_in_wsgi, own),
    }
