"""Buckets in this process's memory: exact across threads, and never more than a stated number."""

from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic_ns

from mantlet.ratelimit import bucket
from mantlet.ratelimit.bucket import take
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.base import Claim, LocalStore, Place, Rooms

__all__ = [
    "Fallback",
    "MemoryStore",
]

#: How many of the oldest keys a new one looks at for one that may leave.
_SWEEP = 2
#: A bucket that is full, whatever the clock says.
_FULL = -(1 << 128)


class MemoryStore(LocalStore):
    """One number a key, in a dict under a lock.

    A key whose bucket is full again is the same as no key. Each new key looks at the two oldest and
    drops those that are, so memory follows the number of clients seen lately with no timer and no
    thread. A key that is not full again is never dropped to make room, so no flood of fresh keys
    gives anyone a fresh bucket. When the store is full of such keys, all further ones of a limit
    share one bucket until there is room. What is taken from that can't be given back, and who holds
    one of its keys holds them all.

    Args:
        max_keys: how many buckets are kept, at about 250 bytes each for an IP address, and half as
            much again in a flood; and besides one for each limit. Places are kept for as long as
            their requests are in flight.
        clock: nanoseconds that never go back.
    """

    __slots__ = ("_clock", "_full_at", "_held", "_lock", "_order", "max_keys")

    def __init__(self, max_keys: int = 100_000, clock: Callable[[], int] = monotonic_ns) -> None:
        self.max_keys = max_keys
        self._clock = clock
        # One lock: what is done under it takes less time than finding one of several.
        self._lock = Lock()
        self._full_at: dict[str, int] = {}
        #: The keys of all buckets, the ones looked at least lately first, each with the ticks that
        #: its quota has in a nanosecond.
        self._order: deque[tuple[str, int]] = deque()
        self._held: dict[str, set[str]] = {}

    def take_one(self, key: str, quota: Quota, cost: int) -> int:
        """Take from one bucket; return the room left, see `bucket.take()`."""
        buckets, lock = self._full_at, self._lock
        lock.acquire()  # `with` takes twice as long
        try:
            now = self._clock()
            at = now * quota.scale
            full_at = buckets.get(key)
            if full_at is None:
                key = self._where(key, now)
                full_at = buckets.get(key, at)
                self._keep(key, full_at, quota)
            # As bucket.take(), whose call would take a fifth of the time.
            if full_at < at:  # noqa: PLR1730  # max() takes twice as long
                full_at = at
            taken = full_at + quota.interval * cost
            room = quota.capacity + at - taken
            if room >= 0:
                buckets[key] = taken
        finally:
            lock.release()
        return room

    def take(self, wanted: Sequence[Claim | Place]) -> Rooms:
        """Take all that is wanted, or nothing."""
        with self._lock:
            looked = self._look(wanted)
            refused = [one.shadow for one, room, _, _ in looked if room < 0]
            if False not in refused:
                for one, _, key, full_at in looked:
                    if refused and one.shadow:
                        continue
                    if isinstance(one, Place):
                        self._held.setdefault(key, set()).add(one.holder)
                    else:
                        self._keep(key, full_at, one.quota)
        return [room for _, room, _, _ in looked]

    def peek(self, wanted: Sequence[Claim | Place]) -> Rooms:
        """Return what `take()` would return, and take nothing."""
        with self._lock:
            return [room for _, room, _, _ in self._look(wanted)]

    def give(self, given: Sequence[Claim | Place]) -> None:
        """Give tokens and places back that were taken."""
        buckets, held = self._full_at, self._held
        with self._lock:
            for one in given:
                key = one.key
                if isinstance(one, Place):
                    holders = held.get(key, set())
                    holders.discard(one.holder)
                    if not holders:
                        held.pop(key, None)
                elif key in buckets:
                    buckets[key] = bucket.give(one.quota, buckets[key], one.cost)

    def hold(self, claims: Sequence[Claim], nanoseconds: int) -> None:
        """Empty buckets so that the next token of each comes in so many ``nanoseconds``."""
        buckets = self._full_at
        with self._lock:
            now = self._clock()
            for claim in claims:
                quota = claim.quota
                at, wait = now * quota.scale, nanoseconds * quota.scale
                key = claim.key if claim.key in buckets else self._where(claim.key, now)
                self._keep(key, bucket.hold(quota, buckets.get(key, at), at, wait), quota)

    def forget(self, keys: Sequence[str]) -> None:
        """Make buckets full, and places free, again."""
        with self._lock:
            for key in keys:
                if key in self._full_at:
                    self._full_at[key] = _FULL  # it leaves with the next sweep, as any full one
                self._held.pop(key, None)

    def _look(self, wanted: Sequence[Claim | Place]) -> list[tuple[Claim | Place, int, str, int]]:
        """Return each of the wanted with its room, its key, and when it is full again if taken.

        New keys are kept only once all have been looked at, so there must be room for all of them.
        """
        now = self._clock()
        buckets, held = self._full_at, self._held
        looked = []
        for one in wanted:
            key = one.key
            if isinstance(one, Place):
                room, full_at = one.limit - len(held.get(key, ())) - 1, 0
            else:
                quota = one.quota
                at = now * quota.scale
                found = buckets.get(key)
                if found is None:
                    key = self._where(key, now, len(wanted))
                    found = buckets.get(key, at)
                full_at, room = take(quota, found, at, one.cost)
            looked.append((one, room, key, full_at))
        return looked

    def _where(self, key: str, now: int, wanted: int = 1) -> str:
        """Return a new key, or the shared bucket's if there is no room for ``wanted`` more."""
        self._sweep(now)
        return key if len(self._order) + wanted <= self.max_keys else key.partition(":")[0]

    def _keep(self, key: str, full_at: int, quota: Quota) -> None:
        new = key not in self._full_at
        self._full_at[key] = full_at
        if new and ":" in key:  # a shared bucket has none, and stays
            self._order.append((key, quota.scale))

    def _sweep(self, now: int) -> None:
        """Look at the oldest keys, and drop those whose buckets are full."""
        buckets, order = self._full_at, self._order
        for _ in range(min(_SWEEP, len(order))):
            key, scale = oldest = order.popleft()
            if buckets[key] <= now * scale:
                del buckets[key]
            else:
                order.append(oldest)

    def __len__(self) -> int:
        return len(self._full_at)


