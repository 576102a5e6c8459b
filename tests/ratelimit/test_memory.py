"""How buckets are kept: exact across threads, bounded, and never forgotten while they matter."""

from __future__ import annotations

import sys
import tracemalloc
from threading import Barrier, Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet import Quota
from tests.ratelimit.meter import HOUR, SECOND, Meter, Model

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Have the interpreter change threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_switches")
@pytest.mark.parametrize("clients", [1, 3], ids=["one client", "three clients"])
def test_eight_threads_admit_exactly_the_burst(clients: int) -> None:
    """With a clock that stands still, no token is taken twice and none is lost."""
    meter = Meter("500/hour")
    admitted: list[str] = []
    start = Barrier(8)

    def hammer() -> None:
        start.wait()
        for count in range(210 * clients):
            address = f"192.0.2.{count % clients}"
            if meter.admits(address):
                admitted.append(address)

    threads = [Thread(target=hammer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(admitted) == 500 * clients
    assert {admitted.count(f"192.0.2.{client}") for client in range(clients)} == {500}


@pytest.mark.usefixtures("eager_switches")
def test_eight_threads_of_fresh_addresses_stay_within_the_bound() -> None:
    """Ten addresses are kept, all others share one bucket, whichever thread they come from."""
    meter = Meter("1/hour", max_keys=10)
    admitted: list[str] = []
    start = Barrier(8)

    def flood(thread: int) -> None:
        start.wait()
        for count in range(100):
            address = f"10.0.{thread}.{count}"
            if meter.admits(address):
                admitted.append(address)

    threads = [Thread(target=flood, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(admitted) == 11


def fresh(count: int) -> Iterator[str]:
    """Yield that many IPv4 addresses, none of them twice."""
    for number in range(count):
        yield f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def test_a_flood_of_fresh_addresses_takes_no_memory_beyond_max_keys() -> None:
    """What 8,000 addresses would take is not taken when 50 are the bound."""
    meter = Meter("5/hour", max_keys=50)
    for address in fresh(1000):
        meter.admits(address)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for address in fresh(8_000):
            meter.admits(address)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 300_000


def test_addresses_whose_buckets_are_full_again_take_no_memory() -> None:
    """Without a timer, and far below the bound, clients of long ago are forgotten."""
    meter = Meter("1/second", max_keys=100_000)
    for address in fresh(500):
        meter.clock.now += 2 * SECOND
        meter.admits(address)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for address in fresh(8_000):
            meter.clock.now += 2 * SECOND
            assert meter.admits(address)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 300_000


def test_an_indebted_client_stays_refused_through_a_flood_of_fresh_addresses() -> None:
    """No number of other clients gives a refused one its bucket back."""
    meter = Meter("2/hour", max_keys=100)
    assert meter.drain("203.0.113.7") == 2
    for number, address in enumerate(fresh(5000)):
        meter.admits(address)
        if not number % 500:
            assert not meter.admits("203.0.113.7")
    meter.clock.now += HOUR // 2 - 1
    assert not meter.admits("203.0.113.7")
    meter.clock.now += 1
    assert meter.admits("203.0.113.7")


def test_addresses_beyond_the_bound_share_one_bucket() -> None:
    """Two are kept by themselves; the third and the fourth have one burst between them."""
    meter = Meter("3/hour", max_keys=2)
    assert meter.drain("192.0.2.1") == 3
    assert meter.drain("192.0.2.2") == 3
    assert [meter.admits("192.0.2.3"), meter.admits("192.0.2.4")] == [True, True]
    assert meter.drain("192.0.2.5") == 1
    assert meter.drain("192.0.2.6") == 0


def test_the_shared_bucket_refills_like_any_other() -> None:
    """Those beyond the bound get one bucket's rate together."""
    meter = Meter("2/hour", max_keys=1)
    meter.drain("192.0.2.1")
    assert meter.drain("192.0.2.2") == 2
    meter.clock.now += HOUR // 2
    meter.admits("192.0.2.1")
    assert meter.drain("192.0.2.3") == 1
    assert meter.drain("192.0.2.4") == 0


def test_an_address_leaves_when_its_bucket_is_full_again_and_not_before() -> None:
    """Room comes at the very nanosecond, and the fresh address then has a burst of its own."""
    meter = Meter("1/second", burst=2, max_keys=1, now=0)
    assert meter.admits("192.0.2.1")
    meter.clock.now = SECOND - 1
    assert meter.drain("192.0.2.2") == 2  # the shared bucket's
    assert meter.drain("192.0.2.3") == 0
    meter.clock.now = SECOND
    assert meter.drain("192.0.2.4") == 2  # its own


def test_a_bound_of_one_still_counts_the_first_client_exactly() -> None:
    """The smallest bound is a bound, not a broken limiter."""
    meter = Meter("5/minute", max_keys=1)
    assert meter.drain() == 5


def test_two_apps_in_one_process_share_nothing() -> None:
    """Each limiter has buckets of its own, also with equal options."""
    one, other = Meter("3/hour"), Meter("3/hour")
    assert one.drain() == 3
    assert other.drain() == 3


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3 * SECOND)), min_size=1, max_size=60),
    st.integers(1, 4),
)
def test_each_client_follows_its_own_model_while_there_is_room(
    requests: list[tuple[int, int]], burst: int
) -> None:
    """Clients that come and go in any order never spend from each other's buckets."""
    quota = Quota("2/second", burst=burst)
    meter = Meter(quota)
    models = {client: Model(quota, meter.clock.now) for client in range(6)}
    for client, wait in requests:
        meter.clock.now += wait
        expected = models[client].take(meter.clock.now)
        assert meter.admits(f"192.0.2.{client}") is expected


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 2 * SECOND)), min_size=1, max_size=60),
    st.integers(1, 4),
)
def test_no_client_ever_gets_more_than_its_own_bucket_and_the_shared_one(
    requests: list[tuple[int, int]], max_keys: int
) -> None:
    """However full the store is, a client is admitted at most twice what one bucket gives."""
    quota = Quota("1/second", burst=2)
    meter = Meter(quota, max_keys=max_keys, now=0)
    admitted = dict.fromkeys(range(9), 0)
    for client, wait in requests:
        meter.clock.now += wait
        admitted[client] += meter.admits(f"192.0.2.{client}")
    given_out = quota.burst + meter.clock.now // SECOND
    assert all(count <= 2 * given_out for count in admitted.values())
