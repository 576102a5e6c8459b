"""The reference back end under real servers, on PostgreSQL: payments whose workers die."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import httpx
import psycopg
import pytest
from examples.reference.composition import Backend
from examples.reference.config import Settings
from examples.reference.development import Provider, environment
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.docs.pages import blocks
from tests.servers.server import EXAMPLES, Server, free_port, poll, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

HOST = "orders.test"
PAGE = "reference-back-end.md"
POSTGRESQL = any(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
WORKERS = 4
REPEATS = 1_000
SERVERS = {"fastapi": ("uvicorn-httptools", "asgi_app"), "flask": ("gunicorn-gthread", "wsgi_app")}


class Running(NamedTuple):
    """The back end, running.

    Attributes:
        server: the server.
        marks: where the workers look for the moment at which one of them dies.
        headers: those of a client.
        dsn: the address of the database.
    """

    server: Server
    marks: Path
    headers: dict[str, str]
    dsn: str

    def place(self) -> str:
        """Place an order; return the URL of its payment."""
        headers = {**self.headers, "Idempotency-Key": "order"}
        url = f"{self.server.url}/v2/orders"
        placed = httpx.post(url, json={"lines": {"lamp": 2}}, headers=headers)
        assert placed.status_code == 201, placed.text
        return f"{url}/{placed.json()['id']}/payment"

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return what the database has."""
        with psycopg.connect(f"postgresql://{self.dsn}") as connection:
            return connection.execute(query.encode()).fetchall()


@pytest.fixture(params=SERVERS)
def running(
    request: pytest.FixtureRequest, postgresql_dsn: str, tmp_path: Path
) -> Iterator[Running]:
    provider = Provider(tmp_path)
    environ = environment(provider, f"postgresql+psycopg://{postgresql_dsn}", 0)
    environ |= {"SHOP_HOSTS": HOST, "SHOP_QUOTA": "1000000/minute", "SHOP_LEASE": "3"}
    environ["SHOP_GUESSES"] = environ["SHOP_QUOTA"]
    environ["SHOP_LIMITS"] = f"lmdb://{tmp_path}/limits"
    backend = Backend(Settings(environ))
    backend.create_tables()
    backend.engine.dispose()
    name, app = SERVERS[request.param]
    with serve(
        name,
        f"tests.servers.dying:{app}",
        directory=EXAMPLES.parent,
        env=environ | {"MARKS": str(tmp_path)},
        workers=WORKERS,
    ) as server:
        headers = {"Authorization": f"Bearer {provider.token('ann')}", "Host": HOST}
        yield Running(server, tmp_path, headers, postgresql_dsn)


class Paid(NamedTuple):
    """The response to a payment."""

    status: int
    body: bytes
    is_replayed: bool


async def pay(client: aiohttp.ClientSession, url: str) -> Paid:
    """Repeat a payment until a response says how it ended, as a client does."""
    async with asyncio.timeout(120):
        while True:
            try:
                async with client.post(url, headers={"Idempotency-Key": "payment"}) as response:
                    body = await response.read()
            except aiohttp.ClientError:
                continue  # its worker has died
            if response.status not in (409, 503):
                return Paid(response.status, body, "Idempotency-Replayed" in response.headers)
            assert "Retry-After" in response.headers, body
            await asyncio.sleep(float(response.headers["Retry-After"]))


