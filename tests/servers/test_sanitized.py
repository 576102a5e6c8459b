"""What careless apps send through real servers: nothing that should not be there arrives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.servers.conftest import ASGI_SERVERS, WSGI_SERVERS, some
from tests.servers.leaky import SECRET
from tests.servers.server import HOST, Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

MATRIX = [(name, "wsgi") for name in WSGI_SERVERS] + [(name, "asgi") for name in ASGI_SERVERS]
MASKED = "*" * len(SECRET)


@pytest.fixture(scope="module", params=some(MATRIX, __name__), ids="-".join)
def leaky(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The careless app under each server."""
    name, app = request.param
    with serve(name, f"leaky:{app}", directory=Path(__file__).parent) as started:
        yield started


def test_an_injected_field_does_not_arrive(leaky: Server, source: str) -> None:
    """Nor what was put into it; the answer and its other fields do."""
    request = f"GET /injected HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    head = leaky.exchange(source, request.encode()).partition(b"\r\n\r\n")[0].lower()
    assert head.startswith(b"http/1.1 200")
    assert b"set-cookie" not in head
    assert b"\r\nlocation:" not in head
    assert b"\r\nx-a: 1" in head


def test_security_fields_arrive_once(leaky: Server) -> None:
    """Those of the preset, without that of https."""
    headers = httpx.get(f"{leaky.url}/").headers
    for name in ("content-security-policy", "x-content-type-options", "x-frame-options"):
        assert len(headers.get_list(name)) == 1
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/split", f"key={MASKED}."),
        ("/events", f'data: {{"a": "\\u003cb\\u003e"}}\n\ndata: {MASKED}\n\n'),
        ("/gzip", MASKED * 3),
        ("/json", f'{{"password": "***", "a": "\\u003c/script\\u003e{MASKED}"}}'),
    ],
)
def test_no_secret_arrives(leaky: Server, path: str, body: str) -> None:
    """Over chunks, in events, in a compressed body and in JSON; what is around it does."""
    answer = httpx.get(f"{leaky.url}{path}")
    assert answer.status_code == 200
    assert answer.text == body
    assert SECRET not in leaky.log