class Fallback(LocalStore):
    """A memory store that gives each of several workers its share.

    A token costs as many as there are workers, which is the same as a bucket, and a refill, of that
    part of the size; each worker always admits at least what fits in one empty bucket.

    Args:
        workers: how many processes share the quota.
        max_keys: how many buckets are kept.
        clock: nanoseconds that never go back.
    """

    def __init__(self, workers: int, max_keys: int, clock: Callable[[], int]) -> None:
        self.workers = workers
        self._store = MemoryStore(max_keys, clock)

    def take(self, wanted: Sequence[Claim | Place]) -> Rooms:
        """Take all that is wanted, or nothing."""
        return self._shared(self._store.take(self.shares(wanted)))

    def peek(self, wanted: Sequence[Claim | Place]) -> Rooms:
        """Return what `take()` would return, and take nothing."""
        return self._shared(self._store.peek(self.shares(wanted)))

    def give(self, given: Sequence[Claim | Place]) -> None:
        """Give tokens and places back that were taken."""
        self._store.give(self.shares(given))

    def hold(self, claims: Sequence[Claim], nanoseconds: int) -> None:
        """Empty buckets so that the next token of each comes in so many ``nanoseconds``."""
        self._store.hold(claims, nanoseconds)

    def forget(self, keys: Sequence[str]) -> None:
        """Make buckets full, and places free, again."""
        self._store.forget(keys)

    def _shared(self, rooms: Rooms) -> Rooms:
        """Return what is left in terms of what one token takes here."""
        return [room // self.workers if room and room > 0 else room for room in rooms]

    def shares(self, wanted: Sequence[Claim | Place]) -> list[Claim | Place]:
        """Return what is wanted, as it weighs for one of several workers."""
        return [self._share(one) for one in wanted]

    def _share(self, one: Claim | Place) -> Claim | Place:
        if isinstance(one, Place):
            return one._replace(limit=max(1, one.limit // self.workers))
        burst = one.quota.burst
        # What a full bucket could pay is not to become too dear.
        cost = one.cost * self.workers
        return one._replace(cost=cost if one.cost > burst else min(cost, burst))
