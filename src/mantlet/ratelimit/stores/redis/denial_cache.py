"""A cache of denials: a request that the server would deny again is denied without asking it."""

from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic_ns
from typing import Final

from mantlet.ratelimit.gcra import consume
from mantlet.ratelimit.stores.base import Remaining, StoreRequest, TokenRequest

__all__ = ["DenialCache"]

#: Nanoseconds for which a denial is trusted. A reset by another process takes effect by then.
_MAX_AGE: Final = 60_000_000_000


class DenialCache:
    """The buckets that lacked tokens, each with the time at which it is full again.

    A bucket on the server may be emptier than cached, but fuller only through tokens that are given
    back, so a request that is denied here would be denied there. Time counts from before the
    server was called, so no request is denied here for longer than it would be there. This cache
    does not learn of tokens given back, or buckets reset, by other processes; during a longer wait
    the server is therefore asked once a minute.

    Args:
        max_keys: maximum number of keys; the oldest are dropped, and the server is asked again.
        clock: monotonic clock in nanoseconds.

    Attributes:
        found: how many calls were denied without asking the server.
    """

    __slots__ = ("_clock", "_denials", "_lock", "_max_keys", "found")

    def __init__(self, max_keys: int, clock: Callable[[], int] = monotonic_ns) -> None:
        self._max_keys = max_keys
        self._clock = clock
        self._lock = Lock()
        #: For each key, when the server was asked, and the tick at which the bucket is full again.
        self._denials: dict[str, tuple[int, int]] = {}
        self.found = 0

    def now(self) -> int:
        """Return the time to pass to `add()`, in nanoseconds."""
        return self._clock()

    def find(self, requests: Sequence[StoreRequest]) -> Remaining | None:
        """Return the missing amounts if a request is known to be denied; None to ask the server."""
        remaining: Remaining | None = None
        denials = self._denials
        for index, request in enumerate(requests):
            found = denials.get(request.key)
            if found is None or not isinstance(request, TokenRequest) or request.is_report_only:
                continue
            now, (asked_at, full_at) = self._clock(), found
            _, left = consume(request.quota, full_at, now * request.quota.scale, request.cost)
            if left >= 0 or now - asked_at >= _MAX_AGE:
                self.discard(request.key)
                continue
            remaining = remaining or [None] * len(requests)
            remaining[index] = left
        if remaining is not None:
            with self._lock:
                self.found += 1
        return remaining

    def add(self, requests: Sequence[StoreRequest], remaining: Remaining, asked_at: int) -> None:
        """Add the requests that the server denied.

        Args:
            requests: the requests sent to the server.
            remaining: the server's reply.
            asked_at: when the server was asked, see `now()`.
        """
        for request, left in zip(requests, remaining, strict=True):
            if (
                left is None
                or left >= 0
                or not isinstance(request, TokenRequest)
                or request.is_report_only
                or request.is_refundable
            ):
                continue
            quota = request.quota
            full_at = asked_at * quota.scale + quota.capacity - quota.interval * request.cost - left
            with self._lock:
                if len(self._denials) >= self._max_keys and request.key not in self._denials:
                    del self._denials[next(iter(self._denials))]
                self._denials[request.key] = asked_at, full_at

    def discard(self, key: str) -> None:
        """Remove a key: its bucket may be fuller than cached."""
        with self._lock:
            self._denials.pop(key, None)

    def clear(self) -> None:
        """Remove all keys."""
        with self._lock:
            self._denials.clear()