async def pay_often(running: Running, url: str) -> list[Paid]:
    """Send all repeats at once."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=running.headers) as client:
        return await asyncio.gather(*(pay(client, url) for _ in range(REPEATS)))


@pytest.mark.exhaustive
@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
def test_a_payment_that_is_repeated_is_charged_once(running: Running, moment: str) -> None:
    """1,000 times, by four workers of which one dies in the middle of it."""
    url = running.place()
    mark = running.marks / moment
    mark.touch()
    responses = asyncio.run(pay_often(running, url))
    assert not mark.exists()  # one has died
    assert {(response.status, response.body) for response in responses} == {
        (201, responses[0].body)
    }
    # Where the worker died after the commit, nobody has got the first response itself.
    first = [response for response in responses if not response.is_replayed]
    assert len(first) == (moment == "before the commit")
    (charge,) = running.rows("SELECT id FROM charges")
    assert json.loads(responses[0].body)["id"] == charge[0]
    assert running.rows("SELECT status FROM orders") == [("PAID",)]
    assert running.rows("SELECT count(*) FROM outbox WHERE type = 'order.paid'") == [(1,)]


@contextmanager
def serve_alone(name: str, app: str, directory: Path) -> Iterator[tuple[Server, Provider]]:
    """Serve the back end by one worker, on SQLite."""
    provider = Provider(directory)
    environ = environment(provider, f"sqlite:///{directory}/orders.db", 0) | {"SHOP_HOSTS": HOST}
    backend = Backend(Settings(environ))
    backend.create_tables()
    backend.engine.dispose()
    with serve(name, app, directory=EXAMPLES.parent, env=environ) as server:
        yield server, provider


def place(server: Server, token: str, key: str) -> str:
    """Place an order; return its id."""
    headers = {"Host": HOST, "Authorization": f"Bearer {token}", "Idempotency-Key": key}
    placed = httpx.post(f"{server.url}/orders", json={"lines": {"lamp": 1}}, headers=headers)
    assert placed.status_code == 201, placed.text
    order_id: str = placed.json()["id"]
    return order_id


def test_a_websocket_gets_the_events_of_its_client(tmp_path: Path) -> None:
    """A customer's own, and all for a clerk; nobody connects without a token."""
    app = "examples.reference.asgi:app"
    with serve_alone("uvicorn-httptools", app, tmp_path) as (server, provider):

        def shake_hands(headers: dict[str, str]) -> ClientConnection:
            connection = server.connect("127.0.0.1")
            return connect(f"ws://{HOST}/events", sock=connection, additional_headers=headers)

        with pytest.raises(InvalidStatus) as refused:
            shake_hands({})
        assert refused.value.response.status_code == 401
        ann, ben = provider.token("ann"), provider.token("ben")
        clerk = provider.token("claire", roles=["clerk"])
        with (
            shake_hands({"Authorization": f"Bearer {ben}"}) as customer,
            shake_hands({"Authorization": f"Bearer {clerk}"}) as staff,
        ):
            ids = [place(server, ann, "1"), place(server, ben, "2")]
            for one in ids:
                assert json.loads(staff.recv(timeout=120))["data"]["id"] == one
            event = json.loads(customer.recv(timeout=120))
            assert (event["type"], event["data"]["id"]) == ("order.placed", ids[1])


def test_server_sent_events_are_those_of_their_client(tmp_path: Path) -> None:
    """The order of another customer is not among them."""
    app, options = "examples.reference.wsgi:app", {"Host": HOST}
    with serve_alone("gunicorn-gthread", app, tmp_path) as (server, provider):
        ann, ben = provider.token("ann"), provider.token("ben")
        headers = options | {"Authorization": f"Bearer {ben}"}
        with httpx.stream("GET", f"{server.url}/events", headers=headers, timeout=120) as stream:
            lines = stream.iter_lines()
            next(lines)  # it is connected
            ids = [place(server, ann, "1"), place(server, ben, "2")]
            data = next(line for line in lines if line.startswith("data:"))
            assert json.loads(data.removeprefix("data:"))["id"] == ids[1]


@pytest.mark.few_cases(1)
@pytest.mark.parametrize(
    "options", [(), ("--flask",), ("--postgres",)], ids=["fastapi", "flask", "postgresql"]
)
def test_the_commands_that_it_prints_work(options: tuple[str, ...], tmp_path: Path) -> None:
    """As after ``make reference``; and nothing of it is left behind."""
    if "--postgres" in options and not POSTGRESQL:
        pytest.skip("PostgreSQL is not installed")
    port = free_port()
    output = tmp_path / "output"
    directory = Path(mkdtemp())  # which the user of PostgreSQL can reach
    directory.chmod(0o755)
    command = [sys.executable, "-m", "examples.reference", "--port", str(port), *options]
    environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environ["TMPDIR"] = str(directory)
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=EXAMPLES.parent, env=environ, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            poll(lambda: answers(port), "the reference back end")
            printed = output.read_text()
            shell = printed[printed.index("ANN=") :].partition("\n\n")
            commands = shell[2].partition("\n\n")[0]
            page = "".join(block for block in blocks(PAGE, "sh") if "curl" in block)
            found, walk = (
                subprocess.run(
                    ["/bin/sh", "-ec", f"{shell[0]}\n{text}"],
                    capture_output=True,
                    check=True,
                    text=True,
                    env=environ,
                ).stdout
                for text in (commands, page)
            )
        finally:
            process.terminate()
            process.wait(120)
    first, second, third = json_values(found)
    assert first["total"] == {"cents": 9_800, "currency": "EUR"}
    assert second["orders"][0] == first | {
        "total": "98.00",
        "lines": [{"item": "lamp", "quantity": 2, "price": "49.00"}],
    }
    assert third == {"data": {"orders": [{"id": first["id"], "status": "placed"}]}}
    # What the page says of its own commands.
    statuses = re.findall(r"HTTP/1.1 ([0-9]+)", walk)
    assert statuses == ["201", "201", "201", "409", "404", "200", "200", "200"]
    lower = walk.lower()
    assert lower.count("idempotency-replayed: true") == lower.count("deprecation: @") == 1
    assert '"status":"shipped"' in walk.replace(" ", "")
    directory.rmdir()  # nothing is left behind


def answers(port: int) -> bool:
    """Return whether the back end is live."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/health").status_code == 200
    except httpx.TransportError:
        return False


def json_values(text: str) -> list[Any]:
    """Return the JSON values that follow each other in a text."""
    found = []
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found
