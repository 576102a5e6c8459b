"""Locks that a forked worker does not inherit from threads that it has not."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from weakref import WeakSet

__all__ = ["ForkSafeLock"]


class ForkSafeLock:
    """A lock that is free in a child process, whoever held it when that was forked.

    The thread that held it is not in the child, where nobody would ever release it.

    Args:
        forked: called in a child where the lock was held: what it guards may be half done.
    """

    def __init__(self, forked: Callable[[], object] | None = None) -> None:
        self._lock = Lock()
        self._forked = forked
        _all.add(self)

    @contextmanager
    def hold(self, *, waits: bool = True) -> Iterator[bool]:
        """Hold the lock, and say whether that is so.

        Args:
            waits: wait for it; else it is not held where another thread does.
        """
        lock = self._lock  # the very one, also where the process is forked meanwhile
        is_held = lock.acquire(blocking=waits)
        try:
            yield is_held
        finally:
            if is_held:
                lock.release()

    def locked(self) -> bool:
        """Return whether a thread holds it."""
        return self._lock.locked()

    def reset(self) -> None:
        """Begin anew, in a child."""
        if self._lock.locked():
            self._lock = Lock()
            if self._forked is not None:
                self._forked()


_all: WeakSet[ForkSafeLock] = WeakSet()


def _renew_all() -> None:
    for lock in tuple(_all):
        lock.reset()


os.register_at_fork(after_in_child=_renew_all)
