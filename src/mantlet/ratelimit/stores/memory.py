"""Buckets in the memory of this process: exact across threads, and bounded in number."""

from collections.abc import Callable, Sequence
from random import Random
from threading import Lock
from time import monotonic_ns
from typing import TYPE_CHECKING

from mantlet.ratelimit.gcra import consume
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.base import (
    LocalStore,
    Remaining,
    SlotRequest,
    StoreRequest,
    Strikes,
    TokenRequest,
)
from mantlet.ratelimit.stores.history import NO_HISTORY, History

if TYPE_CHECKING:
    from mantlet.ratelimit.stores.outages import OutageLog

__all__ = ["FallbackStore", "MemoryStore"]

#: How many keys are checked for removal whenever a new key is added.
_SWEEP = 2
#: Of how many keys, picked at random, one is removed when a new key finds the store full.
_SAMPLE = 5
#: The state of a bucket that is full at any time.
_FULL = -(1 << 128)
random = Random().random  # noqa: S311  # nobody sees its numbers


class MemoryStore(LocalStore):
    """A store that keeps one number per key, in a dict guarded by a lock.

    A key whose bucket is full again is equivalent to a missing key. Each new key checks two others
    in turn and removes those that are full, so memory use follows the number of recent clients
    without a timer or a thread.

    When the store is full of keys that are not full again, a new key takes the place of one of
    them: of five keys picked at random, the one that would be full soonest. So new clients always
    have buckets of their own, and the keys forgotten are those that lose least by it.
    A key that is short of tokens, or banned, is forgotten only if the other four would be full
    even later. An attacker who wants one given key to be forgotten needs, on average, at least
    ``max_keys / 5`` new keys for it, each of which costs one request; and if the key is short of
    ``n`` tokens, the attacker must first have taken as many from most of the ``max_keys`` buckets.

    Args:
        max_keys: maximum number of buckets, at about 250 bytes each for an IP address and half as
            much again during a flood. Slots are kept for as long as their requests are in flight
            and do not count.
        clock: monotonic clock in nanoseconds.
    """

    __slots__ = (
        "_clock",
        "_full_at",
        "_hand",
        "_histories",
        "_lock",
        "_order",
        "_slots",
        "max_keys",
    )

    def __init__(self, max_keys: int = 100_000, clock: Callable[[], int] = monotonic_ns) -> None:
        self.max_keys = max_keys
        self._clock = clock
        # A single lock: the work done under it takes less time than choosing among several.
        self._lock = Lock()
        self._full_at: dict[str, int] = {}
        #: The keys of all buckets, each with the number of ticks that its quota has per nanosecond.
        self._order: list[tuple[str, int]] = []
        #: The position in this list that was checked last.
        self._hand = 0
        #: Of buckets that have one.
        self._histories: dict[str, History] = {}
        #: The holders of each key's slots.
        self._slots: dict[str, set[str]] = {}

    def take_one(self, key: str, quota: Quota, cost: int) -> int:
        """Take from one bucket; return the remaining ticks, see `gcra.consume()`."""
        buckets, lock = self._full_at, self._lock
        lock.acquire()  # `with` takes twice as long
        try:
            at = self._clock() * quota.scale
            full_at = buckets.get(key)
            if full_at is None:
                full_at = at
                self._make_room(at // quota.scale)
                self._set(key, full_at, quota)
            # Inlined from gcra.consume(): the call would take a fifth of the time.
            if full_at < at:  # noqa: PLR1730  # max() takes twice as long
                full_at = at
            full_at += quota.interval * cost
            remaining = quota.capacity + at - full_at
            if remaining >= 0:
                buckets[key] = full_at
        finally:
            lock.release()
        return remaining

    def take(self, requests: Sequence[StoreRequest]) -> Remaining:
        """Take everything that is requested, or nothing."""
        with self._lock:
            now = self._clock()
            found, missing = self._evaluate(requests, now)
            denied = [request.is_report_only for request, left, _ in found if left < 0]
            if False not in denied:
                if missing:
                    self._make_room(now, missing)
                for request, _, full_at in found:
                    if denied and request.is_report_only:
                        continue
                    if isinstance(request, SlotRequest):
                        self._slots.setdefault(request.key, set()).add(request.holder)
                    else:
                        self._set(request.key, full_at, request.quota)
        return [left for _, left, _ in found]

    def peek(self, requests: Sequence[StoreRequest]) -> Remaining:
        """Return the result that `take()` would have, without taking anything."""
        with self._lock:
            found, _ = self._evaluate(requests, self._clock())
        return [left for _, left, _ in found]

    def give_back(self, requests: Sequence[StoreRequest]) -> None:
        """Give back tokens and slots that were taken."""
        buckets, slots = self._full_at, self._slots
        with self._lock:
            now = self._clock()
            for request in requests:
                key = request.key
                if isinstance(request, SlotRequest):
                    holders = slots.get(key, set())
                    holders.discard(request.holder)
                    if not holders:
                        slots.pop(key, None)
                elif key in buckets:
                    history = self._histories.get(key, NO_HISTORY)
                    buckets[key], changed = history.refund(request, buckets[key], now)
                    if changed is not history:
                        self._set_history(key, changed)

    def block(self, requests: Sequence[TokenRequest], nanoseconds: int) -> None:
        """Empty buckets so that each gets its next token after ``nanoseconds``."""
        with self._lock:
            now = self._clock()
            for request in requests:
                history = self._histories.get(request.key, NO_HISTORY)
                full_at = self._find(request, now)
                full_at, history = history.ban(request.quota, full_at, now, nanoseconds)
                self._set(request.key, full_at, request.quota)
                self._set_history(request.key, history)

    def strike(self, request: TokenRequest, strikes: Strikes) -> bool:
        """Record that a request was denied; block its bucket if it was denied too often."""
        with self._lock:
            now = self._clock()
            history = self._histories.get(request.key, NO_HISTORY)
            full_at = self._find(request, now)
            full_at, history, is_banned = history.strike(request, strikes, full_at, now)
            self._set(request.key, full_at, request.quota)
            self._set_history(request.key, history)
        return is_banned

    def reset(self, keys: Sequence[str]) -> None:
        """Refill the buckets, and free the slots, of these keys."""
        with self._lock:
            for key in keys:
                self._reset(key)

    def reset_all(self, prefixes: Sequence[str]) -> None:
        """Refill all buckets, and free all slots, whose keys begin with one of some prefixes."""
        beginnings = tuple(prefixes)
        with self._lock:
            for key in [*self._full_at, *self._slots]:
                if key.startswith(beginnings):
                    self._reset(key)

    def observed(self, outages: "OutageLog", fallback: "FallbackStore | None") -> "MemoryStore":
        """Return the store: it has no outages."""
        return self

    def learn(self, requests: Sequence[StoreRequest], remaining: Remaining) -> None:
        """Empty buckets as far as another store has answered, unless they are emptier; hold slots.

        Args:
            requests: the requests.
            remaining: the other store's answer to `take()`.
        """
        buckets, lock = self._full_at, self._lock
        lock.acquire()  # as in take_one()
        try:
            now = self._clock()
            for request, left in zip(requests, remaining, strict=True):
                if left is None:
                    continue
                key = request.key
                if isinstance(request, SlotRequest):
                    if left >= 0:
                        self._slots.setdefault(key, set()).add(request.holder)
                    continue
                quota = request.quota
                full_at = now * quota.scale + quota.capacity - left
                if left < 0:
                    full_at -= request.cost * quota.interval
                known = buckets.get(key)
                if known is None:
                    self._make_room(now)
                    self._set(key, full_at, quota)
                elif known < full_at:
                    buckets[key] = full_at
        finally:
            lock.release()

    def _reset(self, key: str) -> None:
        if key in self._full_at:
            self._full_at[key] = _FULL  # removed by a later sweep, like any full bucket
        self._histories.pop(key, None)
        self._slots.pop(key, None)

    def _evaluate(
        self, requests: Sequence[StoreRequest], now: int
    ) -> tuple[list[tuple[StoreRequest, int, int]], int]:
        """Return each request with the remaining amount, and its new state if granted.

        Returns:
            These, and how many buckets are missing.
        """
        buckets, slots = self._full_at, self._slots
        found = []
        missing = 0
        for request in requests:
            key = request.key
            if isinstance(request, SlotRequest):
                remaining, full_at = request.limit - len(slots.get(key, ())) - 1, 0
            else:
                quota = request.quota
                at = now * quota.scale
                until = buckets.get(key)
                if until is None:
                    missing += 1
                    until = at
                full_at, remaining = consume(quota, until, at, request.cost)
            found.append((request, remaining, full_at))
        return found, missing

    def _find(self, request: TokenRequest, now: int) -> int:
        """Return when a bucket is full again; make room for it if it is missing."""
        full_at = self._full_at.get(request.key)
        if full_at is None:
            self._make_room(now)
            return now * request.quota.scale
        return full_at

    def _set(self, key: str, full_at: int, quota: Quota) -> None:
        if key not in self._full_at:
            self._order.append((key, quota.scale))
        self._full_at[key] = full_at

    def _set_history(self, key: str, history: History) -> None:
        if history == NO_HISTORY:
            self._histories.pop(key, None)
        else:
            self._histories[key] = history

    # -- room for new keys ------------------------------------------------------------------------

    def _make_room(self, now: int, count: int = 1) -> None:
        """Remove keys that are full again, and others if ``count`` more do not fit."""
        order = self._order
        for _ in range(min(_SWEEP, len(order))):
            # Downwards: a removed key is replaced by the last one, which was checked before.
            hand = self._hand = (self._hand or len(order)) - 1
            if self._needed_until(hand) <= now:
                self._remove(hand)
        while order and len(order) + count > self.max_keys:
            self._evict()

    def _evict(self) -> None:
        """Remove one of a few keys picked at random: the one that would be full soonest."""
        order, buckets, histories = self._order, self._full_at, self._histories
        chosen, soonest = -1, 0
        for _ in range(_SAMPLE):
            position = int(random() * len(order))
            key, scale = order[position]
            until = buckets[key] // scale
            if histories and key in histories:
                until = self._needed_until(position)
            if chosen < 0 or until < soonest:
                chosen, soonest = position, until
        self._remove(chosen)

    def _needed_until(self, position: int) -> int:
        """Return the time from which a key is equivalent to a missing key."""
        key, scale = self._order[position]
        full_at = -(-self._full_at[key] // scale)
        if self._histories and key in self._histories:
            return max(full_at, self._histories[key].struck_until)
        return full_at

    def _remove(self, position: int) -> None:
        key, _ = self._order[position]
        last = self._order.pop()
        if position < len(self._order):
            self._order[position] = last
        self._hand = min(self._hand, len(self._order))
        del self._full_at[key]
        self._histories.pop(key, None)

    def __len__(self) -> int:
        return len(self._full_at)


class FallbackStore(LocalStore):
    """A memory store that replaces a shared store during an outage.

    Each of several workers enforces its share of the limits. A token costs as many tokens as there
    are workers, which is equivalent to dividing the bucket's size and refill rate. A full bucket
    always pays for the requests that the shared one could pay for.

    While the shared store responds, `learn()` keeps the buckets here as empty as there, so that in
    an outage each worker has its share of what is left, not of a full bucket. `learn()` never makes
    a bucket fuller, so that further outages admit no more than time has refilled. The worst case is
    a key that none of the ``n`` workers has seen: with a burst of ``b``, and ``r`` tokens refilled
    during the outages, ``n * ((b + r) // min(n, b))`` requests are admitted.

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

    def strike(self, request: TokenRequest, strikes: Strikes) -> bool:
        """Record that a request was denied; block its bucket if it was denied too often."""
        return self._store.strike(request, strikes)

    def reset_all(self, prefixes: Sequence[str]) -> None:
        """Refill all buckets, and free all slots, whose keys begin with one of some prefixes."""
        self._store.reset_all(prefixes)

    def reset(self, keys: Sequence[str]) -> None:
        """Refill the buckets, and free the slots, of these keys."""
        self._store.reset(keys)

    def learn(self, requests: Sequence[StoreRequest], remaining: Remaining) -> None:
        """Note what the shared store has answered to `take()`."""
        self._store.learn(requests, remaining)

    def free(self, requests: Sequence[StoreRequest]) -> None:
        """Note that slots were given back to the shared store.

        Tokens stay spent here: they may have been spent again elsewhere.
        """
        slots = [request for request in requests if isinstance(request, SlotRequest)]
        if slots:
            self._store.give_back(slots)

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
