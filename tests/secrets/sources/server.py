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

__all__ = [
    "Behavior",
    "ReceivedRequest",
    "Server",
    "closes_early",
    "drops_connection",
    "reply",
    "responds",
    "sends_slowly",
]


@dataclass(frozen=True)
class ReceivedRequest:
    """A received request.

    Attributes:
        line: the method and the path.
        headers: the headers, by their names in lower case.
        body: the parsed JSON body.
    """

    line: str
    headers: Mapping[str, str]
    body: Any


class Server(ABC):
    """A JSON server.

    Args:
        certificate: the files of a certificate and its key, for TLS.

    Attributes:
        url: the address.
        received: all requests.
        next: the behaviors for the next requests; None for the usual one.
        stopping: set when the server stops.
    """

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.received: list[ReceivedRequest] = []
        self.next: list[Behavior | None] = []
        self.stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            # The handshake may fail, so it happens in the thread of the connection.
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
        return [one.line for one in self.received]

    @abstractmethod
    def respond(self, request: ReceivedRequest) -> tuple[int, Any]:
        """Return the status and the body of a response."""

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5

            def handle(self) -> None:
                # Clients close connections and reject certificates, as they should.
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
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = ReceivedRequest(f"{self.command} {self.path}", headers, body)
                server.received.append(request)
                behavior = server.next.pop(0) if server.next else None
                if behavior is not None:
                    behavior(self, server)
                    return
                status, response = server.respond(request)
                reply(self, status, json.dumps(response).encode())

            def do_POST(self) -> None:
                self.do_GET()

        return Handler


#: Handles a request in place of the documented behavior.
Behavior = Callable[[BaseHTTPRequestHandler, Server], None]


def reply(to: BaseHTTPRequestHandler, status: int, body: bytes, **fields: str) -> None:
    """Send a response; headers are named with underscores."""
    to.send_response(status)
    for name, value in {"content_type": "application/json", **fields}.items():
        to.send_header(name.replace("_", "-"), value)
    to.send_header("Content-Length", str(len(body)))
    to.end_headers()
    to.wfile.write(body)


def responds(status: int, body: Any, **fields: str) -> Behavior:
    """Return a handler that sends a response."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda to, _server: reply(to, status, raw, **fields)


def drops_connection(to: BaseHTTPRequestHandler, _server: Server) -> None:
    """Close the connection without a response."""
    to.close_connection = True


def closes_early(to: BaseHTTPRequestHandler, _server: Server) -> None:
    """Close the connection within the body."""
    to.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"data":')
    to.close_connection = True


def sends_slowly(head: bytes, again: bytes, pause: float) -> Behavior:
    """Return a handler that sends a text repeatedly, until the client closes the connection.

    Args:
        head: the text to send first.
        again: the text to repeat.
        pause: seconds between repetitions.
    """

    def behavior(to: BaseHTTPRequestHandler, server: Server) -> None:
        to.close_connection = True
        to.wfile.write(head)
        while not server.stopping.wait(pause):
            to.wfile.write(again)

    return behavior
