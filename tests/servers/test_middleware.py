"""Policies added one by one in Starlette's and FastAPI's own way, under a real server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.servers.server import Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def middleware_server() -> Iterator[Server]:
    """A FastAPI app with two of the middlewares."""
    environment = {"MANTLET_TEST_FILE": "none"}
    directory = Path(__file__).parent
    with serve("uvicorn-h11", "apps:fastapi", directory=directory, env=environment) as started:
        yield started


def test_added_middlewares_protect_the_app(middleware_server: Server, source: str) -> None:
    """Both of the added policies do their work, in the order they were added in."""
    transport = httpx.HTTPTransport(local_address=source)
    with httpx.Client(base_url=middleware_server.url, transport=transport) as client:
        ordinary = client.get("/")
        crashed = client.get("/crash")
        refused = [client.get("/") for _ in range(25)][-1]

    assert ordinary.text == "hello"
    assert ordinary.headers.get_list("ratelimit") == ['"default";r=19;t=1']
    assert crashed.status_code == 500
    assert crashed.headers["content-type"] == "application/problem+json"
    assert crashed.json()["request_id"] == crashed.headers["x-request-id"]
    assert "hunter2" not in crashed.text
    assert refused.status_code == 429
    assert refused.json()["request_id"] == refused.headers["x-request-id"]
