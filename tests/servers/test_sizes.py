"""docs/servers.md: which heads of requests the servers refuse, with their own settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.conftest import some
from tests.servers.server import COMMANDS, HOST, Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
KIB = 1024
REFUSED = {400, 414, 431}
#: By server, heads that it takes and heads that it refuses: the number of headers, the bytes of
#: each, and the bytes of the target.
HEADS = {
    "gunicorn-sync": (
        [(90, 1, 1), (1, 8000, 1), (1, 1, 4000)],
        [(101, 1, 1), (1, 8200, 1), (1, 1, 4200)],
    ),
    "gunicorn-gthread": ([(90, 1, 1)], [(101, 1, 1)]),
    "granian-wsgi": (
        [(90, 1, 1), (1, 400 * KIB, 1), (1, 1, 63 * KIB)],
        [(101, 1, 1), (1, 1024 * KIB, 1)],
    ),
    "granian-asgi": ([(90, 1, 1)], [(101, 1, 1), (1, 1, 66 * KIB)]),
    "uvicorn-h11": ([(5000, 1, 1), (1, 60 * KIB, 1)], [(1, 128 * KIB, 1), (1, 1, 128 * KIB)]),
    "uvicorn-httptools": ([(5000, 1, 1), (1, 1024 * KIB, 1)], [(1, 1, 66 * KIB)]),
    "hypercorn": ([(2000, 1, 1), (1, 15 * KIB, 1)], [(1, 128 * KIB, 1), (1, 1, 128 * KIB)]),
}


@pytest.fixture(scope="module", params=some(HEADS, __name__))
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each server, with a limiter around its app."""
    app = (
        "stalled:wsgi" if "wsgi" in request.param or "gunicorn" in request.param else "stalled:asgi"
    )
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with serve(request.param, app, directory=Path(__file__).parent, env={"PYTHONPATH": path}) as it:
        yield it


def status(server: Server, headers: int, size: int, target: int) -> int:
    """Return the status of a request with a head of this form."""
    lines = "".join(f"X-{number}: {'a' * size}\r\n" for number in range(headers))
    head = f"GET /{'a' * target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}\r\n"
    return int(server.exchange(HOST, head.encode())[9:12] or b"400")


def test_every_server_is_listed() -> None:
    """Each that the tests can start."""
    assert set(HEADS) == set(COMMANDS)


def test_heads_are_bounded_as_documented(server: Server) -> None:
    """By number, by size and by the target; a connection that is only closed is a refusal too."""
    taken, refused = HEADS[server.name]
    assert [status(server, *head) for head in taken] == [200] * len(taken)
    assert {status(server, *head) for head in refused} <= REFUSED
