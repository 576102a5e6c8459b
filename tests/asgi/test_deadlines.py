"""WebSockets that a policy closes at a time, on the event loops of asyncio and Trio."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from time import time
from typing import TYPE_CHECKING, Any

import pytest
import trio

import mantlet
from mantlet import Close, Message, Policy, Request, check_mode
from mantlet.core.exchange import ResponseClosed
from mantlet.testing import PROTOCOLS, PolicyClient, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mantlet._internal.asgi_types import AsgiApp, AsgiMessage, Receive, Scope, Send
    from mantlet.core.modes import Mode, ModeOption

EXPIRED = Close(4401, "expired")
END = {"type": "websocket.close", "code": 4401, "reason": "expired"}
HEARD = {"type": "websocket.disconnect", "code": 4401, "reason": "expired"}
ACCEPT = {"type": "websocket.accept"}
CONNECT = {"type": "websocket.connect"}
NEVER = time() + 1e6

on_both_loops = pytest.mark.parametrize("loop", ["asyncio", "trio"])


def text(data: str, kind: str = "receive") -> AsgiMessage:
    return {"type": f"websocket.{kind}", "text": data}


class Expires(Policy):
    """Closes connections some seconds after their handshake."""

    def __init__(self, seconds: float = 0.02, *, mode: ModeOption = "enforce") -> None:
        self.seconds = seconds
        self.mode = check_mode(mode)
        self.finished = 0

    def on_request(self, request: Request) -> None:
        request.close_at(time() + self.seconds, EXPIRED)

    def on_finish(self, request: Request) -> None:
        self.finished += 1


class Connection:
    """A client and a server that connect with a stack.

    Args:
        loop: ``"asyncio"`` or ``"trio"``.
        *events: what the server receives; then it waits forever.
    """

    def __init__(self, loop: str, *events: AsgiMessage) -> None:
        self.loop = loop
        self.events = [CONNECT, *events]
        self.sent: list[AsgiMessage] = []
        self.error: BaseException | None = None

    async def receive(self) -> AsgiMessage:
        if not self.events:
            await self.forever()
        return self.events.pop(0)

    async def send(self, message: AsgiMessage) -> None:
        self.sent.append(message)

    async def forever(self) -> None:
        if self.loop == "trio":
            await trio.sleep_forever()
        await asyncio.Event().wait()

    async def sleep(self, seconds: float) -> None:
        if self.loop == "trio":
            await trio.sleep(seconds)
        else:
            await asyncio.sleep(seconds)

    def run(self, stack: AsgiApp) -> Connection:
        """Serve one connection."""
        self.run_alone(lambda: stack(self.scope(), self.receive, self.send))
        return self

    def scope(self) -> Scope:
        return {"type": "websocket", "path": "/ws", "headers": []}

    def run_alone(self, fn: Callable[[], Awaitable[Any]]) -> None:
        async def main() -> None:
            await fn()

        if self.loop == "trio":
            trio.run(main)
        else:
            asyncio.run(main())


class Listener:
    """An app that accepts, listens to the end and repeats what it hears."""

    def __init__(self) -> None:
        self.heard: list[AsgiMessage] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        while True:
            message = await receive()
            self.heard.append(message)
            if message["type"] == "websocket.disconnect":
                break
            await send(text(message["text"], "send"))


@on_both_loops
def test_an_idle_connection_is_closed_at_its_time(loop: str) -> None:
    app, policy = Listener(), Expires()
    connection = Connection(loop, text("a")).run(mantlet.asgi.Stack(app, [policy]))
    assert app.heard == [text("a"), HEARD]
    assert connection.sent == [ACCEPT, text("a", "send"), END]
    assert policy.finished == 1


@on_both_loops
def test_messages_that_policies_hold_back_are_sent_first(loop: str) -> None:
    class Holds(Policy):
        held: tuple[Message, ...] = ()

        def on_message(self, request: Request, message: Message) -> Any:
            if message.direction == "in":
                return message
            self.held = (message,)
            return ()

        def on_close(self, request: Request) -> tuple[Message, ...]:
            return self.held

    stack = mantlet.asgi.Stack(Listener(), [Expires(), Holds()])
    connection = Connection(loop, text("a")).run(stack)
    assert connection.sent == [ACCEPT, text("a", "send"), END]


@on_both_loops
@pytest.mark.parametrize("seconds", [-5, -1e300, float("-inf")])
def test_a_message_that_comes_later_is_not_received(loop: str, seconds: float) -> None:
    app = Listener()

    class Late(Policy):
        async def on_request(self, request: Request) -> None:
            request.close_at(NEVER, EXPIRED)

        def on_message(self, request: Request, message: Message) -> Message:
            if message.direction == "out":
                request.close_at(seconds, EXPIRED)  # as if time had passed
            return message

    connection = Connection(loop, text("a"), text("b")).run(mantlet.asgi.Stack(app, [Late()]))
    assert app.heard == [text("a"), HEARD]
    assert connection.sent == [ACCEPT, text("a", "send"), END]


@on_both_loops
def test_an_app_that_only_sends_is_closed_when_it_sends_next(loop: str) -> None:
    connection = Connection(loop)
    raised: list[BaseException] = []

    async def feed(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await send(text("1", "send"))
        await connection.sleep(0.1)
        await send(text("2", "send"))
        try:
            await send(text("3", "send"))
        except ResponseClosed as error:
            raised.append(error)
        await send({"type": "websocket.close", "code": 1000})

    policy = Expires(0.05)
    connection.run(mantlet.asgi.Stack(feed, [policy]))
    assert connection.sent == [ACCEPT, text("1", "send"), END]
    assert len(raised) == 1
    assert policy.finished == 1


@on_both_loops
def test_the_apps_own_close_stays_its_own(loop: str) -> None:
    """And it may wait for the client's answer to it, which comes in its time."""
    closed = {"type": "websocket.close", "code": 1001}
    heard: list[AsgiMessage] = []
    connection = Connection(loop)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await connection.sleep(0.03)
        await send(closed)
        connection.events.append({"type": "websocket.disconnect", "code": 1001})
        heard.append(await receive())

    connection.run(mantlet.asgi.Stack(app, [Expires(0.01)]))
    assert connection.sent == [ACCEPT, closed]
    assert heard == [{"type": "websocket.disconnect", "code": 1001}]


