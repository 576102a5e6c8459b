"""Hooks that a policy, as it is configured, has no use for are not called."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import Concurrency, Message, Policy, RateLimiter, Rule, on_status
from tests.drive import Adapter, AsgiAdapter, Said, both_adapters, hello, make_scope
from tests.ids import shown
from tests.ratelimit.outages import Broken

if TYPE_CHECKING:
    from mantlet import Request, Response

#: The events of a WebSocket with one message.
CONNECTION = ("connect", "receive", "disconnect")


class Notes(Policy):
    """Notes which of its hooks are called.

    Args:
        idle: those that it says it has no use for.
    """

    def __init__(self, *idle: str) -> None:
        self.disabled_hooks = frozenset(idle)
        self.called: list[str] = []

    def on_request(self, request: Request) -> None:
        self.called.append("on_request")

    def on_response(self, request: Request, response: Response) -> None:
        self.called.append("on_response")

    def on_error(self, request: Request, error: BaseException) -> None:
        self.called.append("on_error")

    def on_message(self, request: Request, message: Message) -> Message:
        self.called.append("on_message")
        return message

    def on_finish(self, request: Request) -> None:
        self.called.append("on_finish")

    def startup(self) -> None:
        self.called.append("startup")

    def shutdown(self) -> None:
        self.called.append("shutdown")


def failing(carrier: Any) -> Said:
    raise RuntimeError("x")


def called(adapter: Adapter, policy: Any, handler: Any = hello) -> list[str]:
    """Send a request; return which hooks of a policy were called."""
    adapter.drive(adapter.wrap(handler, policy))
    found: list[str] = policy.called
    return found


def live(policy: Policy) -> list[str]:
    """Live through a server's whole life: its lifespan, and a WebSocket with a message."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await receive()

    async def play(scope: Any, *kinds: str) -> None:
        events = iter(kinds)

        async def receive() -> Any:
            kind = next(events)
            if kind == "lifespan.shutdown":
                await play(connection, *(f"websocket.{what}" for what in CONNECTION))
            return {"type": kind, "text": "x", "code": 1000}

        async def send(message: Any) -> None:
            pass

        await stack(scope, receive, send)

    connection = make_scope(path="/ws", scope={"type": "websocket", "method": ...})
    lifespan = {"type": "lifespan", "asgi": {"version": "3.0"}}
    stack: Any = mantlet.asgi.wrap(app, policy, baseline=False)
    asyncio.run(play(lifespan, "lifespan.startup", "lifespan.shutdown"))
    found: list[str] = policy.called  # type: ignore[attr-defined]  # a policy of these tests
    return found


# -- of any policy --------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("idle", ["startup", "on_request", "on_response", "on_finish"])
def test_an_idle_hook_is_not_called(adapter: Adapter, idle: str) -> None:
    """And all others are, in their order."""
    every = ["startup", "on_request", "on_response", "on_finish"]
    assert called(adapter, Notes()) == every
    assert called(adapter, Notes(idle)) == [hook for hook in every if hook != idle]


@both_adapters
def test_an_idle_error_hook_is_not_called(adapter: Adapter) -> None:
    """Nor is the answer's hook in its place."""
    every = ["startup", "on_request", "on_error", "on_finish"]
    assert called(adapter, Notes(), failing) == every
    assert called(adapter, Notes("on_error"), failing) == ["startup", "on_request", "on_finish"]


@pytest.mark.parametrize("idle", ["on_message", "shutdown", "startup", "on_response"])
def test_an_idle_hook_is_not_called_in_a_servers_life(idle: str) -> None:
    """Neither in the lifespan, nor for a message."""
    every = ["startup", "on_request", "on_response", "on_message", "on_finish", "shutdown"]
    assert live(Notes()) == every
    assert live(Notes(idle)) == [hook for hook in every if hook != idle]


