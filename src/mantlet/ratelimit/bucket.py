"""The arithmetic of a token bucket, kept as one number a key. No clock, no I/O, no rounding.

This is the Generic Cell Rate Algorithm (ITU-T I.371, annex A) in its virtual scheduling form. The
number is the time at which the bucket will be full again, in the ticks of `Quota`; a bucket that
holds ``burst`` tokens less what is missing is the same thing said in another way.
"""

from mantlet.ratelimit.quota import Quota

__all__ = ["Decision", "take"]


class Decision:
    """What the limiter decided about one request.

    Args:
        room: what is left in the bucket after the request, in ticks; what is missing, if negative.
        quota: the quota it was decided by.

    Attributes:
        allowed: whether the request may pass.
        quota: the quota it was decided by.
    """

    __slots__ = ("_room", "allowed", "quota")

    def __init__(self, room: int, quota: Quota) -> None:
        self.allowed = room >= 0
        self.quota = quota
        self._room = room

    @property
    def remaining(self) -> int:
        """Whole requests that may follow at once."""
        return max(self._room, 0) // self.quota.interval

    @property
    def reset(self) -> int:
        """Seconds until one more request may follow than now, rounded up (after a refusal, one)."""
        quota = self.quota
        missing = -self._room if self._room < 0 else quota.interval - self._room % quota.interval
        return -(-missing // quota.second)

    def parameters(self) -> str:
        """Return the parameters of a `RateLimit` item, as text."""
        quota, room = self.quota, self._room
        if room < 0:
            return f";r=0;t={self.reset}"
        interval = quota.interval
        remaining = room // interval
        return f";r={remaining};t={-((room - (remaining + 1) * interval) // quota.second)}"

    def __repr__(self) -> str:
        verdict = "allowed" if self.allowed else "refused"
        return f"<Decision {verdict}, {self.remaining} remaining, reset in {self.reset} s>"


def take(quota: Quota, full_at: int, now: int) -> tuple[int, int]:
    """Take one token out of a bucket if it has one.

    Args:
        quota: the bucket's size and refill.
        full_at: when the bucket is full again, in ticks; anything up to ``now`` is a full one.
        now: the time, in ticks.

    Returns:
        When the bucket is full again after this, and the room that is left in it, both in ticks. A
        negative room is what was missing, and nothing was taken.
    """
    if full_at < now:  # noqa: PLR1730  # max() takes twice as long
        full_at = now
    taken = full_at + quota.interval
    room = quota.capacity + now - taken
    return (taken if room >= 0 else full_at), room
