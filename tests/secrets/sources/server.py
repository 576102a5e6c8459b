"""An HTTP server for stores of secrets, which can be made to fail."""

import json
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

__all__ = ["Asked", "Server", "Way", "breaks_off", "drops", "reply", "says", "sends"]


@dataclass(frozen=True)
class Asked:
    """A received request.

    Attributes:
        line: its method and path.
        headers: its header fields, by their names in lower case.
        body: what it sent as JSON.
    """

    line: str
    headers: Mapping[str, str]
    body: Any


class Server(ABC):
    """A JSON server.

    Args:
        certificate: files of a certificate and its key, for TLS.

    Attributes:
        url: its address.
        asked: all requests.
        next: what becomes of the next requests, one after the other.
        stopping: whether it is about to end.
    """

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.asked: list[Asked] = []
        self.next: list[Way | None] = []
        self.stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            # The handshake is left to the thread of the connection, which may fail at it.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "http" if certificate is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def lines(self) -> list[str]:
        """The methods and paths of all requests."""
        return [one.line for one in self.asked]

    @abstractmethod
    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Return the status and the body of a response."""

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5

            def handle(self) -> None:
                # Clients hang up, and distrust certificates, as they should.
                with suppress(OSError):
                    super().handle()

            def finish(self) -> None:
                with suppress(OSError):
                    super().finish()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

            def do_GET(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size) or b"null")
                fields = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(f"{self.command} {self.path}", fields, body)
                server.asked.append(asked)
                way = server.next.pop(0) if server.next else None
                if way is not None:
                    way(self, server)
                    return
                status, answer = server.answer(asked)
                reply(self, status, json.dumps(answer).encode())

            def do_POST(self) -> None:
                self.do_GET()

        return Handler


#: How a request is answered in place of what the documentation says.
Way = Callable[[BaseHTTPRequestHandler, Server], None]


def reply(to: BaseHTTPRequestHandler, status: int, body: bytes, **fields: str) -> None:
    """Send a response; headers are named with underscores."""
    to.send_response(status)
    for name, value in {"content_type": "application/json", **fields}.items():
        to.send_header(name.replace("_", "-"), value)
    to.send_header("Content-Length", str(len(body)))
    to.end_headers()
    to.wfile.write(body)


def says(status: int, body: Any, **fields: str) -> Way:
    """Return a handler that sends a response."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda to, _server: reply(to, status, raw, **fields)


def drops(to: BaseHTTPRequestHandler, _server: Server) -> None:
    """Close the connection without a response."""
    to.close_connection = True


def breaks_off(to: BaseHTTPRequestHandler, _server: Server) -> None:
    """Close the connection within the body."""
    to.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"data":')
    to.close_connection = True


def sends(head: bytes, again: bytes, pause: float) -> Way:
    """Return a handler that sends a text repeatedly, until the client closes the connection.

    Args:
        head: what comes first.
        again: what comes then.
        pause: the seconds between two of those.
    """

    def way(to: BaseHTTPRequestHandler, server: Server) -> None:
        to.close_connection = True
        to.wfile.write(head)
        while not server.stopping.wait(pause):
            to.wfile.write(again)

    return way
