"""Clients that go away while their bodies are read, on real servers."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ResponseReceived

from tests.servers.server import COMMANDS, Server, poll, serve

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
HEAD = (
    b"POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 14\r\n\r\nname="
)
#: What servers say of an app that fails, and Mantlet of an error.
ERRORS = ("Traceback", "ERROR", "Unhandled", "Exception in", " 500 ")
NOTE = "The client disconnected before the response had begun."


def protocol(server: str) -> str:
    """Return the protocol of a server."""
    return "wsgi" if server.startswith("gunicorn") or server.endswith("wsgi") else "asgi"


def start(name: str, reader: str) -> AbstractContextManager[Server]:
    """Start a server with the app whose body is read by a policy, or by itself alone."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    app = f"leaving:{protocol(name)}_{reader}"
    return serve(name, app, directory=Path(__file__).parent, env={"PYTHONPATH": path})


def reset(connection: socket.socket) -> None:
    """Close a connection by a reset, as the system of a client does whose process has ended."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def errors(log: str) -> list[str]:
    """Return the words of a log that stand for errors."""
    return [word for word in ERRORS if word in log]


def leave(server: Server, *, resets: bool) -> bytes:
    """Send the beginning of a body, and reset or half-close; return what the server answers."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        begun = server.log.count("begins")
        connection.sendall(HEAD)
        poll(lambda: server.log.count("begins") > begun, "the app to be called")
        if resets:
            reset(connection)
            return b""
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(65536)


@pytest.mark.few_cases(4)
@pytest.mark.parametrize("reader", ["policy", "alone"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_client_that_leaves_is_no_error(name: str, reader: str) -> None:
    """Nothing is logged as an error, no 500 is sent, and the next request is served."""
    with start(name, reader) as server:
        leave(server, resets=True)
        if reader == "policy" and protocol(name) == "wsgi":
            server.wait_for_log(NOTE)
        answer = leave(server, resets=False)
        next_one = server.exchange("127.0.0.1", HEAD.replace(b"14", b"8") + b"ann")
        log = server.log
    assert not answer or answer.split(b" ", 2)[1] in (b"400", b"200")
    assert next_one.split(b" ", 2)[1] == b"200"
    assert errors(log) == [], log


ASGI_SERVERS = [name for name in COMMANDS if protocol(name) == "asgi"]


@pytest.mark.few_cases(2)
@pytest.mark.parametrize("name", ASGI_SERVERS)
def test_an_aborted_websocket_is_no_error(name: str) -> None:
    """The framework's exception for it is not raised to the server, which would log it."""
    with start(name, "alone") as server:
        connection = server.connect("127.0.0.1")
        connection.sendall(
            b"GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 101 ")
        reset(connection)
        time.sleep(0.5)
        log = server.log
    assert errors(log) == [], log


@pytest.mark.few_cases(2)
@pytest.mark.parametrize("reader", ["policy", "alone"])
@pytest.mark.parametrize("name", ["hypercorn", "granian-asgi", "granian-wsgi"])
def test_a_reset_stream_of_http2_is_no_error(name: str, reader: str) -> None:
    """RST_STREAM (RFC 9113, 6.4) while the body is read; the connection goes on."""
    client = H2Connection(H2Configuration(client_side=True))
    head = [
        (":method", "POST"),
        (":path", "/"),
        (":scheme", "http"),
        (":authority", "test"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-length", "14"),
    ]
    with start(name, reader) as server, server.connect("127.0.0.1") as connection:
        client.initiate_connection()
        client.send_headers(1, head)
        client.send_data(1, b"name=")
        connection.sendall(client.data_to_send())
        server.wait_for_log("begins")
        client.reset_stream(1)
        client.send_headers(3, head)
        client.send_data(3, b"name=123456789", end_stream=True)
        connection.sendall(client.data_to_send())
        statuses: list[tuple[int, bytes]] = []
        while not statuses:
            statuses += [
                (event.stream_id, dict(event.headers)[b":status"])
                for event in client.receive_data(connection.recv(65536))
                if isinstance(event, ResponseReceived)
            ]
            connection.sendall(client.data_to_send())
        time.sleep(0.3)
        log = server.log
    assert statuses == [(3, b"200")]
    assert errors(log) == [], log
