"""A healthy server is not given up because this process was too busy to listen to it."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from mantlet import RateLimiter
from mantlet.stores.redis import RedisBackend
from mantlet.stores.redis.patience import patient_timeout
from mantlet.stores.redis.resp import ServerUnavailable
from tests.stores.redis.conftest import AMPLE
from tests.stores.redis.servers import Proxy, listen

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.stores.redis.servers import Valkey

pytestmark = pytest.mark.slow

#: The default of `RateLimiter`.
TIMEOUT = 0.05
#: How long something blocks the loop.
BLOCKED = 0.2
CALLS = 5

each_loop = pytest.mark.parametrize(
    "factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


def run(factory: Callable[[], Any], work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work)


class Busy:
    """Makes every turn of the event loop take a while.

    Args:
        seconds: that each turn takes.
        turns: how many turns, at most.
    """

    def __init__(self, seconds: float, turns: int = 1_000_000) -> None:
        self.turns = 0
        self._seconds = seconds
        self._most = turns

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._turn()

    def _turn(self) -> None:
        if self.turns < self._most:
            self.turns += 1
            time.sleep(self._seconds)
            self._loop.call_soon(self._turn)

    def stop(self) -> None:
        self._most = 0


def healthy(limiter: RateLimiter) -> None:
    """Check that no call was taken for a failed one."""
    assert limiter.stats().outages == 0
    assert limiter.stats().local == 0


# -- on an event loop -----------------------------------------------------------------------------


@pytest.mark.few_cases(1)
@each_loop
@pytest.mark.parametrize("is_written", [False, True])
def test_a_loop_that_is_blocked_as_the_command_is_written_is_no_outage(
    factory: Any, valkey: Valkey, caplog: pytest.LogCaptureFixture, *, is_written: bool
) -> None:
    """A server that needs a part of its time still has it; uvloop writes at the end of a turn."""
    with Proxy(valkey) as proxy:
        limiter = RateLimiter("9/hour", store=f"redis://{proxy.place}", timeout=TIMEOUT)

        async def main() -> None:
            await limiter.acheck("first")
            proxy.delay = TIMEOUT / 4
            for number in range(CALLS):
                call = asyncio.ensure_future(limiter.acheck(f"{number}"))
                if is_written:
                    await asyncio.sleep(0)
                asyncio.get_running_loop().call_soon(time.sleep, BLOCKED)
                assert (await call).remaining == 8

        run(factory, main())
    healthy(limiter)
    assert not caplog.records


@each_loop
def test_a_loop_that_is_always_busy_connects_and_counts(factory: Any, valkey: Valkey) -> None:
    """Though each turn of it takes longer than the timeout."""
    limiter = RateLimiter("9/hour", store=f"redis://{valkey.place}", timeout=TIMEOUT)
    busy = Busy(1.2 * TIMEOUT)

    async def main() -> None:
        busy.start()
        decisions = await asyncio.gather(*(limiter.acheck("one") for _ in range(CALLS)))
        assert sorted(decision.remaining for decision in decisions) == [4, 5, 6, 7, 8]
        busy.stop()

    run(factory, main())
    healthy(limiter)


@pytest.mark.few_cases(1)
@each_loop
def test_a_loop_that_is_blocked_once_while_it_connects_is_no_outage(
    factory: Any, valkey: Valkey
) -> None:
    """As at the start of an app."""
    limiter = RateLimiter("9/hour", store=f"redis://{valkey.place}", timeout=TIMEOUT)

    async def main() -> None:
        for turns in range(8):  # at each step
            call = asyncio.ensure_future(limiter.acheck(f"{turns}"))
            for _ in range(turns):
                await asyncio.sleep(0)
            time.sleep(BLOCKED)  # noqa: ASYNC251  # the point of the test
            assert (await call).remaining == 8
            closing = limiter.shutdown()
            if closing is not None:
                await closing

    run(factory, main())
    healthy(limiter)


@pytest.mark.few_cases(1)
@each_loop
def test_a_prefetching_loop_that_is_busy_waits_for_tokens_that_are_on_their_way(
    factory: Any, valkey: Valkey
) -> None:
    """As others do."""
    limiter = RateLimiter(
        "1/year", burst=500, store=f"redis://{valkey.place}", timeout=TIMEOUT, prefetch=20
    )
    busy = Busy(1.2 * TIMEOUT)

    async def main() -> None:
        busy.start()
        for _ in range(3):
            decisions = await asyncio.gather(*(limiter.acheck("hot") for _ in range(20)))
            assert all(decision.allowed for decision in decisions)
        busy.stop()

    run(factory, main())
    healthy(limiter)


@each_loop
@pytest.mark.parametrize("seconds", [0.0, 1.2 * TIMEOUT, BLOCKED])
def test_a_server_that_is_silent_is_given_up_even_on_a_busy_loop(
    factory: Any, seconds: float
) -> None:
    """After a number of turns; so the wait is bounded by the loop's own."""

    def stay_silent(taken: socket.socket) -> None:
        while taken.recv(65536):
            pass

    busy = Busy(seconds)

    async def main(place: str) -> None:
        client = RedisBackend(f"redis://{place}", timeout=TIMEOUT).client(is_async=True)
        if seconds:
            busy.start()
        with pytest.raises(ServerUnavailable):
            await client.call("PING", deadline=time.monotonic() + TIMEOUT)
        assert busy.turns < 100
        busy.stop()

    with listen(stay_silent) as place:
        run(factory, main(place))


