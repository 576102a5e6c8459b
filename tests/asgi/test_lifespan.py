"""Lifespan, startup and shutdown."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import mantlet
from mantlet import Policy, Request
from tests.conformance.asgi_checker import AsgiChecker

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


def test_an_app_without_lifespan_has_its_policies_started_on_first_use() -> None:
    """Once, however many requests come at a time."""
    notes: list[str] = []
    stack = mantlet.asgi.Stack(ok, [Started(notes, "a")])

    async def play() -> None:
        with pytest.raises(AssertionError, match="no lifespan"):
            await stack({"type": "lifespan"}, _never, _nowhere)
        await asyncio.gather(*(stack(_http(), _never, _nowhere) for _ in range(5)))

    asyncio.run(play())
    assert notes == ["a up", *["a request"] * 5]


def test_a_policy_that_cannot_start_fails_the_startup() -> None:
    """The server is told, and the app is not started."""
    notes: list[str] = []
    stack = mantlet.asgi.Stack(app(notes), [Started(notes, "a", fails="startup")])
    with pytest.raises(RuntimeError, match="can't start"), TestClient(stack):
        pass
    assert notes == ["a up"]


def test_cancellation_is_not_lost_behind_a_policy_that_cannot_start() -> None:
    """The app may still be cleaning up when the server ends it."""

    async def cancelled(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receive()
        except RuntimeError:
            raise asyncio.CancelledError from None

    async def start() -> Any:
        return {"type": "lifespan.startup"}

    stack = mantlet.asgi.Stack(cancelled, [Started([], "a", fails="startup")])
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(stack({"type": "lifespan"}, start, _nowhere))


def test_a_policy_that_cannot_start_on_first_use_lets_no_request_pass() -> None:
    """Each request tries again, and fails while the policy does."""
    notes: list[str] = []
    stack = mantlet.asgi.Stack(ok, [Started(notes, "a", fails="startup")])
    for _ in range(2):
        with pytest.raises(RuntimeError, match="can't start"):
            asyncio.run(_call(stack))
    assert notes == ["a up", "a up"]


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


async def _call(stack: mantlet.asgi.Stack) -> None:
    await stack(_http(), _never, _nowhere)


async def _run(stack: mantlet.asgi.Stack, scope: dict[str, Any]) -> None:
    await stack(scope, _never, _nowhere)
