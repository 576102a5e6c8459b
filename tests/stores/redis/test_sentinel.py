"""A real master with a replica and a sentinel, and a failover."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import hiredis
import pytest
import uvloop

from mantlet.exceptions import StoreOutage
from mantlet.stores.redis import RedisBackend
from mantlet.stores.redis.records import RedisRecords
from mantlet.stores.redis.resp import CommandError, ServerUnavailable
from tests.servers.server import HOST, poll
from tests.stores.redis.conftest import AMPLE, Way, timed
from tests.stores.redis.servers import Valkey, listen, quiet_port
from tests.stores.subject import Subject

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

SERVICE = "limits"
SECRET = "Zq9x"


class Watched:
    """A master, its replica, and a sentinel that monitors them.

    Attributes:
        servers: the master and the replica, in any order.
        sentinel: the sentinel.
    """

    def __init__(self, directory: Path) -> None:
        places = [directory / name for name in ("one", "two", "sentinel")]
        for place in places:
            place.mkdir()
        self.servers = [Valkey(place, "--repl-diskless-sync-delay", "0") for place in places[:2]]
        self.sentinel = Valkey(places[2], sentinel=True)
        (places[2] / "sentinel.conf").write_text(
            f"sentinel monitor {SERVICE} {HOST} {self.servers[0].port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 60000\n"
            f"requirepass {SECRET}\n"
        )

    @property
    def master(self) -> Valkey:
        """The master, by the sentinel."""
        _, port = self.sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(server for server in self.servers if server.port == int(port))

    def start(self) -> None:
        """Start all three, and wait until the sentinel knows the replica."""
        one, two = self.servers
        one.start()
        two.start()
        two.ask("REPLICAOF", HOST, one.port)
        poll(lambda: two.info("replication")["master_link_status"] == "up", "a replica")
        self.sentinel.start()
        self.sentinel.ask("AUTH", SECRET)
        poll(self._knows_replica, "a replica that the sentinel knows")

    def heard(self) -> int:
        """Return how many commands the sentinel has received, including this one."""
        return int(self.sentinel.info("stats")["total_commands_processed"]) + 1

    def fail_over(self) -> None:
        """Make the replica the master."""
        before = self.master

        def begun() -> bool:
            try:
                self.sentinel.ask("SENTINEL", "FAILOVER", SERVICE)
            except hiredis.ReplyError as error:
                return "INPROG" in str(error)
            return True

        poll(begun, "a failover that begins")
        poll(lambda: self.master is not before, "another master")
        # The sentinel would do this as well, after some ten seconds.
        before.ask("REPLICAOF", HOST, self.master.port)

    def stop(self) -> None:
        """Stop all three."""
        for server in (self.sentinel, *self.servers):
            server.kill()

    def _knows_replica(self) -> bool:
        replicas = self.sentinel.ask("SENTINEL", "REPLICAS", SERVICE)
        return any(b"ok" in replica for replica in replicas)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The three servers."""
    made = Watched(tmp_path_factory.mktemp("watched"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


def backend_of(watched: Watched, *before: str, service: str = SERVICE) -> RedisBackend:
    """Return the master, by the addresses of other sentinels and of the real one."""
    places = ",".join([*before, watched.sentinel.place])
    return RedisBackend(f"redis+sentinel://{places}/{service}/1?sentinel_password={SECRET}")


def records_of(watched: Watched, way: Way) -> Subject:
    """Return a store of records on the master."""
    uri = f"redis+sentinel://{watched.sentinel.place}/{SERVICE}?sentinel_password={SECRET}"
    store = RedisRecords(uri, name="test", timeout=AMPLE)
    return Subject(store.bind(way.is_async), lambda _: None, way.run)


def test_the_master_is_asked(way: Way, watched: Watched) -> None:
    """In the database of the URI, and the sentinel is asked only once."""
    backend = backend_of(watched)
    way.call(backend, "INCR", "key")
    heard = watched.heard()
    for _ in range(2):
        way.call(backend, "INCR", "key")
    assert watched.heard() == heard + 1
    assert way.call(RedisBackend(f"redis://{watched.master.place}/1"), "GETDEL", "key") == b"3"


def test_a_sentinel_that_is_gone_is_passed_over(way: Way, watched: Watched) -> None:
    """Also one that is silent, which gets only its share of the time."""

    def stay_silent(taken: socket.socket) -> None:
        while taken.recv(65536):
            pass

    with listen(stay_silent) as silent:
        backend = backend_of(watched, f"{HOST}:{quiet_port()}", silent)
        assert way.call(backend, "PING", within=0.3) == b"PONG"
        way.close()


def test_a_service_that_no_sentinel_knows_is_an_outage(way: Way, watched: Watched) -> None:
    """It may not have been configured yet."""
    with pytest.raises(ServerUnavailable, match="knows no master of nothing"):
        way.call(backend_of(watched, service="nothing"), "PING")


def test_without_a_sentinel_it_is_an_outage(way: Way) -> None:
    """At once, where nobody listens."""

    def fail() -> None:
        with pytest.raises(ServerUnavailable):
            way.call(RedisBackend(f"redis+sentinel://{HOST}:{quiet_port()}/{SERVICE}"), "PING")

    assert timed(fail) < AMPLE  # the deadline of the call


def test_the_servers_password_is_not_the_sentinels(way: Way, watched: Watched) -> None:
    """Each gets its own, and errors show neither."""
    uri = f"redis+sentinel://:{SECRET}@{watched.sentinel.place}/{SERVICE}"
    with pytest.raises(CommandError) as raised:
        way.call(RedisBackend(uri), "PING")
    assert raised.value.code == "NOAUTH"
    assert SECRET not in str(raised.value)


def test_a_server_that_is_no_sentinel_is_an_error(way: Way, valkey: Valkey) -> None:
    """It is an error of the URI, so not an outage."""
    with pytest.raises(CommandError) as raised:
        way.call(RedisBackend(f"redis+sentinel://{valkey.place}/{SERVICE}"), "PING")
    assert raised.value.code == "ERR"


def test_a_burst_looks_up_once(watched: Watched) -> None:
    """The other callers wait for the look-up."""
    client = backend_of(watched).client(is_async=True)
    heard = watched.heard()

    async def main() -> None:
        deadline = time.monotonic() + AMPLE
        calls = [client.call("PING", deadline=deadline) for _ in range(100)]
        assert set(await asyncio.gather(*calls)) == {b"PONG"}

    asyncio.run(main())
    # Besides this command there are the handshake and the one look-up.
    assert watched.heard() == heard + 3


def test_a_master_that_hangs_is_waited_for_until_the_deadline(way: Way, watched: Watched) -> None:
    """And the sentinel is asked again the next time."""
    backend = backend_of(watched)
    assert way.call(backend, "PING") == b"PONG"

    with watched.master.paused():
        heard = watched.heard()
        for asked in (1, 3):
            with pytest.raises(ServerUnavailable):
                way.call(backend, "PING", within=0.05)
            assert watched.heard() == heard + asked
    assert way.call(backend, "PING") == b"PONG"


def test_after_a_failover_the_new_master_is_asked(watched: Watched) -> None:
    """The old master replies that it is a replica, and one call fails because of it.

    The new one has the records that it had as a replica, and each changes once.
    """
    with asyncio.Runner() as plain, asyncio.Runner(loop_factory=uvloop.new_event_loop) as fast:
        ways = [Way("blocking", None), Way("asyncio", plain), Way("uvloop", fast)]
        backends = [backend_of(watched) for _ in ways]
        stores = [records_of(watched, way) for way in ways]
        for way, backend, store in zip(ways, backends, stores, strict=True):
            assert way.call(backend, "SET", "key", "old") == b"OK"
            assert store.create(way.name.encode(), b"begun") is None
        before = watched.master
        (replica,) = [server for server in watched.servers if server is not before]
        poll(lambda: replica.info("keyspace") == before.info("keyspace"), "all records")
        watched.fail_over()
        for way, backend, store in zip(ways, backends, stores, strict=True):
            with pytest.raises(ServerUnavailable, match="READONLY"):
                way.call(backend, "SET", "key", "lost")
            assert way.call(backend, "SET", "key", way.name) == b"OK"
            found = RedisBackend(f"redis://{watched.master.place}/1")
            assert way.call(found, "GET", "key") == way.name.encode()
            name = way.name.encode()
            with pytest.raises(StoreOutage, match="READONLY"):
                store.replace(name, b"begun", b"lost")
            assert store.replace(name, b"begun", b"ended")
            assert not store.replace(name, b"begun", b"twice")
            assert store.value(name) == b"ended"
            store.run(store.store.close)
        assert watched.master is not before
        ways[0].close()
