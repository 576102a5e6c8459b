"""A textbook model of token buckets in rational numbers, which every store is compared with.

It shares nothing with the code under test: a bucket is a number of tokens at a point in time, and
no number is ever rounded.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from mantlet.ratelimit.stores.base import SlotRequest, TokenRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mantlet import Quota
    from mantlet.ratelimit.stores.base import Strikes

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Clock:
    """A clock in nanoseconds that moves only when a test sets it."""

    def __init__(self, now: int = 0) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class Bucket:
    """A token bucket that is full at first."""

    def __init__(self, quota: Quota, now: int) -> None:
        self.rate = Fraction(quota.amount, quota.period * SECOND)  # tokens per nanosecond
        self.burst = quota.burst
        self.tokens = Fraction(quota.burst)
        self.now = now
        self.banned_until = now - 1
        #: The latest time whose refill was kept from refunds: its beginning and its end.
        self.covered: tuple[int, int] | None = None
        self.strikes: list[int] = []

    def refill(self, now: int) -> None:
        """Advance the time to ``now``."""
        self.tokens = min(Fraction(self.burst), self.tokens + (now - self.now) * self.rate)
        self.now = now

    def has(self, cost: int) -> bool:
        """Return whether the bucket has this many tokens."""
        return self.tokens >= cost

    def take(self, now: int, cost: int = 1) -> bool:
        """Take tokens, if the bucket has them."""
        self.refill(now)
        if not self.has(cost):
            return False
        self.tokens -= cost
        return True

    def give(self, cost: int, age: int = 0) -> None:
        """Give back tokens that were taken ``age`` ago, but not those that have been refilled."""
        if self.banned_until > self.now:
            return
        start, uncovered = self.now - age, age
        if self.covered is not None and start - age <= self.covered[1] <= self.now:
            first, last = self.covered
            uncovered = max(0, first - start) + self.now - last
            start = min(start, first)
        given = cost - uncovered * self.rate
        if given <= 0:
            return
        self.tokens = min(Fraction(self.burst), self.tokens + given)
        if age:
            self.covered = None if self.tokens == self.burst else (start, self.now)

    def hold(self, nanoseconds: int) -> None:
        """Leave less than one token for this long."""
        self.tokens = min(self.tokens, 1 - nanoseconds * self.rate)
        self.banned_until = max(self.banned_until, self.now + nanoseconds)

    def strike(self, strikes: Strikes) -> bool:
        """Record a refusal; return whether it bans."""
        if self.banned_until > self.now:
            return False
        self.strikes = [at for at in self.strikes if self.now - at < strikes.within] + [self.now]
        if len(self.strikes) < strikes.after:
            return False
        self.strikes = []
        self.hold(strikes.duration)
        return True

    def wait(self, cost: int) -> int:
        """Return the nanoseconds until the bucket has this many tokens."""
        assert cost <= self.burst
        return max(0, ceil((cost - self.tokens) / self.rate))

    def ticks(self, quota: Quota, cost: int) -> Fraction:
        """Return the remaining or missing amount after ``cost``, in ticks of the quota."""
        return (self.tokens - cost) / self.rate * quota.scale

    @property
    def remaining(self) -> int:
        """Whole tokens that remain."""
        return max(0, floor(self.tokens))


class Model:
    """The behaviour of every store, in its simplest form."""

    def __init__(self) -> None:
        self.buckets: dict[str, Bucket] = {}
        #: For each key, the holders of its slots, with the end of each lease.
        self.places: dict[str, dict[str, int]] = {}

    def bucket(self, claim: TokenRequest, now: int) -> Bucket:
        """Return the current state of a request's bucket."""
        bucket = self.buckets.setdefault(claim.key, Bucket(claim.quota, now))
        bucket.refill(now)
        return bucket

    def holders(self, key: str, now: int) -> dict[str, int]:
        """Return the current holders of a key's slots."""
        holders = self.places.get(key, {})
        self.places[key] = {holder: until for holder, until in holders.items() if until > now}
        return self.places[key]

    def peek(self, wanted: Sequence[TokenRequest | SlotRequest], now: int) -> list[Fraction]:
        """Return the remaining or missing amount for each request."""
        return [
            Fraction(one.limit - len(self.holders(one.key, now)) - 1)
            if isinstance(one, SlotRequest)
            else self.bucket(one, now).ticks(one.quota, one.cost)
            for one in wanted
        ]

    def take(
        self, wanted: Sequence[TokenRequest | SlotRequest], now: int, *, leases: bool
    ) -> list[Fraction]:
        """Take what is requested; return the remaining or missing amount for each request."""
        rooms = self.peek(wanted, now)
        refused = [one for one, room in zip(wanted, rooms, strict=True) if room < 0]
        real = [one for one in wanted if not one.is_report_only]
        tried = [one for one in wanted if one.is_report_only]
        if not any(one in refused for one in real):
            self._spend(real, now, leases=leases)
            if not any(one in refused for one in tried):
                self._spend(tried, now, leases=leases)
        return rooms

    def _spend(
        self, taken: Iterable[TokenRequest | SlotRequest], now: int, *, leases: bool
    ) -> None:
        for one in taken:
            if isinstance(one, SlotRequest):
                until = now + one.lease if leases else now + 10**30
                self.holders(one.key, now)[one.holder] = until
            else:
                assert self.bucket(one, now).take(now, one.cost)

    def give_back(self, given: Iterable[TokenRequest | SlotRequest], now: int) -> None:
        """Give tokens and slots back."""
        for one in given:
            if isinstance(one, SlotRequest):
                self.holders(one.key, now).pop(one.holder, None)
            else:
                self.bucket(one, now).give(one.cost, one.age)

    def block(self, claims: Iterable[TokenRequest], nanoseconds: int, now: int) -> None:
        """Allow no token before this many nanoseconds have passed."""
        for claim in claims:
            self.bucket(claim, now).hold(nanoseconds)

    def strike(self, claim: TokenRequest, strikes: Strikes, now: int) -> bool:
        """Record a refusal; return whether it bans."""
        return self.bucket(claim, now).strike(strikes)

    def reset_all(self, beginnings: Sequence[str]) -> None:
        """Refill buckets, and free slots, whose keys start in certain ways."""
        keys = [*self.buckets, *self.places]
        self.reset([key for key in keys if key.startswith(tuple(beginnings))])

    def reset(self, keys: Iterable[str]) -> None:
        """Refill buckets, and free slots."""
        for key in keys:
            self.buckets.pop(key, None)
            self.places.pop(key, None)
