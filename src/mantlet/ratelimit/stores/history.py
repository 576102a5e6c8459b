"""The history of a bucket: bans, strikes and refunds, kept only for buckets that have any.

The number of a bucket (see `mantlet.ratelimit.gcra`) decides every request. Its history is needed
when tokens are given back, when a request is refused under a `Ban`, and when a key is banned:

- **A ban** ends at its own time, and no refund shortens it.
- **Strikes** are the times of recent refusals, for rules with a `Ban`.
- **Refunds.** Time refills tokens that were taken and not given back yet. If they were then given
  back in full, they would be returned twice, and a client could save up free requests by keeping
  slow ones open. So the refill of the time for which a request was in flight is kept from its
  refund; of requests in flight at the same time, only once. This never gives back too much: a
  bucket holds at most as many tokens as if the refunded requests had never been made. In return, a
  bucket that is not full refills no faster than if it stood still while such requests are in
  flight.

No clock, no I/O. Times are in nanoseconds, of the clock of the store.
"""

from typing import Final, NamedTuple

from mantlet.ratelimit import gcra
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.base import Strikes, TokenRequest

__all__ = ["LONG_AGO", "NO_HISTORY", "History"]

#: Before any time that a clock shows, and a signed 64-bit number.
LONG_AGO: Final = -(1 << 63)


class History(NamedTuple):
    """The history of one bucket.

    Attributes:
        banned_until: when the latest ban ends.
        covered_from: the beginning of the latest time whose refill was kept from refunds.
        covered_until: its end: the time of the latest refund.
        struck_until: until when the strikes matter.
        strikes: the times of recent refusals, the oldest first.
    """

    banned_until: int = LONG_AGO
    covered_from: int = LONG_AGO
    covered_until: int = LONG_AGO
    struck_until: int = LONG_AGO
    strikes: tuple[int, ...] = ()

    def refund(self, request: TokenRequest, full_at: int, now: int) -> tuple[int, "History"]:
        """Give back tokens; return when the bucket is full again, in ticks, and the new history."""
        if self.banned_until > now:
            return full_at, self
        quota, age = request.quota, request.age
        taken_at = start = now - age
        uncovered = age
        # A short pause since the latest refund is kept as well, so that it ends no covered time.
        if taken_at - age <= self.covered_until <= now:
            start = min(taken_at, self.covered_from)
            uncovered = now - self.covered_until + max(0, self.covered_from - taken_at)
        refunded = gcra.refund(quota, full_at, request.cost, quota.scale * uncovered)
        if age == 0 or refunded == full_at:
            return refunded, self
        if refunded <= now * quota.scale:  # a full bucket has nothing to give back
            if self.covered_until == LONG_AGO:
                return refunded, self
            return refunded, self._replace(covered_from=LONG_AGO, covered_until=LONG_AGO)
        return refunded, self._replace(covered_from=start, covered_until=now)

    def ban(self, quota: Quota, full_at: int, now: int, nanoseconds: int) -> tuple[int, "History"]:
        """Ban the key of the bucket for some time; return as `refund()` does."""
        full_at = gcra.block(quota, full_at, now * quota.scale, nanoseconds * quota.scale)
        return full_at, self._replace(banned_until=max(self.banned_until, now + nanoseconds))

    def strike(
        self, request: TokenRequest, strikes: Strikes, full_at: int, now: int
    ) -> tuple[int, "History", bool]:
        """Record a refusal, unless the key is banned.

        Returns:
            When the bucket is full again, the new history, and whether this refusal bans the key.
        """
        if self.banned_until > now:
            return full_at, self, False
        recent = (*(at for at in self.strikes if at > now - strikes.within), now)
        if len(recent) < strikes.after:
            until = now + strikes.within
            return full_at, self._replace(struck_until=until, strikes=recent), False
        full_at, history = self.ban(request.quota, full_at, now, strikes.duration)
        return full_at, history._replace(struck_until=LONG_AGO, strikes=()), True


#: The history of a bucket that has none.
NO_HISTORY: Final = History()
