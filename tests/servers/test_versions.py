"""Versions under real servers, which pass on targets and repeated headers in their own ways."""

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
    with serve(request.param, f"versioned:{app}", directory=directory, env=env) as started:
        yield started


def ask(server: Server, target: str, *lines: str) -> tuple[int, str]:
    """Send a request as it is; return the status, and the version and the path of the app."""
    head = "\r\n".join([f"GET {target} HTTP/1.1", "Host: a.example", *lines, "Connection: close"])
    raw = server.exchange(HOST, f"{head}\r\n\r\n".encode("latin-1"))
    status = int(raw.split(b" ", 2)[1]) if raw else 0
    text = raw.decode("utf-8", "replace")
    return status, f"<{text.partition('<')[2]}".partition("\r\n")[0]


@pytest.mark.parametrize(
    ("target", "lines", "expected"),
    [
        ("/items", [], "<2>/v2/items"),
        ("/v1/items", [], "<1>/v1/items"),
        ("/%76%31/items", [], "<1>/v1/items"),
        ("/items", ["API-Version: 1"], "<1>/v1/items"),
        ("/items", ["api-version:  1 "], "<1>/v1/items"),
        ("/items?api%2dversion=1", [], "<1>/v1/items"),
        ("/caf%C3%A9", ["API-Version: 1"], "<1>/v1/caf\xe9"),
    ],
)
def test_a_version(server: Server, target: str, lines: list[str], expected: str) -> None:
    """Is what the app and the client are told alike."""
    assert ask(server, target, *lines) == (200, expected)


@pytest.mark.parametrize(
    ("target", "lines"),
    [
        ("/v9/items", []),
        ("/V1/items", []),
        ("/v1%0A", []),
        ("/v1%00/items", []),
        ("/v1;x/items", []),
        ("/v%2531/items", []),
        ("//v1/items", []),
        ("/x/../v1/items", []),
        ("/x/%2e%2e/v1/items", []),
        ("/v1/%2e%2e/v2/items", []),
        ("/%2fv1/items", []),
        ("/..", ["API-Version: 1"]),
        ("/v1/items", ["API-Version: 2"]),
        ("/items", ["API-Version: 1", "API-Version: 2"]),
        ("/items", ["API-Version: 1, 2"]),
        ("/items", ["API-Version:"]),
        ("/items?api-version=1&api-version=2", []),
    ],
)
def test_a_version_in_a_second_spelling(server: Server, target: str, lines: list[str]) -> None:
    """Is refused, unless the server itself has read it in one way for all."""
    status, text = ask(server, target, *lines)
    if status == 200:
        version = text[1]
        assert text[3:].startswith(f"/v{version}/")
        assert ".." not in text
        assert "//" not in text
    else:
        assert status in (0, 400, 404)


def test_a_header_with_an_underscore(server: Server) -> None:
    """Is no version to the policy only if it is none to the app, which has the path alone."""
    status, text = ask(server, "/items", "API_Version: 1")
    assert (status, text) in ((200, "<2>/v2/items"), (200, "<1>/v1/items"), (400, "<"))
