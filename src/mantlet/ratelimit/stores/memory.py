"""Buckets in the memory of this process: exact across threads, and bounded in number."""

from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic_ns

from mantlet.ratelimit import gcra
from mantlet.ratelimit.gcra import consume
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.base import (
    LocalStore,
    Remaining,
    SlotRequest,
    StoreRequest,
    TokenRequest,
)

__all__ = ["FallbackStore", "MemoryStore"]

#: How many of the oldest keys are checked for removal whenever a new key is added.
_SWEEP = 2
#: The state of a bucket that is full at any time.
_FULL = -(1 << 128)


class MemoryStore(LocalStore):
    """A store that keeps one number per key, in a dict guarded by a lock.

    A key whose bucket is full again is equivalent to a missing key. Each new key checks the two
    oldest and removes those that are full, so memory use follows the number of recent clients
    without a timer or a thread. A key that is not full is never removed to make room, so a flood of
    new keys cannot give anyone a fresh bucket. When the store is full of such keys, all further
    keys of a limit share one bucket until there is room. Tokens taken from a shared bucket cannot
    be given back, and blocking one of its keys blocks them all.

    Args:
        max_keys: maximum number of buckets, at about 250 bytes each for an IP address and half as
            much again during a flood; plus one shared bucket per limit. Slots are kept for as long
            as their requests are in flight and do not count.
        clock: monotonic clock in nanoseconds.
    """

    __slots__ = ("_clock", "_full_at", "_lock", "_order", "_slots", "max_keys")

    def __init__(self, max_keys: int = 100_000, clock: Callable[[], int] = monotonic_ns) -> None:
        self.max_keys = max_keys
        self._clock = clock
        # A single lock: the work done under it takes less time than choosing among several.
        self._lock = Lock()
        self._full_at: dict[str, int] = {}
        #: The keys of all buckets, least recently checked first, each with the number of ticks
        #: that its quota has per nanosecond.
        self._order: deque[tuple[str, int]] = deque()
        #: The holders of each key's slots.
        self._slots: dict[str, set[str]] = {}

    def take_one(self, key: str, quota: Quota, cost: int) -> int:
        """Take from one bucket; return the remaining ticks, see `gcra.consume()`."""
        buckets, lock = self._full_at, self._lock
        lock.acquire()  # `with` takes twice as long
        try:
            now = self._clock()
            at = now * quota.scale
            full_at = buckets.get(key)
            if full_at is None:
                key = self._bucket_key(key, now)
                full_at = buckets.get(key, at)
                self._set(key, full_at, quota)
            # Inlined from gcra.consume(): the call would take a fifth of the time.
            if full_at < at:  # noqa: PLR1730  # max() takes twice as long
                full_at = at
            taken = full_at + quota.interval * cost
            remaining = quota.capacity + at - taken
            if remaining >= 0:
                buckets[key] = taken
        finally:
            lock.release()
        return remaining

    def take(self, requests: Sequence[StoreRequest]) -> Remaining:
        """Take everything that is requested, or nothing."""
        with self._lock:
            found = self._evaluate(requests)
            denied = [request.is_report_only for request, left, _, _ in found if left < 0]
            if False not in denied:
                for request, _, key, full_at in found:
                    if denied and request.is_report_only:
                        continue
                    if isinstance(request, SlotRequest):
                        self._slots.setdefault(key, set()).add(request.holder)
                    else:
                        self._set(key, full_at, request.quota)
        return [left for _, left, _, _ in found]

    def peek(self, requests: Sequence[StoreRequest]) -> Remaining:
        """Return the result that `take()` would have, without taking anything."""
        with self._lock:
            return [left for _, left, _, _ in self._evaluate(requests)]

    def give_back(self, requests: Sequence[StoreRequest]) -> None:
        """Give back tokens and slots that were taken."""
        buckets, slots = self._full_at, self._slots
        with self._lock:
            for request in requests:
                key = request.key
                if isinstance(request, SlotRequest):
                    holders = slots.get(key, set())
                    holders.discard(request.holder)
                    if not holders:
                        slots.pop(key, None)
                elif key in buckets:
                    buckets[key] = gcra.refund(request.quota, buckets[key], request.cost)

    def block(self, requests: Sequence[TokenRequest], nanoseconds: int) -> None:
        """Empty buckets so that each gets its next token after ``nanoseconds``."""
        buckets = self._full_at
        with self._lock:
            now = self._clock()
            for request in requests:
                quota = request.quota
                at, wait = now * quota.scale, nanoseconds * quota.scale
                key = request.key if request.key in buckets else self._bucket_key(request.key, now)
                self._set(key, gcra.block(quota, buckets.get(key, at), at, wait), quota)

    def reset(self, keys: Sequence[str]) -> None:
        """Refill the buckets, and free the slots, of these keys."""
        with self._lock:
            for key in keys:
                if key in self._full_at:
                    self._full_at[key] = _FULL  # removed by a later sweep, like any full bucket
                self._slots.pop(key, None)

    def _evaluate(
        self, requests: Sequence[StoreRequest]
    ) -> list[tuple[StoreRequest, int, str, int]]:
        """Return each request with the remaining amount, its key, and its new state if granted.

        New keys are stored only after all requests have been evaluated, so there must be room for
        all of them.
        """
        now = self._clock()
        buckets, slots = self._full_at, self._slots
        found = []
        for request in requests:
            key = request.key
            if isinstance(request, SlotRequest):
                remaining, full_at = request.limit - len(slots.get(key, ())) - 1, 0
            else:
                quota = request.quota
                at = now * quota.scale
                current = buckets.get(key)
                if current is None:
                    key = self._bucket_key(key, now, len(requests))
                    current = buckets.get(key, at)
                full_at, remaining = consume(quota, current, at, request.cost)
            found.append((request, remaining, key, full_at))
        return found

    def _bucket_key(self, key: str, now: int, count: int = 1) -> str:
        """Return a new key, or the shared bucket's if there is no room for ``count`` more."""
        self._sweep(now)
        return key if len(self._order) + count <= self.max_keys else key.partition(":")[0]

    def _set(self, key: str, full_at: int, quota: Quota) -> None:
        is_new = key not in self._full_at
        self._full_at[key] = full_at
        if is_new and ":" in key:  # a shared bucket has no colon, and is never removed
            self._order.append((key, quota.scale))

    def _sweep(self, now: int) -> None:
        """Check the oldest keys, and remove those whose buckets are full."""
        buckets, order = self._full_at, self._order
        for _ in range(min(_SWEEP, len(order))):
            key, scale = oldest = order.popleft()
            if buckets[key] <= now * scale:
                del buckets[key]
            else:
                order.append(oldest)

    def __len__(self) -> int:
        return len(self._full_at)


