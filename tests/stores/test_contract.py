"""All stores do what the contract says, as threads and as event loops call them."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from mantlet.stores.lmdb import LmdbRecords, environment
from mantlet.stores.memory import MemoryRecords
from mantlet.stores.redis.records import RedisRecords
from tests.stores.clocks import HostClock
from tests.stores.contract import RecordStoreContract, Subject
from tests.stores.quick_disk import quick_directory
from tests.stores.redis.servers import Cluster, Valkey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mantlet.stores.records import RecordStore

#: Seconds that a call may take on a busy machine.
AMPLE = 60.0
#: Lets milliseconds pass for all keys.
_ADVANCE = """
for _, key in ipairs(redis.call('KEYS', '*')) do
  redis.call('PEXPIRE', key, redis.call('PTTL', key) - ARGV[1])
end
"""


@contextmanager
def opened(store: RecordStore, advance: Callable[[float], None], way: str) -> Iterator[Subject]:
    """Yield an open store as it is called on a loop, or by threads."""
    with ExitStack() as stack:
        subject = Subject(store.bind(way == "asyncio"), advance)
        if way == "asyncio":
            runner = stack.enter_context(asyncio.Runner())
            subject.drive, subject.has_threads = runner.run, False
        subject.run(subject.store.open)
        yield subject
        subject.run(subject.store.close)


class TestMemory(RecordStoreContract):
    """Records in memory."""

    @pytest.fixture
    def subject(self) -> Subject:
        """An empty store."""
        now = [1000.0]

        def advance(seconds: float) -> None:
            now[0] += seconds

        return Subject(MemoryRecords(clock=lambda: now[0]), advance)


class TestLmdb(RecordStoreContract):
    """Records in a file."""

    @pytest.fixture(params=["blocking", "asyncio"])
    def subject(
        self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Subject]:
        """An empty store."""
        monkeypatch.setattr(environment, "MIN_SIZE", 4 << 20)
        clock = HostClock()
        with quick_directory() as directory:
            store = LmdbRecords(directory / "records", clock=clock)
            with opened(store, clock.advance, request.param) as subject:
                yield subject


@contextmanager
def on_servers(uri: str, servers: list[Valkey], way: str) -> Iterator[Subject]:
    """Yield an empty store on servers."""
    for server in servers:
        server.ask("FLUSHALL")

    def advance(seconds: float) -> None:
        for server in servers:
            server.ask("EVAL", _ADVANCE, 0, int(seconds * 1000))

    with opened(RedisRecords(uri, timeout=AMPLE), advance, way) as subject:
        yield subject


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """One server."""
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of three masters."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


class TestValkey(RecordStoreContract):
    """Records on one server."""

    @pytest.fixture(params=["blocking", "asyncio"])
    def subject(self, request: pytest.FixtureRequest, server: Valkey) -> Iterator[Subject]:
        """An empty store."""
        with on_servers(f"redis://{server.place}/0", [server], request.param) as subject:
            yield subject


class TestCluster(RecordStoreContract):
    """Records on a cluster."""

    @pytest.fixture(params=["blocking", "asyncio"])
    def subject(self, request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Subject]:
        """An empty store."""
        uri = f"redis+cluster://{cluster.nodes[0].place}"
        with on_servers(uri, cluster.nodes, request.param) as subject:
            yield subject