@both_adapters
def test_other_policies_keep_their_hooks(adapter: Adapter) -> None:
    """What one has no use for the next may need."""
    outer, inner = Notes("on_response", "on_finish"), Notes()
    adapter.drive(adapter.wrap(hello, outer, inner))
    assert outer.called == ["startup", "on_request"]
    assert inner.called == ["startup", "on_request", "on_response", "on_finish"]


# -- of the rate limiter --------------------------------------------------------------------------


class Noting(RateLimiter):
    """A limiter that notes which of its hooks are called."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.called: list[str] = []

    def on_request(self, request: Request) -> Any:
        self.called.append("on_request")
        return super().on_request(request)

    def on_response(self, request: Request, response: Response) -> Any:
        self.called.append("on_response")
        return super().on_response(request, response)

    def on_error(self, request: Request, error: BaseException) -> Any:
        self.called.append("on_error")
        return super().on_error(request, error)

    def on_message(self, request: Request, message: Message) -> Any:
        self.called.append("on_message")
        return super().on_message(request, message)

    def on_finish(self, request: Request) -> Any:
        self.called.append("on_finish")
        return super().on_finish(request)

    def startup(self) -> Any:
        self.called.append("startup")
        return super().startup()

    def shutdown(self) -> Any:
        self.called.append("shutdown")
        return super().shutdown()


CONFIGURED = pytest.mark.parametrize(
    ("options", "hooks"),
    [
        ({"quota": "9/hour"}, []),
        ({"quota": "9/hour", "headers": "both", "mode": "report"}, []),
        ({"rules": [Rule("* /", "9/hour", cost=2)]}, []),
        ({"quota": "9/hour", "count_if": on_status(401)}, ["on_response"]),
        ({"rules": [Rule("* /elsewhere", "9/hour", count_if=on_status(401))]}, ["on_response"]),
        ({"concurrency": Concurrency(5)}, ["on_finish"]),
        ({"rules": [Rule("* /elsewhere", concurrency=Concurrency(5))]}, ["on_finish"]),
        ({"quota": "9/hour", "store": Broken()}, ["startup"]),
    ],
    ids=shown,
)


@both_adapters
@CONFIGURED
def test_a_limiter_has_the_hooks_that_its_options_need(
    adapter: Adapter, options: dict[str, Any], hooks: list[str]
) -> None:
    """Besides the way in; so a plain one costs nothing on the way out."""
    found = called(adapter, Noting(**options))
    order = ["startup", "on_request", "on_response", "on_finish"]
    assert found == [hook for hook in order if hook in (*hooks, "on_request")]


@both_adapters
@CONFIGURED
def test_a_limiter_hears_errors_only_where_answers_count(
    adapter: Adapter, options: dict[str, Any], hooks: list[str]
) -> None:
    """That is where an error may give a token back."""
    found = called(adapter, Noting(**options), failing)
    assert ("on_error" in found) is ("on_response" in hooks)


def test_a_limiter_sees_messages_only_where_a_rule_is_about_them() -> None:
    """Each message costs a limiter of handshakes nothing."""
    rule = Rule("* /elsewhere", "9/hour", per="message")
    assert live(Noting("9/hour")) == ["on_request"]
    assert live(Noting("9/hour", rules=[rule])) == ["on_request", "on_message"]


def test_a_limiter_opens_and_closes_a_store_elsewhere_alone() -> None:
    """One in this process has nothing to be opened."""
    found = live(Noting("9/hour", store=Broken()))
    assert found == ["startup", "on_request", "shutdown"]


def test_a_plain_limiter_is_done_with_a_request_on_its_way_in() -> None:
    """The app's own messages go out as they are, but for the fields."""
    limited = AsgiAdapter().wrap(hello, RateLimiter("9/hour"))
    counting = AsgiAdapter().wrap(hello, RateLimiter("9/hour", count_if=on_status(200)))
    assert limited._hooks.is_inward_only  # type: ignore[attr-defined]  # a stack's own
    assert not counting._hooks.is_inward_only  # type: ignore[attr-defined]  # a stack's own
