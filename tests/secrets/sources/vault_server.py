"""A server that answers as Vault's documentation of its HTTP API shows it, and can be told to fail.

The pages are those below https://developer.hashicorp.com/vault/api-docs: ``secret/kv/kv-v1``,
``secret/kv/kv-v2``, ``auth/approle``, ``auth/kubernetes``, ``auth/token``, and the statuses of
``#http-status-codes``.
"""

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

__all__ = ["Asked", "Clock", "VaultServer", "Way"]

CREATED = "2018-03-22T02:24:06.945319214Z"


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Asked:
    """One request that was made.

    Attributes:
        line: its method and path.
        headers: its header fields, by their names in lower case.
        body: what it sent as JSON.
    """

    line: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class _Granted:
    """A token that the server knows."""

    ends: float
    seconds: int
    renewable: bool


class VaultServer:
    """A server with both versions of the KV engine, and three ways to show who asks.

    Args:
        clock: what its leases go by.
        certificate: files of a certificate and its key, for TLS.

    Attributes:
        secret: what is at ``app`` in ``secret`` (version 2) and ``kv`` (version 1).
        version: the version of the former.
        kv_lease: seconds of ``lease_duration`` of the latter.
        lease: seconds that tokens of logins are good.
        renewable: whether they can be renewed.
        renewed_lease: seconds that a renewal grants; as many as a login by default.
        jwt: the token of the service account that may log in.
        asked: all requests.
        next: what becomes of the next requests, one after the other.
    """

    def __init__(self, clock: Clock, certificate: tuple[Path, Path] | None = None) -> None:
        self.secret: Any = {}
        self.version = 1
        self.deleted = ""
        self.destroyed = False
        self.kv_lease = 2764800
        self.lease = 1200
        self.renewable = True
        self.renewed_lease: int | None = None
        self.jwt = "none yet"
        self.asked: list[Asked] = []
        self.next: list[Way | None] = []
        self.stopping = threading.Event()
        self._clock = clock
        self._tokens: dict[str, _Granted] = {}
        self._role = ("role-id-1", "secret-id-5tGb7Yhn")
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

    def grant(self, token: str, seconds: int = 0, *, renewable: bool = False) -> None:
        """Know a token; one of 0 seconds does not end."""
        ends = self._clock() + seconds if seconds else float("inf")
        self._tokens[token] = _Granted(ends, seconds, renewable)

    def revoke(self) -> None:
        """Know no token any more."""
        self._tokens.clear()

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Return the status and the body of an answer."""
        method, path = asked.line.split(" ", 1)
        known = {
            "POST /v1/auth/approle/login": self._approle,
            "POST /v1/auth/kubernetes/login": self._kubernetes,
            "GET /v1/auth/token/lookup-self": self._lookup_self,
            "POST /v1/auth/token/renew-self": self._renew_self,
        }
        if f"{method} {path}" in known:
            return known[f"{method} {path}"](asked)
        token = self._tokens.get(asked.headers.get("x-vault-token", ""))
        if token is None or token.ends <= self._clock() or "denied" in path:
            return 403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}
        if path == "/v1/kv/app":
            return 200, {
                "auth": None,
                "data": self.secret,
                "lease_duration": self.kv_lease,
                "lease_id": "",
                "renewable": False,
            }
        if path == "/v1/secret/data/app":
            return self._versioned()
        return 404, {"errors": []}

    def _versioned(self) -> tuple[int, Any]:
        gone = bool(self.deleted) or self.destroyed
        metadata = {
            "created_time": CREATED,
            "custom_metadata": None,
            "deletion_time": self.deleted,
            "destroyed": self.destroyed,
            "version": self.version,
        }
        data = {"data": None if gone else self.secret, "metadata": metadata}
        return 404 if gone else 200, {"lease_duration": 0, "data": data, "warnings": None}

    def _approle(self, asked: Asked) -> tuple[int, Any]:
        if asked.body != {"role_id": self._role[0], "secret_id": self._role[1]}:
            return 400, {"errors": ["invalid role or secret ID"]}
        return self._logged_in()

    def _kubernetes(self, asked: Asked) -> tuple[int, Any]:
        if asked.body != {"role": "demo", "jwt": self.jwt}:
            return 403, {"errors": ["permission denied"]}
        return self._logged_in()

    def _logged_in(self) -> tuple[int, Any]:
        token = f"hvs.login-{len(self.asked)}"
        self.grant(token, self.lease, renewable=self.renewable)
        return 200, {"auth": self._auth(token, self.lease), "warnings": None, "data": None}

    def _auth(self, token: str, seconds: int) -> dict[str, Any]:
        return {
            "client_token": token,
            "accessor": "accessor-1",
            "policies": ["default", "dev"],
            "metadata": {"role": "demo"},
            "lease_duration": seconds,
            "renewable": self.renewable,
        }

    def _lookup_self(self, asked: Asked) -> tuple[int, Any]:
        token = asked.headers.get("x-vault-token", "")
        found = self._tokens.get(token)
        if found is None:
            return 403, {"errors": ["permission denied"]}
        return 200, {
            "data": {
                "accessor": "accessor-1",
                "creation_ttl": found.seconds,
                "display_name": "token",
                "id": token,
                "policies": ["default"],
                "renewable": found.renewable,
                "ttl": found.seconds,
            }
        }

    def _renew_self(self, asked: Asked) -> tuple[int, Any]:
        token = asked.headers.get("x-vault-token", "")
        found = self._tokens.get(token)
        if found is None or found.ends <= self._clock():
            return 403, {"errors": ["permission denied"]}
        if not found.renewable:
            return 400, {"errors": ["lease is not renewable"]}
        seconds = found.seconds if self.renewed_lease is None else self.renewed_lease
        self.grant(token, seconds, renewable=True)
        return 200, {"auth": self._auth(token, seconds) | {"renewable": True}}

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
                """Say nothing."""

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
Way = Callable[[BaseHTTPRequestHandler, VaultServer], None]


def reply(to: BaseHTTPRequestHandler, status: int, body: bytes, **fields: str) -> None:
    """Answer with a body and, by their names with underscores, header fields."""
    to.send_response(status)
    for name, value in {"content_type": "application/json", **fields}.items():
        to.send_header(name.replace("_", "-"), value)
    to.send_header("Content-Length", str(len(body)))
    to.end_headers()
    to.wfile.write(body)


def says(status: int, body: Any, **fields: str) -> Way:
    """Return the way that answers with something."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda to, _server: reply(to, status, raw, **fields)


def drops(to: BaseHTTPRequestHandler, _server: VaultServer) -> None:
    """Hang up without an answer."""
    to.close_connection = True


def breaks_off(to: BaseHTTPRequestHandler, _server: VaultServer) -> None:
    """Hang up within the body."""
    to.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"data":')
    to.close_connection = True


def sends(head: bytes, again: bytes, pause: float) -> Way:
    """Return the way that sends something over and over, until the client hangs up.

    Args:
        head: what comes first.
        again: what comes then.
        pause: the seconds between two of those.
    """

    def way(to: BaseHTTPRequestHandler, server: VaultServer) -> None:
        to.close_connection = True
        to.wfile.write(head)
        while not server.stopping.wait(pause):
            to.wfile.write(again)

    return way
