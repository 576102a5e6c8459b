"""Several workers of real servers that share records: each payment is made once, whoever dies."""

from __future__ import annotations

import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.server import HOST, Server, poll, serve
from tests.stores.redis.servers import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator

DIRECTORY = Path(__file__).parent
GUNICORN, UVICORN = ("gunicorn-sync", "idempotent:wsgi"), ("uvicorn-httptools", "idempotent:asgi")
#: Requests with one key, and how many are sent at a time.
REPEATS, CLIENTS = 1000, 16

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Answer:
    """What a client gets: status 0 if there is no response."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def header(self, name: str) -> str | None:
        """Return the value of a header; None if there is none."""
        return {key.lower(): value for key, value in self.headers}.get(name)


def post(server: Server, path: str, key: str = "key", body: bytes = b"10 EUR") -> Answer:
    """Send a request on a connection of its own."""
    connection = HTTPConnection(HOST, server.port, timeout=120)
    try:
        # The host is a part of what a key is used for.
        headers = {"Host": "shop.example", "Idempotency-Key": f'"{key}"'}
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), tuple(answer.getheaders()))
    except (OSError, HTTPException):
        return Answer(0)
    finally:
        connection.close()


class Payments:
    """The file in which payments are noted."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def of(self, path: str) -> int:
        """Return how many were made by requests to a path."""
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return sum(line.split()[0] == path for line in lines)


@pytest.fixture
def payments(tmp_path: Path) -> Payments:
    """None so far."""
    return Payments(tmp_path / "payments")


@pytest.fixture(params=["lmdb", "valkey"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Each store that workers share."""
    if request.param == "lmdb":
        yield f"lmdb://{tmp_path}/records"
    else:
        with Valkey(tmp_path) as server:
            yield f"valkey://{server.place}"


@contextmanager
def served(
    server: tuple[str, str], store: str, payments: Payments, *, lease: float = 60
) -> Iterator[Server]:
    """Run a server of four workers."""
    environ = {
        "MANTLET_TEST_STORE": store,
        "MANTLET_TEST_PAYMENTS": str(payments.file),
        "MANTLET_TEST_LEASE": str(lease),
    }
    name, app = server
    with serve(name, app, directory=DIRECTORY, env=environ, workers=4) as started:
        yield started


both_servers = pytest.mark.parametrize("server", [GUNICORN, UVICORN], ids=["gunicorn", "uvicorn"])


@pytest.mark.few_cases(1)
@both_servers
def test_a_thousand_parallel_repeats_pay_once_although_a_worker_is_killed(
    server: tuple[str, str], store: str, payments: Payments
) -> None:
    """All that get a response get the same one; the others are told to come again."""
    with served(server, store, payments) as started:
        first = post(started, "/warm", key="warm")
        assert first.status == 201
        with ThreadPoolExecutor(CLIENTS) as pool:
            asked = [pool.submit(post, started, "/pay") for _ in range(REPEATS)]
            poll(lambda: any(one.done() and one.result().status == 201 for one in asked), "a pay")
            os.kill(int(first.body.split()[0]), signal.SIGKILL)
            answers = [one.result() for one in asked]
        statuses = Counter(answer.status for answer in answers)
        assert statuses.keys() <= {0, 201, 409}, statuses
        assert statuses[201] > REPEATS // 2
        assert payments.of("/pay") == 1
        assert len({answer.body for answer in answers if answer.status == 201}) == 1
        originals = [
            one for one in answers if one.status == 201 and not one.header("idempotency-replayed")
        ]
        assert len(originals) <= 1
        assert all(one.header("retry-after") for one in answers if one.status == 409)
        again = post(started, "/pay")
        assert (again.status, again.header("idempotency-replayed")) == (201, "true")
        assert post(started, "/pay", body=b"20 EUR").status == 422
        assert payments.of("/pay") == 1


@pytest.mark.few_cases(1)
@both_servers
def test_the_key_of_a_worker_that_died_is_free_after_its_lease_and_that_is_said(
    server: tuple[str, str], store: str, payments: Payments
) -> None:
    """To the client, to the app and in the log; before that the key is in use."""
    with served(server, store, payments, lease=3) as started:
        assert post(started, "/die").status == 0
        assert payments.of("/die") == 1

        # The server may close connections that the worker had accepted.
        answers: list[Answer] = []

        def answered(status: int) -> bool:
            answers.append(post(started, "/die"))
            return answers[-1].status == status

        poll(lambda: answered(409), "a refusal by another worker")
        assert answers[-1].header("retry-after")
        assert payments.of("/die") == 1
        poll(lambda: answered(201), "a run")
        assert answers[-1].header("idempotency-previous-outcome") == "unknown"
        assert {one.status for one in answers[:-1]} <= {0, 409}
        assert payments.of("/die") == 2
        again = post(started, "/die")
        assert (again.body, again.header("idempotency-replayed")) == (answers[-1].body, "true")
        assert "whether it was carried out is unknown" in started.wait_for_log("runs again")


def test_two_hosts_that_share_a_valkey_pay_once(tmp_path: Path, payments: Payments) -> None:
    """Whatever server they have, and whichever protocol it speaks to the app."""
    with (
        Valkey(tmp_path) as valkey,
        served(GUNICORN, f"valkey://{valkey.place}", payments) as one,
        served(UVICORN, f"valkey://{valkey.place}", payments) as two,
    ):
        for turn in range(5):
            path = f"/pay/{turn}"
            with ThreadPoolExecutor(CLIENTS) as pool:
                sent = [pool.submit(post, host, path, path) for host in (one, two) * 20]
                answers = [asked.result() for asked in sent]
            assert {answer.status for answer in answers} <= {201, 409}
            assert payments.of(path) == 1
            assert post(one, path, path).body == post(two, path, path).body


@pytest.mark.few_cases(1)
@both_servers
def test_without_its_store_no_request_with_a_key_runs(
    server: tuple[str, str], tmp_path: Path, payments: Payments
) -> None:
    """It is refused with 503, and works again when the store does."""
    with (
        Valkey(tmp_path) as valkey,
        served(server, f"valkey://{valkey.place}", payments) as started,
    ):
        assert post(started, "/pay").status == 201
        valkey.kill()
        assert {post(started, "/other", key=str(n)).status for n in range(12)} == {503}
        assert payments.of("/other") == 0
        valkey.start()
        poll(lambda: post(started, "/other").status == 201, "a payment")
        assert payments.of("/other") == 1
