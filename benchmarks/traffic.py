"""The requests, and the server's side of serving them in process.

A request is that of an ordinary JSON client: nine headers and a body. The
scope and the environ are made anew for each one, as uvicorn and gunicorn do, for the bare app too.
"""

import json
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pydantic import BaseModel

CLIENT = ("203.0.113.7", 50312)
KIB = 1024


@dataclass(frozen=True)
class Traffic:
    """One request, sent in one piece or in chunks.

    Attributes:
        size: ``"small"``, ``"medium"``, ``"streamed"`` or ``"query"``.
        chunks: its body.
        method: of the request.
        query: of the request.
    """

    size: str
    chunks: tuple[bytes, ...]
    method: str = "POST"
    query: str = ""

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def headers(self) -> list[tuple[str, str]]:
        body = self.body
        fields = [
            ("host", "api.example.com"),
            (
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            ),
            ("accept", "application/json"),
            ("accept-encoding", "gzip, deflate, br"),
            ("accept-language", "en-GB,en;q=0.8"),
            ("authorization", "Bearer 0d6f2f5c9a7b4e1f8c3d2a1b0e9f8d7c"),
            ("connection", "keep-alive"),
        ]
        if not body:
            return fields
        entity = [("content-type", "application/json"), ("content-length", str(len(body)))]
        return [*fields[:-1], *entity, fields[-1]]


class Order(BaseModel):
    """The JSON of the requests' bodies."""

    item: str
    amount: int
    note: str = ""


def _json(length: int) -> bytes:
    frame = b'{"item":"mantlet","amount":3,"note":"%s"}'
    return frame % (b"x" * (length - len(frame) + 2))


SMALL = Traffic("small", (_json(100),))
MEDIUM = Traffic("medium", (_json(10 * KIB),))
STREAMED = Traffic("streamed", (b"x" * KIB,) * 64)
QUERY = Traffic("query", (b"",), "GET", "item=mantlet&amount=3&sold=true")


def document(size: int) -> bytes:
    """Return a JSON document of just so many bytes, as an API would answer."""
    rows = [
        {"id": number, "name": f"Item {number}", "price": number * 1.25, "tags": ["red", "large"]}
        for number in range(size // 60 + 1)
    ]
    text = json.dumps({"items": rows, "next": "https://api.example.com/items?page=2"})
    frame = '{"note": "", "page": }'
    while len(text) + len(frame) > size:
        rows.pop()
        text = json.dumps({"items": rows, "next": "https://api.example.com/items?page=2"})
    return f'{{"note": "{"x" * (size - len(text) - len(frame))}", "page": {text}}}'.encode()


Serve = Callable[[int], Awaitable[None]]
Answer = tuple[int, bytes]
#: The status, the header fields with names in lower case, and the body.
Exchange = tuple[int, dict[str, str], bytes]


class AsgiServer:
    """Serves one request again and again to an ASGI app."""

    def __init__(self, app: Any, traffic: Traffic) -> None:
        self.app = app
        self._traffic = traffic
        self._path = "/orders"
        self._query = traffic.query.encode()
        self._headers = [(name.encode(), value.encode()) for name, value in traffic.headers]
        last = len(traffic.chunks) - 1
        self._messages = tuple(
            {"type": "http.request", "body": chunk, "more_body": index < last}
            for index, chunk in enumerate(traffic.chunks)
        )

    def resend(self, path: str, headers: list[tuple[str, str]]) -> None:
        """Send the same to another path, with other header fields."""
        self._path = path
        self._headers = [(name.encode(), value.encode()) for name, value in headers]

    def scope(self) -> dict[str, Any]:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": ("127.0.0.1", 8000),
            "client": CLIENT,
            "scheme": "http",
            "method": self._traffic.method,
            "root_path": "",
            "path": self._path,
            "raw_path": self._path.encode(),
            "query_string": self._query,
            "headers": self._headers.copy(),
            "state": {},
        }

    def receive(self) -> Callable[[], Awaitable[dict[str, Any]]]:
        left = iter(self._messages)

        async def receive() -> dict[str, Any]:
            for message in left:
                return message
            # The client stays connected and sends nothing more.
            await get_running_loop().create_future()
            raise AssertionError

        return receive

    async def serve(self, count: int) -> None:
        app, scope, receive = self.app, self.scope, self.receive

        async def send(_message: dict[str, Any]) -> None:
            pass

        for _ in range(count):
            await app(scope(), receive(), send)

    async def answer(self) -> Answer:
        """Return the answer to one request: its status and body."""
        status, _, body = await self.exchange()
        return status, body

    async def exchange(self) -> Exchange:
        """Return all of the answer to one request."""
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(self.scope(), self.receive(), send)
        fields = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], fields, body


class WsgiServer:
    """Serves one request again and again to a WSGI app."""

    def __init__(self, app: Any, traffic: Traffic) -> None:
        self.app = app
        self._body = traffic.body
        self._environ: dict[str, Any] = {
            "REQUEST_METHOD": traffic.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": "/orders",
            "RAW_URI": "/orders",
            "QUERY_STRING": traffic.query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": "benchmark",
            "REMOTE_ADDR": CLIENT[0],
            "REMOTE_PORT": str(CLIENT[1]),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": None,
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }
        self.resend("/orders", traffic.headers)

    def resend(self, path: str, headers: list[tuple[str, str]]) -> None:
        """Send the same to another path, with other header fields."""
        self._environ |= {"PATH_INFO": path, "RAW_URI": path}
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            self._environ.pop(name, None)
        for name, value in headers:
            key = name.upper().replace("-", "_")
            plain = key in ("CONTENT_TYPE", "CONTENT_LENGTH")
            self._environ[key if plain else f"HTTP_{key}"] = value

    def environ(self) -> dict[str, Any]:
        return {**self._environ, "wsgi.input": BytesIO(self._body)}

    async def serve(self, count: int) -> None:
        app, environ = self.app, self.environ

        def start_response(
            _status: str, _headers: list[tuple[str, str]], _exc_info: Any = None
        ) -> Callable[[bytes], object]:
            return len

        for _ in range(count):
            result = app(environ(), start_response)
            for _chunk in result:
                pass
            close = getattr(result, "close", None)
            if close is not None:
                close()

    async def answer(self) -> Answer:
        """Return the answer to one request: its status and body."""
        status, _, body = await self.exchange()
        return status, body

    async def exchange(self) -> Exchange:
        """Return all of the answer to one request."""
        heads: list[tuple[str, list[tuple[str, str]]]] = []
        body: list[bytes] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _exc_info: Any = None
        ) -> Callable[[bytes], object]:
            heads.append((status, headers))
            return body.append

        result = self.app(self.environ(), start_response)
        try:
            body += result
        finally:
            getattr(result, "close", lambda: None)()
        status, headers = heads[-1]
        return int(status[:3]), {name.lower(): text for name, text in headers}, b"".join(body)
