"""Fixtures: the kinds of client, and the servers that they call."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from mantlet._internal import coroutines as steps
from mantlet.stores.redis import RedisBackend
from tests.stores.redis.servers import Cluster, Valkey, openssl

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from mantlet.stores.redis import RedisClient

#: Seconds for what should happen: more than any machine needs, and less than for ever.
AMPLE = 60.0


class Way:
    """A way to run the code above the transports.

    Attributes:
        name: ``blocking``, ``asyncio`` or ``uvloop``.
        is_async: whether it is an event loop.
    """

    def __init__(self, name: str, runner: asyncio.Runner | None) -> None:
        self.name = name
        self.is_async = runner is not None
        self._runner = runner
        self._used: list[RedisClient] = []

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to completion."""
        return steps.run_sync(work) if self._runner is None else self._runner.run(work)

    def client(self, backend: RedisBackend) -> RedisClient:
        """Return the client for this way."""
        client = backend.client(self.is_async)
        self._used.append(client)
        return client

    def close(self) -> None:
        """Close the clients that were used."""
        for client in self._used:
            self.run(client.close())

    def call(
        self,
        backend: RedisBackend,
        *parts: bytes | str | int,
        key: bytes | None = None,
        within: float = AMPLE,
    ) -> Any:
        """Send a command; return its reply.

        Args:
            backend: the server or cluster.
            parts: the command.
            key: decides which node of a cluster is called.
            within: the deadline, in seconds from now.
        """
        return self.run(
            self.client(backend).call(*parts, key=key, deadline=time.monotonic() + within)
        )


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds that a function takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


@pytest.fixture(params=["blocking", "asyncio", "uvloop"])
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    """Each way to run; connections left open are errors."""
    factories = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    if request.param == "blocking":
        way = Way(request.param, None)
        yield way
        way.close()
    else:
        with asyncio.Runner(loop_factory=factories[request.param]) as runner:
            yield Way(request.param, runner)


@pytest.fixture(scope="session")
def _valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def valkey(_valkey: Valkey) -> Valkey:
    """An empty server without connections."""
    _valkey.wait_for_clients(0)
    _valkey.ask("FLUSHALL")
    _valkey.ask("CONFIG", "RESETSTAT")
    return _valkey


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server for this test alone, to be killed and paused."""
    with Valkey(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of three masters."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture
def backend(valkey: Valkey) -> RedisBackend:
    """The server, by its URI."""
    return RedisBackend(f"redis://{valkey.place}")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, and its key."""
    directory = tmp_path_factory.mktemp("certificate")
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        *("-keyout", key, "-out", certificate),
    )
    return certificate, key


@pytest.fixture
def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """The server's TLS context."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context
