"""Findings of several workers outlive them, also if they are killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from mantlet.guard.findings.files import read_findings
from mantlet.guard.findings.finding import merge
from tests.servers.server import poll, serve

if TYPE_CHECKING:
    from mantlet import Finding

pytestmark = pytest.mark.slow

WORKERS = 3


def findings(directory: Path) -> dict[tuple[str, str], Finding]:
    """Return the findings of all workers, by route and rule."""
    found: list[Finding] = []
    for path, content in read_findings(directory):
        assert not isinstance(content, str), (path, content)
        found += content
    return {(one.operation, one.code): one for one in merge(found)}


@pytest.mark.parametrize(
    ("name", "app"),
    [("gunicorn-sync", "wsgi"), ("uvicorn-h11", "asgi")],
)
def test_findings_of_all_workers_add_up(name: str, app: str, tmp_path: Path) -> None:
    """Each worker is killed as soon as its findings are there; those that follow add theirs."""
    environment = {"MANTLET_TEST_FINDINGS": str(tmp_path)}
    directory = Path(__file__).parent
    workers: set[int] = set()
    with serve(
        name, f"reporting:{app}", directory=directory, env=environment, workers=WORKERS
    ) as server:

        def ask() -> bool:
            """Ask until three workers have answered, each of which dies of it."""
            try:
                answer = httpx.post(f"{server.url}/items", json={"name": 5}, timeout=120)
            except httpx.TransportError:
                return False  # of a worker that has been killed
            assert answer.status_code == 200
            worker = answer.json()
            if worker not in workers:
                workers.add(worker)
                mine = f"guard-{worker}-*.json"
                poll(lambda: bool(list(tmp_path.glob(mine))), f"a file of {worker}", seconds=10)
                os.kill(worker, signal.SIGKILL)
            return len(workers) >= WORKERS

        poll(ask, f"{WORKERS} workers")
    found = findings(tmp_path)
    assert found["POST /items", "string_type"].count >= WORKERS
    assert found["POST /items", "string_type"].sample == "integer in {name: integer}"
    assert not list(tmp_path.glob("*.new"))
