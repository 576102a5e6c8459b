"""Credentials as real servers pass them on: repeated, joined, odd ones, and those of handshakes."""

from __future__ import annotations

import secrets
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.servers.conftest import ASGI_SERVERS, WSGI_SERVERS, some
from tests.servers.server import HOST, Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

KEY = secrets.token_urlsafe(32)
BASIC = f"Basic {b64encode(f'ada:{KEY}'.encode()).decode()}"
SERVERS = [*((name, "wsgi") for name in WSGI_SERVERS), *((name, "asgi") for name in ASGI_SERVERS)]


@pytest.fixture(scope="module", params=some(SERVERS, __name__), ids=[name for name, _ in SERVERS])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each server with the app of its protocol."""
    name, protocol = request.param
    app = f"authenticated:{protocol}"
    with serve(name, app, directory=Path(__file__).parent, env={"TEST_KEY": KEY}) as started:
        yield started


def ask(server: Server, *lines: str, path: str = "/") -> tuple[int, bytes, bytes]:
    """Send headers as they are; return the status, the head and the body."""
    fields = "".join(f"{line}\r\n" for line in ("Host: a.test", "Connection: close", *lines))
    answer = server.exchange(HOST, f"GET {path} HTTP/1.1\r\n{fields}\r\n".encode("latin-1"))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head[9:12]), head.lower(), body


def test_credentials_pass_through_a_server(server: Server) -> None:
    for line, who in (
        (f"X-API-Key: {KEY}", b"robot"),
        (f"x-api-key:\t{KEY} ", b"robot"),
        (f"Authorization: {BASIC}", b"ada"),
        (f"Cookie: a=b; session={KEY}", b"session"),
    ):
        status, head, body = ask(server, line)
        assert (status, who in body) == (200, True), line
        is_private = b"cache-control: private" in head
        assert is_private == (not line.startswith("Authorization"))


def test_other_requests_are_refused(server: Server) -> None:
    status, head, _ = ask(server)
    assert status == 401
    assert b'www-authenticate: apikey realm="api", basic realm="api"' in head
    assert b"cache-control: no-store" in head
    for line in (
        f"X-API-Key: {KEY}x",
        f"X-API-Key: {KEY[:-1]}\xe9",
        f"Authorization: {BASIC}x",
        f"Authorization: Basic {KEY}",
        f"Cookie: session={KEY}x",
        f"X_API_Key_: {KEY}",
        "X-Remote-User: ada",
    ):
        assert ask(server, line)[0] == 401, line
    assert ask(server, path="/public")[0] == 200
    assert ask(server, path="/public/../private")[0] in (400, 401)
    assert ask(server, path="/public/%2e%2e/private")[0] in (400, 401)
    assert ask(server, path=f"/?X-API-Key={KEY}&session={KEY}")[0] == 401


def test_repeated_credentials_are_ambiguous(server: Server) -> None:
    for lines in (
        (f"X-API-Key: {KEY}", f"X-API-Key: {KEY}"),
        (f"X-API-Key: {KEY}", "X-API-Key: another"),
        (f"Authorization: {BASIC}", f"Authorization: {BASIC}"),
        (f"Authorization: {BASIC}", f"X-API-Key: {KEY}"),
        (f"Cookie: session={KEY}; session=other",),
    ):
        assert ask(server, *lines)[0] == 400, lines


def test_handshakes_need_a_credential(server: Server) -> None:
    if server.name not in ASGI_SERVERS:
        assert ask(server, "Connection: Upgrade", "Upgrade: websocket")[0] == 401
        return
    url = f"ws://{HOST}:{server.port}/ws"
    with pytest.raises(InvalidStatus) as refused:
        connect(url, open_timeout=120).close()
    assert refused.value.response.status_code in (401, 403)
    if refused.value.response.status_code == 401:
        assert "ApiKey" in refused.value.response.headers["WWW-Authenticate"]
    with connect(url, additional_headers={"X-API-Key": KEY}, open_timeout=120) as connection:
        assert connection.recv(timeout=120) == "robot"


def test_nothing_of_a_credential_is_in_the_log(server: Server) -> None:
    """But in the server's own line of a request that had one in its query, for that very reason."""
    lines = server.log.splitlines()
    assert not [line for line in lines if KEY in line and "GET /?X-API-Key=" not in line]
