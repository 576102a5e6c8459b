"""A lock that is released in the child process after fork()."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from weakref import WeakSet

__all__ = ["ForkSafeLock"]


class ForkSafeLock:
    """A lock that is free in a child process, even if it was held at the time of the fork.

    The thread that held it does not exist in the child, so nobody would ever release it.

    Args:
        on_fork: called in the child if the lock was held, since the guarded data may be
            inconsistent.
    """

    def __init__(self, on_fork: Callable[[], object] | None = None) -> None:
        self._lock = Lock()
        self._on_fork = on_fork
        _all.add(self)

    @contextmanager
    def hold(self, *, waits: bool = True) -> Iterator[bool]:
        """Hold the lock; yield whether it is held.

        Args:
            waits: wait for the lock; else yield False if another thread holds it.
        """
        lock = self._lock  # the same object even if the process forks meanwhile
        is_held = lock.acquire(blocking=waits)
        try:
            yield is_held
        finally:
            if is_held:
                lock.release()

    def locked(self) -> bool:
        """Return whether a thread holds the lock."""
        return self._lock.locked()

    def reset(self) -> None:
        """Release the lock, in a child process."""
        if self._lock.locked():
            self._lock = Lock()
            if self._on_fork is not None:
                self._on_fork()


_all: WeakSet[ForkSafeLock] = WeakSet()


def _reset_all() -> None:
    for lock in tuple(_all):
        lock.reset()


os.register_at_fork(after_in_child=_reset_all)
