"""Tokens taken ahead of need, so that keys that are asked for all the time need no round trip."""

from collections.abc import Callable
from time import monotonic_ns

from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.redis.asking import Answer

__all__ = ["Leases"]

#: Nanoseconds. A key that is asked for less often than this needs no tokens ahead.
_LULL = 1_000_000_000


class _Lease:
    __slots__ = ("asked", "batch", "coming", "left", "room")

    def __init__(self) -> None:
        #: How many tokens are wanted ahead, and when the server was asked last.
        self.batch = self.asked = 0
        #: Tokens at hand, and those that the server is just asked for.
        self.left = self.coming = 0
        #: What the server had left, in ticks.
        self.room = 0


class Leases:
    """Tokens of buckets on the server that this process has taken and not spent yet.

    They are paid for, so all processes together never spend more than was refilled. But those that
    one holds back it may spend at any later time, so at once a key may spend its burst and,
    besides, up to ``size`` tokens for each process.

    A key that is asked for once in a while gets none ahead. For one whose tokens ran out within a
    second the next batch is twice the size, up to ``size``.

    Args:
        size: the most tokens that are taken ahead.
        max_keys: how many keys are kept; beyond that the tokens of the oldest are lost.
        clock: nanoseconds that never go back.
    """

    __slots__ = ("_clock", "_leases", "_max_keys", "size")

    def __init__(self, size: int, max_keys: int, clock: Callable[[], int] = monotonic_ns) -> None:
        self.size = size
        self._max_keys = max_keys
        self._clock = clock
        self._leases: dict[str, _Lease] = {}

    def covers(self, key: str, cost: int) -> bool:
        """Return whether tokens at hand cover a cost."""
        lease = self._leases.get(key)
        return lease is not None and lease.left >= cost

    def spend(self, key: str, quota: Quota, cost: int) -> int:
        """Spend tokens at hand; return the room in the bucket as far as is known, in ticks."""
        lease = self._leases[key]
        lease.left -= cost
        return lease.room + lease.left * quota.interval

    def room(self, key: str, quota: Quota, cost: int) -> int:
        """Return what `spend()` would."""
        lease = self._leases[key]
        return lease.room + (lease.left - cost) * quota.interval

    def ahead(self, key: str, quota: Quota) -> int:
        """Return how many tokens to take besides, now that the server is asked for some.

        `came()` has to be told what became of them.
        """
        now = self._clock()
        leases = self._leases
        lease = leases.get(key)
        if lease is None:
            if len(leases) >= self._max_keys:
                leases.pop(next(iter(leases)), None)
            lease = leases[key] = _Lease()
        elif now - lease.asked >= _LULL:
            lease.batch = 0
        elif not lease.coming:
            lease.batch = min(2 * lease.batch + 1, self.size, quota.burst)
        lease.asked = now
        ahead = max(min(lease.batch, self.size - lease.left - lease.coming), 0)
        lease.coming += ahead
        return ahead

    def came(self, key: str, ahead: int, answer: Answer | None) -> None:
        """Hear what the server said when it was asked for tokens ahead; None if nothing."""
        lease = self._leases.get(key)
        if lease is None:
            return
        lease.coming -= ahead
        if answer is not None:
            lease.room = answer.room
            lease.left += ahead if answer.more else 0

    def forget(self, key: str) -> None:
        """Let go of what is at hand."""
        self._leases.pop(key, None)
