"""Unchanged apps of every framework get the version in their path or their header."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import django
import falcon
import falcon.asgi
import fastapi
import flask
import litestar
import pytest
import quart
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path as django_path
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

import mantlet
from mantlet import Version, Versions
from mantlet.versions import header, path
from tests.drive import drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request as StarletteRequest
    from starlette.websockets import WebSocket

    from mantlet._internal.asgi_types import AsgiApp, Receive, Scope, Send

pytestmark = pytest.mark.breaks_rules("Django sends fields in any case under ASGI")

VERSIONS = {"1": Version(deprecated="2026-01-01"), "2": Version()}
#: Paths that every app has; each answers with its own one and the header that the app gets.
PATHS = ("/v1/items", "/v2/items", "/items")


def said(where: str, sent: str | None) -> str:
    """Return the answer of an app: its route, and the version in the header that it gets."""
    return f"{where} {sent}"


def flask_app() -> flask.Flask:
    """Return an app of Flask."""
    app = flask.Flask(__name__)

    def respond() -> str:
        return said(str(flask.request.url_rule), flask.request.headers.get("API-Version"))

    for one in PATHS:
        app.add_url_rule(one, one.replace("/", "-"), respond)
    return app


def quart_app() -> quart.Quart:
    """Return an app of Quart."""
    app = quart.Quart(__name__)

    async def respond() -> str:
        return said(str(quart.request.url_rule), quart.request.headers.get("API-Version"))

    for one in PATHS:
        app.add_url_rule(one, one.replace("/", "-"), respond)
    return app


async def respond_by_path(request: StarletteRequest) -> PlainTextResponse:
    """Respond, in Starlette and FastAPI."""
    return PlainTextResponse(said(request.url.path, request.headers.get("API-Version")))


def starlette_app() -> Starlette:
    """Return an app of Starlette."""
    return Starlette(routes=[Route(one, respond_by_path) for one in PATHS])


def fastapi_app() -> fastapi.FastAPI:
    """Return an app of FastAPI."""
    app = fastapi.FastAPI()
    for one in PATHS:
        app.add_route(one, respond_by_path)
    return app


def litestar_app() -> litestar.Litestar:
    """Return an app of Litestar."""

    @litestar.get(list(PATHS), sync_to_thread=False, media_type="text/plain")
    def respond(request: litestar.Request[Any, Any, Any]) -> str:
        return said(request.url.path, request.headers.get("API-Version"))

    return litestar.Litestar([respond], openapi_config=None)


class Resource:
    """A resource of Falcon under WSGI."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Respond."""
        resp.text = said(str(req.uri_template), req.get_header("API-Version"))


class AsyncResource:
    """A resource of Falcon under ASGI."""

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Respond."""
        resp.text = said(str(req.uri_template), req.get_header("API-Version"))


def falcon_app(app: Any, resource: Any) -> Any:
    """Return an app of Falcon."""
    for one in PATHS:
        app.add_route(one, resource)
    return app


def view(request: HttpRequest) -> HttpResponse:
    """Respond, in Django."""
    return HttpResponse(said(request.path, request.headers.get("API-Version")))


urlpatterns = [django_path(one[1:], view) for one in PATHS]


@contextmanager
def django_app(make: Any) -> Iterator[Any]:
    """An app of Django."""
    if not settings.configured:
        settings.configure(SECRET_KEY="of a test", USE_TZ=True)
        django.setup()
    with override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], MIDDLEWARE=[]):
        yield make()


def bare_wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Respond, without a framework."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [said(environ["PATH_INFO"], environ.get("HTTP_API_VERSION")).encode()]


async def bare_asgi(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond, without a framework."""
    sent = dict(scope["headers"]).get(b"api-version")
    body = said(scope["path"], sent and sent.decode()).encode()
    fields = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


