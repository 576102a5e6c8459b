"""Litestar and Falcon, which have no signals: the app that is wrapped tells of its exceptions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi
import litestar
import pytest
from litestar.exceptions import HTTPException
from litestar.testing import TestClient

import mantlet
from mantlet import ErrorEnvelope, Problem, RateLimiter
from tests.drive import Answer, drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "s3cr3t-pa55w0rd-7f3a9c"
MINE = [("Host", "localhost"), ("X-Request-ID", "mine")]


class CanaryError(Exception):
    """What the apps raise."""


class KnownError(Exception):
    """What an app has a handler of its own for."""


RAISED: dict[str, Callable[[], Exception]] = {
    "/canary": lambda: CanaryError(SECRET),
    "/problem": lambda: Problem(418, detail="Short and stout."),
    "/known": lambda: KnownError(SECRET),
}


def fail(path: str) -> None:
    error = RAISED[path]()
    raise error


def litestar_app(**options: Any) -> litestar.Litestar:
    """An app of a path for each kind of exception."""

    @litestar.get(["/canary/{number:int}", "/canary", "/problem", "/known"])
    async def fails(request: litestar.Request[Any, Any, Any]) -> None:
        fail("/" + request.scope["path"].split("/")[1])

    @litestar.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(SECRET, status_code=418)

    @litestar.get("/broken")
    async def broken() -> None:
        raise HTTPException(SECRET, status_code=500)

    return litestar.Litestar([fails, teapot, broken], logging_config=None, **options)


class Fails:
    """A resource that raises, in both of Falcon's forms."""

    def __init__(self, path: str) -> None:
        self.path = path

    def on_get(self, req: Any, resp: Any, **_: Any) -> None:
        fail(self.path)


class FailsAsgi(Fails):
    async def on_get(self, req: Any, resp: Any, **_: Any) -> None:  # type: ignore[override]  # Falcon's other form
        fail(self.path)


def falcon_app() -> falcon.App[Any, Any]:
    app = falcon.App()
    app.add_route("/canary/{number}", Fails("/canary"))
    for path in RAISED:
        app.add_route(path, Fails(path))
    return app


def falcon_asgi_app() -> falcon.asgi.App[Any, Any]:
    app = falcon.asgi.App()
    app.add_route("/canary/{number}", FailsAsgi("/canary"))
    for path in RAISED:
        app.add_route(path, FailsAsgi(path))
    return app


APPS: dict[str, tuple[Callable[[], Any], Callable[..., Answer]]] = {
    "litestar": (litestar_app, drive_asgi),
    "falcon": (falcon_app, drive_wsgi),
    "falcon-asgi": (falcon_asgi_app, drive_asgi),
}
frameworks = pytest.mark.parametrize("name", APPS)


