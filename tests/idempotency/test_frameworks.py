"""Unchanged apps of every framework run each request once."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
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
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path as django_path
from litestar.response import Response as LitestarResponse
from litestar.response import Stream as LitestarStream
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

import mantlet
from mantlet import Idempotency
from tests.drive import Answer, drive_asgi, drive_wsgi
from tests.idempotency.driving import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request as StarletteRequest

pytestmark = pytest.mark.breaks_rules("Django sends fields in any case under ASGI")

_numbers = count(1)


def pay(action: str, body: bytes) -> str:
    """Do something that must not be done twice.

    Raises:
        LookupError: the action is ``"fail"``.
    """
    number = next(_numbers)
    if action == "fail":
        raise LookupError("no card")
    return f"{number} {body.decode()}"


def status_of(action: str) -> int:
    """Return the status of the response to an action."""
    return {"refuse": 422, "later": 429}.get(action, 201)


def flask_app() -> flask.Flask:
    """Return an app of Flask."""
    app = flask.Flask(__name__)

    @app.post("/<action>")
    def respond(action: str) -> Any:
        text = pay(action, flask.request.get_data())
        if action == "stream":
            return flask.Response(iter([text, "!"]), status_of(action))
        return text, status_of(action), {"X-Paid": "yes"}

    return app


def quart_app() -> quart.Quart:
    """Return an app of Quart."""
    app = quart.Quart(__name__)

    @app.post("/<action>")
    async def respond(action: str) -> Any:
        body: Any = await quart.request.get_data()
        text = pay(action, body)
        if action == "stream":

            async def chunks() -> AsyncIterator[bytes]:
                yield text.encode()
                yield b"!"

            return chunks(), status_of(action)
        return text, status_of(action), {"X-Paid": "yes"}

    return app


async def starlette_view(request: StarletteRequest) -> Any:
    """Respond, in Starlette and FastAPI."""
    action = request.path_params["action"]
    text = pay(action, await request.body())
    if action == "stream":
        return StreamingResponse(iter([text, "!"]), status_of(action))
    return PlainTextResponse(text, status_of(action), {"X-Paid": "yes"})


def starlette_app() -> Starlette:
    """Return an app of Starlette."""
    return Starlette(routes=[Route("/{action}", starlette_view, methods=["POST"])])


def fastapi_app() -> fastapi.FastAPI:
    """Return an app of FastAPI."""
    app = fastapi.FastAPI()
    app.add_route("/{action}", starlette_view, ["POST"])
    return app


def litestar_app() -> litestar.Litestar:
    """Return an app of Litestar."""

    @litestar.post("/{action:str}")
    async def respond(request: litestar.Request[Any, Any, Any]) -> Any:
        action = request.path_params["action"]
        text = pay(action, await request.body())
        if action == "stream":
            return LitestarStream(iter([text, "!"]), status_code=status_of(action))
        return LitestarResponse(
            text, status_code=status_of(action), media_type="text/plain", headers={"X-Paid": "yes"}
        )

    return litestar.Litestar([respond], openapi_config=None)


class Resource:
    """A resource of Falcon under WSGI."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, action: str) -> None:
        """Respond."""
        text = pay(action, req.bounded_stream.read())
        resp.status = status_of(action)
        resp.set_header("X-Paid", "yes")
        if action == "stream":
            resp.stream = iter([text.encode(), b"!"])
        else:
            resp.text = text


class AsyncResource:
    """A resource of Falcon under ASGI."""

    async def on_post(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, action: str
    ) -> None:
        """Respond."""
        text = pay(action, await req.stream.read())
        resp.status = status_of(action)
        resp.set_header("X-Paid", "yes")
        if action == "stream":

            async def chunks() -> AsyncIterator[bytes]:
                yield text.encode()
                yield b"!"

            resp.stream = chunks()
        else:
            resp.text = text


def falcon_app(app: Any, resource: Any) -> Any:
    """Return an app of Falcon."""
    app.add_route("/{action}", resource)
    return app


def view(request: HttpRequest, action: str) -> Any:
    """Respond, in Django."""
    text = pay(action, request.body)
    if action == "stream":
        return StreamingHttpResponse(iter([text, "!"]), status=status_of(action))
    return HttpResponse(text, status=status_of(action), headers={"X-Paid": "yes"})


async def async_view(request: HttpRequest, action: str) -> Any:
    """Respond, in Django, on the event loop."""
    text = pay(action, request.body)
    if action == "stream":

        async def chunks() -> AsyncIterator[str]:
            yield text
            yield "!"

        return StreamingHttpResponse(chunks(), status=status_of(action))
    return HttpResponse(text, status=status_of(action), headers={"X-Paid": "yes"})


urlpatterns = [
    django_path("async/<action>", async_view),
    django_path("<action>", view),
]


