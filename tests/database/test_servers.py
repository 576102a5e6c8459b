"""Units of work on real servers, with clients that break off."""

from __future__ import annotations

import sqlite3
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.servers.server import HOST, Server, poll, serve

pytestmark = pytest.mark.slow

SERVERS = {
    "gunicorn-sync": "wsgi",
    "gunicorn-gthread": "wsgi",
    "granian-wsgi": "wsgi",
    "granian-asgi": "asgi",
    "uvicorn-h11": "asgi",
    "uvicorn-httptools": "asgi",
    "hypercorn": "asgi",
}


def ask(server: Server, method: str, path: str, name: str = "") -> tuple[int, bytes]:
    """Send a request."""
    connection = HTTPConnection(HOST, server.port, timeout=120)
    try:
        connection.request(method, path, headers={"X-Name": name})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def break_off(server: Server, path: str, name: str) -> None:
    """Send a request, and close the connection without waiting for its response."""
    with server.connect(HOST) as connection:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nX-Name: {name}\r\nContent-Length: 0\r\n\r\n"
        )
        connection.sendall(head.encode())
        if path == "/stream":
            connection.recv(1)


@pytest.mark.few_cases(2)
@pytest.mark.parametrize("name", SERVERS)
def test_every_end(name: str, tmp_path: Path) -> None:
    """What clients are told is stored, and no connection stays open."""
    file = str(tmp_path / "database")
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE stored (name TEXT UNIQUE)")
    database.close()
    env = {"UNIT_OF_WORK_DATABASE": file}
    app = f"served:{SERVERS[name]}"
    with serve(name, app, directory=Path(__file__).parent, env=env) as server:
        for number in range(3):
            assert ask(server, "POST", "/store", f"store {number}")[0] == 201
            assert ask(server, "POST", "/store", f"store {number}")[0] == 409
            assert ask(server, "POST", "/refuse", f"refuse {number}")[0] == 404
            assert ask(server, "POST", "/raise", f"raise {number}")[0] == 500
            break_off(server, "/slow", f"slow {number}")
            break_off(server, "/stream", f"stream {number}")
        poll(lambda: ask(server, "GET", "/") == (200, b"0"), "connections to be returned")
        assert ask(server, "POST", "/store", "last")[0] == 201  # nothing is locked
    with sqlite3.connect(file) as database:
        found = {row[0] for row in database.execute("SELECT name FROM stored")}
    database.close()
    expected = {f"{kind} {number}" for kind in ("store", "stream") for number in range(3)}
    # Whether a server tells the app of the client that has gone is up to the server.
    assert found - {f"slow {number}" for number in range(3)} == expected | {"last"}
