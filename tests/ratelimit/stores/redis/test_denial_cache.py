"""A denied client is denied here, for as long as the server would deny it, and no longer."""

from __future__ import annotations

from fractions import Fraction
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet import Quota
from mantlet.ratelimit.stores.base import SlotRequest, TokenRequest
from mantlet.ratelimit.stores.redis.denial_cache import DenialCache
from mantlet.ratelimit.stores.redis.store import RedisStore
from tests.ratelimit.stores.model import MINUTE, SECOND, Bucket, Clock
from tests.ratelimit.stores.redis.store_driver import StoreDriver, drive_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stores.redis.conftest import Way
    from tests.stores.redis.servers import Valkey

NOW = 1_000_000 * SECOND
YEARLY = Quota("1/year", burst=3)
ALICE, BOB = TokenRequest("api:192.0.2.1", YEARLY), TokenRequest("api:192.0.2.2", YEARLY)
SEAT = SlotRequest("seats:192.0.2.1", 1, MINUTE, "0" * 16)


def known(*claims: TokenRequest, max_keys: int = 100) -> tuple[DenialCache, Clock]:
    """Return a cache with denials of requests that lack one token each."""
    clock = Clock(NOW)
    denials = DenialCache(max_keys, clock)
    for claim in claims:
        denials.add((claim,), [-claim.quota.interval], denials.now())
    return denials, clock


# -- how long -------------------------------------------------------------------------------------

quotas = st.builds(
    Quota,
    st.sampled_from(["100/minute", "90/minute", "7/3 seconds", "999983/hour", "1000000/second"]),
    burst=st.integers(1, 20),
)


@given(quotas, st.data())
def test_it_lasts_to_the_last_nanosecond_and_says_what_is_missing(
    quota: Quota, data: st.DataObject
) -> None:
    """Compared with a bucket in rational numbers."""
    bucket = Bucket(quota, NOW)
    assert bucket.take(NOW, data.draw(st.integers(0, quota.burst)))
    bucket.refill(NOW + data.draw(st.integers(0, SECOND)))
    clock = Clock(bucket.now)
    cost = data.draw(st.integers(bucket.remaining + 1, quota.burst + 1))
    claim = TokenRequest("api:1", quota, cost)
    denials = DenialCache(10, clock)
    missing = int(bucket.ticks(quota, cost))
    assert missing < 0
    denials.add((claim,), [missing], denials.now())
    assert denials.find((claim,)) == [missing]
    if cost > quota.burst:
        return
    wait = bucket.wait(cost)
    if wait < MINUTE:
        clock.now += wait - 1
        bucket.refill(clock.now)
        assert denials.find((claim,)) == [int(bucket.ticks(quota, cost))]
        clock.now += 1
        assert denials.find((claim,)) is None


def test_what_costs_less_is_asked_for_sooner() -> None:
    """The cache knows the state of the bucket, not only the denied request."""
    quota = Quota("1/second", burst=5)
    denials, clock = known()
    claim = TokenRequest("api:1", quota, 3)
    denials.add((claim,), [-3 * quota.interval], denials.now())
    clock.now += SECOND - 1
    assert denials.find((claim._replace(cost=1),)) is not None
    clock.now += 1
    assert denials.find((claim._replace(cost=1),)) is None


def test_it_is_believed_for_a_minute() -> None:
    """Another process may have reset the bucket."""
    denials, clock = known(ALICE)
    clock.now += MINUTE - 1
    assert denials.find((ALICE,)) is not None
    clock.now += 1
    assert denials.find((ALICE,)) is None


def test_the_time_is_that_before_the_server_was_asked() -> None:
    """However long the reply took, nobody waits longer for it."""
    quota = Quota("1/second")
    claim = TokenRequest("api:1", quota)
    denials, clock = known()
    asked_at = denials.now()
    clock.now += SECOND // 2
    denials.add((claim,), [-quota.interval], asked_at)
    clock.now += SECOND // 2 - 1
    assert denials.find((claim,)) is not None
    clock.now += 1
    assert denials.find((claim,)) is None


# -- of what --------------------------------------------------------------------------------------


def test_of_several_those_that_were_not_looked_at_say_nothing() -> None:
    """The call is denied, whatever they are."""
    denials, _ = known(ALICE)
    assert denials.find((BOB, ALICE, SEAT)) == [None, -YEARLY.interval, None]
    assert denials.find((BOB, SEAT)) is None


@pytest.mark.parametrize(
    "claim",
    [ALICE._replace(is_refundable=True), ALICE._replace(is_report_only=True), SEAT],
    ids=["refundable", "report-only", "slot"],
)
def test_what_may_be_otherwise_in_a_moment_is_not_remembered(
    claim: TokenRequest | SlotRequest,
) -> None:
    """Tokens and slots may be given back any time, and report-only requests must be counted."""
    denials, _ = known()
    denials.add((claim,), [-1], denials.now())
    assert denials.find((claim,)) is None
    assert denials.find((ALICE,)) is None


