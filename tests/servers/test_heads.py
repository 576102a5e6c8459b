"""When the head of a stream is at the client: before the app has made its first chunk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.servers.conftest import ASGI_SERVERS, some
from tests.servers.server import Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", params=some(ASGI_SERVERS, __name__, 2))
def streaming(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The app that streams, under each server."""
    with serve(request.param, "tests.servers.streams:app", directory=Path.cwd()) as started:
        yield started


#: Granian sends other heads with the first chunk, also those of a bare app.
SENT_AT_ONCE = {"granian-asgi": ("events",)}


def test_the_head_of_a_stream_comes_before_its_first_chunk(streaming: Server) -> None:
    """The app makes that chunk only when the client says that it has the head."""
    for kind in SENT_AT_ONCE.get(streaming.name, ("events", "lines", "text", "untyped")):
        with (
            httpx.Client(base_url=streaming.url, timeout=120) as client,
            client.stream("GET", f"/streams/{kind}") as answer,
        ):
            assert answer.status_code == 200
            assert answer.headers["x-request-id"]
            assert answer.headers["ratelimit"]
            assert client.get("/allow").text == "allowed"
            assert answer.read() == b"data: 1\n\n"
