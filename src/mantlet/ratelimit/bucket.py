"""The arithmetic of a token bucket, kept as one number a key. No clock, no I/O, no rounding.

This is the Generic Cell Rate Algorithm (ITU-T I.371, annex A) in its virtual scheduling form. The
number is the time at which the bucket will be full again, in the ticks of `Quota`; a bucket that
holds ``burst`` tokens less what is missing is the same thing said in another way.
"""

from mantlet.ratelimit.quota import Quota

__all__ = ["give", "hold", "take"]


def take(quota: Quota, full_at: int, now: int, cost: int = 1) -> tuple[int, int]:
    """Take tokens out of a bucket if it has them.

    Args:
        quota: the bucket's size and refill.
        full_at: when the bucket is full again, in ticks; anything up to ``now`` is a full one.
        now: the time, in ticks.
        cost: how many tokens.

    Returns:
        When the bucket is full again after this, and the room that is left in it, both in ticks. A
        negative room is what was missing, and nothing was taken.
    """
    if full_at < now:  # noqa: PLR1730  # max() takes twice as long
        full_at = now
    taken = full_at + quota.interval * cost
    room = quota.capacity + now - taken
    return (taken if room >= 0 else full_at), room


def give(quota: Quota, full_at: int, cost: int) -> int:
    """Give tokens back to a bucket; return when it is full again. Up to now, it is a full one."""
    return full_at - quota.interval * cost


def hold(quota: Quota, full_at: int, now: int, wait: int) -> int:
    """Empty a bucket so that its next token comes in ``wait`` ticks; return when it is full again.

    One whose next token comes later than that anyway is left as it is.
    """
    return max(full_at, now + wait + quota.capacity - quota.interval)
