"""Several workers of a real server that share a store, also when one of them is killed."""

from __future__ import annotations

import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.server import HOST, Server, serve
from tests.stores.redis.servers import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator

BURST = 200
REQUESTS = 2 * BURST
DIRECTORY = Path(__file__).parent
#: Names of servers, and of what they serve.
SERVERS = [("gunicorn-sync", "limited:wsgi"), ("uvicorn-httptools", "limited:asgi")]


@contextmanager
def limited(name: str, app: str, store: str) -> Iterator[Server]:
    """Run a server of four workers that share a store; what it is asked once is not counted."""
    environ = {"MANTLET_TEST_STORE": store, "MANTLET_TEST_RATE": f"1/year burst {BURST}"}
    with serve(name, app, directory=DIRECTORY, env=environ, workers=4) as server:
        yield server


def ask(server: Server, source: str) -> tuple[int, str]:
    """Send a request on a connection of its own; return the status and the body, 0 for none."""
    connection = HTTPConnection(HOST, server.port, timeout=120, source_address=(source, 0))
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, HTTPException):
        return 0, ""
    finally:
        connection.close()


def load(server: Server, source: str) -> list[tuple[int, str]]:
    """Send many requests from one address, eight at a time."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: ask(server, source), range(REQUESTS)))


@pytest.fixture(params=SERVERS, ids=[name for name, _ in SERVERS])
def lmdb_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """Workers that share a file."""
    name, app = request.param
    with limited(name, app, f"lmdb://{tmp_path}/limits") as server:
        yield server


def test_the_workers_of_a_host_admit_exactly_the_burst(lmdb_server: Server, source: str) -> None:
    """By a file, with no server for it."""
    answers = load(lmdb_server, source)
    assert Counter(status for status, _ in answers) == {200: BURST, 429: REQUESTS - BURST}
    assert len({body for status, body in answers if status == 200}) > 1, "there was one worker"


def test_a_worker_that_is_killed_gives_nobody_a_token(lmdb_server: Server, source: str) -> None:
    """What it was about to answer is spent; the others, and its successor, count on."""
    _, worker = ask(lmdb_server, source)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, lmdb_server, source) for _ in range(REQUESTS)]
        asked[20].result()
        os.kill(int(worker), signal.SIGKILL)
        statuses = Counter(one.result()[0] for one in asked)
    assert statuses.keys() <= {0, 200, 429}
    assert BURST - 1 - statuses[0] <= statuses[200] <= BURST - 1
    assert ask(lmdb_server, source)[0] == 429


@pytest.mark.unmeasured
@pytest.mark.parametrize(("name", "app"), SERVERS, ids=[name for name, _ in SERVERS])
def test_workers_that_share_a_valkey_admit_exactly_the_burst_and_answer_without_it(
    name: str, app: str, tmp_path: Path, source: str
) -> None:
    """When it is gone each counts its share, and nobody gets a 500."""
    with Valkey(tmp_path) as valkey, limited(name, app, f"valkey://{valkey.place}") as server:
        answers = load(server, source)
        assert Counter(status for status, _ in answers) == {200: BURST, 429: REQUESTS - BURST}
        valkey.kill()
        assert {status for status, _ in load(server, source)} <= {200, 429}
