"""Requests that break HTTP's rules: refused by the server or passed on, but never a crash."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.servers.server import HOST, Server

if TYPE_CHECKING:
    import httpx

TAIL = b"Host: 127.0.0.1\r\nConnection: close\r\n"
JSON = TAIL + b"Content-Type: application/json\r\n"


def get(target: bytes, fields: bytes = b"") -> bytes:
    """Return a GET request."""
    return b"GET " + target + b" HTTP/1.1\r\n" + TAIL + fields + b"\r\n"


def post(fields: bytes, body: bytes = b'{"name": "x"}') -> bytes:
    """Return a POST request of a JSON body."""
    return b"POST /items HTTP/1.1\r\n" + JSON + fields + b"\r\n" + body


REQUESTS = {
    "request-line-garbage": b"GARBAGE\r\n\r\n",
    "request-line-control-bytes": b"\x00\x01\x02\xff\r\n\r\n",
    "request-line-tls-hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "version-unknown": b"GET / HTTP/9.9\r\n" + TAIL + b"\r\n",
    "method-unknown": b"BREW / HTTP/1.1\r\n" + TAIL + b"\r\n",
    "path-latin-1": get(b"/caf\xe9"),
    "path-utf-8": get("/café".encode()),
    "path-percent-alone": get(b"/%"),
    "path-percent-no-hex": get(b"/%zz"),
    "path-percent-nul": get(b"/%00"),
    "path-percent-not-utf-8": get(b"/%ff%fe"),
    "path-percent-newline": get(b"/%0d%0aX-Forged:%201"),
    "path-dots": get(b"/../../%2e%2e/%2fetc/passwd"),
    "path-very-long": get(b"/" + b"a" * 100_000),
    "path-absolute": get(b"http://127.0.0.1/"),
    "query-odd": get(b"/?%&=%zz&a=%ff"),
    "header-latin-1": get(b"/", b"X-Name: caf\xe9\r\n"),
    "header-id-not-utf-8": get(b"/", b"X-Request-ID: \xff\xfe\r\nTraceparent: \xff\r\n"),
    "header-nul": get(b"/", b"X-Name: a\x00b\r\n"),
    "header-name-with-space": get(b"/", b"Bad Name: x\r\n"),
    "header-without-colon": get(b"/", b"nothing\r\n"),
    "header-folded": get(b"/", b"X-Request-ID: a\r\n b\r\n"),
    "header-very-long": get(b"/", b"X-Request-ID: " + b"a" * 100_000 + b"\r\n"),
    "header-many": get(b"/", b"".join(b"X-%d: x\r\n" % number for number in range(500))),
    "header-twice-id": get(b"/", b"X-Request-ID: one\r\nX-Request-ID: two\r\n"),
    "header-twice-host": get(b"/", b"Host: elsewhere.example\r\n"),
    "length-not-a-number": post(b"Content-Length: x\r\n"),
    "length-signed": post(b"Content-Length: +13\r\n"),
    "length-negative": post(b"Content-Length: -1\r\n"),
    "length-too-small": post(b"Content-Length: 5\r\n"),
    "length-twice": post(b"Content-Length: 13\r\nContent-Length: 2\r\n"),
    "length-and-chunked": post(
        b"Content-Length: 13\r\nTransfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "body-not-utf-8": post(b"Content-Length: 13\r\n", b'{"name": "\xff"}'),
}
#: Bodies of which no whole one arrives, since the client breaks the rules or breaks off.
BROKEN_BODIES = {
    "length-too-large": post(b"Content-Length: 5000\r\n"),
    "length-astronomic": post(b"Content-Length: " + b"9" * 30 + b"\r\n"),
    "transfer-encoding-unknown": post(b"Transfer-Encoding: rot13\r\n"),
    "chunk-size-garbage": post(b"Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n0\r\n\r\n"),
    "chunks-without-end": post(b"Transfer-Encoding: chunked\r\n", b"4\r\n{}\r\n"),
}
#: Where such a body is a 500 of the bare app too: gunicorn and Starlette raise an error of their
#: own into the app, where it looks like any other; Granian answers so where the app does not.
SERVERS_OWN = {
    ("gunicorn-sync", "flask_app:app"),
    ("gunicorn-gthread", "flask_app:app"),
    ("granian-asgi", "starlette_app:app"),
    ("hypercorn", "starlette_app:app"),
    ("granian-asgi", "django_app:asgi_application"),
}


def status_of(answer: bytes) -> int | None:
    """Return the status of an answer, None where the server closed without one."""
    match = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    assert match or not answer
    return int(match[1]) if match else None


@pytest.mark.parametrize(
    "request_bytes", [pytest.param(data, id=label) for label, data in REQUESTS.items()]
)
def test_malformed_request_is_no_crash(
    server: Server, client: httpx.Client, source: str, request_bytes: bytes
) -> None:
    """It is answered as a client's error or not at all, and the next request is fine."""
    before = len(server.log)

    answer = server.exchange(source, request_bytes)

    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert status_of(answer) != 500
    assert head.count(b"x-request-id:") <= 1
    assert b"x-forged" not in head
    assert client.get("/").status_code == 200
    assert "Unhandled" not in server.log[before:]


@pytest.mark.parametrize(
    "request_bytes", [pytest.param(data, id=label) for label, data in BROKEN_BODIES.items()]
)
def test_broken_body_is_no_crash(
    server: Server, client: httpx.Client, source: str, request_bytes: bytes
) -> None:
    """A body that never arrives whole is not the app's fault, and the next request is fine."""
    answer = server.exchange(source, request_bytes, half_close=True)

    if (server.name, server.app) not in SERVERS_OWN:
        assert status_of(answer) != 500
    assert b"Traceback" not in answer
    assert client.get("/").status_code == 200


def test_client_that_breaks_off_is_no_error_in_the_log(
    server: Server, client: httpx.Client, source: str
) -> None:
    """An upload that ends early is the client's doing, so that the log has no traceback of it."""
    before = len(server.log)

    server.exchange(source, BROKEN_BODIES["length-too-large"], half_close=True)

    assert client.get("/").status_code == 200
    assert "Unhandled" not in server.log[before:]


def test_pipelined_requests(server: Server, source: str) -> None:
    """Requests sent ahead are answered in their order, or the connection ends after the first."""
    first = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nX-Request-ID: first\r\n\r\n".encode()
    answer = server.exchange(source, first + get(b"/crash", b"X-Request-ID: second\r\n"))

    ids = re.findall(rb"(?i)x-request-id: ?(\w+)", answer)
    assert ids in ([b"first"], [b"first", b"second"])