@frameworks
def test_an_exception_is_answered_and_logged(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """In place of the framework's own 500, once, with the route that it took."""
    make, drive = APPS[name]
    answer = drive(
        mantlet.wrap(make(), ErrorEnvelope(), baseline=False), path="/canary/7", headers=MINE
    )
    assert answer.error is None
    assert (answer.status, answer.get("content-type")) == (500, "application/problem+json")
    assert answer.json()["request_id"] == "mine"
    assert SECRET not in answer.text()
    (record,) = [record for record in caplog.records if record.name == "mantlet.errors"]
    assert record.exc_info is not None
    assert record.exc_info[0] is CanaryError
    assert record.__dict__["route"] == "/canary/{number}"


@frameworks
def test_a_problem_is_answered_as_stated(name: str) -> None:
    """It was raised for the client."""
    make, drive = APPS[name]
    answer = drive(
        mantlet.wrap(make(), ErrorEnvelope(), baseline=False), path="/problem", headers=MINE
    )
    assert answer.status == 418
    assert answer.json()["detail"] == "Short and stout."


@frameworks
def test_the_map_holds_for_what_the_app_has_no_handler_for(name: str) -> None:
    """As in any other framework."""
    make, drive = APPS[name]
    stack = mantlet.wrap(make(), ErrorEnvelope(exceptions={CanaryError: 409}), baseline=False)
    assert drive(stack, path="/canary", headers=MINE).status == 409


def known(*_: Any) -> Any:
    return litestar.Response({"own": "answer"}, status_code=409)


def falcon_known(req: Any, resp: Any, error: Any, params: Any) -> None:
    resp.status, resp.media = 409, {"own": "answer"}


async def falcon_asgi_known(req: Any, resp: Any, error: Any, params: Any) -> None:
    resp.status, resp.media = 409, {"own": "answer"}


@pytest.mark.parametrize("kind", [KnownError, Exception], ids=["class", "every class"])
@frameworks
def test_an_apps_own_handler_answers(
    name: str, kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """What it says stays, and what it handled is not logged."""
    _, drive = APPS[name]
    app: Any
    if name == "litestar":
        app = litestar_app(exception_handlers={kind: known})
    elif name == "falcon":
        app = falcon_app()
        app.add_error_handler(kind, falcon_known)
    else:
        app = falcon_asgi_app()
        app.add_error_handler(kind, falcon_asgi_known)
    answer = drive(mantlet.wrap(app, ErrorEnvelope(), baseline=False), path="/known", headers=MINE)
    assert (answer.status, answer.json()) == (409, {"own": "answer"})
    assert not caplog.records


def test_litestars_handlers_by_status_answer() -> None:
    """For an exception of that status, and with 500 for all that have none."""
    app = mantlet.wrap(
        litestar_app(exception_handlers={500: known, 418: known}), ErrorEnvelope(), baseline=False
    )
    for path in ("/canary", "/teapot", "/broken"):
        assert drive_asgi(app, path=path, headers=MINE).json() == {"own": "answer"}


def test_litestars_http_exceptions_stay_below_500_and_are_heard_from_there() -> None:
    """A 418 is the app's answer; a 500 with words is an exception's text."""
    app = mantlet.wrap(litestar_app(), ErrorEnvelope(), baseline=False)
    assert drive_asgi(app, path="/teapot", headers=MINE).json()["detail"] == SECRET
    answer = drive_asgi(app, path="/broken", headers=MINE)
    assert answer.status == 500
    assert SECRET not in answer.text()


def test_litestars_debug_page_does_not_get_out() -> None:
    """It shows the traceback, and the values in it."""
    headers = [*MINE, ("Accept", "text/html")]
    bare = drive_asgi(litestar_app(debug=True), path="/canary", headers=headers)
    assert SECRET in bare.text()
    answer = drive_asgi(
        mantlet.wrap(litestar_app(debug=True), ErrorEnvelope(), baseline=False),
        path="/canary",
        headers=headers,
    )
    assert answer.status == 500
    assert SECRET not in answer.text()


def test_a_litestar_websocket_that_fails_is_closed_with_1011(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Litestar would close with 4500 and the exception's words."""

    @litestar.websocket("/")
    async def fails(socket: litestar.WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        raise HTTPException(SECRET, status_code=500)

    app = litestar.Litestar([fails], logging_config=None)
    mantlet.wrap(app, ErrorEnvelope(), baseline=False)
    sent: list[Any] = []

    async def connect() -> None:
        coming = [{"type": "websocket.connect"}]

        async def receive() -> Any:
            return coming.pop() if coming else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": "/",
            "raw_path": b"/",
            "root_path": "",
            "query_string": b"",
            "headers": [(b"x-request-id", b"mine")],
            "client": ("192.0.2.1", 1),
            "server": ("localhost", 80),
            "subprotocols": [],
            "extensions": {},
        }
        await mantlet.wrap(app, ErrorEnvelope(), baseline=False)(scope, receive, send)

    asyncio.run(connect())
    assert sent[-1] == {"type": "websocket.close", "code": 1011, "reason": "mine"}
    assert [record.exc_info is not None for record in caplog.records] == [True]


@pytest.mark.filterwarnings("ignore:.* is inside ")
@frameworks
def test_wrapping_twice_tells_once(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """As adding one policy after the other does."""
    make, drive = APPS[name]
    app = make()
    mantlet.wrap(app, ErrorEnvelope(), baseline=False)
    stack = mantlet.wrap(
        mantlet.wrap(app, RateLimiter("9/s"), ErrorEnvelope(), baseline=False),
        ErrorEnvelope(),
        baseline=False,
    )
    assert drive(stack, path="/canary", headers=MINE).status == 500
    assert len(caplog.records) == 1


@frameworks
def test_an_app_that_is_not_in_an_envelope_is_left_as_it_is(name: str) -> None:
    """A policy that hears no errors asks for none."""
    make, drive = APPS[name]
    bare = drive(make(), path="/canary", headers=MINE)
    wrapped = drive(
        mantlet.wrap(make(), RateLimiter("9/s"), baseline=False), path="/canary", headers=MINE
    )
    assert (wrapped.status, wrapped.body) == (bare.status, bare.body)
    app = make()
    mantlet.wrap(app, ErrorEnvelope(), baseline=False)
    still = drive(app, path="/canary", headers=MINE)
    assert (still.status, still.body) == (bare.status, bare.body)


def test_litestars_own_test_client_still_works() -> None:
    """The app itself has one more hook, and is the same otherwise."""
    app = litestar_app()
    mantlet.wrap(app, ErrorEnvelope(), baseline=False)
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/canary").status_code == 500
        assert client.get("/nowhere").status_code == 404
