"""Work that lets the event loop go on, under asyncio, under Trio, and without a loop."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

from mantlet._internal.coroutines import run_sync
from mantlet._internal.event_loop import checkpoint, run_in_thread, wait_for
from mantlet.wsgi.request import WsgiRequest
from tests.drive import make_environ

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

PLACE: ContextVar[str] = ContextVar("place", default="nowhere")


def test_without_a_loop_nothing_waits() -> None:
    request = WsgiRequest(make_environ())
    assert run_sync(request.checkpoint()) is None
    assert run_sync(request.run_in_thread(threading.get_ident)) == threading.get_ident()


def test_a_checkpoint_lets_each_other_task_run_once() -> None:
    ran: list[str] = []

    async def work(name: str) -> None:
        for _ in range(3):
            ran.append(name)
            await checkpoint()

    async def main() -> None:
        await asyncio.gather(work("a"), work("b"))

    asyncio.run(main())
    assert ran == ["a", "b"] * 3


def test_a_thread_takes_work_off_the_loop() -> None:
    async def main() -> None:
        assert await run_in_thread(threading.get_ident) != threading.get_ident()
        assert await run_in_thread(max, 1, 2) == 2
        with pytest.raises(ZeroDivisionError):
            await run_in_thread(divmod, 1, 0)

    asyncio.run(main())


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_function_in_a_thread_that_finds_no_next_item_ends(loop: str) -> None:
    """Before Python 3.12 a future of asyncio that gets a StopIteration is never done."""

    async def main() -> None:
        with pytest.raises(RuntimeError, match="raised StopIteration"):
            await run_in_thread(next, iter(()))

    if loop == "trio":
        pytest.importorskip("trio").run(main)
    else:
        asyncio.run(asyncio.wait_for(main(), 30))


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_thread_has_the_context_of_its_task(loop: str) -> None:
    async def main() -> None:
        PLACE.set("task")
        assert await run_in_thread(PLACE.get) == "task"
        await run_in_thread(PLACE.set, "thread")
        assert PLACE.get() == "task"

    if loop == "trio":
        pytest.importorskip("trio").run(main)
    else:
        asyncio.run(main())


def test_trio_runs_them_too() -> None:
    trio: Any = pytest.importorskip("trio")
    ran: list[str] = []

    async def work(name: str) -> None:
        for _ in range(3):
            ran.append(name)
            await checkpoint()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, "a")
            nursery.start_soon(work, "b")
        assert await run_in_thread(threading.get_ident) != threading.get_ident()

    trio.run(main)
    assert ran[:2] in (["a", "b"], ["b", "a"])
    assert sorted(ran) == ["a"] * 3 + ["b"] * 3


def test_asyncio_is_found_where_trio_is_loaded() -> None:
    pytest.importorskip("trio")
    test_a_checkpoint_lets_each_other_task_run_once()


def run_on(loop: str, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    if loop == "trio":
        pytest.importorskip("trio").run(main)
    elif loop == "asyncio":
        asyncio.run(main())
    else:
        run_sync(main())


@pytest.mark.parametrize("loop", ["asyncio", "trio", "none"])
def test_a_future_of_a_thread_is_awaited(loop: str) -> None:
    async def main() -> None:
        future: Future[int] = Future()
        threading.Timer(0.01, future.set_result, [7]).start()
        assert await wait_for(future, 30.0)
        assert future.result() == 7
        assert await wait_for(future, 0.0)  # done already

    run_on(loop, main)


@pytest.mark.parametrize("loop", ["asyncio", "trio", "none"])
def test_a_future_is_not_awaited_for_longer_than_allowed(loop: str) -> None:
    future: Future[int] = Future()

    async def main() -> None:
        assert not await wait_for(future, 0.01)
        assert not await wait_for(future, -1.0)

    run_on(loop, main)
    future.set_result(1)  # wakes nobody, and raises nothing


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_the_loop_goes_on_while_it_waits_for_a_future(loop: str) -> None:
    async def main() -> None:
        future: Future[int] = Future()
        turns = 0

        async def count() -> None:
            nonlocal turns
            for _ in range(100):
                await checkpoint()
                turns += 1
            future.set_result(turns)

        if loop == "trio":
            async with pytest.importorskip("trio").open_nursery() as nursery:
                nursery.start_soon(count)
                assert await wait_for(future, 30.0)
        else:
            assert (await asyncio.gather(wait_for(future, 30.0), count()))[0]
        assert turns == 100

    run_on(loop, main)


def test_a_canceled_task_leaves_the_future_to_others() -> None:
    async def main() -> None:
        future: Future[int] = Future()
        first = asyncio.create_task(wait_for(future, 30.0))
        second = asyncio.create_task(wait_for(future, 30.0))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        future.set_result(3)
        assert await second
        assert future.result() == 3

    asyncio.run(main())
