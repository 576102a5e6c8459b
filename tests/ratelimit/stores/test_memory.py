"""The memory store: bounded, exact across threads, and never dropping a bucket that matters.

To run the full flood, and print the memory of the process before and after it::

    MANTLET_FLOOD=5000000 pytest -s tests/ratelimit/stores/test_memory.py -k lot
"""

from __future__ import annotations

import os
import sys
import tracemalloc
from pathlib import Path
from threading import Barrier, Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet import Quota
from mantlet.ratelimit.stores.base import SlotRequest, TokenRequest
from mantlet.ratelimit.stores.memory import MemoryStore
from tests.ratelimit.stores.model import HOUR, SECOND, Bucket, Clock
from tests.ratelimit.stores.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOURLY = Quota("2/hour")
SLOW = Quota("1/hour", burst=2)
FLOOD = int(os.environ.get("MANTLET_FLOOD", "200000"))
#: The size of a key in bytes, as documented by the store.
BYTES = 250


def bounded(max_keys: int, now: int = 0) -> Subject:
    clock = Clock(now)
    return Subject(MemoryStore(max_keys, clock), clock)


def size(store: Subject) -> int:
    assert isinstance(store.store, MemoryStore)
    return len(store.store)


def client(number: int | str, quota: Quota = HOURLY, limit: str = "api") -> TokenRequest:
    return TokenRequest(f"{limit}:{number}", quota)


def addresses(count: int) -> Iterator[str]:
    """Yield this many different keys of IPv4 addresses."""
    for number in range(count):
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        yield f"a1b2c3d4e5f6:{address}"


# -- bounds ---------------------------------------------------------------------------------------


def test_no_more_keys_are_kept_than_the_bound_and_one_for_each_limit() -> None:
    """Whatever is requested: one or several, taken, peeked at, blocked, given back or reset."""
    store = bounded(10)
    for number in range(50):
        one, other = client(number), client(number, limit="login")
        store.take(one)
        store.take_one(*other[:3])
        store.take(one, other)
        store.peek(client(f"looked at {number}"), other)
        store.block(HOUR, client(f"held {number}"), other)
        store.give_back(client(f"given {number}"))
        store.reset(f"forgotten:{number}")
        assert size(store) <= 10 + 2


