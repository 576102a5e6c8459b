"""Coded and chunked bodies through real servers: the app reads what was validated."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.guard.smuggling.test_bodies import ATTACKS, CODINGS, part
from tests.servers.conftest import some
from tests.servers.server import Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SERVERS = [
    ("gunicorn-sync", "coded:wsgi"),
    ("gunicorn-gthread", "coded:wsgi"),
    ("granian-wsgi", "coded:wsgi"),
    ("uvicorn-h11", "coded:asgi"),
    ("uvicorn-httptools", "coded:asgi"),
    ("hypercorn", "coded:asgi"),
    ("granian-asgi", "coded:asgi"),
]
BODY = part("name", b"a" * 100) + part("photo", b"b" * 3000, "b.txt") + b"--b--\r\n"


@pytest.fixture(scope="module", params=some(SERVERS, __name__), ids=[name for name, _ in SERVERS])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each server."""
    name, app = request.param
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with serve(name, app, directory=Path(__file__).parent, env={"PYTHONPATH": path}) as started:
        yield started


def post(server: Server, source: str, body: bytes, *headers: str) -> tuple[int, Any]:
    """Send a form; return the status and the JSON of the response."""
    lines = [
        "POST /form HTTP/1.1",
        "Host: test",
        "Connection: close",
        "Content-Type: multipart/form-data; boundary=b",
        *headers,
    ]
    if "Transfer-Encoding: chunked" in headers:
        halves = (body[:100], body[100:], b"")
        body = b"".join(b"%x\r\n%s\r\n" % (len(half), half) for half in halves)
    else:
        lines.append(f"Content-Length: {len(body)}")
    head, _, answer = server.exchange(
        source, "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    ).partition(b"\r\n\r\n")
    text = answer[answer.find(b"{") : answer.rfind(b"}") + 1]
    return int(head.split(b" ", 2)[1]), json.loads(text)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("coding", ["none", "gzip", "gzip-extra", "gzip-members", "br", "zstd"])
def test_a_form_is_read_as_it_was_validated(
    server: Server, source: str, coding: str, chunked: bool
) -> None:
    """By Django, with a file that does not fit into the guard's memory."""
    encode, names = CODINGS[coding]
    headers = [f"Content-Encoding: {name}" for name in names]
    if chunked:
        headers.append("Transfer-Encoding: chunked")
    status, read = post(server, source, encode(BODY, ATTACKS["/parts"]), *headers)
    assert status == 200
    assert read["fields"] == {"name": ["a" * 100]}
    assert read["files"] == {"photo": [["b.txt", "b" * 3000]]}
    assert not {"content-encoding", "transfer-encoding"} & read["headers"].keys()
    assert read["headers"]["content-length"] == str(len(BODY))


def test_a_transfer_coding_never_reaches_the_app(server: Server, source: str) -> None:
    """Some servers refuse it, and the guard does where they hand it on."""
    encode, _ = CODINGS["gzip-extra"]
    head = (
        "POST /form HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
    )
    body = encode(BODY, ATTACKS["/parts"])
    answer = server.exchange(source, head.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert answer.split(b" ", 2)[1][:1] in (b"4", b"5")
    assert b"admin" not in answer
