"""Who is refused is refused here, for as long as the server would refuse, and no longer."""

from __future__ import annotations

from fractions import Fraction
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet import Quota
from mantlet.ratelimit.stores.base import Claim, Place
from mantlet.ratelimit.stores.redis.denial_cache import Refusals
from mantlet.ratelimit.stores.redis.store import RedisStore
from tests.ratelimit.redis.asked import Asked, asked
from tests.ratelimit.stores.model import MINUTE, SECOND, Bucket, Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ratelimit.redis.conftest import Way
    from tests.ratelimit.redis.servers import Valkey

NOW = 1_000_000 * SECOND
YEARLY = Quota("1/year", burst=3)
ALICE, BOB = Claim("api:192.0.2.1", YEARLY), Claim("api:192.0.2.2", YEARLY)
SEAT = Place("seats:192.0.2.1", 1, MINUTE, "0" * 16)


def known(*claims: Claim, max_keys: int = 100) -> tuple[Refusals, Clock]:
    """Return refusals that know of some claims that lack a whole token."""
    clock = Clock(NOW)
    refusals = Refusals(max_keys, clock)
    for claim in claims:
        refusals.add((claim,), [-claim.quota.interval], refusals.now())
    return refusals, clock


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
    """As a bucket in rational numbers does: refused one nanosecond before, asked for at it."""
    bucket = Bucket(quota, NOW)
    assert bucket.take(NOW, data.draw(st.integers(0, quota.burst)))
    bucket.refill(NOW + data.draw(st.integers(0, SECOND)))
    clock = Clock(bucket.now)
    cost = data.draw(st.integers(bucket.remaining + 1, quota.burst + 1))
    claim = Claim("api:1", quota, cost)
    refusals = Refusals(10, clock)
    missing = int(bucket.ticks(quota, cost))
    assert missing < 0
    refusals.add((claim,), [missing], refusals.now())
    assert refusals.rooms((claim,)) == [missing]
    if cost > quota.burst:
        return
    wait = bucket.wait(cost)
    if wait < MINUTE:
        clock.now += wait - 1
        bucket.refill(clock.now)
        assert refusals.rooms((claim,)) == [int(bucket.ticks(quota, cost))]
        clock.now += 1
        assert refusals.rooms((claim,)) is None


def test_what_costs_less_is_asked_for_sooner() -> None:
    """One knows of the bucket, not only of the claim."""
    quota = Quota("1/second", burst=5)
    refusals, clock = known()
    claim = Claim("api:1", quota, 3)
    refusals.add((claim,), [-3 * quota.interval], refusals.now())
    clock.now += SECOND - 1
    assert refusals.rooms((claim._replace(cost=1),)) is not None
    clock.now += 1
    assert refusals.rooms((claim._replace(cost=1),)) is None


def test_it_is_believed_for_a_minute() -> None:
    """Another process may have reset the bucket."""
    refusals, clock = known(ALICE)
    clock.now += MINUTE - 1
    assert refusals.rooms((ALICE,)) is not None
    clock.now += 1
    assert refusals.rooms((ALICE,)) is None


def test_the_time_is_that_before_the_server_was_asked() -> None:
    """However long the answer took, nobody waits the longer for it."""
    quota = Quota("1/second")
    claim = Claim("api:1", quota)
    refusals, clock = known()
    asked_at = refusals.now()
    clock.now += SECOND // 2
    refusals.add((claim,), [-quota.interval], asked_at)
    clock.now += SECOND // 2 - 1
    assert refusals.rooms((claim,)) is not None
    clock.now += 1
    assert refusals.rooms((claim,)) is None


# -- of what --------------------------------------------------------------------------------------


def test_of_several_those_that_were_not_looked_at_say_nothing() -> None:
    """The request is refused, whatever they are."""
    refusals, _ = known(ALICE)
    assert refusals.rooms((BOB, ALICE, SEAT)) == [None, -YEARLY.interval, None]
    assert refusals.rooms((BOB, SEAT)) is None


@pytest.mark.parametrize(
    "claim",
    [ALICE._replace(refundable=True), ALICE._replace(shadow=True), SEAT],
    ids=["refundable", "shadow", "place"],
)
def test_what_may_be_otherwise_in_a_moment_is_not_remembered(claim: Claim | Place) -> None:
    """Refunds and places come back at any time, and a shadow has to be counted."""
    refusals, _ = known()
    refusals.add((claim,), [-1], refusals.now())
    assert refusals.rooms((claim,)) is None
    assert refusals.rooms((ALICE,)) is None


