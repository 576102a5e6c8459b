"""WebSocket handshakes, which count as requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse

import mantlet
from mantlet import RateLimiter, Rule
from tests.conformance.asgi_checker import AsgiChecker
from tests.drive import CLIENT, make_scope

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from mantlet._internal.asgi_types import AsgiMessage


async def echo(websocket: WebSocket) -> None:
    """Send everything back."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


def client(limiter: RateLimiter) -> TestClient:
    """Return a client of an app behind a limiter."""
    app = Starlette(routes=[WebSocketRoute(path, echo) for path in ("/ws", "/other")])
    stack = mantlet.asgi.wrap(AsgiChecker(app), limiter, baseline=False)
    return TestClient(AsgiChecker(stack), client=(CLIENT, 50000))


def test_handshakes_count_as_requests() -> None:
    """The limiter's quota holds for them, and the third is refused before it is accepted."""
    limited = client(RateLimiter("2/hour", clock=lambda: 0))
    for _ in range(2):
        with limited.websocket_connect("/ws") as connection:
            connection.send_text("a")
            assert connection.receive_text() == "a"
    with pytest.raises(WebSocketDenialResponse) as refused, limited.websocket_connect("/ws"):
        pass
    assert refused.value.status_code == 429
    assert refused.value.headers["retry-after"] == "1800"
    assert refused.value.headers["content-type"] == "application/problem+json"
    assert refused.value.json()["violated-policies"] == ["default"]


def test_messages_do_not_spend_of_the_quota_for_requests() -> None:
    """A limiter without a rule for messages leaves them alone."""
    limiter = RateLimiter("2/hour", clock=lambda: 0)
    with client(limiter).websocket_connect("/ws") as connection:
        for _ in range(5):
            connection.send_text("a")
            connection.receive_text()
    assert limiter.peek(CLIENT).remaining == 0
    assert limiter.peek(CLIENT).allowed


def test_a_rule_for_requests_holds_for_handshakes() -> None:
    """They are GET, as on the wire."""
    limited = client(RateLimiter(rules=[Rule("GET /ws", "1/hour")], clock=lambda: 0))
    with limited.websocket_connect("/ws"), limited.websocket_connect("/other"):
        pass
    with pytest.raises(WebSocketDenialResponse), limited.websocket_connect("/ws"):
        pass


def test_a_rule_for_messages_does_not_hold_for_handshakes() -> None:
    """Nor does it set the limiter's own quota aside."""
    rule = Rule("* /ws", "1/hour", per="message")
    limited = client(RateLimiter("5/hour", rules=[rule], clock=lambda: 0))
    for left in (4, 3, 2):
        with limited.websocket_connect("/ws") as connection:
            fields: Any = connection.extra_headers
            assert (b"ratelimit", f'"default";r={left};t=720'.encode()) in fields


def test_a_refused_handshake_is_a_close_where_the_server_can_say_no_more() -> None:
    """Without the denial extension there is nothing but a close before the accept."""

    async def run() -> list[AsgiMessage]:
        sent: list[AsgiMessage] = []

        async def receive() -> AsgiMessage:
            return {"type": "websocket.connect"}

        async def send(message: AsgiMessage) -> None:
            sent.append(message)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            raise AssertionError("the app must not see it")

        scope = make_scope(path="/ws", scope={"type": "websocket", "scheme": "ws", "method": ...})
        await mantlet.asgi.wrap(app, limiter, baseline=False)(scope, receive, send)
        return sent

    limiter = RateLimiter("1/hour", clock=lambda: 0)
    limiter.check(CLIENT)
    (message,) = asyncio.run(run())
    assert (message["type"], message["code"]) == ("websocket.close", 1008)
