"""Workers of a real server that get the same proof at the same time: one of them takes it."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.authentication.possession.dpop_client import Client
from tests.servers.server import HOST, Server, serve
from tests.stores.redis.servers import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
MODULE = "tests.authentication.possession.proving"
SERVERS = [("gunicorn-sync", f"{MODULE}:wsgi"), ("uvicorn-httptools", f"{MODULE}:asgi")]
every_server = pytest.mark.parametrize(("name", "app"), SERVERS, ids=[name for name, _ in SERVERS])

#: How many proofs are sent, and how often each of them.
PROOFS, TIMES = 60, 6
CLIENT = Client()


@contextmanager
def proving(name: str, app: str, store: str) -> Iterator[Server]:
    """Run a server of four workers that share a store."""
    environ = {"MANTLET_TEST_STORE": store, "MANTLET_TEST_JKT": CLIENT.thumbprint}
    with serve(name, app, directory=ROOT, env=environ, workers=4) as server:
        yield server


def prove() -> str:
    """Return a new proof."""
    return CLIENT.prove("GET", "https://api.example/orders", "token", time.time())


def send(server: Server, proof: str) -> tuple[str, int, str]:
    """Send a proof on a connection of its own; return it, the status and the body."""
    connection = HTTPConnection(HOST, server.port, timeout=120)
    try:
        headers = {"Authorization": "DPoP token", "DPoP": proof}
        connection.request("GET", "/orders", headers=headers)
        response = connection.getresponse()
        return proof, response.status, response.read().decode()
    finally:
        connection.close()


def send_all(server: Server) -> list[tuple[str, int, str]]:
    """Send each of many proofs several times, side by side."""
    proofs = [proof for _ in range(PROOFS) for proof in [prove()] * TIMES]
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda proof: send(server, proof), proofs))


def check_once(answers: list[tuple[str, int, str]]) -> None:
    """Check that each proof passed once, and that several workers had a part in it."""
    assert Counter(status for _, status, _ in answers) == {
        200: PROOFS,
        401: PROOFS * (TIMES - 1),
    }
    passed = Counter(proof for proof, status, _ in answers if status == 200)
    assert set(passed.values()) == {1}
    assert len({body for _, status, body in answers if status == 200}) > 1, "there was one worker"


@pytest.mark.few_cases(1)
@every_server
def test_the_workers_of_a_host_accept_each_proof_once(name: str, app: str, tmp_path: Path) -> None:
    with proving(name, app, f"lmdb://{tmp_path}/proofs") as server:
        answers = send_all(server)
        check_once(answers)
    # Nor after all workers were replaced.
    with proving(name, app, f"lmdb://{tmp_path}/proofs") as server:
        assert {send(server, proof)[1] for proof, _, _ in answers[::TIMES]} == {401}


@pytest.mark.few_cases(1)
@every_server
def test_workers_that_share_a_valkey_accept_each_proof_once_and_none_without_it(
    name: str, app: str, tmp_path: Path
) -> None:
    with Valkey(tmp_path) as valkey, proving(name, app, f"valkey://{valkey.place}") as server:
        check_once(send_all(server))
        valkey.kill()
        assert {send(server, prove())[1] for _ in range(20)} == {503}
