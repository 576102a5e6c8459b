"""A lock that is released in the child process after fork()."""

from collections.abc import Callable
from threading import Lock
from weakref import WeakSet

from mantlet._internal.fork import after_fork_in_child

__all__ = ["ForkSafeLock"]


class ForkSafeLock:
    """A lock that is free in a child process, even if it was held at the time of the fork.

    The thread that held it does not exist in the child, so nobody would ever release it.

    Args:
        on_fork: called in the child if the lock was held, since the guarded data may be
            inconsistent.

    Attributes:
        plain: the lock itself, for a ``with`` statement that is to cost little; not to be kept.
    """

    def __init__(self, on_fork: Callable[[], object] | None = None) -> None:
        self.plain = Lock()
        self._on_fork = on_fork
        _all.add(self)

    def hold(self, *, waits: bool = True) -> "_Hold":
        """Return a context that holds the lock; its value is whether the lock is held.

        Args:
            waits: wait for the lock; else the value is False if another thread holds it.
        """
        return _Hold(self.plain, waits)

    def locked(self) -> bool:
        """Return whether a thread holds the lock."""
        return self.plain.locked()

    def reset(self) -> None:
        """Release the lock, in a child process."""
        if self.plain.locked():
            self.plain = Lock()
            if self._on_fork is not None:
                self._on_fork()


class _Hold:
    """Holds a lock: the same object even if the process forks meanwhile.

    As an asynchronous context manager, it blocks the thread: for coroutines without an event loop.
    """

    __slots__ = ("_is_held", "_lock", "_waits")

    def __init__(self, lock: Lock, waits: bool) -> None:
        self._lock = lock
        self._waits = waits

    def __enter__(self) -> bool:
        self._is_held = self._lock.acquire(blocking=self._waits)
        return self._is_held

    def __exit__(self, *_raised: object) -> None:
        if self._is_held:
            self._lock.release()

    async def __aenter__(self) -> bool:
        return self.__enter__()

    async def __aexit__(self, *_raised: object) -> None:
        self.__exit__()


_all: WeakSet[ForkSafeLock] = WeakSet()


def _reset_all() -> None:
    for lock in tuple(_all):
        lock.reset()


after_fork_in_child(_reset_all)
