"""Run coroutines that seldom wait, without an event loop.

So code is written once, as a coroutine, and serves both WSGI and ASGI.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from inspect import iscoroutinefunction
from types import coroutine
from typing import Any, TypeVar, overload

__all__ = ["is_coroutine_function", "is_plain_function", "resume", "run_sync", "start_eagerly"]

T = TypeVar("T")


@overload
def run_sync(steps: Coroutine[Any, Any, T]) -> T: ...
@overload
def run_sync(steps: Coroutine[Any, Any, T] | None) -> T | None: ...
def run_sync(steps: Coroutine[Any, Any, T] | None) -> T | None:
    """Run a coroutine, if there is one, to its end without an event loop.

    Raises:
        RuntimeError: it tried to wait.
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
    """Run a coroutine until it first waits.

    Returns:
        Its result, or, if it waits, an awaitable of the result, which must be awaited at once and
        in the same task.
    """
    try:
        waiting = steps.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    return resume(steps, waiting)


@coroutine
def resume(
    steps: Coroutine[Any, Any, T] | Generator[Any, Any, T], waiting: Any
) -> Generator[Any, Any, T]:
    """Run a coroutine that has begun to wait to its end.

    Args:
        steps: the coroutine.
        waiting: what it has yielded.
    """
    while True:
        try:
            sent = yield waiting
        except BaseException as error:  # noqa: BLE001  # the coroutine handles it
            advance: Callable[[Any], Any] = steps.throw
            value: Any = error
        else:
            advance, value = steps.send, sent
        try:
            waiting = advance(value)
        except StopIteration as end:
            result: T = end.value
            return result


def is_coroutine_function(function: object) -> bool:
    """Return whether a function, or an object that is called like one, is an ``async def``."""
    while isinstance(function, partial):
        function = function.func
    call = getattr(function, "__call__", None)  # noqa: B004  # its kind, not whether it has one
    return iscoroutinefunction(function) or iscoroutinefunction(call)


def is_plain_function(function: object) -> bool:
    """Return whether an object can be called, and its result need not be awaited."""
    return callable(function) and not is_coroutine_function(function)