def test_a_report_only_request_is_not_denied_by_the_cache() -> None:
    """The other requests of the call may have to be taken."""
    denials, _ = known(ALICE)
    assert denials.find((ALICE._replace(is_report_only=True), BOB)) is None


def test_what_was_admitted_is_not_remembered() -> None:
    """Nor is a request that was not looked at."""
    denials, _ = known()
    denials.add((ALICE, BOB), [0, None], denials.now())
    assert denials.find((ALICE, BOB)) is None


def test_the_oldest_makes_room_for_the_newest() -> None:
    """And an update of a known key displaces no other."""
    claims = [TokenRequest(f"api:{number}", YEARLY) for number in range(4)]
    denials, _ = known(*claims[:3], max_keys=3)
    denials.add((claims[1],), [-1], denials.now())
    assert all(denials.find((claim,)) for claim in claims[:3])
    denials.add((claims[3],), [-1], denials.now())
    assert [denials.find((claim,)) is None for claim in claims] == [True, False, False, False]


def test_threads_never_keep_more_than_there_is_room_for() -> None:
    """Nor do they fail on entries that another thread has removed."""
    denials, _ = known(max_keys=10)

    def work(first: int) -> None:
        for number in range(first, first + 500):
            claim = TokenRequest(f"api:{number}", YEARLY)
            denials.add((claim,), [-1], denials.now())
            denials.find((claim,))
            denials.discard(claim.key if number % 3 else "api:0")

    threads = [Thread(target=work, args=[number * 250]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(denials._denials) <= 10


# -- with a server --------------------------------------------------------------------------------


@pytest.fixture
def store(way: Way, valkey: Valkey) -> Iterator[StoreDriver]:
    """A store, with a server that has counted no calls yet."""
    with drive_store(way, f"redis://{valkey.place}") as store:
        store.open()
        valkey.ask("CONFIG", "RESETSTAT")
        yield store


def turned(store: StoreDriver) -> Clock:
    """Replace the store's denial cache by one with a test clock; return the clock."""
    clock = Clock(NOW)
    store.store._denials = DenialCache(100, clock)
    return clock


def test_a_refused_client_does_not_reach_the_server(store: StoreDriver, valkey: Valkey) -> None:
    """Its flood costs the server nothing; a minute later it is asked once."""
    clock = turned(store)
    assert [store.admits(ALICE) for _ in range(4)] == [True] * 3 + [False]
    for _ in range(500):
        assert not store.admits(ALICE)
        assert not store.admits(BOB, ALICE)
    assert valkey.calls("evalsha") == 4
    clock.now += MINUTE
    assert not store.admits(ALICE)
    assert not store.admits(ALICE)
    assert valkey.calls("evalsha") == 5


def test_what_is_missing_is_never_more_than_the_server_says(store: StoreDriver) -> None:
    """The server's own result, a moment before, is no better."""
    assert not store.admits(ALICE._replace(cost=4))
    assert store.admits(ALICE._replace(cost=3))
    assert not store.admits(ALICE)
    for _ in range(20):
        (there,), (here,) = store.peek(ALICE), store.take(ALICE)
        assert there is not None
        assert here is not None
        assert there <= here < 0
        # They differ by a few seconds at most, however slow this machine is.
        assert Fraction(here - there, YEARLY.scale) < MINUTE


def test_a_reset_and_a_refund_are_seen_at_once(store: StoreDriver) -> None:
    """In the same process; elsewhere within a minute."""
    store.take(ALICE._replace(cost=3))
    assert not store.admits(ALICE)
    store.give_back(ALICE)
    assert [store.admits(ALICE) for _ in range(2)] == [True, False]
    store.reset(ALICE.key)
    assert [store.admits(ALICE) for _ in range(4)] == [True] * 3 + [False]


def test_a_reset_elsewhere_is_seen_after_a_minute(store: StoreDriver, valkey: Valkey) -> None:
    """That is the price of caching."""
    clock = turned(store)
    store.take(ALICE._replace(cost=3))
    assert not store.admits(ALICE)
    other = RedisStore(f"redis://{valkey.place}", timeout=5)
    other.reset([ALICE.key])
    other.close()
    assert not store.admits(ALICE)
    clock.now += MINUTE
    assert [store.admits(ALICE) for _ in range(4)] == [True] * 3 + [False]


def test_a_refundable_request_reaches_the_server_every_time(
    store: StoreDriver, valkey: Valkey
) -> None:
    """Another process may have given the tokens back."""
    claim = ALICE._replace(is_refundable=True)
    other = RedisStore(f"redis://{valkey.place}", timeout=5)
    assert [store.admits(claim) for _ in range(5)] == [True] * 3 + [False] * 2
    other.give_back([claim])
    other.close()
    assert [store.admits(claim) for _ in range(2)] == [True, False]
