"""WebSockets: which handshakes and messages pass, and how a connection ends that brings others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

import mantlet
from mantlet import SchemaGuard
from mantlet.guard import BodyLimits, Contract, JsonRpc
from tests.conformance.asgi_checker import AsgiChecker

if TYPE_CHECKING:
    from starlette.websockets import WebSocket


class Event(BaseModel):
    kind: str
    count: int = 1


class Query(BaseModel):
    room: str


CONTRACTS: dict[str, Any] = {
    "WS /live": Contract(query=Query, message=Event, outgoing=Event),
    "WS /rpc": JsonRpc({"ping": None}),
    "GET /page": Contract(),
}


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        answer = text
        if '"seeded"' in text:
            answer = '{"kind": 5}'
        await socket.send_text(answer)


def client(**options: Any) -> TestClient:
    app = Starlette(routes=[WebSocketRoute("/live", echo), WebSocketRoute("/rpc", echo)])
    return TestClient(
        AsgiChecker(mantlet.wrap(app, SchemaGuard(CONTRACTS, **options), baseline=False))
    )


GOOD = '{"kind": "a"}'


def test_good_messages_pass_both_ways() -> None:
    """As they came."""
    with client().websocket_connect("/live?room=a") as socket:
        socket.send_text(GOOD)
        assert socket.receive_text() == GOOD
        socket.send_text('{"kind": "b", "count": 2}')
        assert socket.receive_text() == '{"kind": "b", "count": 2}'


@pytest.mark.parametrize(
    ("sent", "code", "reason"),
    [
        ("not json", 1007, "json_"),
        ('{"kind": "a", "kind": "b"}', 1007, "json_duplicate"),
        ('{"kind": 5}', 1008, "string_type"),
        ('{"kind": "a", "more": 1}', 1008, "extra_forbidden"),
        (GOOD + " " * 100, 1009, "message_too_large"),
    ],
)
def test_a_bad_message_ends_the_connection(sent: str, code: int, reason: str) -> None:
    """With RFC 6455's code and what was wrong, and without reaching the app."""
    with client(limits=BodyLimits(body=100)).websocket_connect("/live?room=a") as socket:
        socket.send_text(sent)
        with pytest.raises(WebSocketDisconnect) as caught:
            socket.receive_text()
    assert caught.value.code == code
    assert caught.value.reason.startswith(reason)


def test_a_bad_message_of_the_apps_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    """The client is told nothing of it; the log is."""
    with client().websocket_connect("/live?room=a") as socket:
        socket.send_text('{"kind": "seeded"}')
        with pytest.raises(WebSocketDisconnect) as caught:
            socket.receive_text()
    assert (caught.value.code, caught.value.reason) == (1011, "")
    assert "WS /live, invalid outgoing message" in caplog.text
    assert "seeded" not in caplog.text


def test_canonical_messages_are_written_anew() -> None:
    """The app gets what was validated, as text or as bytes."""
    with client(forward="canonical").websocket_connect("/live?room=a") as socket:
        socket.send_text('{ "count": "2", "kind": "\\u0061" }')
        assert socket.receive_text() == '{"kind":"a","count":2}'


def test_report_lets_messages_pass(caplog: pytest.LogCaptureFixture) -> None:
    """In both directions."""
    with (
        caplog.at_level(logging.WARNING, "mantlet.guard"),
        client(mode="report").websocket_connect("/live?room=a") as socket,
    ):
        socket.send_text('{"kind": "seeded", "more": 1}')
        assert socket.receive_text() == '{"kind": 5}'
    assert len(caplog.records) == 2


def test_json_rpc_comes_by_messages_too() -> None:
    """Its calls are bounded as in a body."""
    with client().websocket_connect("/rpc") as socket:
        socket.send_text('{"jsonrpc": "2.0", "method": "ping", "id": 1}')
        assert '"ping"' in socket.receive_text()
        socket.send_text('{"jsonrpc": "2.0", "method": "pong", "id": 1}')
        with pytest.raises(WebSocketDisconnect) as caught:
            socket.receive_text()
    assert caught.value.reason == "undeclared_method"


@pytest.mark.parametrize(
    ("target", "status"),
    [("/live", 422), ("/live?room=a&more=1", 422), ("/nothing", 404), ("/page", 404)],
)
def test_a_handshake_is_judged_as_a_request(target: str, status: int) -> None:
    """It is denied with the same problem."""
    with (
        pytest.raises(WebSocketDenialResponse) as caught,
        client().websocket_connect(target),
    ):
        pass
    assert caught.value.status_code == status
    assert caught.value.json()["status"] == status


def test_a_websocket_is_none_of_the_methods_of_http() -> None:
    """Nor the other way round."""
    assert client().get("/live?room=a").status_code == 404
    app = client(allow=["path", "method"])
    with app.websocket_connect("/live?room=a") as socket:
        socket.send_text(GOOD)
        assert socket.receive_text() == GOOD
