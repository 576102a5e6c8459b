"""Let the event loop go on in the middle of long work, or take work off it: asyncio and Trio.

The library that runs the current task is found without importing any but asyncio.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["pause", "run_in_thread"]

T = TypeVar("T")


async def pause(is_async: bool) -> None:
    """Let other tasks of the event loop run, and return as soon as they have.

    Args:
        is_async: whether there is an event loop; without one, nothing happens.

    Raises:
        BaseException: the event loop's own, where the task has been canceled.
    """
    if not is_async:
        return
    trio = _running_trio()
    if trio is None:
        await asyncio.sleep(0)
    else:
        await trio.lowlevel.checkpoint()


# Any: the arguments of any function.
async def run_in_thread(is_async: bool, fn: Callable[..., T], *args: Any) -> T:
    """Call a function in a thread of the event loop's own pool, and return its result.

    The loop goes on meanwhile only where the function releases the GIL. A task that is canceled
    does not wait for the function, which ends by itself, under Trio as under asyncio.

    Args:
        is_async: whether there is an event loop; without one, the function is called at once.
        fn: the function, which must not touch anything of the exchange.
        args: its arguments.
    """
    if not is_async:
        return fn(*args)
    trio = _running_trio()
    if trio is None:
        return await asyncio.get_running_loop().run_in_executor(None, fn, *args)
    result: T = await trio.to_thread.run_sync(fn, *args, abandon_on_cancel=True)
    return result


# Any: Trio's modules.
def _running_trio() -> Any:
    """Return Trio where it runs the current task, else None."""
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
