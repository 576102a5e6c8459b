"""An in-memory storage for the window strategies of `limits`, without a thread.

The memory storage that comes with `limits` starts a timer thread to drop expired keys, and its
number of keys is unbounded. This one checks two keys in turn whenever a new key arrives and keeps a
bounded number of them. It does no locking: its owner calls it under a lock.
"""

import time
from bisect import bisect_right
from collections import deque
from math import floor
from typing import Final

from limits.storage import MovingWindowSupport, SlidingWindowCounterSupport, Storage

__all__ = ["MemoryWindowStorage"]

#: How many keys are checked for removal whenever a new key is added.
_SWEEP: Final = 2
#: Of how many keys one is removed when a new key finds the storage full.
_SAMPLE: Final = 5


class _Window:
    """The state of one key: a count or the times of requests, and when it expires."""

    __slots__ = ("count", "expires", "times")

    def __init__(self, expires: float) -> None:
        self.expires = expires
        self.count = 0
        self.times: list[float] = []


class MemoryWindowStorage(Storage, MovingWindowSupport, SlidingWindowCounterSupport):
    """Counts and request times, by key.

    A key whose window has passed is equivalent to a missing key. When the storage is full of keys
    whose windows are still open, a new key takes the place of one of them: of the next five in
    turn, the one whose window ends soonest. Whoever wants one given key to be forgotten needs many
    new keys for it, about ``max_keys / 10`` on average.

    Args:
        max_keys: maximum number of keys, at about 300 bytes each, plus 40 bytes for each request
            in a moving window.
    """

    STORAGE_SCHEME = None

    def __init__(self, max_keys: int) -> None:
        super().__init__()
        self._max_keys = max_keys
        self._windows: dict[str, _Window] = {}
        self._order: deque[str] = deque()

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return the exceptions that `limits` wraps; this storage raises none."""
        return OSError

    def _find(self, key: str) -> _Window | None:
        """Return the open window of a key."""
        window = self._windows.get(key)
        return None if window is None or window.expires <= time.time() else window

    def _find_or_add(self, key: str, expires: float) -> _Window:
        """Return the window of a key, a new one if it is missing or has expired."""
        found = self._windows.get(key)
        if found is None:
            self._make_room()
            self._order.append(key)
        if found is None or found.expires <= time.time():
            found = self._windows[key] = _Window(expires)
        return found

    def _make_room(self) -> None:
        order, windows, now = self._order, self._windows, time.time()
        for _ in range(min(_SWEEP, len(order))):
            oldest = order.popleft()
            if windows[oldest].expires <= now:
                del windows[oldest]
            else:
                order.append(oldest)
        if len(order) >= self._max_keys:
            sample = [order.popleft() for _ in range(min(_SAMPLE, len(order)))]
            removed = min(sample, key=lambda key: windows[key].expires)
            del windows[removed]
            order.extend(key for key in sample if key != removed)

    # -- the interface that the strategies use -----------------------------------------------------

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add ``amount`` to a count; the first hit opens a window of ``expiry`` seconds."""
        window = self._find_or_add(key, time.time() + expiry)
        window.count += amount
        return window.count

    def get(self, key: str) -> int:
        """Return the count of a key."""
        window = self._find(key)
        return 0 if window is None else window.count

    def get_expiry(self, key: str) -> float:
        """Return the Unix time at which the window ends; now without a window."""
        window = self._find(key)
        return time.time() if window is None else window.expires

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Add requests to a moving window if they fit; return whether they did."""
        now = time.time()
        _, count = self.get_moving_window(key, limit, expiry)
        if count + amount > limit:
            return False
        window = self._find_or_add(key, now + expiry)
        del window.times[: bisect_right(window.times, now - expiry)]
        window.times += [now] * amount
        window.expires = now + expiry
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return the time of the oldest request in a moving window, and the number of requests."""
        now = time.time()
        window = self._find(key)
        times = [] if window is None else window.times
        first = bisect_right(times, now - expiry)
        count = len(times) - first
        return (times[first] if count else now), count

    def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Add ``amount`` to a sliding window if it fits; return whether it did."""
        previous, left, count, _ = self.get_sliding_window(key, expiry)
        if floor(previous * left / expiry + count) + amount > limit:
            return False
        window = self._find_or_add(self._interval_key(key, expiry), time.time() + 2 * expiry)
        window.count += amount
        return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the counts of the previous and the current window, each with its time to live."""
        left = expiry - time.time() % expiry
        previous = self.get(self._interval_key(key, expiry, back=1))
        current = self.get(self._interval_key(key, expiry))
        return previous, left if previous else 0.0, current, left + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Clear a sliding window."""
        self.clear(self._interval_key(key, expiry))
        self.clear(self._interval_key(key, expiry, back=1))

    @staticmethod
    def _interval_key(key: str, expiry: int, back: int = 0) -> str:
        return f"{key}/{int(time.time() // expiry) - back}"

    def clear(self, key: str) -> None:
        """Clear a key."""
        window = self._windows.get(key)
        if window is not None:
            window.expires = 0.0  # removed by a later sweep

    def check(self) -> bool:
        """Return True: memory is always available."""
        return True

    def reset(self) -> int:
        """Remove all keys; return how many there were."""
        count = len(self._order)
        self._windows.clear()
        self._order.clear()
        return count
