"""Prefetched tokens, spent by many callers at the same time."""

from __future__ import annotations

import asyncio
import sys
from threading import Barrier, Thread
from typing import TYPE_CHECKING

import pytest

from mantlet import Quota
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.stores.base import Remaining, TokenRequest
from mantlet.ratelimit.stores.redis.store import RedisStore
from tests.stores.redis.conftest import AMPLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stores.redis.servers import Valkey

HOT = TokenRequest("api:192.0.2.1", Quota("1/year", burst=3000))


async def take(store: RedisStore, claim: TokenRequest) -> Remaining:
    """Take, on an event loop."""
    rooms = store.take((claim,))
    return rooms if isinstance(rooms, list) else await rooms


async def crowds(store: RedisStore, claim: TokenRequest) -> int:
    """Take as 40 crowds of 50, one after the other; return how many requests were granted."""
    count = 0
    for _ in range(40):
        rooms = await asyncio.gather(*(take(store, claim) for _ in range(50)))
        count += sum(room >= 0 for (room,) in rooms if room is not None)
    return count


def test_requests_of_one_loop_wait_for_the_tokens_that_are_coming(valkey: Valkey) -> None:
    """Crowds on a busy key make few calls."""
    store = RedisStore(f"redis://{valkey.place}", timeout=AMPLE, prefetch=100).bind(is_async=True)

    async def main() -> int:
        for _ in range(300):
            await take(store, HOT)
        valkey.ask("CONFIG", "RESETSTAT")
        return await crowds(store, HOT)

    assert asyncio.run(main()) == 2000
    assert 0 < valkey.calls("evalsha") < 2000 / 20


def test_a_crowd_that_is_larger_than_a_batch_waits_for_several(valkey: Valkey) -> None:
    """Otherwise all requests that the first batch leaves without tokens would call alone."""
    store = RedisStore(f"redis://{valkey.place}", timeout=AMPLE, prefetch=20).bind(is_async=True)

    async def main() -> int:
        for _ in range(100):
            await take(store, HOT)
        valkey.ask("CONFIG", "RESETSTAT")
        return await crowds(store, HOT)

    assert asyncio.run(main()) == 2000
    assert 0 < valkey.calls("evalsha") < 2000 / 10


def test_crowds_on_one_loop_get_the_burst_and_not_one_more(valkey: Valkey) -> None:
    """Also if the last tokens are fewer than a batch."""
    store = RedisStore(f"redis://{valkey.place}", timeout=AMPLE, prefetch=100).bind(is_async=True)
    claim = TokenRequest("api:1", Quota("1/year", burst=1550))
    assert asyncio.run(crowds(store, claim)) == 1550


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Let the interpreter switch threads as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_switches")
def test_threads_spend_each_token_once(valkey: Valkey) -> None:
    """Those that spend prefetched tokens, and those that fetch more meanwhile."""
    store = RedisStore(f"redis://{valkey.place}", timeout=AMPLE, prefetch=20)
    claim = TokenRequest("api:1", Quota("1/year", burst=1000))
    start, counts = Barrier(6), list[int]()

    def hammer() -> None:
        start.wait(AMPLE)
        admitted = 0
        for _ in range(400):
            rooms = store.take((claim,))
            assert isinstance(rooms, list)
            admitted += (rooms[0] or 0) >= 0
        counts.append(admitted)

    threads = [Thread(target=hammer) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(AMPLE)
    store.close()
    assert len(counts) == 6
    assert sum(counts) == 1000


@pytest.mark.unmeasured
@pytest.mark.usefixtures("eager_switches")
def test_loops_in_several_threads_spend_each_token_once(valkey: Valkey) -> None:
    """None waits for the tokens of another loop."""
    store = RedisStore(f"redis://{valkey.place}", timeout=AMPLE, prefetch=20).bind(is_async=True)
    claim = TokenRequest("api:1", Quota("1/year", burst=3000))
    start, counts = Barrier(3), list[int]()

    def run() -> None:
        start.wait(AMPLE)
        counts.append(asyncio.run(crowds(store, claim)))

    threads = [Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(AMPLE)
    assert len(counts) == 3
    assert sum(counts) == 3000


def test_a_request_that_is_cancelled_keeps_nobody_waiting(own_valkey: Valkey) -> None:
    """Requests that waited for its tokens call the server themselves."""
    store = RedisStore(f"redis://{own_valkey.place}", timeout=AMPLE, prefetch=20).bind(
        is_async=True
    )

    async def main() -> None:
        for _ in range(3):  # it becomes a busy key
            await take(store, HOT)
        while store._prefetched is not None and store._prefetched._tokens[HOT.key].available:
            await take(store, HOT)
        own_valkey.pause()
        first = asyncio.create_task(take(store, HOT))
        await asyncio.sleep(0)
        others = [asyncio.create_task(take(store, HOT)) for _ in range(5)]
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        own_valkey.resume()
        rooms = await asyncio.gather(*others)
        assert all((room or 0) >= 0 for (room,) in rooms)
        await asyncio.gather(first, return_exceptions=True)
        assert first.cancelled()

    asyncio.run(main())


def test_those_who_wait_for_tokens_wait_no_longer_than_the_deadline(own_valkey: Valkey) -> None:
    """A hanging server sends none, and the request that called it gives up."""
    store = RedisStore(f"redis://{own_valkey.place}", timeout=0.2, prefetch=20).bind(is_async=True)

    async def main() -> None:
        for _ in range(3):
            await take(store, HOT)
        with own_valkey.paused():
            crowd = (take(store, HOT) for _ in range(50))
            outcomes = await asyncio.gather(*crowd, return_exceptions=True)
        assert any(isinstance(outcome, StoreOutage) for outcome in outcomes)

    asyncio.run(main())
