"""Hosts under real servers, which pass on targets and repeated headers in their own ways."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.conftest import some
from tests.servers.server import COMMANDS, HOST, Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

WSGI = ("gunicorn-sync", "gunicorn-gthread", "granian-wsgi")


@pytest.fixture(scope="module", params=some(COMMANDS, __name__))
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each server."""
    app = "wsgi" if request.param in WSGI else "asgi"
    root = Path(__file__).parents[2]
    env = {"PYTHONPATH": f"{root}:{root / 'src'}"}
    directory = Path(__file__).parent
    with serve(request.param, f"hosted:{app}", directory=directory, env=env) as started:
        yield started


def ask(server: Server, head: str) -> tuple[int, bytes]:
    """Send the head of a request as it is; return the status and the whole response."""
    raw = server.exchange(HOST, f"{head}\r\nConnection: close\r\n\r\n".encode("latin-1"))
    return int(raw.split(b" ", 2)[1]) if raw else 0, raw


def test_an_allowed_host(server: Server) -> None:
    """In whichever spelling, the app gets one."""
    for host in ("example.com", "EXAMPLE.com.", "example.com:80"):
        status, raw = ask(server, f"GET / HTTP/1.1\r\nHost: {host}")
        assert status == 200
        assert b"example.com" in raw.partition(b"\r\n\r\n")[2].lower()


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\r\nHost: evil.example",
        "GET / HTTP/1.0\r\nHost: evil.example",
        "GET / HTTP/1.1\r\nHost: evil.example:80",
        "GET / HTTP/1.1\r\nHost: example.com@evil.example",
        "GET / HTTP/1.1\r\nHost: evil.example\r\nHost: example.com",
        "GET / HTTP/1.1\r\nHost: example.com\r\nHost: evil.example",
        "GET / HTTP/1.1\r\nHost: example.com, evil.example",
        "GET / HTTP/1.1\r\nHost: example.com\r\n evil.example",
        "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example",
        "GET http://example.com/ HTTP/1.1\r\nHost: evil.example",
        "GET / HTTP/1.0",
        "GET / HTTP/1.1\r\nHost:",
    ],
)
def test_another_host(server: Server, head: str) -> None:
    """The server or the policy refuses it; the app is never told of it."""
    status, raw = ask(server, head)
    assert status in (0, 400, 421)
    assert b"evil.example" not in raw


@pytest.mark.parametrize("target", ["http://evil.example/", "http://www.example.org/x"])
def test_a_target_of_another_host(server: Server, target: str) -> None:
    """Is refused where the server passes it on, and unknown to the app where it does not."""
    status, raw = ask(server, f"GET {target} HTTP/1.1\r\nHost: example.com")
    if status == 200:
        assert b"example.com" in raw.partition(b"\r\n\r\n")[2]
        assert b"evil.example" not in raw
        assert b"example.org" not in raw
    else:
        assert status == 400


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Host", "X_Forwarded_Host", "X-Host", "x-original-host"]
)
def test_headers_in_the_place_of_the_host(server: Server, header: str) -> None:
    """Do not change what the app believes."""
    status, raw = ask(server, f"GET / HTTP/1.1\r\nHost: example.com\r\n{header}: evil.example")
    if status == 200:
        assert b"evil" not in raw
    else:  # by the server
        assert status == 400


def test_refusals_have_cors_headers(server: Server) -> None:
    """Of a real server as well."""
    head = "GET / HTTP/1.1\r\nHost: www.example.net\r\nOrigin: https://app.example"
    status, raw = ask(server, head)
    assert status == 421
    assert raw.lower().count(b"access-control-allow-origin: https://app.example\r\n") == 1
