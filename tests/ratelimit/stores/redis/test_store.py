"""How a store calls its server: how often, in how many writes, for how long, from which loops."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from threading import Barrier, Thread
from typing import TYPE_CHECKING

import pytest

from mantlet import Quota
from mantlet._internal import coroutines as steps
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.stores.base import SlotRequest, TokenRequest
from mantlet.ratelimit.stores.redis.script_client import server_key
from mantlet.ratelimit.stores.redis.store import RedisStore
from mantlet.stores.redis.clients import hash_slot
from tests.ratelimit.stores.model import MINUTE
from tests.ratelimit.stores.redis.store_driver import StoreDriver, drive_store
from tests.servers.server import poll
from tests.stores.redis.conftest import AMPLE, Way, timed
from tests.stores.redis.servers import SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mantlet.ratelimit.stores.base import Remaining
    from tests.stores.redis.servers import Cluster, Valkey

YEARLY = Quota("1/year", burst=3)
ALICE, BOB = TokenRequest("api:192.0.2.1", YEARLY), TokenRequest("api:192.0.2.2", YEARLY)
SEAT = SlotRequest("seats:192.0.2.1", 2, 60_000_000_000, "0" * 16)


def tokens(room: int | None) -> int:
    """Return the remaining tokens, given a store's result; some time has passed since."""
    assert room is not None
    return room // YEARLY.interval


@pytest.fixture
def store(way: Way, valkey: Valkey) -> Iterator[StoreDriver]:
    """An open store, and a server that has counted no calls yet."""
    with drive_store(way, f"redis://{valkey.place}") as store:
        store.open()
        valkey.ask("CONFIG", "RESETSTAT")
        yield store


# -- round trips ----------------------------------------------------------------------------------


def test_all_that_a_request_wants_is_one_round_trip(store: StoreDriver, valkey: Valkey) -> None:
    """Several quotas, of which one is report-only, and a slot."""
    hourly = TokenRequest("hourly:192.0.2.1", Quota("6/hour", burst=2), is_report_only=True)
    assert (
        store.take(ALICE, hourly, SEAT, TokenRequest("global:", Quota("1000/second"))) is not None
    )
    assert (valkey.calls("evalsha"), valkey.calls("eval"), valkey.calls("hello")) == (1, 0, 0)


def test_looking_and_giving_back_are_one_round_trip_each(
    store: StoreDriver, valkey: Valkey
) -> None:
    """For any number of keys."""
    assert store.admits(ALICE, BOB, SEAT)
    store.peek(ALICE, BOB, SEAT)
    store.give_back(ALICE, BOB, SEAT)
    store.block(1, ALICE, BOB)
    assert (valkey.calls("evalsha"), valkey.calls("eval")) == (4, 0)


def test_a_script_that_the_server_has_forgotten_is_sent_again(
    store: StoreDriver, valkey: Valkey
) -> None:
    """Once: from then on its hash is enough."""
    assert store.admits(ALICE)
    valkey.ask("SCRIPT", "FLUSH")
    assert store.admits(ALICE)
    assert valkey.calls("eval") == 1
    assert store.admits(ALICE)
    assert not store.admits(ALICE)
    assert valkey.calls("eval") == 1


def test_what_the_server_has_lost_is_full(store: StoreDriver, valkey: Valkey) -> None:
    """Such as by a restart without persistence."""
    assert [store.admits(ALICE) for _ in range(3)] == [True] * 3
    valkey.ask("FLUSHALL")
    assert [store.admits(ALICE) for _ in range(4)] == [True] * 3 + [False]


def test_the_newer_protocol_is_spoken(store: StoreDriver, valkey: Valkey) -> None:
    """RESP3, on every connection except the tests' own."""
    assert store.admits(ALICE)
    own = valkey.ask("CLIENT", "ID")
    lines = valkey.ask("CLIENT", "LIST").decode().splitlines()
    listed = [dict(field.split("=", 1) for field in line.split()) for line in lines]
    assert [one["resp"] for one in listed if one["id"] != str(own)] == ["3"]


async def settled(store: RedisStore, *wanted: TokenRequest | SlotRequest) -> Remaining:
    """Take, on an event loop."""
    rooms = store.take(wanted)
    return rooms if isinstance(rooms, list) else await rooms


def test_checks_of_one_turn_of_the_loop_go_out_in_one_write(valkey: Valkey) -> None:
    """The server reads them all at once: one system call on either side."""

    def reads() -> int:
        return int(valkey.info("stats")["total_reads_processed"])

    async def check() -> int:
        store = RedisStore(f"redis://{valkey.place}", timeout=AMPLE).bind(is_async=True)
        await settled(store, ALICE)
        before = reads()
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(settled(store, TokenRequest(f"api:{number}", YEARLY)))
        return reads() - before

    assert asyncio.run(check()) == 2  # one is the test's own call
    assert valkey.calls("evalsha") + valkey.calls("eval") >= 21


# -- time -----------------------------------------------------------------------------------------


def test_no_call_waits_far_beyond_the_deadline(way: Way, own_valkey: Valkey) -> None:
    """Any operation, connected or not; and after three outages nobody waits at all."""
    with drive_store(way, f"redis://{own_valkey.place}", timeout=0.1) as store:
        store.open()
        with own_valkey.paused():
            for call in (store.take, store.give_back, store.peek):
                with pytest.raises(StoreOutage):
                    call(ALICE)

            def hammer() -> None:
                for _ in range(1000):
                    with pytest.raises(StoreOutage):
                        store.take(ALICE)

            assert timed(hammer) < 1000 * 0.1 / 2


