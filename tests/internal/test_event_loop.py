"""Work that lets the event loop go on, under asyncio, under Trio, and without a loop."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from typing import Any

import pytest

from mantlet._internal.coroutines import run_sync
from mantlet._internal.event_loop import checkpoint, run_in_thread
from mantlet.wsgi.request import WsgiRequest
from tests.drive import make_environ

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