def test_a_shadow_is_not_refused_by_what_is_known() -> None:
    """Its neighbours may have to be taken."""
    refusals, _ = known(ALICE)
    assert refusals.rooms((ALICE._replace(shadow=True), BOB)) is None


def test_what_was_admitted_is_not_remembered() -> None:
    """Nor what was not looked at."""
    refusals, _ = known()
    refusals.add((ALICE, BOB), [0, None], refusals.now())
    assert refusals.rooms((ALICE, BOB)) is None


def test_the_oldest_makes_room_for_the_newest() -> None:
    """And one that is known already takes nobody's room."""
    claims = [Claim(f"api:{number}", YEARLY) for number in range(4)]
    refusals, _ = known(*claims[:3], max_keys=3)
    refusals.add((claims[1],), [-1], refusals.now())
    assert all(refusals.rooms((claim,)) for claim in claims[:3])
    refusals.add((claims[3],), [-1], refusals.now())
    assert [refusals.rooms((claim,)) is None for claim in claims] == [True, False, False, False]


def test_threads_never_keep_more_than_there_is_room_for() -> None:
    """Nor do they take what another has taken away."""
    refusals, _ = known(max_keys=10)

    def work(first: int) -> None:
        for number in range(first, first + 500):
            claim = Claim(f"api:{number}", YEARLY)
            refusals.add((claim,), [-1], refusals.now())
            refusals.rooms((claim,))
            refusals.forget(claim.key if number % 3 else "api:0")

    threads = [Thread(target=work, args=[number * 250]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(refusals._known) <= 10


# -- with a server --------------------------------------------------------------------------------


@pytest.fixture
def store(way: Way, valkey: Valkey) -> Iterator[Asked]:
    """A store, with a server that has counted nothing yet."""
    with asked(way, f"redis://{valkey.place}") as store:
        store.open()
        valkey.ask("CONFIG", "RESETSTAT")
        yield store


def turned(store: Asked) -> Clock:
    """Return the clock of the store's refusals, which is still to be turned."""
    clock = Clock(NOW)
    store.store._refusals = Refusals(100, clock)
    return clock


def test_a_refused_client_does_not_reach_the_server(store: Asked, valkey: Valkey) -> None:
    """A flood of it costs the server nothing; a minute later it is asked once."""
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


def test_what_is_missing_is_never_more_than_the_server_says(store: Asked) -> None:
    """The server's own answer, a moment before, is no better."""
    assert not store.admits(ALICE._replace(cost=4))
    assert store.admits(ALICE._replace(cost=3))
    assert not store.admits(ALICE)
    for _ in range(20):
        (there,), (here,) = store.peek(ALICE), store.take(ALICE)
        assert there is not None
        assert here is not None
        assert there <= here < 0
        # It is the same to a few seconds, however slow this machine is.
        assert Fraction(here - there, YEARLY.scale) < MINUTE


def test_a_reset_and_a_refund_are_seen_at_once(store: Asked) -> None:
    """Where they are made; elsewhere within a minute."""
    store.take(ALICE._replace(cost=3))
    assert not store.admits(ALICE)
    store.give(ALICE)
    assert [store.admits(ALICE) for _ in range(2)] == [True, False]
    store.forget(ALICE.key)
    assert [store.admits(ALICE) for _ in range(4)] == [True] * 3 + [False]


def test_a_reset_elsewhere_is_seen_after_a_minute(store: Asked, valkey: Valkey) -> None:
    """That is what remembering costs."""
    clock = turned(store)
    store.take(ALICE._replace(cost=3))
    assert not store.admits(ALICE)
    other = RedisStore(f"redis://{valkey.place}", deadline=5)
    other.forget([ALICE.key])
    other.close()
    assert not store.admits(ALICE)
    clock.now += MINUTE
    assert [store.admits(ALICE) for _ in range(4)] == [True] * 3 + [False]


def test_a_claim_that_may_be_refunded_is_asked_for_every_time(store: Asked, valkey: Valkey) -> None:
    """By another process it may have been."""
    claim = ALICE._replace(refundable=True)
    other = RedisStore(f"redis://{valkey.place}", deadline=5)
    assert [store.admits(claim) for _ in range(5)] == [True] * 3 + [False] * 2
    other.give([claim])
    other.close()
    assert [store.admits(claim) for _ in range(2)] == [True, False]