def test_a_server_that_answers_again_is_asked_again(way: Way, own_valkey: Valkey) -> None:
    """Tokens spent before stay spent."""
    with drive_store(way, f"redis://{own_valkey.place}", timeout=0.5) as store:
        store.open()
        assert store.admits(ALICE._replace(cost=2))
        with own_valkey.paused():
            for _ in range(5):
                with pytest.raises(StoreOutage):
                    store.take(BOB)
        rooms: list[int] = []

        def take() -> bool:
            with suppress(StoreOutage):
                rooms.extend(tokens(room) for room in store.take(ALICE))
            return bool(rooms)

        poll(take, "the server to be asked again")
        assert rooms == [0]


# -- loops ----------------------------------------------------------------------------------------


def test_one_store_serves_one_loop_after_another(valkey: Valkey) -> None:
    """Nothing of a loop that has ended is used in the next."""
    store = RedisStore(f"redis://{valkey.place}", timeout=AMPLE).bind(is_async=True)
    rooms = [room for _ in range(4) for room in asyncio.run(settled(store, ALICE))]
    assert list(map(tokens, rooms)) == [2, 1, 0, -1]


def test_one_store_serves_several_loops_and_threads_at_once(valkey: Valkey) -> None:
    """All of them together get the burst, and not one more."""
    store = RedisStore(f"redis://{valkey.place}", timeout=AMPLE)
    claim = TokenRequest("api:1", Quota("1/year", burst=100))
    start, counts = Barrier(4), list[int]()

    async def take_some() -> int:
        bound = store.bind(is_async=True)
        rooms = [await settled(bound, claim) for _ in range(60)]
        return sum(room >= 0 for (room,) in rooms if room is not None)

    def on_a_loop() -> None:
        start.wait(AMPLE)
        counts.append(asyncio.run(take_some()))

    def on_none() -> None:
        start.wait(AMPLE)
        rooms = [steps.run_sync(settled(store, claim)) for _ in range(60)]
        counts.append(sum(room >= 0 for (room,) in rooms if room is not None))

    threads = [Thread(target=work) for work in (on_a_loop, on_none) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(AMPLE)
    store.close()
    assert len(counts) == 4
    assert sum(counts) == 100


# -- a cluster ------------------------------------------------------------------------------------


def on_node(cluster: Cluster, node: int, quota: Quota, start: int = 0) -> TokenRequest:
    """Return a request whose key is on a node."""
    return next(
        claim
        for number in range(start, start + 1000)
        if hash_slot(server_key(claim := TokenRequest(f"api:{number}", quota))) * 3 // SLOTS == node
    )


def test_what_lies_on_several_nodes_is_taken_all_or_nothing(way: Way, cluster: Cluster) -> None:
    """Tokens of one node are given back when another denies, whichever is called first."""
    for node in cluster.nodes:
        node.ask("FLUSHALL")
    empty, full, other = (on_node(cluster, node, YEARLY) for node in range(3))
    empty = empty._replace(is_refundable=True)  # so that the server is asked every time
    with drive_store(way, f"redis+cluster://{cluster.nodes[0].place}") as store:
        store.open()
        assert store.admits(empty._replace(cost=3))
        for wanted in ((empty, full, other), (other, full, empty), (full, empty, other)):
            assert not store.admits(*wanted)
        # All but the refill of the time in which the other node denied.
        for room in store.peek(full, other):
            assert room is not None
            assert 0 <= 2 * YEARLY.interval - room < MINUTE * YEARLY.scale
        assert [store.admits(full, other) for _ in range(2)] == [True] * 2


def test_a_clients_bucket_and_slots_are_requested_from_one_node_at_once(
    way: Way, cluster: Cluster
) -> None:
    """All keys of a client have one hash slot, whatever the limits."""
    hourly = TokenRequest("hourly:192.0.2.1", Quota("6/hour"))
    with drive_store(way, f"redis+cluster://{cluster.nodes[0].place}") as store:
        store.open()
        for node in cluster.nodes:
            node.ask("FLUSHALL")
            node.ask("CONFIG", "RESETSTAT")
        assert store.admits(ALICE, hourly, SEAT)
        calls = [node.calls("evalsha") + node.calls("eval") for node in cluster.nodes]
        assert sorted(calls) in ([0, 0, 1], [0, 0, 2])  # the second call sends the script


def test_a_node_that_hangs_keeps_no_one_from_asking_the_others(way: Way, cluster: Cluster) -> None:
    """Two thirds of the clients are unaffected."""
    hung, *healthy = (on_node(cluster, node, YEARLY, 1000) for node in (2, 0, 1))
    with drive_store(way, f"redis+cluster://{cluster.nodes[0].place}", timeout=0.5) as store:
        store.open()
        store.reset(*(claim.key for claim in healthy))
        with cluster.nodes[2].paused():
            for _ in range(5):
                with pytest.raises(StoreOutage):
                    store.take(hung)
            assert all(store.admits(claim) for claim in healthy)


def test_a_node_that_hangs_is_not_waited_for_while_others_answer(
    way: Way, cluster: Cluster
) -> None:
    """Otherwise each request of its clients would take as long as the timeout, all the time."""
    hung, healthy = (on_node(cluster, node, YEARLY, 2000) for node in (2, 0))
    with drive_store(way, f"redis+cluster://{cluster.nodes[0].place}", timeout=0.5) as store:
        store.open()
        with cluster.nodes[2].paused():

            def ask_both() -> None:
                for _ in range(200):
                    store.peek(healthy)
                    with pytest.raises(StoreOutage):
                        store.take(hung)

            assert timed(ask_both) < 200 * 0.5 / 2
