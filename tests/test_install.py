"""`install()`: the stack inside a framework's own app object."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import textwrap
from contextlib import asynccontextmanager, suppress
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import flask
import pytest
import quart
from falcon import App as FalconApp
from fastapi import FastAPI
from litestar import Litestar
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

import mantlet
from mantlet import Close, ErrorEnvelope, OutputSanitizer, Policy, RateLimiter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.websockets import WebSocket


def flask_app() -> flask.Flask:
    app = flask.Flask(__name__)

    @app.get("/")
    def index() -> str:
        return str(mantlet.state(flask.request).rate_limit.remaining)

    @app.get("/fails")
    def fails() -> str:
        raise ValueError("s3cr3t")

    return app


def quart_app() -> quart.Quart:
    app = quart.Quart(__name__)

    @app.get("/")
    async def index() -> str:
        return str(mantlet.state(quart.request).rate_limit.remaining)

    @app.get("/fails")
    async def fails() -> str:
        raise ValueError("s3cr3t")

    return app


async def index_page(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(mantlet.state(request).rate_limit.remaining))


async def failing_page(_: Request) -> PlainTextResponse:
    raise ValueError("s3cr3t")


def starlette_app() -> Starlette:
    return Starlette(routes=[Route("/", index_page), Route("/fails", failing_page)])


def fastapi_app() -> FastAPI:
    return FastAPI(routes=[Route("/", index_page), Route("/fails", failing_page)])


class ShopApi(FastAPI):
    """A subclass, as a project may have one."""


def subclassed_app() -> ShopApi:
    return ShopApi(routes=[Route("/", index_page), Route("/fails", failing_page)])


Seen = tuple[int, str, dict[str, str]]


def seen_by_flask(app: Any, path: str) -> Seen:
    with app.test_client().get(path) as response:  # or else the exchange goes on for ever
        headers = {k.lower(): v for k, v in response.headers}
        return response.status_code, response.text, headers


def seen_by_quart(app: Any, path: str) -> Seen:
    async def get() -> Seen:
        response = await app.test_client().get(path)
        text = await response.get_data(as_text=True)
        return response.status_code, text, {k.lower(): v for k, v in response.headers.items()}

    return asyncio.run(get())


def seen_by_starlette(app: Any, path: str) -> Seen:
    response = TestClient(app, raise_server_exceptions=False).get(path)
    return response.status_code, response.text, dict(response.headers)


APPS: dict[str, tuple[Callable[[], Any], Callable[[Any, str], Seen]]] = {
    "flask": (flask_app, seen_by_flask),
    "quart": (quart_app, seen_by_quart),
    "starlette": (starlette_app, seen_by_starlette),
    "fastapi": (fastapi_app, seen_by_starlette),
    "subclass": (subclassed_app, seen_by_starlette),
}
every_framework = pytest.mark.parametrize(("make", "get"), APPS.values(), ids=APPS)


def limiter() -> RateLimiter:
    return RateLimiter("2/hour", clock=lambda: 0)


@every_framework
def test_the_frameworks_own_test_client_meets_the_policies(
    make: Callable[[], Any], get: Callable[[Any, str], Seen]
) -> None:
    """The app is returned, and is protected from then on."""
    app = make()
    assert mantlet.install(app, limiter()) is app
    status, text, headers = get(app, "/")
    assert (status, text) == (200, "1")
    assert "x-request-id" in headers
    assert headers["x-content-type-options"] == "nosniff"
    status, text, headers = get(app, "/fails")
    assert status == 500
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(text)["request_id"] == headers["x-request-id"]
    assert "s3cr3t" not in text
    assert get(app, "/")[0] == 429


@every_framework
def test_without_the_baseline_there_are_the_named_policies_alone(
    make: Callable[[], Any], get: Callable[[Any, str], Seen]
) -> None:
    """As with `wrap()`."""
    app = mantlet.install(make(), limiter(), baseline=False)
    status, text, headers = get(app, "/")
    assert (status, text) == (200, "1")
    assert "x-request-id" not in headers


class Counting(Policy):
    """Counts the requests that it sees."""

    def __init__(self) -> None:
        self.requests = 0

    def on_request(self, request: mantlet.Request) -> None:
        self.requests += 1


@every_framework
def test_installing_twice_makes_one_stack(
    make: Callable[[], Any], get: Callable[[Any, str], Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one baseline, and each policy once."""
    app, counting = make(), Counting()
    mantlet.install(app, limiter())
    assert mantlet.install(app, counting) is app
    calls: list[tuple[str, ...]] = []
    for module in (mantlet.asgi, mantlet.wsgi):
        kind: Any = module.Stack
        original = kind.__call__

        def spy(self: Any, *args: Any, original: Any = original) -> Any:
            calls.append(tuple(type(policy).__name__ for policy in self.policies))
            return original(self, *args)

        monkeypatch.setattr(kind, "__call__", spy)
    assert get(app, "/")[:2] == (200, "1")
    assert calls == [("OutputSanitizer", "ErrorEnvelope", "Counting", "RateLimiter")]
    assert counting.requests == 1


