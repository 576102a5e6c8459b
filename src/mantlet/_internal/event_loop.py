"""Wait and work on the event loop of asyncio or Trio, without blocking it.

Trio is never imported: it runs the current task only if it is loaded already.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, wait
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

__all__ = [
    "LoopLocks",
    "checkpoint",
    "is_on_loop",
    "now",
    "run_for",
    "run_in_thread",
    "sleep",
    "uninterrupted",
    "wait_for",
]

T = TypeVar("T")
_Lock = AbstractAsyncContextManager[object]


def is_on_loop() -> bool:
    """Return whether this runs on an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _running_trio() is not None
    return True


def now() -> float:
    """Return the time of the event loop, in seconds."""
    trio = _running_trio()
    time: float = asyncio.get_running_loop().time() if trio is None else trio.current_time()
    return time


async def checkpoint() -> None:
    """Let other tasks of the event loop run once.

    Raises:
        BaseException: the task was cancelled; the event loop's own exception.
    """
    trio = _running_trio()
    if trio is None:
        await asyncio.sleep(0)
    else:
        await trio.lowlevel.checkpoint()


async def sleep(seconds: float) -> None:
    """Wait for some seconds; not at all if there are less than 0."""
    trio = _running_trio()
    if trio is None:
        await asyncio.sleep(seconds)
    else:
        await trio.sleep(max(0.0, seconds))


async def run_for(seconds: float, fn: Callable[[], Awaitable[T]]) -> T | None:
    """Call a coroutine function, and cancel it after some seconds; at once if there are none.

    Returns:
        Its result; None if it was canceled.
    """
    result = None
    trio = _running_trio()
    if trio is not None:
        with trio.move_on_after(max(0.0, seconds)):
            result = await fn()
    else:
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                result = await fn()
        except TimeoutError:
            if not limit.expired():
                raise  # its own
    return result


# Any: the arguments of any function.
async def run_in_thread(fn: Callable[..., T], *args: Any) -> T:
    """Call a function in a thread of the event loop's own pool, and return its result.

    It runs in a copy of the task's context (`contextvars`). A task that is canceled does not wait
    for the function, which ends by itself.
    """
    trio = _running_trio()
    if trio is None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, copy_context().run, _call, fn, *args)
    result: T = await trio.to_thread.run_sync(fn, *args, abandon_on_cancel=True)
    return result


# Any: the arguments of any function.
def _call(fn: Callable[..., T], *args: Any) -> T:
    """Call a function; its StopIteration becomes a RuntimeError, as in a coroutine (PEP 479).

    Before Python 3.12 a future that gets a StopIteration is never done.
    """
    try:
        return fn(*args)
    except StopIteration as error:
        raise RuntimeError("a function in a thread raised StopIteration") from error


async def uninterrupted(steps: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, also if the task is canceled meanwhile; then raise that.

    Under asyncio it runs in a task of its own, which ends before this does. So its result is known
    however often the outer task is canceled, and its own time limits work.

    Args:
        steps: the coroutine.

    Returns:
        Its result.

    Raises:
        BaseException: the coroutine's own, which comes before a cancellation.
    """
    trio = _running_trio()
    if trio is not None:
        with trio.CancelScope(shield=True):
            result = await steps
        await trio.lowlevel.checkpoint_if_cancelled()
        return result
    task = asyncio.ensure_future(steps)
    canceled = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            canceled = error
        except BaseException:  # noqa: BLE001  # the coroutine's own, raised below
            break
    result = task.result()
    if canceled is not None:
        raise canceled
    return result


# Any: the result of any thread.
async def wait_for(future: Future[Any], seconds: float) -> bool:
    """Wait until a thread has set a future, or some seconds have passed.

    The event loop goes on; without one, this blocks the thread that runs it. A task that is
    canceled leaves the future alone, which others may wait for.

    Returns:
        Whether the future is done.
    """
    wake: Callable[[], object]
    event: Any  # of asyncio or of Trio
    trio = _running_trio()
    if trio is not None:
        event = trio.Event()
        wake = partial(trio.lowlevel.current_trio_token().run_sync_soon, event.set)
    else:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            wait([future], max(0.0, seconds))
            return future.done()
        event = asyncio.Event()
        wake = partial(loop.call_soon_threadsafe, event.set)

    def wake_up(_future: Future[Any]) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            wake()

    future.add_done_callback(wake_up)
    await run_for(seconds, event.wait)
    return future.done()


class LoopLocks:
    """A lock for each event loop, as tests run one after another."""

    def __init__(self) -> None:
        # Any: a loop of asyncio, or the token of one of Trio.
        self._locks: WeakKeyDictionary[Any, _Lock] = WeakKeyDictionary()
        self._other = asyncio.Lock()

    def __call__(self) -> _Lock:
        """Return the lock of the running loop."""
        trio = _running_trio()
        if trio is not None:
            return self._locks.setdefault(trio.lowlevel.current_trio_token(), trio.Lock())
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no loop, or one of another library
            return self._other
        return self._locks.setdefault(loop, asyncio.Lock())


# Any: Trio's modules.
def _running_trio() -> Any:
    """Return the module of Trio if that runs the current task, else None."""
    trio = sys.modules.get("trio")
    if trio is None:
        return None
    try:
        if asyncio.current_task() is not None:
            return None  # within an asyncio loop that runs in Trio, or beside it
    except RuntimeError:  # asyncio does not run in this thread
        pass
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return None
    return trio
