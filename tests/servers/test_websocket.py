"""WebSockets through a wrapped app, under real servers with a real client."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.servers.conftest import ASGI_SERVERS, WEBSOCKET_APPS, label, some
from tests.servers.server import HOST, Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(
    scope="session",
    params=some([(name, app) for app in WEBSOCKET_APPS for name in ASGI_SERVERS], __name__),
    ids=label,
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each example with a WebSocket under each server that speaks it."""
    name, app = request.param
    with serve(name, app) as started:
        yield started


@contextmanager
def shake_hands(server: Server, source: str) -> Iterator[ClientConnection]:
    """Open a WebSocket to the echo."""
    with (
        server.connect(source) as connection,
        connect(f"ws://{HOST}:{server.port}/echo", sock=connection) as echo,
    ):
        yield echo


def test_echo(server: Server, source: str) -> None:
    """Messages pass in both directions, and the accepted handshake has the policies' fields."""
    with shake_hands(server, source) as echo:
        for text in ("hello", "", "é" * 100_000):
            echo.send(text)
            assert echo.recv(timeout=120) == text
        assert echo.response is not None
        headers = echo.response.headers

    if server.name != "granian-asgi":  # it sends none of an app's fields with a 101
        assert len(headers["X-Request-ID"]) == 32
        assert headers["RateLimit"] == '"default";r=19;t=1'
        assert headers["RateLimit-Policy"] == '"default";q=100;w=60'


def test_handshakes_beyond_the_quota_are_refused(server: Server, source: str) -> None:
    """A handshake is a request: what exceeds the burst is refused, and never accepted."""
    refusals = []
    for _ in range(30):
        try:
            with shake_hands(server, source):
                pass
        except InvalidStatus as refused:
            refusals.append(refused.response)

    assert 5 <= len(refusals) <= 10
    for refusal in refusals:
        assert refusal.status_code == 429
        assert refusal.headers["Retry-After"] == "1"
        assert refusal.headers["Content-Type"] == "application/problem+json"
        assert b"#quota-exceeded" in refusal.body
        assert len(refusal.headers.get_all("X-Request-ID")) == 1
