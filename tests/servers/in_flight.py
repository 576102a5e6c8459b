"""Requests and responses that take a while, seen by their clients."""

from __future__ import annotations

import socket
import time
from functools import partial
from typing import TYPE_CHECKING

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.servers.server import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import Event

#: What the app sends: this many letters in each of so many pieces.
PIECES, LENGTH = 12, 500
WHOLE = "whole"
_HALF = 300_000
_HEAD = "{} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{}\r\n"


def _receive(connection: socket.socket, until: bytes | None = None) -> bytes:
    """Receive bytes up to some, or all there are."""
    received = bytearray()
    try:
        while until is None or until not in received:
            chunk = connection.recv(65536)
            if not chunk:
                break
            received += chunk
    except ConnectionError:
        pass  # it has been broken off
    return bytes(received)


def _read(path: str, port: int, begun: Callable[[], object], goes_on: Event) -> str:
    """Read a stream to its end."""
    with socket.create_connection((HOST, port), timeout=60) as connection:
        connection.sendall(_HEAD.format(f"GET {path}", "").encode())
        received = _receive(connection, b"data:")
        begun()
        received += _receive(connection)
    return WHOLE if received.count(b"x" * LENGTH) == PIECES else "broken off"


def _upload(port: int, begun: Callable[[], object], goes_on: Event) -> str:
    """Send half of a body once the server reads it, and the other half when it is to stop."""
    head = (
        f"Content-Type: application/octet-stream\r\nContent-Length: {2 * _HALF}\r\n"
        "Expect: 100-continue\r\n"
    )
    with socket.create_connection((HOST, port), timeout=60) as connection:
        connection.sendall(_HEAD.format("POST /upload", head).encode())
        received = _receive(connection, b"\r\n\r\n")
        try:
            connection.sendall(bytes(_HALF))
            begun()
            goes_on.wait(120)
            time.sleep(0.3)  # for the server to have begun to stop
            connection.sendall(bytes(_HALF))
        except ConnectionError:
            return "broken off"
        received += _receive(connection)
    return WHOLE if b"%d" % (2 * _HALF) in received else "broken off"


def _talk(port: int, begun: Callable[[], object], goes_on: Event) -> str:
    """Send messages over a WebSocket, and for two seconds more when the server is to stop."""
    with connect(f"ws://{HOST}:{port}/echo", open_timeout=60) as echo:
        try:
            echo.send("before")
            assert echo.recv(timeout=60) == "before"
            begun()
            goes_on.wait(120)
            for number in range(10):
                time.sleep(0.2)
                echo.send(f"{number}")
                assert echo.recv(timeout=60) == f"{number}"
        except ConnectionClosed as closed:
            return f"closed with {closed.rcvd and closed.rcvd.code}"
    return WHOLE


#: By name: each takes the port, what to call when it has begun, and what says that it may end.
EXCHANGES: Mapping[str, Callable[[int, Callable[[], object], Event], str]] = {
    "stream": partial(_read, "/stream"),
    "events": partial(_read, "/events"),
    "endless": partial(_read, "/endless"),
    "upload": _upload,
    "websocket": _talk,
}