MAKERS: dict[str, Any] = {
    "flask": flask_app,
    "falcon-wsgi": lambda: falcon_app(falcon.App(), Resource()),
    "bare-wsgi": lambda: bare_wsgi,
    "quart": quart_app,
    "starlette": starlette_app,
    "fastapi": fastapi_app,
    "litestar": litestar_app,
    "falcon-asgi": lambda: falcon_app(falcon.asgi.App(), AsyncResource()),
    "bare-asgi": lambda: bare_asgi,
}
WSGI = ("flask", "falcon-wsgi", "bare-wsgi", "django-wsgi")


@contextmanager
def app_of(name: str) -> Iterator[Any]:
    """An app of a framework."""
    if name.startswith("django"):
        make = get_wsgi_application if name == "django-wsgi" else get_asgi_application
        with django_app(make) as app:
            yield app
    else:
        yield MAKERS[name]()


@pytest.mark.parametrize("name", [*MAKERS, "django-wsgi", "django-asgi"])
@pytest.mark.parametrize("forward", ["nothing", "path", "header"])
def test_an_unchanged_app(name: str, forward: str) -> None:
    """Serves each version to clients that ask in the path, in a header, and not at all."""
    in_path, in_header = path("/v{version}"), header("API-Version")
    forwards: dict[str, Any] = {"nothing": None, "path": in_path, "header": in_header}
    policy = Versions(VERSIONS, read=[in_path, in_header], default="2", forward=forwards[forward])
    drive = drive_wsgi if name in WSGI else drive_asgi
    expected = {
        "nothing": ["/v1/items None", "/items 1", "/items None"],
        "path": ["/v1/items None", "/v1/items 1", "/v2/items None"],
        "header": ["/items 1", "/items 1", "/items 2"],
    }[forward]
    host = ("Host", "app.example")
    with app_of(name) as inner:
        app = mantlet.wrap(inner, policy)
        answers = [
            drive(app, path="/v1/items", headers=[host]),
            drive(app, path="/items", headers=[host, ("API-Version", "1")]),
            drive(app, path="/items", headers=[host]),
        ]
        unknown = drive(app, path="/v9/items", headers=[host])
        missing = drive(app, path="/v1/missing", headers=[host])
    assert [one.body.decode() for one in answers] == expected
    assert [one.get("api-version") for one in answers] == ["1", "1", "2"]
    assert [one.get("deprecation") for one in answers] == ["@1767225600", "@1767225600", None]
    assert unknown.status == 404
    assert unknown.json()["supported_versions"] == ["1", "2"]
    if not name.startswith("bare"):  # these have no routes
        assert (missing.status, missing.get("api-version")) == (404, "1")
    assert {one.get("api-supported-versions") for one in (*answers, unknown, missing)} == {"1, 2"}


# -- mounted apps ----------------------------------------------------------------------------------


class Marking:
    """A middleware of the app, which leaves a mark."""

    def __init__(self, app: AsgiApp, mark: str) -> None:
        self.app = app
        self.mark = mark

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marking(message: Any) -> None:
            if message["type"] == "http.response.start":
                fields = [*message["headers"], (b"x-mark", self.mark.encode())]
                message = {**message, "headers": fields}
            await send(message)

        await self.app(scope, receive, marking)


async def fail(_request: StarletteRequest) -> PlainTextResponse:
    """Raise an exception that the app handles."""
    raise KeyError("missing")


async def handle(request: StarletteRequest, _error: Exception) -> PlainTextResponse:
    """Handle an exception."""
    return PlainTextResponse(f"handled {request.url.path}", status_code=418)


async def live(websocket: WebSocket) -> None:
    """Say which version a WebSocket is for."""
    await websocket.accept()
    await websocket.send_text(f"{websocket.url.path} {mantlet.state(websocket).version}")
    await websocket.close()


