"""Event loops: many calls on one connection, and many loops in one process."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from mantlet._internal import coroutines as steps
from mantlet.stores.redis import RedisBackend
from mantlet.stores.redis.resp import CommandError, ServerUnavailable
from tests.stores.redis.conftest import AMPLE

if TYPE_CHECKING:
    from tests.stores.redis.servers import Valkey

Factory = Callable[[], asyncio.AbstractEventLoop]
FACTORIES = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=FACTORIES)
def factory(request: pytest.FixtureRequest) -> Factory:
    """Each kind of loop."""
    made: Factory = FACTORIES[request.param]
    return made


def run(factory: Factory, work: Any, *, debug: bool = False) -> Any:
    """Run a coroutine in a loop of its own, and check that nothing is left of it."""
    with asyncio.Runner(loop_factory=factory, debug=debug) as runner:
        result = runner.run(work)
    gc.collect()
    return result


def ask(backend: RedisBackend, *parts: str | int) -> Any:
    """Return the coroutine of a call."""
    return backend.client(is_async=True).call(*parts, deadline=time.monotonic() + AMPLE)


# -- one connection -------------------------------------------------------------------------------


def test_calls_of_one_turn_are_one_write(
    factory: Factory, backend: RedisBackend, valkey: Valkey
) -> None:
    """The server sees one read for all of them."""

    def reads() -> int:
        return int(valkey.info("stats")["total_reads_processed"])

    async def main() -> int:
        await ask(backend, "PING")
        before = reads()
        replies = await asyncio.gather(*(ask(backend, "ECHO", number) for number in range(50)))
        assert replies == [str(number).encode() for number in range(50)]
        return reads() - before

    # One more for the second call to INFO.
    assert run(factory, main()) == 2
    assert int(valkey.info("stats")["total_connections_received"]) == 1


def test_callers_that_come_while_one_connects_share_its_connection(
    factory: Factory, backend: RedisBackend, valkey: Valkey
) -> None:
    """A burst after a start makes one connection, with one handshake."""

    async def main() -> Any:
        return await asyncio.gather(*(ask(backend, "INCR", "key") for _ in range(200)))

    assert sorted(run(factory, main())) == list(range(1, 201))
    assert int(valkey.info("stats")["total_connections_received"]) == 1
    assert valkey.calls("hello") == 1


def test_callers_that_give_up_leave_the_others_their_own_replies(
    factory: Factory, backend: RedisBackend, valkey: Valkey
) -> None:
    """A cancelled call keeps its entry in the queue."""

    async def main() -> None:
        await ask(backend, "PING")
        calls = [asyncio.ensure_future(ask(backend, "ECHO", number)) for number in range(30)]
        await asyncio.sleep(0)
        for call in calls[::3]:
            call.cancel()
        replies = await asyncio.gather(*calls, return_exceptions=True)
        for number, reply in enumerate(replies):
            if number % 3 == 0:
                assert isinstance(reply, asyncio.CancelledError)
            else:
                assert reply == str(number).encode()
        assert await ask(backend, "ECHO", "next") == b"next"

    run(factory, main())
    assert int(valkey.info("stats")["total_connections_received"]) == 1


@pytest.mark.parametrize("cancelled", [1, 5])
def test_when_the_one_that_connects_gives_up_the_next_one_does(
    factory: Factory, own_valkey: Valkey, cancelled: int
) -> None:
    """No caller that waited for it is lost."""
    backend = RedisBackend(f"redis://{own_valkey.place}")

    async def main() -> None:
        own_valkey.pause()
        calls = [asyncio.ensure_future(ask(backend, "ECHO", number)) for number in range(10)]
        for call in calls[:cancelled]:
            # Time to start: the server accepts the connection, and is silent.
            await asyncio.sleep(0.01)
            call.cancel()
        await asyncio.sleep(0)
        own_valkey.resume()
        replies = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(reply) for reply in replies[:cancelled]] == [
            asyncio.CancelledError
        ] * cancelled
        assert replies[cancelled:] == [str(n).encode() for n in range(cancelled, 10)]

    run(factory, main())


def test_one_whose_time_is_up_while_it_connects_fails_alone(own_valkey: Valkey) -> None:
    """Callers with more time connect themselves."""
    backend = RedisBackend(f"redis://{own_valkey.place}")
    client = backend.client(is_async=True)

    async def main() -> None:
        own_valkey.pause()
        hasty = asyncio.ensure_future(client.call("PING", deadline=time.monotonic() + 0.02))
        patient = asyncio.ensure_future(ask(backend, "PING"))
        waiting = asyncio.ensure_future(client.call("PING", deadline=time.monotonic() + 0.01))
        for call in (hasty, waiting):
            with pytest.raises(ServerUnavailable):
                await call
        own_valkey.resume()
        assert await patient == b"PONG"

    run(asyncio.new_event_loop, main())


def test_all_who_waited_for_a_connection_hear_why_there_is_none(
    backend: RedisBackend, valkey: Valkey
) -> None:
    """One attempt is made for all of them."""
    wrong = RedisBackend(f"redis://:wrong@{valkey.place}")
    valkey.ask("ACL", "SETUSER", "default", "resetpass", ">right")
    try:

        async def main() -> None:
            calls = [ask(wrong, "PING") for _ in range(20)]
            replies = await asyncio.gather(*calls, return_exceptions=True)
            for reply in replies:
                assert isinstance(reply, CommandError)
                assert reply.code == "WRONGPASS"

        run(asyncio.new_event_loop, main())
    finally:
        valkey.ask("ACL", "SETUSER", "default", "nopass")
    assert valkey.calls("hello") == 1


def test_a_call_makes_no_task(factory: Factory, backend: RedisBackend) -> None:
    """It runs in the caller's task."""

    async def main() -> None:
        call = asyncio.ensure_future(ask(backend, "PING"))
        while not call.done():
            assert asyncio.all_tasks() <= {asyncio.current_task(), call}
            await asyncio.sleep(0)

    run(factory, main())


