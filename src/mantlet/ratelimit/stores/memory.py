"""Buckets in this process's memory: exact across threads, and never more than a stated number."""

from collections import deque
from collections.abc import Callable
from threading import Lock
from time import monotonic_ns

from mantlet.ratelimit.bucket import take
from mantlet.ratelimit.quota import Quota

__all__ = ["MemoryStore"]

#: How many of the oldest keys a new one looks at for one that may leave.
_SWEEP = 2


class MemoryStore:
    """One number a key, in a dict under a lock.

    A key whose bucket is full again is the same as no key. Each new key looks at the two oldest and
    drops those that are, so memory follows the number of clients seen lately with no timer and no
    thread. A key that is not full again is never dropped to make room, so no flood of fresh keys
    gives anyone a fresh bucket. When the store is full of such keys, all further ones share one
    bucket until there is room.

    Args:
        quota: what each key may spend.
        max_keys: how many are kept, at about 250 bytes each for an IP address.
        clock: nanoseconds that never go back.
    """

    __slots__ = ("_clock", "_full_at", "_lock", "_order", "_quota", "_scale", "max_keys")

    #: The bucket that keys share for which there is no room.
    OVERFLOW = ""

    def __init__(
        self, quota: Quota, max_keys: int, clock: Callable[[], int] = monotonic_ns
    ) -> None:
        self.max_keys = max_keys
        self._quota = quota
        self._scale = quota.scale
        self._clock = clock
        self._lock = Lock()
        self._full_at: dict[str, int] = {}
        self._order: deque[str] = deque()

    def take(self, key: str) -> int:
        """Take one token from a key's bucket; return the room left, see `bucket.take()`."""
        buckets, lock = self._full_at, self._lock
        lock.acquire()  # `with` takes twice as long
        try:
            now = self._clock() * self._scale
            full_at = buckets.get(key)
            if full_at is None:
                key = self._admit(key, now)
                full_at = buckets.get(key, now)
            buckets[key], room = take(self._quota, full_at, now)
        finally:
            lock.release()
        return room

    def _admit(self, key: str, now: int) -> str:
        """Make room for a new key; return it, or the shared one where there is none."""
        buckets, order = self._full_at, self._order
        for _ in range(min(_SWEEP, len(order))):
            oldest = order.popleft()
            if buckets[oldest] <= now:
                del buckets[oldest]
            else:
                order.append(oldest)
        if len(order) >= self.max_keys:
            return self.OVERFLOW
        order.append(key)
        return key

    def __len__(self) -> int:
        return len(self._full_at)