@on_both_loops
def test_a_handshake_that_the_app_accepts_too_late_is_refused(loop: str) -> None:
    connection = Connection(loop)
    statuses: list[int] = []

    class Looks(Policy):
        def on_response(self, request: Request, response: mantlet.Response) -> None:
            statuses.append(response.status)

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        connection.events.append({"type": "websocket.disconnect", "code": 1006})
        await connection.sleep(0.03)
        await send(ACCEPT)
        with pytest.raises(ResponseClosed):
            await send(text("a", "send"))
        assert (await receive())["type"] == "websocket.disconnect"

    connection.run(mantlet.asgi.Stack(slow, [Expires(0.01), Looks()]))
    assert [message["type"] for message in connection.sent] == ["websocket.close"]
    assert statuses == [403]


@pytest.mark.parametrize("seconds", [0.0, 0.03])
def test_an_app_may_listen_before_it_accepts(seconds: float) -> None:
    """As Quart does, in another task."""
    connection = Connection("asyncio")
    heard: list[AsgiMessage] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        listening = asyncio.ensure_future(receive())
        await asyncio.sleep(seconds)
        await send(ACCEPT)
        if seconds:  # too late: the server tells of the refusal
            listening.cancel()
        else:
            heard.append(await listening)

    connection.run(mantlet.asgi.Stack(app, [Expires(0.01)]))
    if seconds:
        assert [message["type"] for message in connection.sent] == ["websocket.close"]
    else:
        assert connection.sent == [ACCEPT, END]
        assert heard == [HEARD]


