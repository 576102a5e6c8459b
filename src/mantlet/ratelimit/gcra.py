"""The arithmetic of a token bucket, stored as one number per key. No clock, no I/O, no rounding.

This is the Generic Cell Rate Algorithm (ITU-T I.371, annex A) in its virtual scheduling form. The
number is the time at which the bucket will be full again, in the ticks of its `Quota`. It is
equivalent to counting tokens: the further that time lies ahead, the fewer tokens are left.
"""

from mantlet.ratelimit.quota import Quota

__all__ = ["block", "consume", "refund"]


def consume(quota: Quota, full_at: int, now: int, cost: int = 1) -> tuple[int, int]:
    """Take tokens out of a bucket if it holds enough of them.

    Args:
        quota: the bucket's size and refill rate.
        full_at: when the bucket is full again, in ticks; any time up to ``now`` means that it is
            full already.
        now: the current time, in ticks.
        cost: the number of tokens.

    Returns:
        The time at which the bucket is full again after this call, and the room left in it, both in
        ticks. A negative room is the amount that was missing; no tokens were taken then.
    """
    if full_at < now:  # noqa: PLR1730  # max() takes twice as long
        full_at = now
    taken = full_at + quota.interval * cost
    room = quota.capacity + now - taken
    return (taken if room >= 0 else full_at), room


def refund(quota: Quota, full_at: int, cost: int, refilled: int = 0) -> int:
    """Return tokens to a bucket; return the time at which it is full again.

    A result in the past means that the bucket is full: it never holds more than its burst.

    Args:
        quota: the bucket's size and refill rate.
        full_at: when the bucket is full again, in ticks.
        cost: the number of tokens.
        refilled: how much of them time has returned already, in ticks.
    """
    return full_at - max(quota.interval * cost - refilled, 0)


def block(quota: Quota, full_at: int, now: int, wait: int) -> int:
    """Empty a bucket so that its next token comes in ``wait`` ticks.

    A bucket whose next token comes even later is left unchanged.

    Returns:
        The time at which the bucket is full again, in ticks.
    """
    return max(full_at, now + wait + quota.capacity - quota.interval)