def mounted(make: Any) -> Any:
    """Return an app with an app for each version, each with a middleware and a handler."""
    outer = make(middleware=[Middleware(Marking, mark="outer")])
    for version in VERSIONS:
        inner = make(
            middleware=[Middleware(Marking, mark=version)], exception_handlers={KeyError: handle}
        )
        inner.router.routes += [
            Route("/items", respond_by_path),
            Route("/fail", fail),
            WebSocketRoute("/live", live),
        ]
        outer.router.routes.append(Mount(f"/v{version}", inner))
    return outer


@pytest.mark.parametrize("make", [fastapi.FastAPI, Starlette])
def test_mounted_apps(make: Any) -> None:
    """Keep the middleware and the handlers of both apps, their own paths and their redirects."""
    policy = Versions(VERSIONS, read=[header("API-Version")], forward=path("/v{version}"))
    app = mantlet.wrap(mounted(make), policy)
    for version in VERSIONS:
        fields = [("Host", "app.example"), ("API-Version", version)]
        answer = drive_asgi(app, path="/items", headers=fields)
        assert answer.body.decode() == f"/v{version}/items {version}"
        assert answer.getall("x-mark") == [version, "outer"]
        failed = drive_asgi(app, path="/fail", headers=fields)
        assert (failed.status, failed.body.decode()) == (418, f"handled /v{version}/fail")
        assert failed.getall("x-mark") == [version, "outer"]
        slash = drive_asgi(app, path="/items/", headers=fields)
        assert (slash.status, slash.get("location")) == (307, "http://app.example/items")
        assert slash.get("api-version") == version


def test_mounted_apps_below_a_root_path() -> None:
    """Are reached there, also if it is the option of FastAPI."""
    policy = Versions(VERSIONS, read=[header("API-Version")], forward=path("/v{version}"))
    inner = mounted(fastapi.FastAPI)
    inner.root_path = "/api"
    app = mantlet.wrap(inner, policy)
    fields = [("Host", "app.example"), ("API-Version", "2")]
    answer = drive_asgi(app, path="/api/items", headers=fields)
    assert answer.body.decode() == "/api/v2/items 2"
    assert answer.getall("x-mark") == ["2", "outer"]


@pytest.mark.parametrize(
    ("target", "fields", "expected"),
    [
        ("/live", [("API-Version", "2")], ["/v2/live 2"]),
        ("/v1/live", [], ["/v1/live 1"]),
        ("/live", [], ["/v1/live 1"]),
        ("/v9/live", [], 404),
        ("/live", [("API-Version", "9")], 400),
    ],
)
def test_handshakes(target: str, fields: list[tuple[str, str]], expected: list[str] | int) -> None:
    """Are for a version like any other request, and refused like them."""
    policy = Versions(
        VERSIONS,
        read=[path("/v{version}"), header("API-Version")],
        default="1",
        forward=path("/v{version}"),
    )
    stack = mantlet.asgi.wrap(mounted(Starlette), policy)
    status, messages, accepted = handshake(stack, target, fields)
    if isinstance(expected, int):
        assert status == expected
    else:
        assert messages == expected
        assert (b"api-version", expected[0][-1].encode()) in accepted


def handshake(
    app: Any, target: str, fields: list[tuple[str, str]]
) -> tuple[int | None, list[str], list[tuple[bytes, bytes]]]:
    """Open a WebSocket; return the status of a refusal, the messages and the headers."""
    sent: list[dict[str, Any]] = []

    async def run() -> None:
        events = iter([{"type": "websocket.connect"}])

        async def receive() -> Any:
            return next(events, {"type": "websocket.disconnect", "code": 1000})

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "websocket",
            "scheme": "ws",
            "path": target,
            "raw_path": target.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in fields],
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        await app(scope, receive, send)

    asyncio.run(run())
    by_type = {message["type"]: message for message in sent}
    refused = by_type.get("websocket.http.response.start", {})
    texts = [message["text"] for message in sent if message["type"] == "websocket.send"]
    accepted = by_type.get("websocket.accept", {})
    return refused.get("status"), texts, list(accepted.get("headers", ()))
