"""`forward()`: what a WebSocket gets, how it ends, and what the policies around it do."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

import mantlet
from mantlet import (
    Authenticator,
    Contract,
    Event,
    Events,
    Identity,
    OutputSanitizer,
    RateLimiter,
    Rule,
    SchemaGuard,
    Session,
)
from mantlet.core.exchange import ResponseClosed
from mantlet.events import forward
from tests.events.waiting import until

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from mantlet import Policy


class Socket:
    """A WebSocket that keeps what is sent.

    Args:
        error: what sending raises, if it does.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.texts: list[str] = []
        self.codes: list[int] = []
        self._error = error

    async def send(self, text: str) -> None:
        if self._error is not None:
            raise self._error
        self.texts.append(text)

    async def close(self, code: int) -> None:
        self.codes.append(code)


def test_messages_are_json() -> None:
    """Also with quotes and backslashes in types and ids, which are no harm there."""
    events, socket = Events(), Socket()

    async def main() -> None:
        subscription = events.subscribe("t")
        forwarding = asyncio.create_task(forward(subscription, socket.send, socket.close))
        events.publish(Event("order.placed", {"id": 1}, "a"), "t")
        events.publish(Event('","data":"evil', ["\u2028</script>"], '\\"\\'), "t")
        await until(lambda: len(socket.texts) == 2)
        subscription.close()
        await forwarding

    asyncio.run(main())
    assert socket.texts[0] == '{"type":"order.placed","id":"a","data":{"id":1}}'
    assert json.loads(socket.texts[1]) == {
        "type": '","data":"evil',
        "id": '\\"\\',
        "data": ["\u2028</script>"],
    }
    assert socket.codes == []


@pytest.mark.parametrize(
    ("reason", "code"), [("slow", 1013), ("expired", 4401), ("shutdown", 1001)]
)
def test_the_socket_is_closed_with_the_reason(reason: str, code: int) -> None:
    events, socket = Events(queue=1), Socket()

    async def main() -> None:
        end = time.time() + 0.05 if reason == "expired" else None
        subscription = events.subscribe("t", until=end)
        forwarding = asyncio.create_task(forward(subscription, socket.send, socket.close))
        await asyncio.sleep(0)
        if reason == "slow":
            events.publish(Event("t"))
            events.publish(Event("t"))
        elif reason == "shutdown":
            events.close()
        await forwarding
        assert subscription.reason == reason

    asyncio.run(main())
    assert socket.codes == [code]
    assert events.subscribers == 0


@pytest.mark.parametrize(
    "error",
    [
        OSError("gone"),
        ConnectionResetError(),
        ResponseClosed("a policy has closed the connection"),
        WebSocketDisconnect(1006),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_client_that_is_gone_ends_it(error: Exception) -> None:
    events, socket = Events(), Socket(error)

    async def main() -> None:
        subscription = events.subscribe("t")
        events.publish(Event("t"))
        await forward(subscription, socket.send, socket.close)

    asyncio.run(main())
    assert (socket.codes, events.subscribers) == ([], 0)


def test_any_other_error_is_raised() -> None:
    """And closes the subscription, as a cancellation does."""
    events, socket = Events(), Socket(LookupError("of the app"))

    async def main() -> None:
        subscription = events.subscribe("t")
        events.publish(Event("t"))
        with pytest.raises(LookupError):
            await forward(subscription, socket.send, socket.close)
        assert events.subscribers == 0
        forwarding = asyncio.create_task(forward(events.subscribe("t"), socket.send, socket.close))
        await asyncio.sleep(0)
        forwarding.cancel()
        await asyncio.wait([forwarding])
        assert events.subscribers == 0

    asyncio.run(main())


# -- through policies -----------------------------------------------------------------------------


def client_of(events: Events, *policies: Policy) -> TestClient:
    """Return a client of an app that forwards events, and publishes what its client says."""

    async def live(socket: WebSocket) -> None:
        subscription = events.subscribe("all")
        await socket.accept()
        async with asyncio.TaskGroup() as group:
            group.create_task(forward(subscription, socket.send_text, socket.close))
            async for text in socket.iter_text():
                events.publish(Event("said", json.loads(text)), "all")
            subscription.close()

    app = Starlette(routes=[WebSocketRoute("/live", live)])
    return TestClient(mantlet.wrap(app, *policies))


def data_of(socket: Any) -> Any:
    """Return the data of the next event."""
    return json.loads(socket.receive_text())["data"]


def test_the_rate_limiter_limits_what_clients_say() -> None:
    """The subscription ends with the connection."""
    events = Events()
    limiter = RateLimiter(
        "1000/minute", rules=[Rule("GET /live", "2/hour", per="message", close_code=4429)]
    )
    with client_of(events, limiter).websocket_connect("/live") as socket:
        for number in range(2):
            socket.send_text(str(number))
            assert data_of(socket) == number
        socket.send_text("3")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 4429
    assert events.subscribers == 0


class Said(BaseModel):
    """What a client may say."""

    text: str


def test_the_guard_validates_what_clients_say() -> None:
    events = Events()
    guard = SchemaGuard({"WS /live": Contract(message=Said)})
    with client_of(events, guard).websocket_connect("/live") as socket:
        socket.send_text('{"text": "hello"}')
        assert data_of(socket) == {"text": "hello"}
        socket.send_text('{"text": 5}')
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 1008
    assert events.subscribers == 0


def test_the_sanitizer_masks_secrets() -> None:
    events, secret = Events(), "kJ8dGm2QpX5vLw9RtZ4yBn7c"
    sanitizer = OutputSanitizer(secrets=[secret])
    with client_of(events, sanitizer).websocket_connect("/live") as socket:
        events.publish(Event("t", [f"key {secret}"]), "all")
        (text,) = data_of(socket)
    assert text.startswith("key **")
    assert secret not in text


def sessions(seconds: float) -> Authenticator:
    """Return a policy with one session, which ends after some seconds."""
    expires = time.time() + seconds

    def load(name: str) -> Identity | None:
        return Identity("ann", "session", expires=expires) if name == "s1" else None

    return Authenticator(Session(cookie="session", load=load), close_expired=True)


def test_a_client_without_a_session_gets_no_subscription() -> None:
    events = Events()
    with (
        pytest.raises(WebSocketDenialResponse),
        client_of(events, sessions(60)).websocket_connect("/live"),
    ):
        pass
    assert events.subscribers == 0


def test_an_expired_credential_ends_the_subscription() -> None:
    """The policy closes the connection, also while nobody says anything."""
    events = Events()
    client = client_of(events, sessions(0.3))
    client.cookies.set("session", "s1")
    with client.websocket_connect("/live") as socket:
        events.publish(Event("t", 1), "all")
        assert data_of(socket) == 1
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 4401
    assert events.subscribers == 0


def test_too_many_subscribers_are_refused_with_a_problem() -> None:
    """In the handshake."""
    events = Events(max_subscribers=1)
    client = client_of(events)
    with client.websocket_connect("/live"):
        with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/live"):
            pass
        assert refused.value.status_code == 503
        assert refused.value.headers["Retry-After"] == "5"
        assert refused.value.json()["detail"] == "There are too many subscribers."