class FallbackStore(LocalStore):
    """A memory store that stands in for a shared store during an outage.

    Each of several workers enforces its share of the limits. A token costs as many tokens as there
    are workers, which is equivalent to dividing the bucket's size and refill rate. Every worker
    always admits at least the requests that a full bucket could pay for.

    Args:
        workers: number of processes that share the quota.
        max_keys: maximum number of buckets.
        clock: monotonic clock in nanoseconds.
    """

    def __init__(self, workers: int, max_keys: int, clock: Callable[[], int]) -> None:
        self.workers = workers
        self._store = MemoryStore(max_keys, clock)

    def take(self, requests: Sequence[StoreRequest]) -> Remaining:
        """Take everything that is requested, or nothing."""
        return self._divided(self._store.take(self.shares(requests)))

    def peek(self, requests: Sequence[StoreRequest]) -> Remaining:
        """Return the result that `take()` would have, without taking anything."""
        return self._divided(self._store.peek(self.shares(requests)))

    def give_back(self, requests: Sequence[StoreRequest]) -> None:
        """Give back tokens and slots that were taken."""
        self._store.give_back(self.shares(requests))

    def block(self, requests: Sequence[TokenRequest], nanoseconds: int) -> None:
        """Empty buckets so that each gets its next token after ``nanoseconds``."""
        self._store.block(requests, nanoseconds)

    def reset(self, keys: Sequence[str]) -> None:
        """Refill the buckets, and free the slots, of these keys."""
        self._store.reset(keys)

    def _divided(self, remaining: Remaining) -> Remaining:
        """Return remaining amounts in units of the scaled cost of a token."""
        return [left // self.workers if left and left > 0 else left for left in remaining]

    def shares(self, requests: Sequence[StoreRequest]) -> list[StoreRequest]:
        """Return the requests scaled to one worker's share."""
        return [self._share(request) for request in requests]

    def _share(self, request: StoreRequest) -> StoreRequest:
        if isinstance(request, SlotRequest):
            return request._replace(limit=max(1, request.limit // self.workers))
        burst = request.quota.burst
        # A request that a full bucket could pay for must remain payable.
        cost = request.cost * self.workers
        return request._replace(cost=cost if request.cost > burst else min(cost, burst))