@pytest.mark.parametrize("make", [starlette_app, fastapi_app])
def test_middleware_that_is_added_later_comes_inside(make: Callable[[], Any]) -> None:
    """The policies see what the middleware does, and it does not see what they refuse."""
    seen: list[str] = []

    class Noting:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                seen.append(mantlet.state(scope).request_id)
            await self.app(scope, receive, send)

    app = mantlet.install(make(), limiter())
    app.add_middleware(Noting)
    app.add_middleware(GZipMiddleware)
    responses = [TestClient(app).get("/") for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert seen == [response.headers["x-request-id"] for response in responses[:2]]


@pytest.mark.parametrize("make", [starlette_app, fastapi_app])
def test_an_app_that_has_started_is_refused(make: Callable[[], Any]) -> None:
    """Its middleware stack is built, so policies would have no effect."""
    app = mantlet.install(make(), limiter())
    assert TestClient(app).get("/").status_code == 200
    with pytest.raises(RuntimeError, match=r"has already started; call mantlet\.install"):
        mantlet.install(app, limiter())


@pytest.mark.parametrize(
    "app",
    [
        FalconApp(),
        Litestar([], openapi_config=None, logging_config=None),
        mantlet.wrap(starlette_app()),
        starlette_app().router,
        FastAPI,
        lambda _environ, _start_response: [],
        None,
    ],
    ids=["falcon", "litestar", "stack", "router", "class", "function", "None"],
)
@pytest.mark.breaks_rules("no request is made")
def test_an_app_without_such_a_place_is_a_type_error_that_says_what_to_use(app: Any) -> None:
    """Nothing is changed silently."""
    with pytest.raises(TypeError, match=r"use app = mantlet\.wrap\(app, \.\.\.\)") as refused:
        mantlet.install(app)
    assert repr(app) in str(refused.value)


@every_framework
def test_what_is_not_a_policy_is_a_type_error(
    make: Callable[[], Any], get: Callable[[Any, str], Seen]
) -> None:
    """When it is installed, not with the first request."""
    app: Any = make()
    wrong: Any = ErrorEnvelope
    with pytest.raises(TypeError, match=r"did you mean ErrorEnvelope\(\)\?"):
        mantlet.install(app, wrong)


@every_framework
def test_a_wrong_order_is_warned_about_once(
    make: Callable[[], Any],
    get: Callable[[Any, str], Seen],
    recwarn: pytest.WarningsRecorder,
) -> None:
    """In the line of the app, and not again when Starlette builds its stack."""
    app = mantlet.install(make(), limiter(), ErrorEnvelope(), OutputSanitizer(), baseline=False)
    get(app, "/")
    messages = [str(w.message) for w in recwarn if " is inside " in str(w.message)]
    assert [message.partition(",")[0] for message in messages] == [
        "ErrorEnvelope is inside RateLimiter",
        "OutputSanitizer is inside ErrorEnvelope",
    ]
    assert {w.filename for w in recwarn if " is inside " in str(w.message)} == {__file__}


def test_what_flask_wraps_itself_in_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack that was put there by hand fuses."""
    app = flask_app()
    app.wsgi_app = mantlet.wrap(app.wsgi_app, limiter())  # type: ignore[method-assign]
    mantlet.install(app, Counting())
    stack: Any = app.wsgi_app
    assert [type(policy) for policy in stack.policies] == [
        *(OutputSanitizer, ErrorEnvelope, Counting, RateLimiter)
    ]


# -- lifespan and WebSockets ----------------------------------------------------------------------


class Starting(Policy):
    """Keeps what happened in a list."""

    def __init__(self, events: list[str]) -> None:
        self.events = events

    async def startup(self) -> None:
        self.events.append("policy starts")

    async def shutdown(self) -> None:
        self.events.append("policy stops")


@pytest.mark.parametrize("kind", [Starlette, FastAPI])
def test_policies_start_and_stop_with_the_lifespan(kind: Any) -> None:
    """Around the app's own."""
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        events.append("app starts")
        yield
        events.append("app stops")

    app = mantlet.install(kind(lifespan=lifespan), Starting(events))
    with TestClient(app):
        events.append("requests")
    assert events == ["policy starts", "app starts", "requests", "app stops", "policy stops"]


def test_policies_start_and_stop_with_quarts_lifespan() -> None:
    """By Quart's own test app."""
    events: list[str] = []
    app = mantlet.install(quart_app(), Starting(events))

    async def run() -> None:
        async with app.test_app():
            events.append("requests")

    asyncio.run(run())
    assert events == ["policy starts", "requests", "policy stops"]


class Polite(Policy):
    """Ends a WebSocket whose client is rude."""

    def on_message(
        self, request: mantlet.Request, message: mantlet.Message
    ) -> mantlet.Message | Close:
        return Close(4001) if message.data == "rude" else message


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            await websocket.send_text(await websocket.receive_text())


@pytest.mark.parametrize("kind", [Starlette, FastAPI])
def test_websockets_of_starlette_pass_through_the_policies(kind: Any) -> None:
    """Handshake and messages."""
    app = mantlet.install(kind(routes=[WebSocketRoute("/", echo)]), Polite())
    with TestClient(app).websocket_connect("/") as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
        socket.send_text("rude")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 4001


def test_websockets_of_quart_pass_through_the_policies() -> None:
    """Handshake and messages."""
    app = quart.Quart(__name__)

    @app.websocket("/")
    async def socket() -> None:
        while True:
            await quart.websocket.send(await quart.websocket.receive())

    mantlet.install(app, Polite())

    async def run() -> None:
        async with app.test_client().websocket("/") as client:
            await client.send("hello")
            assert await client.receive() == "hello"

    asyncio.run(run())


# -- commands -------------------------------------------------------------------------------------

SHOP = """
import flask
import mantlet

app = flask.Flask(__name__)
mantlet.install(app)


@app.get("/")
def index():
    return "hello"


@app.get("/fails")
def fails():
    raise ValueError("s3cr3t")
"""


def test_flask_run_serves_the_protected_app(tmp_path: Path) -> None:
    """The app is found by its class, as Flask's own command looks for it."""
    (tmp_path / "shop.py").write_text(textwrap.dedent(SHOP))
    command = [sys.executable, "-m", "flask", "--app", "shop", "run", "--port", "0"]
    server = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        assert server.stderr is not None
        port = 0
        for line in server.stderr:
            if "Running on http://127.0.0.1:" in line:
                port = int(line.split("127.0.0.1:")[1].split()[0].strip("/"))
                break
        assert port, "flask run has not started"
        connection = HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("GET", "/fails")
        response = connection.getresponse()
        body = response.read()
        connection.close()
    finally:
        server.terminate()
        server.communicate()
    assert response.status == 500
    assert response.getheader("content-type") == "application/problem+json"
    assert b"s3cr3t" not in body
