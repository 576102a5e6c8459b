"""WebSockets that a policy closes at a time, under real servers with a real client."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.servers.conftest import some
from tests.servers.server import HOST, Server, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

SERVERS = {
    "uvicorn-websockets": ("uvicorn-httptools", ("--ws", "websockets")),
    "uvicorn-wsproto": ("uvicorn-h11", ("--ws", "wsproto")),
    "hypercorn": ("hypercorn", ()),
    "hypercorn-trio": ("hypercorn", ("--worker-class", "trio")),
    "granian": ("granian-asgi", ()),
}


@pytest.fixture(scope="module", params=some(SERVERS, __name__, 2))
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each implementation of WebSockets."""
    name, options = SERVERS[request.param]
    with serve(name, "expiring:app", directory=Path(__file__).parent, options=options) as started:
        yield started


def end_of(
    server: Server, path: str, talk: Callable[[ClientConnection], object]
) -> ConnectionClosed:
    """Talk on a connection until it ends; return how it ended."""
    with connect(f"ws://{HOST}:{server.port}{path}", open_timeout=120) as connection:
        with pytest.raises(ConnectionClosed) as raised:
            while True:
                talk(connection)
        return raised.value


def check_end(server: Server, end: ConnectionClosed, path: str, *said: str) -> None:
    assert end.rcvd is not None
    assert (end.rcvd.code, end.rcvd.reason) == (4401, "expired")
    for text in (*said, f"finished {path}"):
        server.wait_for_log(text)
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log


def test_an_idle_connection_is_closed(server: Server) -> None:
    end = end_of(server, "/idle", lambda connection: connection.recv(timeout=120))
    check_end(server, end, "/idle", "heard 4401")


def test_a_busy_connection_is_closed_and_loses_nothing_before(server: Server) -> None:
    numbers = count()
    repeated: list[int] = []

    def talk(connection: ClientConnection) -> None:
        connection.send(str(next(numbers)))
        repeated.append(int(connection.recv(timeout=120)))

    end = end_of(server, "/busy", talk)
    assert repeated == list(range(len(repeated)))
    assert repeated
    check_end(server, end, "/busy")


def test_an_app_that_only_sends_is_closed(server: Server) -> None:
    end = end_of(server, "/sends", lambda connection: connection.recv(timeout=120))
    check_end(server, end, "/sends", "can't send")
