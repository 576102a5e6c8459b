"""Coroutines that seldom have to wait, run without an event loop as far as they go."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

import pytest

from mantlet._internal.coroutines import run_sync, start_eagerly

if TYPE_CHECKING:
    from collections.abc import Coroutine

WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


class Failure(Exception):
    """What a coroutine in these tests raises."""


async def value(result: Any) -> Any:
    """Return without waiting, though through a coroutine further in."""

    async def inner() -> Any:
        return result

    return await inner()


async def failing() -> None:
    """Raise without waiting."""
    raise Failure("at once")


async def turns(count: int, result: Any = None) -> Any:
    """Wait for the event loop so often."""
    for _ in range(count):
        await asyncio.sleep(0)
    return result


def kept(steps: Coroutine[Any, Any, Any]) -> Any:
    """Begin a coroutine that has to wait, and return what is to be awaited."""
    waiting = start_eagerly(steps)
    assert isawaitable(waiting)
    return waiting


# -- run ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("result", [5, None, "text", (1, 2)], ids=repr)
def test_run_returns_what_the_coroutine_does(result: Any) -> None:
    """Without an event loop."""
    assert run_sync(value(result)) == result


def test_run_of_nothing_is_nothing() -> None:
    """Where nothing is left to do."""
    assert run_sync(None) is None


def test_run_raises_what_the_coroutine_does() -> None:
    """As it is."""
    with pytest.raises(Failure, match="at once"):
        run_sync(failing())


def test_run_refuses_to_wait_and_lets_the_coroutine_clean_up() -> None:
    """Under WSGI there is nothing that could wake it."""
    cleaned: list[str] = []

    async def waits() -> None:
        try:
            await turns(1)
        finally:
            cleaned.append("yes")

    steps = waits()  # kept here, so that it does not end for want of a reader
    with pytest.raises(RuntimeError, match="policy awaited async I/O under WSGI"):
        run_sync(steps)
    assert cleaned == ["yes"]


def test_run_has_the_context_of_its_caller() -> None:
    """What is set within is seen without."""

    async def sets() -> None:
        WHO.set("ann")

    run_sync(sets())
    assert WHO.get() == "ann"


# -- begin ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("result", [5, None, "text"], ids=repr)
def test_begin_returns_the_result_where_nothing_waits(result: Any) -> None:
    """Itself, and no awaitable of it."""
    assert start_eagerly(value(result)) == result


def test_begin_raises_at_once_where_nothing_waits() -> None:
    """The caller need not await anything to hear of it."""
    with pytest.raises(Failure, match="at once"):
        start_eagerly(failing())


@pytest.mark.parametrize("count", [1, 2, 5])
def test_begin_returns_an_awaitable_where_it_has_to_wait(count: int) -> None:
    """However often that is."""

    async def whole() -> Any:
        return await kept(turns(count, "done"))

    assert asyncio.run(whole()) == "done"


def test_begin_goes_as_far_as_it_can_at_once() -> None:
    """So that what it takes is taken before anybody else comes."""
    done: list[str] = []

    async def steps() -> None:
        done.append("before")
        await turns(1)
        done.append("after")

    async def whole() -> None:
        waiting = kept(steps())
        assert done == ["before"]
        await waiting
        assert done == ["before", "after"]

    asyncio.run(whole())


def test_begin_waits_for_futures_and_gets_their_results() -> None:
    """What wakes it is what it has waited for."""

    async def whole() -> Any:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def steps() -> tuple[str, str]:
            return "got", await future

        waiting = kept(steps())
        asyncio.get_running_loop().call_soon(future.set_result, "it")
        return await waiting

    assert asyncio.run(whole()) == ("got", "it")


def test_begin_raises_what_is_raised_after_it_has_waited() -> None:
    """Out of the awaitable."""

    async def steps() -> None:
        await turns(2)
        raise Failure("later")

    async def whole() -> None:
        with pytest.raises(Failure, match="later"):
            await kept(steps())

    asyncio.run(whole())


def test_begin_hands_an_error_of_what_it_waits_for_to_the_coroutine() -> None:
    """Which may handle it, and wait again."""

    async def whole() -> Any:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def steps() -> Any:
            try:
                await future
            except Failure:
                return await turns(1, "handled")
            return "not reached"

        waiting = kept(steps())
        asyncio.get_running_loop().call_soon(future.set_exception, Failure("broken"))
        return await waiting

    assert asyncio.run(whole()) == "handled"


def test_begin_hands_cancellation_to_the_coroutine() -> None:
    """It cleans up, and its task is cancelled."""
    cleaned: list[str] = []

    async def steps() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await turns(1)  # cleaning up may wait
            cleaned.append("yes")

    async def whole() -> None:
        async def ask() -> None:
            await kept(steps())

        task = asyncio.create_task(ask())
        await turns(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(whole())
    assert cleaned == ["yes"]


def test_begin_hears_a_time_out_as_its_own() -> None:
    """`asyncio.timeout()` knows the task by whose steps it is."""

    async def steps() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            return "late"
        return "not reached"

    async def whole() -> Any:
        return await kept(steps())

    assert asyncio.run(whole()) == "late"


def test_an_awaitable_that_nobody_wants_lets_the_coroutine_clean_up() -> None:
    """It is closed where its caller gives up between two of its steps."""
    cleaned: list[str] = []

    async def steps() -> None:
        try:
            await turns(5)
        finally:
            cleaned.append("yes")

    async def ask() -> None:
        await kept(steps())

    asking = ask()
    asking.send(None)
    asking.close()
    assert cleaned == ["yes"]


def test_begin_has_the_context_of_its_task() -> None:
    """Before and after it has waited."""

    async def steps() -> tuple[str, str]:
        before = WHO.get()
        await turns(1)
        return before, WHO.get()

    async def whole() -> Any:
        WHO.set("bob")
        return await kept(steps())

    assert asyncio.run(whole()) == ("bob", "bob")
