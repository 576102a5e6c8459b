"""Streams and WebSockets of each framework under real servers, through a stack, and their ends."""

from __future__ import annotations

import json
import socket
import struct
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.events.served import SECRET
from tests.events.test_event_stream import Client
from tests.servers.server import HOST, Server, poll, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

WSGI = [
    ("gunicorn-gthread", "flask"),
    ("granian-wsgi", "flask"),
    ("gunicorn-gthread", "django-wsgi"),
    ("gunicorn-gthread", "falcon-wsgi"),
]
ASGI = [
    *(("uvicorn-h11", name) for name in ("starlette", "litestar", "quart", "falcon-asgi")),
    ("uvicorn-httptools", "django-asgi"),
    *((server, "fastapi") for server in ("uvicorn-httptools", "hypercorn", "granian-asgi")),
]


@contextmanager
def served(pair: tuple[str, str]) -> Iterator[Server]:
    name, framework = pair
    with serve(
        name, "tests.events.served:app", directory=ROOT, env={"FRAMEWORK": framework}
    ) as server:
        yield server


ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=WSGI + ASGI, ids="-".join)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each framework under a server."""
    with served(request.param) as started:
        yield started


@pytest.fixture(scope="module", params=ASGI, ids="-".join)
def asgi_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each framework with WebSockets."""
    with served(request.param) as started:
        yield started


class Listener:
    """A client of a stream, on a connection of its own."""

    def __init__(self, server: Server, last_id: str = "", buffer: int = 0) -> None:
        self._socket = small_socket(server, buffer) if buffer else server.connect(HOST)
        head = f"GET /events HTTP/1.1\r\nHost: {HOST}\r\nAccept: text/event-stream\r\n"
        if last_id:
            head += f"Last-Event-ID: {last_id}\r\n"
        self._socket.sendall(f"{head}\r\n".encode())
        self._received = b""
        self.head = self._read_to(b"\r\n\r\n").decode("latin-1").lower()

    def _read_to(self, end: bytes) -> bytes:
        while end not in self._received:
            received = self._socket.recv(65536)
            if not received:
                raise EOFError(self._received.decode())
            self._received += received
        found, _, self._received = self._received.partition(end)
        return found + end

    def read(self, text: str) -> Client:
        """Return what the client knows once a text has come, without the chunks' sizes."""
        received = self._read_to(text.encode()) + self._read_to(b"\n\n")
        lines = [line for line in received.split(b"\n") if not line.endswith(b"\r")]
        return Client().feed(b"\n".join(lines).replace(b"\r", b""))

    def kill(self) -> None:
        """Reset the connection, as a client does that is killed."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def subscribers(server: Server) -> int:
    return int(httpx.get(f"{server.url}/subscribers", timeout=120).text)


def publish(server: Server, text: str) -> str:
    """Publish a text; return its id."""
    response = httpx.post(f"{server.url}/events", content=text, timeout=120)
    assert response.status_code in (200, 201)
    return response.text


@pytest.mark.few_cases(4)
def test_a_stream(server: Server) -> None:
    """Comes event by event; a client that is killed is noticed, and the next one resumes."""
    listener = Listener(server)
    assert listener.head.startswith("http/1.1 200")
    assert "content-type: text/event-stream" in listener.head
    assert "cache-control: no-store" in listener.head
    assert "x-accel-buffering: no" in listener.head
    assert "x-request-id: " in listener.head
    assert "content-length" not in listener.head
    first = publish(server, "hello\nworld\u2028")
    client = listener.read("hello")
    assert client.events[-1] == ("said", json.dumps("hello\nworld\u2028"), first)
    assert subscribers(server) == 1
    listener.kill()
    poll(lambda: subscribers(server) == 0, "the end of the subscription")

    second = publish(server, "meanwhile")
    listener = Listener(server, last_id=first)
    assert listener.read("meanwhile").events == [("said", '"meanwhile"', second)]
    listener.kill()
    poll(lambda: subscribers(server) == 0, "the end of the subscription")


@pytest.mark.few_cases(3)
def test_secrets_in_a_stream_are_masked(server: Server) -> None:
    """By the sanitizer, event by event; nothing of the stream is held back."""
    listener = Listener(server)
    publish(server, f"key {SECRET}!")
    ((_, data, _),) = listener.read("key").events
    assert data.startswith('"key **')
    assert data.endswith('!"')
    assert SECRET not in data
    listener.kill()
    poll(lambda: subscribers(server) == 0, "the end of the subscription")


@pytest.mark.few_cases(2)
def test_a_websocket(asgi_server: Server) -> None:
    """Gets events, with secrets masked, and its end is noticed, however it ends."""
    server = asgi_server
    url = f"ws://{HOST}:{server.port}/live"
    with connect(url) as one, connect(url) as other:
        poll(lambda: subscribers(server) == 2, "two subscribers")
        one.send(f"hello {SECRET}")
        for socket_ in (one, other):
            message = json.loads(socket_.recv(timeout=120))
            assert message["type"] == "said"
            assert message["data"].startswith("hello **")
        publish(server, "news")
        assert json.loads(other.recv(timeout=120))["data"] == "news"
    poll(lambda: subscribers(server) == 0, "the end of both")
    with connect(url) as killed:
        poll(lambda: subscribers(server) == 1, "a subscriber")
        killed.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        killed.socket.close()
        poll(lambda: subscribers(server) == 0, "the end of one that is killed")
    assert "Traceback" not in server.log


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("pair", [WSGI[0], ASGI[0]], ids="-".join)
def test_a_client_that_does_not_read_keeps_nobody_waiting(pair: tuple[str, str]) -> None:
    """Its subscription ends, so that what waits for it is freed; the others get everything."""
    with served(pair) as server:
        slow, quick = Listener(server, buffer=4096), Listener(server)
        for number in range(1000):
            publish(server, f"{number} {'x' * 60_000} end {number}.")
            quick.read(f"end {number}.")
            if subscribers(server) == 1:
                break
        assert subscribers(server) == 1
        quick.kill()
        slow.kill()
        poll(lambda: subscribers(server) == 0, "the end of both")


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("pair", ASGI[:4], ids="-".join)
def test_a_websocket_that_does_not_read_is_closed(pair: tuple[str, str]) -> None:
    """With 1013, after what was sent already, so that the client tries again later."""
    with (
        served(pair) as server,
        small_socket(server, 4096) as connection,
        connect(
            f"ws://{HOST}:{server.port}/live",
            sock=connection,
            max_queue=1,
            compression=None,
            ping_interval=None,
        ) as slow,
    ):
        poll(lambda: subscribers(server) == 1, "a subscriber")
        for _ in range(1000):
            publish(server, "x" * 60_000)
            if subscribers(server) == 0:
                break
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                slow.recv(timeout=120)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013


def small_socket(server: Server, buffer: int) -> socket.socket:
    """Connect with a small receive buffer, which fills up soon."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(30)
    connection.connect((HOST, server.port))
    return connection
