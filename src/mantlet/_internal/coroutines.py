"""Coroutines that seldom have to wait, run as far as they go without an event loop.

With these a piece of code is written once, as a coroutine, and serves both faces.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar, overload

__all__ = ["run_sync", "start_eagerly"]

T = TypeVar("T")


@overload
def run_sync(steps: Coroutine[Any, Any, T]) -> T: ...
@overload
def run_sync(steps: Coroutine[Any, Any, T] | None) -> T | None: ...
def run_sync(steps: Coroutine[Any, Any, T] | None) -> T | None:
    """Run what is left to do, if anything is, to its end without an event loop.

    Raises:
        RuntimeError: it tried to wait on one.
    """
    if steps is None:
        return None
    try:
        steps.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    steps.close()
    raise RuntimeError("policy awaited async I/O under WSGI")


def start_eagerly(steps: Coroutine[Any, Any, T]) -> T | Awaitable[T]:
    """Run a coroutine until it has to wait.

    Returns:
        Its result; or, where it has to wait, an awaitable of that, to be awaited at once and in the
        same task.
    """
    try:
        waiting = steps.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    return _go_on(steps, waiting)


@coroutine
def _go_on(steps: Coroutine[Any, Any, T], waiting: Any) -> Generator[Any, Any, T]:
    while True:
        try:
            happened = yield waiting
        except BaseException as error:  # noqa: BLE001  # it is the coroutine's to handle
            resume: Callable[[Any], Any] = steps.throw
            value: Any = error
        else:
            resume, value = steps.send, happened
        try:
            waiting = resume(value)
        except StopIteration as end:
            result: T = end.value
            return result
