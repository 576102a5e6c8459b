"""Clients that stall their bodies, over real connections."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.conftest import some
from tests.servers.server import Server, serve

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SERVERS = [
    ("gunicorn-gthread", "stalled:wsgi"),
    ("uvicorn-h11", "stalled:asgi"),
    ("uvicorn-httptools", "stalled:asgi"),
    ("hypercorn", "stalled:asgi"),
    ("granian-asgi", "stalled:asgi"),
]
HEAD = (
    b"POST /login HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 14\r\n\r\n"
)
#: As many as `stalled` lets one client have in flight, and all of them.
SLOTS, UPLOADS = 3, 12


@pytest.fixture(
    scope="module", params=some(SERVERS, __name__, 2), ids=[name for name, _ in SERVERS]
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each server that hands an app the request before its body is there."""
    name, app = request.param
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with serve(name, app, directory=Path(__file__).parent, env={"PYTHONPATH": path}) as started:
        yield started


def status_of(connection: socket.socket) -> int:
    """Return the status of the response."""
    return int(connection.recv(65_536).split(b" ", 2)[1])


def test_stalled_bodies_hold_their_slots(server: Server, source: str) -> None:
    """The others are refused before their bodies are there, and these pass once theirs are."""
    waiting = [server.connect(source) for _ in range(UPLOADS)]
    try:
        for connection in waiting:
            connection.sendall(HEAD)
            connection.sendall(b"username=")
        deadline = time.monotonic() + 20
        while len(waiting) > SLOTS and time.monotonic() < deadline:
            for connection in select.select(waiting, [], [], 1)[0]:
                assert status_of(connection) == 429
                connection.close()
                waiting.remove(connection)
        assert len(waiting) == SLOTS
        assert b" 429 " in server.exchange(
            source, b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        )
        for connection in waiting:
            connection.sendall(b"alice")
        assert [status_of(connection) for connection in waiting] == [200] * SLOTS
        assert server.exchange(source, HEAD + b"username=alice").startswith(b"HTTP/1.1 200 ")
    finally:
        for connection in waiting:
            connection.close()