@each_loop
def test_a_time_limit_ends_on_an_idle_loop_and_passes_on_errors(factory: Any) -> None:
    """As that of asyncio does."""

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with patient_timeout(0.01):
                await asyncio.sleep(AMPLE)
        async with patient_timeout(0.0):
            pass
        with pytest.raises(LookupError):
            async with patient_timeout(AMPLE):
                raise LookupError
        call = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    async def wait() -> None:
        async with patient_timeout(AMPLE):
            await asyncio.sleep(AMPLE)

    run(factory, main())


# -- in threads -----------------------------------------------------------------------------------


def test_a_thread_that_does_not_get_to_run_finds_the_reply_that_is_there(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other threads may hold the interpreter for longer than the timeout."""

    class Slow(socket.socket):
        """A socket whose thread does not run for a while after it has sent something."""

        def sendall(self, data: Any, *flags: int) -> None:
            super().sendall(data, *flags)
            time.sleep(1.5 * TIMEOUT)

    monkeypatch.setattr("socket.socket", Slow)
    limiter = RateLimiter("9/hour", store=f"redis://{valkey.place}", timeout=TIMEOUT)
    remaining = [limiter.check("one").remaining for _ in range(CALLS)]
    limiter.shutdown()
    assert remaining == [8, 7, 6, 5, 4]
    healthy(limiter)


# -- requests that are given up -------------------------------------------------------------------


@each_loop
def test_requests_that_are_cancelled_are_no_outage(
    factory: Any, valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that goes away says nothing about the server."""
    limiter = RateLimiter("9/hour", store=f"redis://{valkey.place}", timeout=TIMEOUT)

    async def main() -> None:
        await limiter.acheck("one")
        for _ in range(20):
            call = asyncio.ensure_future(limiter.acheck("one"))
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    run(factory, main())
    healthy(limiter)
    assert not caplog.records


@each_loop
def test_a_cancelled_probe_does_not_prolong_an_outage(factory: Any, own_valkey: Valkey) -> None:
    """Whoever cancels requests could otherwise keep a server that is back from being called."""
    limiter = RateLimiter("9/hour", store=f"redis://{own_valkey.place}", timeout=TIMEOUT)

    async def main() -> None:
        await limiter.acheck("one")
        store: Any = limiter._engine.bound_stores[1]
        (breaker,) = store._breakers._breakers.values()
        own_valkey.pause()
        while not breaker.is_open:
            await limiter.acheck("one")
        own_valkey.resume()
        own_valkey.ask("PING")
        breaker._probe_at, breaker._delay = 0.0, 3600.0
        call = asyncio.ensure_future(limiter.acheck("one"))
        await asyncio.sleep(0)
        assert breaker._probe_at > time.monotonic()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        decided = limiter.stats().local
        await limiter.acheck("two")
        assert limiter.stats().local == decided
        assert not breaker.is_open

    run(factory, main())
