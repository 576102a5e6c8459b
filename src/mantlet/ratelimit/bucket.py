"""The arithmetic of a token bucket, kept as one number a key. No clock, no I/O, no rounding.

This is the Generic Cell Rate Algorithm (ITU-T I.371, annex A) in its virtual scheduling form. The
number is the time at which the bucket will be full again, in the ticks of `Quota.scale`; a bucket
that holds ``burst`` tokens less what is missing is the same thing said in another way.
"""

from typing import NamedTuple

from mantlet.ratelimit.quota import Quota

__all__ = ["Decision", "take"]

_SECOND = 1_000_000_000


class Decision(NamedTuple):
    """What the limiter decided about one request.

    Attributes:
        allowed: whether the request may pass.
        remaining: whole requests that may follow at once.
        reset: seconds until one more may than now, rounded up; 0 where the bucket is full.
        quota: the quota it was decided by.
    """

    allowed: bool
    remaining: int
    reset: int
    quota: Quota


def take(quota: Quota, full_at: int, now: int) -> tuple[int, Decision]:
    """Take one token out of a bucket if it has one.

    Args:
        quota: the bucket's size and refill.
        full_at: when the bucket is full again, in ticks; anything up to ``now`` is a full one.
        now: the time, in ticks.

    Returns:
        When the bucket is full again after this, in ticks, and the decision.
    """
    interval = quota.interval
    missing = (max(now, full_at)) - now
    room = quota.burst * interval - missing
    if room < interval:
        return full_at, Decision(False, 0, _seconds(interval - room, quota.scale), quota)
    remaining, fraction = divmod(room - interval, interval)
    return now + missing + interval, Decision(
        True, remaining, _seconds(interval - fraction, quota.scale), quota
    )


def _seconds(ticks: int, scale: int) -> int:
    return -(-ticks // (scale * _SECOND))
