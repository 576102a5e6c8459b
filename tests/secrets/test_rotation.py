"""Secrets rotate under load: each request has one snapshot; none fails or leaks a value."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import mantlet
from mantlet.secrets import Secret, SecretFiles, SecretLoader, SecretModel
from tests.drive import Adapter, both_adapters
from tests.secrets.sources.test_local import mount

pytestmark = pytest.mark.slow

WORKERS = 4


class App(SecretModel):
    first: Secret[str]
    second: Secret[str]
    third: Secret[str]


def values(rotation: int) -> dict[str, str]:
    """Return values that identify their rotation."""
    return {name: f"v{rotation:03}-{name}-kR7vT2qX9mB4w" for name in ("first", "second", "third")}


@pytest.mark.few_cases(1)
@both_adapters
def test_rotation_under_load(adapter: Adapter, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Thousands of requests by several threads, while Kubernetes replaces the secrets."""
    mount(tmp_path, "0", **values(0))
    loader = SecretLoader(App, sources=[SecretFiles(tmp_path)], poll_interval=0, overlap=3600)
    states: list[str] = []
    requests, rotations = (10_000, 20) if pytestconfig.getoption("--all") else (1000, 4)

    def handler(carrier: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        kept = mantlet.state(carrier).secrets
        found = [kept.first.reveal(), kept.second.reveal(), kept.third.reveal()]
        state = {one[:4] for one in found}
        states.append(",".join(sorted(state)))
        return (
            200,
            [("content-type", "text/plain"), ("x-found", found[0])],
            " ".join(found).encode(),
        )

    app = adapter.wrap(handler, mantlet.OutputSanitizer(secrets=loader), loader)
    lock = threading.Lock()
    asked = 0

    def work(_worker: int) -> list[str]:
        nonlocal asked
        wrong: list[str] = []
        while True:
            with lock:
                if asked >= requests:
                    return wrong
                asked += 1
                step, rest = divmod(asked, requests // rotations)
                if rest == 0:
                    mount(tmp_path, str(step), **values(step))
            answer = adapter.drive(app)
            if answer.status != 200 or not re.fullmatch(rb"[* ]+", answer.body):
                wrong.append(answer.text())
            if answer.get("x-found") != "*" * 24:
                wrong.append(str(answer.headers))

    with ThreadPoolExecutor(WORKERS) as pool:
        wrong = [text for found in pool.map(work, range(WORKERS)) for text in found]
    assert wrong == []
    assert len(states) == requests
    assert all(re.fullmatch("v[0-9]{3}", state) for state in states), "a mix of two states"
    assert len(set(states)) >= rotations
    assert loader.current.first.reveal() == values(rotations)["first"]
