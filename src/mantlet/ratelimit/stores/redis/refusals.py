"""What the server has refused is refused here, without asking again, until it would be admitted."""

from collections.abc import Callable
from time import monotonic_ns

from mantlet.ratelimit.bucket import take
from mantlet.ratelimit.quota import Quota

__all__ = ["Refusals"]


class Refusals:
    """Buckets that were found too empty, each with the time at which it is full again.

    Only the server makes a bucket fuller than that, by what is given back to it, and emptier it may
    be; so what is refused here would be refused there. Time counts from before the server was
    asked, so that nobody is refused here a moment longer than there.

    Args:
        max_keys: how many are kept; beyond that the oldest ones are asked for again.
        clock: nanoseconds that never go back.
    """

    __slots__ = ("_clock", "_full_at", "_max_keys")

    def __init__(self, max_keys: int, clock: Callable[[], int] = monotonic_ns) -> None:
        self._max_keys = max_keys
        self._clock = clock
        self._full_at: dict[str, int] = {}

    def now(self) -> int:
        """Return the time to hand to `add()`, in nanoseconds."""
        return self._clock()

    def room(self, key: str, quota: Quota, cost: int) -> int | None:
        """Return what is missing in a bucket, in ticks and negative; None to ask for it."""
        full_at = self._full_at.get(key)
        if full_at is None:
            return None
        _, room = take(quota, full_at, self._clock() * quota.scale, cost)
        if room < 0:
            return room
        self._full_at.pop(key, None)
        return None

    def add(self, key: str, quota: Quota, cost: int, room: int, asked: int) -> None:
        """Remember a refusal.

        Args:
            key: the bucket's.
            quota: the bucket's.
            cost: that was refused.
            room: what was missing, in ticks and negative.
            asked: when the server was asked, see `now()`.
        """
        if cost > quota.burst:
            return  # it says nothing about when the bucket is full
        full_at = self._full_at
        if len(full_at) >= self._max_keys and key not in full_at:
            full_at.pop(next(iter(full_at)), None)
        full_at[key] = asked * quota.scale + quota.capacity - quota.interval * cost - room

    def forget(self, key: str) -> None:
        """Ask for a bucket again: it may be fuller than was known."""
        self._full_at.pop(key, None)
