"""Real servers answer other requests while a large response is filtered."""

from __future__ import annotations

import json
import os
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.servers.server import HOST, serve

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.mark.few_cases(2)
@pytest.mark.parametrize("name", ["uvicorn-h11", "uvicorn-httptools", "hypercorn", "granian-asgi"])
def test_a_small_request_is_answered_meanwhile(name: str) -> None:
    """It finds a large response that the app has made, and whose head has not been sent."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    env = {"PYTHONPATH": path}
    with (
        serve(name, "filtered:app", directory=Path(__file__).parent, env=env) as server,
        closing(HTTPConnection(HOST, server.port, timeout=60)) as large,
        closing(HTTPConnection(HOST, server.port, timeout=60)) as small,
    ):
        large.request("GET", "/large")
        count = {"begun": 0}
        while not count["begun"]:
            small.request("GET", "/")
            with small.getresponse() as response:
                count = json.load(response)
        assert count == {"begun": 1, "sent": 0}
        with large.getresponse() as response:
            assert response.status == 200
            body = response.read()
            assert len(body) == int(response.headers["Content-Length"])
    assert b"<" not in body
    assert b"hunter2" not in body
    assert {row["note"] for row in json.loads(body)} == {"a < b & c"}
