"""Requests that wait for their tokens, under real servers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.servers.conftest import ASGI_SERVERS, some
from tests.servers.server import poll, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.server import Server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=some(ASGI_SERVERS, __name__, 2))
def delayed(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The app that delays, under each server."""
    with serve(request.param, "delayed:app", directory=Path(__file__).parent) as started:
        yield started


@pytest.mark.few_cases(2)
def test_a_client_that_leaves_gives_its_place_back(delayed: Server, source: str) -> None:
    """There is one place; it is free again, and the app never sees the request."""
    transport = httpx.HTTPTransport(local_address=source)
    with httpx.Client(base_url=delayed.url, transport=transport, timeout=120) as client:

        def state() -> Any:
            return client.get("/state").json()

        assert client.get("/first").status_code == 200
        waiting = delayed.connect(source)
        waiting.sendall(b"GET /left HTTP/1.1\r\nHost: localhost\r\n\r\n")
        poll(lambda: state()["waiting"] == 1, "a request that waits")
        waiting.close()
        poll(lambda: state()["waiting"] == 0, "a free place")
        assert client.get("/next").status_code == 200
        assert not any(seen.startswith("/left") for seen in state()["seen"])


@pytest.mark.few_cases(2)
def test_a_body_is_whole_after_the_wait(delayed: Server, source: str) -> None:
    """However large it is, and with its connection kept alive."""
    transport = httpx.HTTPTransport(local_address=source)
    with httpx.Client(base_url=delayed.url, transport=transport, timeout=120) as client:
        assert client.post("/small", content=b"x").status_code == 200
        large = client.post("/large", content=b"x" * 300_000)
        assert large.status_code == 200
        assert "/large 300000" in large.json()["seen"]
        assert client.get("/none").json()["seen"][-1] == "/none 0"
