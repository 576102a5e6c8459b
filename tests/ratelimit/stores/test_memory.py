"""The memory store: bounded, exact across threads, and fair to new clients when it is full.

To run the full flood, and print the memory of the process before and after it::

    MANTLET_FLOOD=5000000 pytest -s tests/ratelimit/stores/test_memory.py -k lot
"""

from __future__ import annotations

import os
import sys
import tracemalloc
from itertools import cycle
from pathlib import Path
from threading import Barrier, Thread
from typing import TYPE_CHECKING

import pytest

from mantlet import Quota
from mantlet.ratelimit.stores import memory
from mantlet.ratelimit.stores.base import SlotRequest, Strikes, TokenRequest
from mantlet.ratelimit.stores.memory import MemoryStore
from tests.ratelimit.stores.model import HOUR, SECOND, Clock
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


def test_no_more_keys_are_kept_than_the_bound_and_those_of_one_request() -> None:
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


@pytest.mark.unmeasured
@pytest.mark.few_cases(1)
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


@pytest.mark.exhaustive
def test_a_flood_of_addresses_changes_neither_the_memory_nor_a_debtors_lot() -> None:
    """All of them are admitted, and a client that is short of tokens is not forgotten for them."""
    bound = min(100_000, FLOOD // 2)
    clock = Clock()
    before = resident()
    store = MemoryStore(bound, clock)
    debtor = "a1b2c3d4e5f6:203.0.113.7"
    while store.take_one(debtor, HOURLY, 1) >= 0:
        pass
    full = 0
    for number, key in enumerate(addresses(FLOOD)):
        assert store.take_one(key, HOURLY, 1) >= 0
        if number == bound:
            full = resident()
    assert len(store) == bound
    assert store.take_one(debtor, HOURLY, 1) < 0
    clock.now += HOUR // 2
    assert store.take_one(debtor, HOURLY, 1) == 0
    after = resident()
    sys.stdout.write(
        f"{FLOOD} addresses: {full - before} bytes when full, {after - full} more at the end\n"
    )
    assert after - before < bound * BYTES * 1.5, "beyond what fragments of memory explain"
    assert after - full < bound * BYTES * 0.5, "what a flood takes at most, as documented"


def resident() -> int:
    """Return the resident memory of this process, where the system reports it."""
    told = Path("/proc/self/statm")
    return int(told.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if told.exists() else 0


@pytest.mark.unmeasured
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
    """Two are checked for each new one, so the store shrinks to its active clients."""
    store = bounded(10_000, HOUR)
    for number in range(1000):
        store.take(client(number, quota))
    store.clock.now += HOUR
    for number in range(750):
        store.take(client(f"new {number}", quota))
        assert size(store) <= 1250
    assert size(store) == 750, "all of the first thousand have been checked"
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
    """Room is made at the exact nanosecond."""
    quota = Quota("1/second", burst=2)
    store = bounded(10)
    assert store.admits(client(1, quota))
    store.clock.now = SECOND - 1
    store.take(client(2, quota))
    assert size(store) == 2
    store.clock.now = SECOND
    store.take(client(3, quota))
    assert size(store) == 2


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
    """No number of clients that are less short refills its bucket, for any limit."""
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


def test_a_banned_key_stays_banned_through_a_flood_of_drained_keys() -> None:
    """It is the last to be forgotten."""
    store = bounded(100)
    store.block(10 * HOUR, client("banned"))
    for number in range(5000):
        assert store.drain(client(number)) == 2
    assert not store.admits(client("banned"))


def test_strangers_do_not_drain_the_bucket_of_a_new_client() -> None:
    """Whatever they do, it has one of its own."""
    store = bounded(100)
    for number in range(500):
        assert store.drain(client(number)) == 2
        assert store.drain(client(f"honest {number}")) == 2
        assert size(store) <= 100


def test_a_key_that_is_full_again_leaves_before_one_that_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So nothing is lost as long as one of those that are looked at is full."""
    monkeypatch.setattr(memory, "random", cycle([0.0, 0.2, 0.4, 0.6, 0.8]).__next__)
    store = bounded(8)
    debtors = [client(f"debtor {number}") for number in range(4)]
    for number, debtor in enumerate(debtors):
        store.drain(debtor)
        store.take(client(number, Quota("1/second")))
    store.clock.now += SECOND
    for number in range(4):
        store.take(client(f"new {number}"))
    assert not any(store.admits(debtor) for debtor in debtors)


@pytest.mark.unmeasured
def test_forgetting_one_given_key_takes_as_many_new_keys_as_is_documented() -> None:
    """On average a fifth of the bound, though all keys are equally short of tokens."""
    bound, rounds = 64, 400
    store, needed = bounded(bound), 0
    numbers = iter(range(10**9))
    for _ in range(bound):
        store.drain(client(next(numbers)))
    for _ in range(rounds):
        victim = client("victim")
        store.reset(victim.key)
        store.drain(victim)
        store.clock.now += 1  # all later ones are even shorter: this one is chosen if it is picked
        while not store.admits(victim):
            store.drain(client(next(numbers)))
            needed += 1
    assert needed / rounds > bound / 5 * 0.7


@pytest.mark.unmeasured
def test_a_bucket_that_others_leave_alone_is_worth_many_requests() -> None:
    """Guesses are not made free by a flood: each of its keys costs a request."""
    store = bounded(1000)
    victim = client("victim", Quota("5/hour"))
    guesses = 0
    for number in range(20_000):
        guesses += store.admits(victim)
        store.take(client(number, Quota("5/hour")))
    assert guesses == 5


def test_looking_changes_nothing_where_there_is_no_room() -> None:
    """It tells what taking would, and nobody is forgotten for it."""
    store = bounded(1)
    store.drain(client(1))
    for number in range(20):
        assert store.peek(client(f"new {number}")) == [HOURLY.interval]
    assert not store.admits(client(1))


def test_what_was_forgotten_is_not_given_back() -> None:
    """A bucket that is missing is full."""
    store = bounded(1)
    store.drain(client(1))
    assert store.drain(client(2)) == 2
    store.give_back(client(1))
    assert store.drain(client(1)) == 2


def test_a_bound_of_one_still_counts_the_client_that_is_there() -> None:
    """The smallest bound still gives a working store."""
    store = bounded(1)
    assert store.drain(client(1, Quota("5/minute"))) == 5


def test_several_keys_under_a_bound_of_one_are_still_counted() -> None:
    """A request has room for all of its keys."""
    store = bounded(1)
    assert store.drain(client(1), client(1, limit="login")) == 2
    assert not store.admits(client(1), client(1, limit="login"))
    assert size(store) == 2


def test_a_history_leaves_with_its_key() -> None:
    """No more of them are kept than there are keys."""
    store = bounded(10)
    strikes = Strikes(5, HOUR, HOUR)
    for number in range(100):
        store.drain(client(number))
        store.strike(client(number), strikes)
        store.take(client(f"slow {number}"))
        store.take(client(f"slow {number}"))
        store.clock.now += 1
        store.give_back(client(f"slow {number}")._replace(age=1))
        store.block(HOUR, client(f"banned {number}"))
        assert size(store) <= 10
        assert len(store.store._histories) <= 10  # type: ignore[attr-defined]  # what is tested


def test_strikes_outlast_the_bucket_that_has_refilled() -> None:
    """A bucket that is full again is kept for as long as its strikes matter."""
    store = bounded(1000)
    quota, strikes = Quota("1/second"), Strikes(3, HOUR, HOUR)
    struck = client("struck", quota)
    for _ in range(2):
        assert not store.strike(struck, strikes)
        store.clock.now += HOUR // 3
        for number in range(10):
            store.take(client(number, quota))
    assert store.strike(struck, strikes)


# -- places ---------------------------------------------------------------------------------------


@pytest.mark.unmeasured
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
    """All are admitted, and ten are kept."""
    buckets = MemoryStore(10, Clock())
    refused: list[str] = []

    def flood(thread: int) -> None:
        for count in range(200):
            claim = client(f"10.0.{thread}.{count}", Quota("1/hour"))
            if buckets.take_one(*claim[:3]) < 0:
                refused.append(claim.key)
            assert len(buckets) <= 10

    in_threads(flood)
    assert not refused
    assert len(buckets) == 10


def test_two_stores_in_one_process_share_nothing() -> None:
    """Each has its own buckets and slots."""
    one, other = bounded(10), bounded(10)
    for store in (one, other):
        assert store.drain(client(1)) == 2
        assert store.admits(SlotRequest("seats:1", 1, SECOND, "0" * 16))
