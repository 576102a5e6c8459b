"""Clients that go away while their bodies are read, on real servers."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path

import pytest

from tests.servers.server import COMMANDS, Server, serve

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


def leave(server: Server, *, resets: bool) -> bytes:
    """Send the beginning of a body, and reset or half-close; return what the server answers."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=3) as connection:
        connection.sendall(HEAD)
        time.sleep(0.2)  # for the server to have called the app
        if resets:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return b""
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(65536)


@pytest.mark.parametrize("reader", ["policy", "alone"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_client_that_leaves_is_no_error(name: str, reader: str) -> None:
    """Nothing is logged as an error, no 500 is sent, and the next request is served."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    app = f"leaving:{protocol(name)}_{reader}"
    with serve(name, app, directory=Path(__file__).parent, env={"PYTHONPATH": path}) as server:
        leave(server, resets=True)
        if reader == "policy" and protocol(name) == "wsgi":
            server.wait_for_log(NOTE)
        answer = leave(server, resets=False)
        next_one = server.exchange("127.0.0.1", HEAD.replace(b"14", b"8") + b"ann")
        log = server.log
    assert not answer or answer.split(b" ", 2)[1] in (b"400", b"200")
    assert next_one.split(b" ", 2)[1] == b"200"
    assert [word for word in ERRORS if word in log] == [], log