@pytest.mark.parametrize("pause", [0, HOUR // 4, 2 * HOUR], ids=["at once", "slowly", "rarely"])
def test_a_flood_of_fresh_addresses_takes_no_memory_beyond_the_bound(pause: int) -> None:
    """Whether or not they arrive faster than their buckets refill."""
    bound = FLOOD // 100
    clock = Clock()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        store = MemoryStore(bound, clock)
        for number, key in enumerate(addresses(FLOOD // 10)):
            clock.now += pause // bound
            store.take_one(key, HOURLY, 1)
            if not number % 1000:
                assert len(store) <= bound + 1
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < bound * BYTES


def test_a_flood_of_addresses_changes_neither_the_memory_nor_a_debtors_lot() -> None:
    """Only the clients that are kept, and those that share one bucket, are admitted."""
    bound = min(100_000, FLOOD // 2)
    clock = Clock()
    before = resident()
    store = MemoryStore(bound, clock)
    debtor = "a1b2c3d4e5f6:203.0.113.7"
    while store.take_one(debtor, HOURLY, 1) >= 0:
        pass
    admitted, full = 0, 0
    for number, key in enumerate(addresses(FLOOD)):
        admitted += store.take_one(key, HOURLY, 1) >= 0
        if number == bound:
            full = resident()
    assert admitted == bound - 1 + HOURLY.burst
    assert len(store) == bound + 1
    assert store.take_one(debtor, HOURLY, 1) < 0
    clock.now += HOUR // 2
    assert store.take_one(debtor, HOURLY, 1) == 0
    after = resident()
    sys.stdout.write(
        f"{FLOOD} addresses: {full - before} bytes when full, {after - full} more at the end\n"
    )
    assert after - before < bound * BYTES * 1.5, "beyond what fragments of memory explain"
    assert after - full < 2_000_000


def resident() -> int:
    """Return the resident memory of this process, where the system reports it."""
    told = Path("/proc/self/statm")
    return int(told.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if told.exists() else 0


def test_a_key_takes_about_what_the_docstring_says() -> None:
    """For an IPv4 address, at the worst fill level of the hash table."""
    for count in (5_462, 10_900):
        tracemalloc.start()
        try:
            store = MemoryStore(count, Clock(10**18))
            for key in addresses(count):
                store.take_one(key, HOURLY, 1)
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert BYTES * 0.7 < taken / count < BYTES


# -- sweeping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("quota", [HOURLY, Quota("7/hour")], ids=["whole", "fraction"])
def test_keys_whose_buckets_are_full_again_leave_as_new_ones_come(quota: Quota) -> None:
    """Two for each new one, so the store shrinks to its active clients without a timer."""
    store = bounded(10_000, HOUR)
    for number in range(1000):
        store.take(client(number, quota))
    store.clock.now += HOUR
    for number in range(499):
        store.take(client(f"new {number}", quota))
        assert size(store) == 1000 - number - 1
    for number in range(1000):
        store.clock.now += HOUR
        store.take(client(f"newer {number}", quota))
    assert size(store) <= 2


def test_keys_that_are_full_leave_also_from_behind_those_that_are_not() -> None:
    """Clients over their limits at the head of the queue do not keep the others in the store."""
    store = bounded(10_000)
    debtors = [client(f"debtor {number}") for number in range(100)]
    for debtor in debtors:
        store.block(10_000 * HOUR, debtor)
    for number in range(1000):
        store.take(client(number))
        store.clock.now += HOUR
        assert size(store) <= 100 + 100 + 4
    assert not any(store.admits(debtor) for debtor in debtors)


def test_a_key_leaves_when_its_bucket_is_full_again_and_not_before() -> None:
    """Room is made at the exact nanosecond, and the new address then has a burst of its own."""
    quota = Quota("1/second", burst=2)
    store = bounded(1)
    assert store.admits(client(1, quota))
    store.clock.now = SECOND - 1
    assert store.drain(client(2, quota)) == 2  # the shared bucket's
    assert store.drain(client(3, quota)) == 0
    store.clock.now = SECOND
    assert store.drain(client(4, quota)) == 2  # its own


@pytest.mark.parametrize(
    "end",
    [
        lambda store, claim: store.reset(claim.key),
        lambda store, claim: store.give_back(claim._replace(cost=2)),
    ],
    ids=["forgotten", "given back"],
)
@pytest.mark.parametrize("now", [0, -(10**18), 10**18], ids=["zero", "below zero", "above zero"])
def test_a_key_leaves_once_it_is_made_full(
    end: Callable[[Subject, TokenRequest], None], now: int
) -> None:
    """Whatever the clock reads: `time.monotonic` has no defined zero."""
    store = bounded(1, now)
    store.drain(client(1))
    end(store, client(1))
    assert store.drain(client(2)) == 2
    assert size(store) == 1


@pytest.mark.parametrize("now", [0, -1, -5 * SECOND, -(10**18)], ids=str)
def test_a_clock_may_begin_below_zero(now: int) -> None:
    """Only differences matter."""
    store = bounded(10, now)
    quota = Quota("1/second", burst=2)
    assert store.drain(client(1, quota)) == 2
    store.reset("api:1")
    assert store.drain(client(1, quota)) == 2
    store.clock.now += SECOND
    assert store.drain(client(1, quota)) == 1


def test_a_request_that_fails_leaves_nothing_behind_that_fails_others() -> None:
    """An invalid cost is an error of its caller, and affects nobody else."""
    store = bounded(2)
    for number in range(3):
        with pytest.raises(TypeError):
            store.take_one(f"api:{number}", HOURLY, None)  # type: ignore[arg-type]  # the fault
        with pytest.raises(TypeError):
            store.take(client(number)._replace(cost=None))  # type: ignore[arg-type]  # the fault
    store.clock.now += 1
    assert [store.drain(client(f"new {number}")) for number in range(3)] == [2, 2, 2]


# -- full of debtors ------------------------------------------------------------------------------


def test_a_debtor_stays_refused_through_a_flood_of_fresh_keys() -> None:
    """No number of other clients refills the bucket of a denied client, for any limit."""
    store = bounded(100)
    debtor, other = client("debtor"), client("debtor", limit="login")
    assert (store.drain(debtor), store.drain(other)) == (2, 2)
    for number in range(5000):
        store.take(client(number), client(number, limit="login"))
        if not number % 500:
            assert not store.admits(debtor)
            assert not store.admits(other)
    store.clock.now += HOUR // 2 - 1
    assert not store.admits(debtor)
    store.clock.now += 1
    assert store.admits(debtor, other)


def test_keys_beyond_the_bound_share_one_bucket() -> None:
    """Two are kept individually; all others have one burst between them."""
    store = bounded(2)
    assert [store.drain(client(number)) for number in (1, 2)] == [2, 2]
    assert [store.admits(client(number)) for number in (3, 4, 5)] == [True, True, False]
    assert not any(store.admits(client(number)) for number in (6, 7))


def test_the_shared_bucket_refills_like_any_other() -> None:
    """The keys beyond the bound share the rate of one bucket."""
    store = bounded(1)
    store.block(9 * HOUR, client(1))
    assert store.drain(client(2)) == 2
    store.clock.now += HOUR // 2
    assert [store.drain(client(number)) for number in (3, 4)] == [1, 0]


def test_each_limit_has_a_shared_bucket_of_its_own() -> None:
    """One quota is never counted in tokens of another."""
    store = bounded(1)
    store.drain(client(1))
    assert store.drain(client(2)) == 2
    assert store.drain(client(2, Quota("5/second"), "login")) == 5
    assert store.drain(client(3)) == 0


def test_looking_tells_what_taking_would_also_where_there_is_no_room() -> None:
    """It returns the state of the shared bucket, and changes nothing."""
    store = bounded(1)
    store.drain(client(1))
    store.take(client(2))
    for _ in range(3):
        assert store.peek(client(3)) == [0]
    assert store.take(client(3)) == [0]
    assert store.peek(client(4)) == [-HOURLY.interval]


def test_what_came_out_of_the_shared_bucket_is_not_given_back() -> None:
    """It is unknown where the tokens came from, and none may be created."""
    store = bounded(1)
    store.drain(client(1))
    assert store.drain(client(2)) == 2
    for number in range(10):
        store.give_back(client(number))
    store.reset("api:3")
    assert store.drain(client(2)) == 0


def test_a_blocked_key_without_a_bucket_blocks_all_that_share_one() -> None:
    """A banned client is not admitted; clients with buckets of their own are."""
    store = bounded(1)
    store.take(client(1))
    store.block(HOUR, client(2))
    assert [store.drain(client(number)) for number in (1, 2, 3)] == [1, 0, 0]
    store.clock.now += HOUR
    store.block(HOUR, client(1))
    assert store.drain(client(2)) == 1


def test_of_several_keys_all_have_room_or_all_share() -> None:
    """Room for only one of two keys gives neither of them a free token."""
    store = bounded(3)
    login = [client(number, SLOW, "login") for number in range(99)]
    store.take(login[0])
    store.take(login[1])
    admitted = sum(store.admits(client(number), login[number]) for number in range(2, 99))
    assert admitted == SLOW.burst
    assert size(store) <= 3 + 2


def test_a_bound_of_one_still_counts_the_first_client_exactly() -> None:
    """The smallest bound still gives a working store."""
    store = bounded(1)
    assert store.drain(client(1, Quota("5/minute"))) == 5


def test_several_keys_under_a_bound_of_one_are_still_counted() -> None:
    """They share a bucket, as there is no room for them."""
    store = bounded(1)
    assert store.drain(client(1), client(1, limit="login")) == 2
    assert not store.admits(client(2), client(2, limit="login"))


requests = st.lists(
    st.tuples(
        st.integers(0, 8), st.sampled_from(["api", "login", "both"]), st.integers(0, 2 * SECOND)
    ),
    max_size=80,
)


@settings(deadline=None, max_examples=100)
@given(requests, st.integers(1, 8))
def test_however_full_it_is_no_limit_gives_more_than_its_buckets(
    asked: list[tuple[int, str, int]], max_keys: int
) -> None:
    """A client gets at most its own bucket and the shared one, and those that share get one.

    The model keeps a bucket for each client, and one for all; a request admitted beyond the
    client's own bucket must have been paid from the latter.
    """
    store = bounded(max_keys)
    quota = Quota("1/second", burst=2)
    own: dict[TokenRequest, Bucket] = {}
    shared = {limit: Bucket(quota, 0) for limit in ("api", "login")}
    for number, which, wait in asked:
        store.clock.now += wait
        limits = ("api", "login") if which == "both" else (which,)
        claims = [client(number, quota, limit) for limit in limits]
        if store.admits(*claims):
            for claim, limit in zip(claims, limits, strict=True):
                bucket = own.setdefault(claim, Bucket(quota, 0))
                assert bucket.take(store.now) or shared[limit].take(store.now)


# -- places ---------------------------------------------------------------------------------------


def test_slots_take_no_memory_once_they_are_given_back() -> None:
    """However many keys there are."""
    store = MemoryStore(10, Clock())
    tracemalloc.start()
    try:
        for number, key in enumerate(addresses(5000)):
            place = SlotRequest(key, 1, SECOND, f"{number:016x}")
            assert store.take((place,)) == [0]
            store.give_back((place,))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 5000


def test_denied_slots_and_peeks_at_slots_take_no_memory() -> None:
    """Only held slots are stored."""
    store = MemoryStore(10, Clock())
    store.take((SlotRequest("seats:1", 1, SECOND, "0" * 16),))
    tracemalloc.start()
    try:
        for number, key in enumerate(addresses(5000)):
            assert store.take((SlotRequest("seats:1", 1, SECOND, f"{number:016x}"),)) == [-1]
            assert store.peek((SlotRequest(key, 1, SECOND, f"{number:016x}"),)) == [0]
            store.give_back((SlotRequest(key, 1, SECOND, f"{number:016x}"),))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 5000


# -- threads --------------------------------------------------------------------------------------


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Let the interpreter switch threads as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def in_threads(do: Callable[[int], None], threads: int = 8) -> None:
    """Run the same function in several threads at once."""
    start = Barrier(threads)

    def run(number: int) -> None:
        start.wait()
        do(number)

    running = [Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


@pytest.mark.usefixtures("eager_switches")
def test_threads_admit_exactly_the_burst_of_each_client() -> None:
    """With a stopped clock, no token is taken twice and none is lost."""
    buckets = MemoryStore(100, Clock())
    quota = Quota("500/hour")
    admitted: list[TokenRequest] = []

    def hammer(_thread: int) -> None:
        for count in range(630):
            claim = client(count % 3, quota)
            if buckets.take_one(*claim[:3]) >= 0:
                admitted.append(claim)

    in_threads(hammer)
    assert [admitted.count(client(number, quota)) for number in range(3)] == [500] * 3


@pytest.mark.usefixtures("eager_switches")
def test_threads_take_several_all_or_nothing() -> None:
    """A request that one limit denies takes no token of another, whatever other threads do."""
    store = bounded(100)
    tight, wide = client(1, Quota("100/hour"), "tight"), client(1, Quota("1000/hour"), "wide")
    admitted: list[int] = []

    def hammer(_thread: int) -> None:
        admitted.append(sum(store.admits(wide, tight) for _ in range(60)))

    in_threads(hammer)
    assert sum(admitted) == 100
    assert (store.left(tight), store.left(wide)) == (0, 900)


@pytest.mark.usefixtures("eager_switches")
def test_threads_that_give_back_lose_no_token_and_no_slot() -> None:
    """Eight of eight are always admitted, and in the end everything is as it was at first."""
    store = bounded(100)
    claim = client(1, Quota("8/hour"))
    refused: list[SlotRequest] = []

    def come_and_go(thread: int) -> None:
        for count in range(1000):
            place = SlotRequest("seats:1", 8, SECOND, f"{thread * 1000 + count:016x}")
            if not store.admits(claim, place):
                refused.append(place)
            store.give_back(claim, place)

    in_threads(come_and_go)
    assert not refused
    assert store.left(claim) == 8
    assert store.peek(SlotRequest("seats:1", 8, SECOND, "f" * 16)) == [7]


@pytest.mark.usefixtures("eager_switches")
def test_threads_of_fresh_addresses_stay_within_the_bound() -> None:
    """Ten addresses are kept, and all others share one bucket, whichever thread they come from."""
    buckets = MemoryStore(10, Clock())
    admitted: list[str] = []

    def flood(thread: int) -> None:
        for count in range(200):
            claim = client(f"10.0.{thread}.{count}", Quota("1/hour"))
            if buckets.take_one(*claim[:3]) >= 0:
                admitted.append(claim.key)

    in_threads(flood)
    assert len(admitted) == 11
    assert len(buckets) == 11


def test_two_stores_in_one_process_share_nothing() -> None:
    """Each has its own buckets and slots."""
    one, other = bounded(10), bounded(10)
    for store in (one, other):
        assert store.drain(client(1)) == 2
        assert store.admits(SlotRequest("seats:1", 1, SECOND, "0" * 16))
