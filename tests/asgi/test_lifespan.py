"""Lifespan, startup and shutdown."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import mantlet
from mantlet import Policy, Request, StartupError
from tests.conformance.asgi_checker import AsgiChecker
from tests.drive import drive_asgi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send


class Started(Policy):
    """Notes when it starts, works and stops."""

    def __init__(self, notes: list[str], name: str, *, fails: str = "") -> None:
        self.notes = notes
        self.name = name
        self.fails = fails

    async def startup(self) -> None:
        self.notes.append(f"{self.name} up")
        if self.fails == "startup":
            raise RuntimeError("can't start")

    def shutdown(self) -> None:
        self.notes.append(f"{self.name} down")
        if self.fails == "shutdown":
            raise RuntimeError("can't stop")

    def on_request(self, request: Request) -> None:
        self.notes.append(f"{self.name} request")


def app(notes: list[str]) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, str]]:
        notes.append("app up")
        yield {"shared": "yes"}
        notes.append("app down")

    return Starlette(lifespan=lifespan)


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http", "no lifespan here"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def test_policies_start_before_the_app_and_stop_after_it() -> None:
    """The outermost policy is the first to start and the last to stop."""
    notes: list[str] = []
    stack = mantlet.asgi.Stack(app(notes), [Started(notes, "outer"), Started(notes, "inner")])
    with TestClient(AsgiChecker(stack)) as client:
        client.get("/")
    assert notes == [
        "outer up",
        "inner up",
        "app up",
        "outer request",
        "inner request",
        "app down",
        "inner down",
        "outer down",
    ]


def test_a_second_lifespan_starts_the_policies_anew() -> None:
    """A test run makes one lifespan after another over one app."""
    notes: list[str] = []
    stack = mantlet.asgi.Stack(app(notes), [Started(notes, "a")])
    for _ in range(2):
        with TestClient(stack):
            pass
    assert notes == ["a up", "app up", "app down", "a down"] * 2


@pytest.mark.parametrize("ends", ["raises", "returns"])
def test_an_app_without_lifespan_has_its_policies_started_and_stopped_by_it(ends: str) -> None:
    """Such as Django, which raises for any scope but a request's."""
    notes: list[str] = []

    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        if ends == "raises":
            raise ValueError("no lifespan here")

    stack = mantlet.asgi.Stack(bare, [Started(notes, "a")])
    assert asyncio.run(_live(stack)) == ["startup.complete", "shutdown.complete"]
    assert notes == ["a up", "a down"]


def test_an_app_that_fails_its_own_startup_fails_as_without_policies() -> None:
    """It had taken the event, so it has a lifespan."""

    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise LookupError("no database")

    stack = mantlet.asgi.Stack(fails, [Started([], "a")])
    with pytest.raises(LookupError, match="no database"):
        asyncio.run(_live(stack))


def test_a_server_without_lifespan_has_the_policies_started_on_first_use() -> None:
    """Once, however many requests come at a time."""
    notes: list[str] = []
    stack = mantlet.asgi.Stack(ok, [Started(notes, "a")])

    async def play() -> None:
        await asyncio.gather(*(stack(_http(), _never, _nowhere) for _ in range(5)))

    asyncio.run(play())
    assert notes == ["a up", *["a request"] * 5]


def test_a_policy_that_cannot_start_fails_the_startup() -> None:
    """The server is told why, and the app is not started."""
    notes: list[str] = []
    stack = mantlet.asgi.Stack(app(notes), [Started(notes, "a", fails="startup")])
    reason = "Started can't start: RuntimeError: can't start"
    with pytest.raises(StartupError, match=reason), TestClient(stack):
        pass
    assert notes == ["a up"]


def test_the_server_gets_the_reason_in_its_message() -> None:
    """It is the last that uvicorn, granian and gunicorn log, and hypercorn raises it."""
    stack = mantlet.asgi.Stack(ok, [Started([], "a", fails="startup")])
    sent: list[Any] = []
    with pytest.raises(StartupError) as caught:
        asyncio.run(_live(stack, sent))
    assert sent == [{"type": "lifespan.startup.failed", "message": str(caught.value)}]


def test_an_exception_of_the_server_reaches_it() -> None:
    """Hypercorn raises one when a startup has failed, and goes on serving without it."""

    class LifespanFailureError(Exception): ...

    async def start() -> Any:
        return {"type": "lifespan.startup"}

    async def refuse(message: Any) -> None:
        raise LifespanFailureError

    stack = mantlet.asgi.Stack(ok, [Started([], "a", fails="startup")])
    with pytest.raises(LifespanFailureError):
        asyncio.run(stack({"type": "lifespan"}, start, refuse))


def test_a_policy_that_cannot_start_on_first_use_lets_no_request_pass() -> None:
    """There is no lifespan to fail, so requests are refused."""
    notes: list[str] = []
    stack = mantlet.asgi.Stack(ok, [Started(notes, "a", fails="startup")])
    answers = [drive_asgi(stack) for _ in range(2)]
    assert [answer.status for answer in answers] == [503, 503]
    assert notes == ["a up"]


def test_a_policy_that_cannot_stop_fails_the_shutdown() -> None:
    """The server is told that the shutdown failed."""
    notes: list[str] = []
    stack = mantlet.asgi.Stack(app(notes), [Started(notes, "a", fails="shutdown")])
    with pytest.raises(RuntimeError, match="can't stop"), TestClient(stack):
        pass


def test_the_lifespan_state_of_the_app_passes_through() -> None:
    """What the app's lifespan yields is there in its requests."""
    notes: list[str] = []
    stack = mantlet.asgi.Stack(app(notes), [Started(notes, "a")])
    with TestClient(stack) as client:
        assert client.app_state == {"shared": "yes"}


def test_a_lifespan_without_startup_is_the_apps_own_business() -> None:
    """The app gets the server's own receive and send."""
    seen: list[Any] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend((scope, receive, send))

    scope = {"type": "lifespan"}
    asyncio.run(_run(mantlet.asgi.Stack(note, [mantlet.ErrorEnvelope()]), scope))
    assert seen == [scope, _never, _nowhere]


def test_scope_types_not_known_today_pass_through() -> None:
    """The app gets the server's own receive and send."""
    seen: list[Any] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend((scope, receive, send))

    scope = {"type": "webtransport"}
    asyncio.run(_run(mantlet.asgi.Stack(note, [mantlet.ErrorEnvelope()]), scope))
    assert seen == [scope, _never, _nowhere]


def _http() -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": "/", "headers": []}


async def _never() -> Any:
    raise AssertionError("nothing is to be received")


async def _nowhere(message: Any) -> None: ...


async def _live(stack: mantlet.asgi.Stack, sent: list[Any] | None = None) -> list[str]:
    """Run a whole lifespan; return the types of the messages that the server got."""
    events = iter(["lifespan.startup", "lifespan.shutdown"])
    messages: list[Any] = [] if sent is None else sent

    async def receive() -> Any:
        return {"type": next(events)}

    async def send(message: Any) -> None:
        messages.append(message)

    await stack({"type": "lifespan"}, receive, send)
    return [message["type"].removeprefix("lifespan.") for message in messages]


async def _run(stack: mantlet.asgi.Stack, scope: dict[str, Any]) -> None:
    await stack(scope, _never, _nowhere)
