"""An identity provider on this machine, which can be made to fail in every way."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import ECKey

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Behavior",
    "Provider",
    "Received",
    "breaks_off",
    "drips",
    "drops",
    "hangs",
    "make_certificate",
    "raw",
    "says",
]

#: Answers a request, in the thread of its connection.
Behavior = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Received:
    """A request that a provider got."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Provider:
    """A provider with one signing key, with discovery, a key set and introspection.

    Args:
        certificate: the files of a certificate and its key, for TLS.
        port: 0 for any.

    Attributes:
        url: the origin, and the issuer.
        received: the requests.
        routes: by path, how it answers, in place of the usual.
        next: how it answers the next requests, before the routes.
        tokens: by token, what introspection says about it.
        gate: answers wait until it is set.
    """

    def __init__(self, certificate: tuple[Path, Path] | None = None, port: int = 0) -> None:
        self.received: list[Received] = []
        self.routes: dict[str, Behavior] = {}
        self.next: list[Behavior] = []
        self.tokens: dict[str, object] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.stopping = threading.Event()
        self.max_age: str | None = "max-age=600"
        self.key = new_key("first")
        self.published = [self.key]
        self.concurrent = self.most_concurrent = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "http" if certificate is None else "https"
        self.port = self._server.server_address[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the port; as often as one likes."""
        self.stopping.set()
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def paths(self) -> list[str]:
        """The paths of the requests."""
        return [one.path for one in self.received]

    def rotate(self, kid: str) -> None:
        """Sign by a new key, and publish that alone."""
        self.key = new_key(kid)
        self.published = [self.key]

    def jwks(self) -> dict[str, object]:
        """Return the key set."""
        return {"keys": [public(key) for key in self.published]}

    def sign(self, claims: Mapping[str, Any], **header: object) -> str:
        """Return a token."""
        head = {"alg": "ES256", "kid": self.key.kid, **header}
        return jwt.encode(head, dict(claims), self.key, algorithms=["ES256"])

    def metadata(self) -> dict[str, object]:
        """Return the metadata of discovery."""
        return {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                provider._serve(self)

            do_POST = do_GET  # noqa: N815  # as the library calls it

            def log_message(self, *_: object) -> None:
                """Do not log."""

            def handle(self) -> None:
                # Of a client that has left, or that does not trust the certificate.
                with suppress(OSError):
                    super().handle()

        return Handler

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            path = handler.path
            self.received.append(Received(handler.command, path, headers, body))
            behavior = self.next.pop(0) if self.next else self.routes.get(path)
            self.concurrent += 1
            self.most_concurrent = max(self.most_concurrent, self.concurrent)
        try:
            self.gate.wait(120)
            (behavior or self._usual(path, body))(handler)
        finally:
            with self._lock:
                self.concurrent -= 1

    def _usual(self, path: str, body: bytes) -> Behavior:
        if path == "/.well-known/openid-configuration":
            return says(self.metadata())
        if path == "/jwks":
            headers = {} if self.max_age is None else {"Cache-Control": self.max_age}
            return says(self.jwks(), headers=headers)
        if path == "/introspect":
            from urllib.parse import parse_qs

            token = parse_qs(body.decode())["token"][0]
            return says(self.tokens.get(token, {"active": False}))
        return says({"error": "not_found"}, status=404)


def new_key(kid: str) -> ECKey:
    """Return a new private key."""
    return ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256", "use": "sig"})


def public(key: ECKey) -> dict[str, object]:
    """Return a key as a member of a key set."""
    return dict(key.as_dict(private=False))


def says(
    value: object,
    *,
    status: int = 200,
    content_type: str | None = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Behavior:
    """Answer with a value in JSON, or with bytes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        handler.send_response(status)
        if content_type is not None:
            handler.send_header("Content-Type", content_type)
        for name, content in (headers or {}).items():
            handler.send_header(name, content)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def raw(data: bytes) -> Behavior:
    """Answer with these bytes, and close the connection."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(data)

    return answer


def breaks_off(data: bytes) -> Behavior:
    """Answer with these bytes, and reset the connection, as when the process is killed."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(data)
        handler.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    return answer


def drops(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without an answer."""


def drips(data: bytes, provider: Provider) -> Behavior:
    """Send byte after byte, each in time, until the client leaves or the provider stops."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(data)
        with suppress(OSError):
            while not provider.stopping.wait(0.02):
                handler.wfile.write(b" ")

    return answer


def hangs(provider: Provider) -> Behavior:
    """Answer never."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        provider.stopping.wait(120)

    return answer


def make_certificate(directory: Path, name: str, *, days: int = 1) -> tuple[Path, Path]:
    """Return the files of a certificate, signed by itself, and of its key.

    Args:
        directory: where they are written.
        name: the address or the host that it is for.
        days: until it ends; it has ended if they are negative.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provider")])
    now = datetime.now(UTC)
    general: x509.GeneralName
    try:
        general = x509.IPAddress(ip_address(name))
    except ValueError:
        general = x509.DNSName(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=5))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([general]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = directory / "certificate.pem", directory / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
