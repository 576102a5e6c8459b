"""Threads for requests to providers, which end as soon as there is nothing left to do.

A provider is asked by blocking code, with a deadline. In a thread of its own it blocks neither an
event loop nor, once the wait is over, a WSGI worker; not even if the look-up of a host's addresses,
which has no deadline, takes long. The threads are daemons: a process ends without waiting for them.
"""

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, Final, TypeVar

from mantlet._internal.locks import ForkSafeLock

__all__ = ["Busy", "ShortThreads"]

T = TypeVar("T")
_NAME: Final = "mantlet-provider"


class Busy(Exception):
    """As much work is waiting as there may be."""


class ShortThreads:
    """Runs functions in a few threads at a time, the first one first.

    A forked process has none of its parent's threads, and drops the work that they had.

    Args:
        limit: the most threads.
        max_waiting: the most functions that wait for one.
    """

    def __init__(self, limit: int, max_waiting: int = 0) -> None:
        self._limit = limit
        self._max_waiting = max_waiting
        self._lock = ForkSafeLock()
        self._pid = os.getpid()
        self._running = 0
        self._waiting: deque[Callable[[], None]] = deque()

    def submit(self, fn: Callable[[], T]) -> Future[T]:
        """Call a function in a thread, now or when one is free.

        Returns:
            Its result or exception. It can't be canceled.

        Raises:
            Busy: there are too many calls, or the process can't have another thread.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()

        def call() -> None:
            try:
                result = fn()
            except BaseException as error:  # noqa: BLE001  # raised where the result is needed
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock.plain:
            if self._pid != os.getpid():
                self._pid, self._running, self._waiting = os.getpid(), 0, deque()
            if self._running >= self._limit:
                if len(self._waiting) >= self._max_waiting:
                    raise Busy
                self._waiting.append(call)
                return future
            self._running += 1
        try:
            Thread(target=self._work, args=(call,), name=_NAME, daemon=True).start()
        except RuntimeError:  # out of threads, or the interpreter is ending
            with self._lock.plain:
                self._running -= 1
            raise Busy from None
        return future

    def _work(self, call: Callable[[], Any] | None) -> None:
        while call is not None:
            call()
            with self._lock.plain:
                call = self._waiting.popleft() if self._waiting else None
                if call is None:
                    self._running -= 1