class Between:
    """A middleware, so that two stacks do not fuse."""

    def __init__(self, app: AsgiApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(dict(scope), receive, send)


@on_both_loops
@pytest.mark.parametrize(
    ("outer", "inner"), [([0.02], []), ([], [0.02]), ([0.02], [1e6]), ([1e6], [0.02])]
)
@pytest.mark.parametrize("is_nested", [True, False])
def test_the_earliest_time_counts_whoever_sets_it(
    loop: str, is_nested: bool, outer: list[float], inner: list[float]
) -> None:
    app = Listener()
    nearer, further = [[Expires(one) for one in seconds] for seconds in (inner, outer)]
    inside = mantlet.asgi.Stack(app, nearer)
    stack = mantlet.asgi.Stack(Between(inside) if is_nested else inside, further)
    connection = Connection(loop, text("a")).run(stack)
    assert app.heard == [text("a"), HEARD]
    assert connection.sent == [ACCEPT, text("a", "send"), END]
    assert [policy.finished for policy in (*nearer, *further)] == [1] * len(nearer + further)


@on_both_loops
def test_a_message_that_an_outer_policy_is_looking_at_is_not_received(loop: str) -> None:
    """Its hook is canceled, which is no failure of the policy."""
    connection = Connection(loop, text("a"))

    class Looks(Policy):
        async def on_message(self, request: Request, message: Message) -> Message:
            await connection.forever()
            return message

    app = Listener()
    stack = mantlet.asgi.Stack(Between(mantlet.asgi.Stack(app, [Expires()])), [Looks()])
    connection.run(stack)
    assert app.heard == [HEARD]
    assert connection.sent == [ACCEPT, END]


@on_both_loops
def test_an_app_that_stops_to_wait_while_a_policy_looks_at_a_message_goes_on(loop: str) -> None:
    """Without that message, which no policy has passed."""
    connection = Connection(loop, text("wait"), text("a"))

    class Looks(Policy):
        async def on_message(self, request: Request, message: Message) -> Message:
            if message.data == "wait":
                await connection.forever()
            return message

    heard: list[AsgiMessage] = []

    async def polls(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        if loop == "trio":
            with trio.move_on_after(0.005):
                await receive()
        else:
            with suppress(TimeoutError):
                await asyncio.wait_for(receive(), 0.005)
        heard.append(await receive())

    connection.run(mantlet.asgi.Stack(polls, [Looks()]))
    assert heard == [text("a")]
    assert connection.sent == [ACCEPT]


@on_both_loops
def test_an_app_that_stops_to_wait_loses_no_message(loop: str) -> None:
    connection = Connection(loop)
    heard: list[AsgiMessage] = []

    async def polls(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        for data in "ab":
            if loop == "asyncio":
                with suppress(TimeoutError):
                    await asyncio.wait_for(receive(), 0.005)
            else:
                with trio.move_on_after(0.005):
                    await receive()
            connection.events.append(text(data))
            heard.append(await receive())

    connection.run(mantlet.asgi.Stack(polls, [Expires(1e6)]))
    assert heard == [text("a"), text("b")]
    assert connection.sent == [ACCEPT]


@on_both_loops
def test_a_connection_that_the_server_cancels_ends_as_without(loop: str) -> None:
    connection, policy = Connection(loop), Expires(1e6)
    app = Listener()
    stack = mantlet.asgi.Stack(app, [policy])

    async def serve() -> None:
        serving = stack(connection.scope(), connection.receive, connection.send)
        if loop == "asyncio":
            task = asyncio.ensure_future(serving)
            while not connection.sent:  # noqa: ASYNC110  # the app sends it within a few turns
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            with trio.move_on_after(0.1) as scope:
                await serving
            assert scope.cancelled_caught

    connection.run_alone(serve)
    assert app.heard == []
    assert connection.sent == [ACCEPT]
    assert policy.finished == 1


def test_a_message_in_the_very_moment_is_received_or_closes_the_connection() -> None:
    """Servers may return a message though they have been canceled; the task goes on."""
    app, connection = Listener(), Connection("asyncio", text("a"))
    events = connection.events

    async def receive() -> AsgiMessage:
        if len(events) == 1:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return events.pop(0)

    async def main() -> int:
        await mantlet.asgi.Stack(app, [Expires()])(connection.scope(), receive, connection.send)
        task = asyncio.current_task()
        assert task is not None
        await asyncio.sleep(0)
        return task.cancelling()

    assert asyncio.run(main()) == 0
    assert app.heard == [HEARD]
    assert connection.sent == [ACCEPT, END]


@on_both_loops
def test_a_timeout_of_the_server_is_its_own(loop: str) -> None:
    connection = Connection(loop)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await receive()

    async def receive() -> AsgiMessage:
        if not connection.events:
            raise TimeoutError("the peer does not answer")
        return connection.events.pop(0)

    stack = mantlet.asgi.Stack(app, [Expires(1e6)])
    with pytest.raises(TimeoutError, match="the peer does not answer"):
        connection.run_alone(lambda: stack(connection.scope(), receive, connection.send))


@on_both_loops
def test_report_mode_closes_nothing_and_says_when_it_would_have(
    loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "mantlet.report")
    for seconds, reports in (
        (-1, ["Expires would have closed the connection with 4401 (GET request -)"]),
        (1e6, []),
    ):
        caplog.clear()
        app = Listener()
        gone = {"type": "websocket.disconnect", "code": 1000}
        stack = mantlet.asgi.Stack(app, [Expires(seconds, mode="report")])
        connection = Connection(loop, text("a"), gone).run(stack)
        assert app.heard == [text("a"), gone]
        assert connection.sent == [ACCEPT, text("a", "send")]
        assert [record.getMessage() for record in caplog.records] == reports


@pytest.mark.parametrize("mode", ["enforce", "report", "off"])
def test_modes_of_routes_decide_too(mode: Mode) -> None:
    gone = {"type": "websocket.disconnect", "code": 1000}
    stack = mantlet.asgi.Stack(Listener(), [Expires(-1, mode={"GET /ws": mode})])
    connection = Connection("asyncio", gone).run(stack)
    kinds = [message["type"] for message in connection.sent]
    assert kinds == ["websocket.close" if mode == "enforce" else "websocket.accept"]


def test_a_connection_without_a_time_gets_the_servers_own_receive() -> None:
    class Looks(Policy):
        def on_request(self, request: Request) -> None:
            assert request.protocol == "websocket"

    connection, seen = Connection("asyncio"), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(receive)

    connection.run(mantlet.asgi.Stack(app, [Looks()]))
    assert seen == [connection.receive]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("mode", ["enforce", "report"])
def test_a_request_is_not_closed_at_a_time(protocol: Protocol, mode: ModeOption) -> None:
    errors: list[RuntimeError] = []

    class Tries(Policy):
        def __init__(self) -> None:
            self.mode = check_mode(mode)

        def on_request(self, request: Request) -> None:
            with pytest.raises(RuntimeError, match="only a WebSocket") as raised:
                request.close_at(NEVER, EXPIRED)
            errors.append(raised.value)

    assert PolicyClient(Tries(), protocol=protocol).get("/").status == 200
    assert len(errors) == 1


def test_a_time_that_is_no_number_is_refused() -> None:
    errors: list[ValueError] = []

    class Tries(Policy):
        def on_request(self, request: Request) -> None:
            with pytest.raises(ValueError, match="not nan") as raised:
                request.close_at(float("nan"), EXPIRED)
            errors.append(raised.value)

    Connection("asyncio").run(mantlet.asgi.Stack(Listener(), [Tries(), Expires()]))
    assert len(errors) == 1
