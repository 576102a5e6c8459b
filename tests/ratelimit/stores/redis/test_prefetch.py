"""Prefetched tokens: the calls they save, the excess they allow, and that none is lost."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mantlet import Quota
from mantlet.ratelimit.stores.base import SlotRequest, TokenRequest
from mantlet.ratelimit.stores.redis.prefetch import PrefetchCache
from mantlet.ratelimit.stores.redis.store import RedisStore
from tests.ratelimit.stores.model import DAY, MINUTE, SECOND, Clock
from tests.ratelimit.stores.redis.store_driver import StoreDriver, drive_store
from tests.stores.redis.conftest import AMPLE, Way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stores.redis.servers import Valkey

PREFETCH = 40
BIG = Quota("1/year", burst=3000)
HOT = TokenRequest("api:192.0.2.1", BIG)
#: Longer than a token takes to refill, so that not even a request that costs nothing passes.
BAN = 3 * 365 * DAY
SEAT = SlotRequest("seats:192.0.2.1", 1, MINUTE, "0" * 16)


@contextmanager
def prefetching(
    way: Way, valkey: Valkey, size: int = PREFETCH
) -> Iterator[tuple[StoreDriver, Clock]]:
    """Yield an open store, and the clock by which it recognizes busy keys."""
    clock = Clock()
    with drive_store(way, f"redis://{valkey.place}", prefetch=size) as store:
        store.store._prefetched = PrefetchCache(size, 100, clock)
        store.open()
        yield store, clock


@pytest.fixture
def plain(valkey: Valkey) -> Iterator[RedisStore]:
    """Another process, which does not prefetch: it sees the state of the server."""
    store = RedisStore(f"redis://{valkey.place}", timeout=AMPLE)
    yield store
    store.close()


def left(plain: RedisStore, claim: TokenRequest) -> int:
    """Return how many tokens the server has."""
    rooms = plain.peek([claim._replace(cost=0)])
    assert isinstance(rooms, list)
    assert rooms[0] is not None
    return rooms[0] // claim.quota.interval


def prefetched(store: StoreDriver, claim: TokenRequest) -> int:
    """Return how many prefetched tokens a store has."""
    assert store.store._prefetched is not None
    prefetch = store.store._prefetched._tokens.get(claim.key)
    return 0 if prefetch is None else prefetch.available


def drain(store: StoreDriver, claim: TokenRequest) -> int:
    """Take until a request is denied; return how many were granted."""
    count = 0
    while store.admits(claim):
        count += 1
    return count


# -- what they save -------------------------------------------------------------------------------


@pytest.mark.unmeasured
def test_a_hot_key_seldom_asks_the_server(way: Way, valkey: Valkey) -> None:
    """For less than one in twenty requests, including the first ones."""
    with prefetching(way, valkey) as (store, _):
        valkey.ask("CONFIG", "RESETSTAT")
        assert all(store.admits(HOT) for _ in range(2000))
        assert 0 < valkey.calls("evalsha") + valkey.calls("eval") < 2000 / 20


def test_the_remaining_amount_includes_prefetched_tokens(way: Way, valkey: Valkey) -> None:
    """A single client sees its tokens decrease one by one, also by peeking."""
    with prefetching(way, valkey) as (store, _):
        for spent in range(1, 300):
            (looked,), (room,) = store.peek(HOT), store.take(HOT)
            assert looked is not None
            assert room is not None
            assert room // BIG.interval == looked // BIG.interval == BIG.burst - spent


def test_a_key_that_is_used_occasionally_gets_no_prefetched_tokens(
    way: Way, valkey: Valkey, plain: RedisStore
) -> None:
    """Tokens that a process holds for an idle key would be missing elsewhere."""
    with prefetching(way, valkey) as (store, clock):
        for spent in range(1, 20):
            assert store.admits(HOT)
            assert left(plain, HOT) == BIG.burst - spent
            clock.now += SECOND


def test_a_hot_key_that_cools_down_starts_from_none(
    way: Way, valkey: Valkey, plain: RedisStore
) -> None:
    """Once its tokens are spent, it is a key like any other."""
    with prefetching(way, valkey) as (store, clock):
        assert all(store.admits(HOT) for _ in range(200))
        clock.now += 10 * SECOND
        assert all(store.admits(HOT) for _ in range(prefetched(store, HOT)))
        before = left(plain, HOT)
        assert store.admits(HOT)
        assert left(plain, HOT) == before - 1
        assert prefetched(store, HOT) == 0


# -- what they let through ------------------------------------------------------------------------


@pytest.mark.parametrize("burst", [1, 30, 500])
def test_processes_that_hammer_together_get_the_burst_to_the_last_token(
    way: Way, valkey: Valkey, burst: int
) -> None:
    """Prefetched tokens are paid for."""
    claim = TokenRequest("api:1", Quota("1/year", burst=burst))
    with ExitStack() as stack:
        stores = [stack.enter_context(prefetching(way, valkey))[0] for _ in range(3)]
        admitted = refused = 0
        while refused < 6:
            got = sum(store.admits(claim) for store in stores)
            admitted += got
            refused = refused + 1 if not got else 0
    assert admitted == burst


@pytest.mark.unmeasured
def test_at_once_a_key_gets_its_burst_and_a_batch_for_each_process(
    way: Way, valkey: Valkey
) -> None:
    """If they hold tokens and the bucket is full again; not one more, and nearly as many."""
    with ExitStack() as stack:
        stores = [stack.enter_context(prefetching(way, valkey))[0] for _ in range(3)]
        for store in stores:
            while prefetched(store, HOT) < PREFETCH:
                assert store.admits(HOT)
        valkey.ask("FLUSHALL")
        admitted = sum(drain(store, HOT) for store in stores)
    assert admitted == BIG.burst + 3 * PREFETCH


def test_no_process_ever_holds_more_than_its_batch(way: Way, valkey: Valkey) -> None:
    """Also if requests cost more than one, and if several are made at once."""
    with prefetching(way, valkey, 10) as (store, _):
        for cost in [1, 2, 3, 7, 9, 10, 11, 25] * 10:
            assert store.admits(HOT._replace(cost=cost))
            assert prefetched(store, HOT) <= 10


costs = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 12), st.booleans()), max_size=60)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(costs, st.integers(1, 30))
def test_every_token_is_spent_or_prefetched_or_on_the_server(
    valkey: Valkey, plain: RedisStore, done: list[tuple[int, int, bool]], size: int
) -> None:
    """Whatever is taken, alone or together with others, by either of two processes."""
    valkey.ask("FLUSHALL")
    claim = TokenRequest("api:1", Quota("1/year", burst=100))
    # Refundable, so that the server is asked again after a denial.
    other = TokenRequest("login:1", Quota("1/year", burst=5), is_refundable=True)
    way = Way("blocking", None)
    with ExitStack() as stack:
        stores = [stack.enter_context(prefetching(way, valkey, size))[0] for _ in range(2)]
        spent = spent_other = 0
        for which, cost, both in done:
            wanted = (claim._replace(cost=cost), other)[: 1 + both]
            if stores[which].admits(*wanted):
                spent += cost
                spent_other += both
            held = [sum(prefetched(store, one) for store in stores) for one in (claim, other)]
            assert left(plain, claim) + held[0] + spent == 100
            assert left(plain, other) + held[1] + spent_other == 5


# -- what they must not hide ----------------------------------------------------------------------


def test_a_ban_discards_prefetched_tokens(way: Way, valkey: Valkey) -> None:
    """It applies at once, also to requests that cost nothing."""
    with prefetching(way, valkey) as (store, _):
        while prefetched(store, HOT) < PREFETCH:
            assert store.admits(HOT)
        store.block(BAN, HOT)
        assert not store.admits(HOT)
        assert not store.admits(HOT._replace(cost=0))


def test_a_ban_elsewhere_applies_when_prefetched_tokens_are_spent(
    way: Way, valkey: Valkey, plain: RedisStore
) -> None:
    """That is the price of prefetching; a request that costs nothing is denied at once."""
    with prefetching(way, valkey) as (store, _):
        while prefetched(store, HOT) < PREFETCH:
            assert store.admits(HOT)
        plain.block([HOT], BAN)
        assert not store.admits(HOT._replace(cost=0))
        assert drain(store, HOT) == PREFETCH


@pytest.mark.unmeasured
def test_a_reset_makes_a_bucket_full_and_not_more_than_that(way: Way, valkey: Valkey) -> None:
    """The prefetched tokens belonged to the bucket that was reset."""
    with prefetching(way, valkey) as (store, _):
        while prefetched(store, HOT) < PREFETCH:
            assert store.admits(HOT)
        store.reset(HOT.key)
        assert drain(store, HOT) == BIG.burst


def test_a_slot_is_requested_from_the_server_every_time(
    way: Way, valkey: Valkey, plain: RedisStore
) -> None:
    """Slots are not prefetched; and a token requested with a denied slot is not spent."""
    with prefetching(way, valkey) as (store, _):
        while prefetched(store, HOT) < PREFETCH:
            assert store.admits(HOT)
        before = left(plain, HOT)
        assert store.admits(SEAT)
        assert not store.admits(HOT, SEAT._replace(holder="1" * 16))
        assert (left(plain, HOT), prefetched(store, HOT)) == (before, PREFETCH)


def test_a_token_that_was_not_spent_still_remains(way: Way, valkey: Valkey) -> None:
    """Also for the next caller, whose result comes from prefetched tokens."""
    with prefetching(way, valkey) as (store, _):
        while prefetched(store, HOT) < PREFETCH:
            (before,) = store.take(HOT)
        assert store.admits(SEAT)
        assert not store.admits(HOT._replace(cost=100), SEAT._replace(holder="1" * 16))
        (after,) = store.take(HOT)
        assert before is not None
        assert after is not None
        assert after // BIG.interval == before // BIG.interval - 1


def test_the_keys_that_are_kept_are_bounded(way: Way, valkey: Valkey) -> None:
    """The tokens of the oldest key are lost to its client, and to nobody else."""
    clock = Clock()
    with drive_store(way, f"redis://{valkey.place}") as store:
        store.store._prefetched = prefetched = PrefetchCache(PREFETCH, 10, clock)
        for number in range(100):
            claim = TokenRequest(f"api:{number}", BIG)
            assert all(store.admits(claim) for _ in range(5))
            assert len(prefetched._tokens) <= 10
