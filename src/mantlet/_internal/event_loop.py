"""Keep long work from blocking the event loop of asyncio or Trio.

Trio is never imported: it runs the current task only if it is loaded already.
"""

import asyncio
import sys
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

__all__ = ["checkpoint", "run_in_thread"]

T = TypeVar("T")


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


# Any: the arguments of any function.
async def run_in_thread(fn: Callable[..., T], *args: Any) -> T:
    """Call a function in a thread of the event loop's own pool, and return its result.

    It runs in a copy of the task's context (`contextvars`). A task that is canceled does not wait
    for the function, which ends by itself.
    """
    trio = _running_trio()
    if trio is None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, copy_context().run, fn, *args)
    result: T = await trio.to_thread.run_sync(fn, *args, abandon_on_cancel=True)
    return result


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