def test_a_call_that_was_begun_without_a_task_goes_on_in_one(
    factory: Factory, backend: RedisBackend
) -> None:
    """As a policy's hook is run: eagerly at first, and then awaited."""

    async def main() -> None:
        for _ in range(2):
            begun = steps.start_eagerly(ask(backend, "PING"))
            assert not isinstance(begun, bytes)
            assert await begun == b"PONG"

    run(factory, main())


# -- many loops -----------------------------------------------------------------------------------


@pytest.mark.parametrize("debug", [False, True])
def test_loops_one_after_another_leave_nothing_behind(
    factory: Factory, backend: RedisBackend, valkey: Valkey, debug: bool
) -> None:
    """Nobody has to close anything: the end of the loop does."""
    loops = []

    async def main() -> Any:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        return await asyncio.gather(ask(backend, "INCR", "key"), ask(backend, "PING"))

    for number in range(1, 4):
        assert run(factory, main(), debug=debug) == [number, b"PONG"]
        valkey.wait_for_clients(0)
    assert [loop() for loop in loops] == [None] * 3


def test_a_loop_that_ends_in_the_middle_of_calls_leaves_nothing_behind(
    factory: Factory, own_valkey: Valkey
) -> None:
    """Nor does one that ends while connecting."""
    backend = RedisBackend(f"redis://{own_valkey.place}")

    async def main(connected: bool) -> None:
        if connected:
            await ask(backend, "PING")
        own_valkey.pause()
        calls = [asyncio.ensure_future(ask(backend, "PING")) for _ in range(5)]
        await asyncio.sleep(0.01)
        assert not any(call.done() for call in calls)

    for connected in (True, False):
        run(factory, main(connected))
        own_valkey.resume()
        own_valkey.wait_for_clients(0)


def test_loops_in_several_threads_have_connections_of_their_own(
    factory: Factory, backend: RedisBackend, valkey: Valkey
) -> None:
    """At the same time, with the same client."""
    together = threading.Barrier(4)

    async def main() -> None:
        await ask(backend, "PING")
        together.wait(AMPLE)
        for _ in range(20):
            await asyncio.gather(*(ask(backend, "INCR", "key") for _ in range(10)))
        together.wait(AMPLE)
        assert len(valkey_clients()) == 4
        together.wait(AMPLE)

    lock = threading.Lock()

    def valkey_clients() -> list[str]:
        with lock:
            return valkey.clients()

    threads = [threading.Thread(target=run, args=(factory, main())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert valkey.ask("GET", "key") == b"800"
    valkey.wait_for_clients(0)


def test_a_closed_client_closes_the_connections_of_its_loop_and_can_be_used_again(
    factory: Factory, backend: RedisBackend, valkey: Valkey
) -> None:
    """An app that is shut down and started again in the same loop works."""
    client = backend.client(is_async=True)

    async def main() -> None:
        await client.close()
        for _ in range(3):
            assert await ask(backend, "PING") == b"PONG"
            valkey.wait_for_clients(1)
            await client.close()
            await client.close()
            await asyncio.sleep(0)  # one iteration of the loop
            valkey.wait_for_clients(0)
        assert await ask(backend, "PING") == b"PONG"

    run(factory, main())
    valkey.wait_for_clients(0)


def test_a_loop_that_was_closed_without_a_word_is_forgotten(
    factory: Factory, backend: RedisBackend
) -> None:
    """Python reports its open connection, and the next loop has a new one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(3):
            loop = factory()
            assert loop.run_until_complete(ask(backend, "PING")) == b"PONG"
            loop.close()
        gone = weakref.ref(loop)
        del loop
        assert run(factory, ask(backend, "PING")) == b"PONG"
        gc.collect()
    assert gone() is None
