"""Windows in this process's memory: a storage for the strategies of `limits`, without a thread.

The storage of that name in `limits` starts a timer thread to forget what has expired, and keeps as
many keys as clients send. This one looks at the two oldest keys whenever a new one comes, and keeps
a stated number of them. It is used under a lock of its owner's.
"""

import time
from bisect import bisect_right
from collections import deque
from math import floor
from typing import Final

from limits.storage import MovingWindowSupport, SlidingWindowCounterSupport, Storage

__all__ = ["WindowMemory"]

#: How many of the oldest keys a new one looks at for one that may leave.
_SWEEP: Final = 2
#: The key that all share for which there is no room.
_SHARED: Final = ""


class _Entry:
    """What is known of one key: a count, or the times of requests; until when."""

    __slots__ = ("count", "expires", "times")

    def __init__(self, expires: float) -> None:
        self.expires = expires
        self.count = 0
        self.times: list[float] = []


class WindowMemory(Storage, MovingWindowSupport, SlidingWindowCounterSupport):
    """Counts, and times of requests, by key.

    A key whose window has passed is the same as no key. One whose window has not is never dropped
    to make room; when the storage is full of these, all further ones share one.

    Args:
        max_keys: how many are kept, at about 400 bytes each, and for a moving window 32 more for
            each request in it.
    """

    STORAGE_SCHEME = None

    def __init__(self, max_keys: int) -> None:
        super().__init__()
        self._max_keys = max_keys
        self._entries: dict[str, _Entry] = {}
        self._order: deque[str] = deque()

    @property
    def base_exceptions(self) -> type[Exception]:
        """There is nothing here that fails."""
        return OSError

    def _find(self, key: str) -> _Entry | None:
        """Return what is known of a key, of those that share one if there is no room for it."""
        entry = self._entries.get(key)
        if entry is None and len(self._order) >= self._max_keys:
            entry = self._entries.get(_SHARED)
        return None if entry is None or entry.expires <= time.time() else entry

    def _admit(self, key: str, expires: float) -> _Entry:
        """Return the entry of a key, made anew where there is none, or its window has passed."""
        found = self._entries.get(key)
        if found is None:
            self._sweep()
            if len(self._order) >= self._max_keys:
                key = _SHARED
                found = self._entries.get(key)
            else:
                self._order.append(key)
        if found is None or found.expires <= time.time():
            found = self._entries[key] = _Entry(expires)
        return found

    def _sweep(self) -> None:
        order, now = self._order, time.time()
        for _ in range(min(_SWEEP, len(order))):
            oldest = order.popleft()
            if self._entries[oldest].expires <= now:
                del self._entries[oldest]
            else:
                order.append(oldest)

    # -- what the strategies ask for ---------------------------------------------------------------

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count so many more; the first one begins a window of ``expiry`` seconds."""
        entry = self._admit(key, time.time() + expiry)
        entry.count += amount
        return entry.count

    def get(self, key: str) -> int:
        """Return the count."""
        entry = self._find(key)
        return 0 if entry is None else entry.count

    def get_expiry(self, key: str) -> float:
        """Return when the window ends, in seconds since 1970; now where there is none."""
        entry = self._find(key)
        return time.time() if entry is None else entry.expires

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Add requests to a moving window, if they fit in."""
        now = time.time()
        _, within = self.get_moving_window(key, limit, expiry)
        if within + amount > limit:
            return False
        entry = self._admit(key, now + expiry)
        del entry.times[: bisect_right(entry.times, now - expiry)]
        entry.times += [now] * amount
        entry.expires = now + expiry
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return when the oldest request of a moving window came, and how many are in it."""
        now = time.time()
        entry = self._find(key)
        times = [] if entry is None else entry.times
        first = bisect_right(times, now - expiry)
        within = len(times) - first
        return (times[first] if within else now), within

    def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count so many more in a sliding window, if they fit in."""
        before, left, count, _ = self.get_sliding_window(key, expiry)
        if floor(before * left / expiry + count) + amount > limit:
            return False
        entry = self._admit(self._current(key, expiry), time.time() + 2 * expiry)
        entry.count += amount
        return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the counts of the last window and of this one, each with its seconds to live."""
        left = expiry - time.time() % expiry
        before = self.get(self._current(key, expiry, back=1))
        return before, left if before else 0.0, self.get(self._current(key, expiry)), left + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget a sliding window."""
        self.clear(self._current(key, expiry))
        self.clear(self._current(key, expiry, back=1))

    @staticmethod
    def _current(key: str, expiry: int, back: int = 0) -> str:
        return f"{key}/{int(time.time() // expiry) - back}"

    def clear(self, key: str) -> None:
        """Forget a key."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.expires = 0.0  # it leaves with the next sweep

    def check(self) -> bool:
        """Return True: memory is always there."""
        return True

    def reset(self) -> int:
        """Forget all; return how many keys there were."""
        count = len(self._order)
        self._entries.clear()
        self._order.clear()
        return count