@contextmanager
def django_app(make: Any) -> Iterator[Any]:
    """An app of Django."""
    if not settings.configured:
        settings.configure(SECRET_KEY="of a test", USE_TZ=True)
        django.setup()
    with override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], MIDDLEWARE=[]):
        yield make()


def bare_wsgi(environ: dict[str, Any], start_response: Any) -> Any:
    """Respond, without a framework."""
    action = environ["PATH_INFO"][1:]
    text = pay(action, environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    start_response(f"{status_of(action)} Status", [("X-Paid", "yes")])
    return iter([text.encode(), b"!"]) if action == "stream" else [text.encode()]


async def bare_asgi(scope: Any, receive: Any, send: Any) -> None:
    """Respond, without a framework."""
    action = scope["path"][1:]
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message.get("more_body", False)
    text = pay(action, body)
    headers = [(b"x-paid", b"yes")]
    await send({"type": "http.response.start", "status": status_of(action), "headers": headers})
    more = action == "stream"
    await send({"type": "http.response.body", "body": text.encode(), "more_body": more})
    if more:
        await send({"type": "http.response.body", "body": b"!"})


MAKERS: dict[str, Any] = {
    "bare-wsgi": lambda: bare_wsgi,
    "flask": flask_app,
    "falcon-wsgi": lambda: falcon_app(falcon.App(), Resource()),
    "django-wsgi": get_wsgi_application,
    "bare-asgi": lambda: bare_asgi,
    "quart": quart_app,
    "starlette": starlette_app,
    "fastapi": fastapi_app,
    "litestar": litestar_app,
    "falcon-asgi": lambda: falcon_app(falcon.asgi.App(), AsyncResource()),
    "django-asgi": get_asgi_application,
    "django-async": get_asgi_application,
}
WSGI = {"bare-wsgi", "flask", "falcon-wsgi", "django-wsgi"}


class Client:
    """Sends requests with one key to the wrapped app of a framework."""

    def __init__(self, name: str, app: Any, **options: Any) -> None:
        self.store = Store(is_async=name not in WSGI)
        self._drive: Any = drive_wsgi if name in WSGI else drive_asgi
        self._prefix = "/async/" if name == "django-async" else "/"
        self._app = mantlet.wrap(app, Idempotency(store=self.store, **options))

    def pay(self, action: str, body: bytes = b"euro") -> Answer:
        """Send a request."""
        answer: Answer = self._drive(
            self._app,
            "POST",
            f"{self._prefix}{action}",
            headers=[("Idempotency-Key", f'"{action}"'), ("Host", "app.example")],
            body=body,
        )
        return answer


@contextmanager
def client_of(name: str, **options: Any) -> Iterator[Client]:
    """A client of the app of a framework."""
    if name.startswith("django"):
        with django_app(MAKERS[name]) as app:
            yield Client(name, app, **options)
    else:
        yield Client(name, MAKERS[name](), **options)


each_framework = pytest.mark.parametrize("name", MAKERS)


@each_framework
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")  # Django, under ASGI
@pytest.mark.parametrize("action", ["pay", "stream", "refuse"])
def test_a_request_runs_once(name: str, action: str) -> None:
    """And its repeats get what its client has got."""
    with client_of(name) as client:
        first = client.pay(action)
        assert first.status == status_of(action), first.text()
        assert first.body.split()[1].startswith(b"euro")
        for _ in range(2):
            repeat = client.pay(action)
            assert (repeat.status, repeat.body) == (first.status, first.body)
            assert repeat.get("idempotency-replayed") == "true"
            ours = {"idempotency-replayed", "content-length", "x-request-id", "transfer-encoding"}
            pairs = [
                {(n.lower(), v) for n, v in answer.headers if n.lower() not in ours}
                for answer in (first, repeat)
            ]
            assert pairs[0] == pairs[1]
        assert client.pay(action, b"dollar").status == 422


@each_framework
@pytest.mark.parametrize("action", ["fail", "later"])
def test_a_request_that_fails_runs_again(name: str, action: str) -> None:
    """Also where the framework turns the exception into a response by itself."""
    with client_of(name) as client:
        before = next(_numbers)
        for _ in range(3):
            assert client.pay(action).status == (500 if action == "fail" else 429)
        assert next(_numbers) == before + 4
        assert not client.store.values


@each_framework
def test_an_error_of_the_framework_is_replayed(name: str) -> None:
    """Such as the 404 of a route that it does not have."""
    with client_of(name) as client:
        if name.startswith("bare"):
            return
        assert [client.pay("no/such/route").status for _ in range(2)] == [404, 404]
        assert client.pay("no/such/route").get("idempotency-replayed") == "true"


@each_framework
def test_a_large_body_reaches_the_app(name: str) -> None:
    """Read by the policy, in part from a file, and then by the framework."""
    body = b"x" * 2_000_000
    with client_of(name, max_body=4_000_000, max_response=4_000_000) as client:
        first, second = client.pay("pay", body), client.pay("pay", body)
        assert first.body.endswith(body)
        assert first.body == second.body
