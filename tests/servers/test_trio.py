"""A server that runs Trio."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.servers import server
from tests.servers.on_trio import PAGE, RECORDS

pytestmark = pytest.mark.slow


def test_policies_wait_and_work_on_trio(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lazy start, delays, slices of a long body and a thread, for several requests at once."""
    commands = {"hypercorn-trio": ("hypercorn", "--worker-class", "trio")}
    monkeypatch.setattr(server, "COMMANDS", commands)
    here = Path(__file__).parent
    with (
        server.serve("hypercorn-trio", "on_trio:app", directory=here) as started,
        httpx.Client(base_url=started.url, timeout=120) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        masked = RECORDS.replace(b"hunter2", b"***")
        assert {r.content for r in pool.map(client.get, ["/records"] * 8)} == {masked}
        cleaned = PAGE.replace(b" onclick=x", b"")
        assert {r.content for r in pool.map(client.get, ["/page"] * 4)} == {cleaned}
        assert "Traceback" not in started.log
