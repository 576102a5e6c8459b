"""A rate limiter in a real stack with a clock to turn, and the exact model that it must follow."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any

import mantlet
from mantlet import Quota, RateLimiter
from tests.drive import CLIENT, WsgiAdapter, drive_wsgi, hello
from tests.ratelimit.stores.model import HOUR, MINUTE, SECOND, Clock
from tests.ratelimit.structured import limits_of

__all__ = ["HOUR", "MINUTE", "SECOND", "Clock", "Meter"]

if TYPE_CHECKING:
    from tests.drive import Answer


class Meter:
    """A WSGI app behind one limiter.

    Args:
        quota: the limiter's.
        now: what its clock says at the beginning.
        options: the limiter's others.
    """

    # Any: the limiter's own options, of several types.
    def __init__(self, quota: str | Quota, *, now: int = 12_345, **options: Any) -> None:
        self.clock = Clock(now)
        self.limiter = RateLimiter(quota, clock=self.clock, **options)
        self.app = mantlet.wsgi.wrap(WsgiAdapter().app(hello), self.limiter, baseline=False)

    def ask(self, client: str | None = CLIENT) -> Answer:
        """Send one request from an address."""
        answer = drive_wsgi(self.app, client=client)
        assert answer.error is None
        assert answer.status in (200, 429)
        return answer

    def admits(self, client: str | None = CLIENT) -> bool:
        """Send one request from an address; return whether the app answered."""
        return self.ask(client).status == 200

    def drain(self, client: str | None = CLIENT) -> int:
        """Send requests until one is refused; return how many were not."""
        count = 0
        while self.admits(client):
            count += 1
        return count


class Model:
    """A token bucket in rational numbers, as a textbook has it."""

    def __init__(self, quota: Quota, now: int) -> None:
        self.rate = Fraction(quota.amount, quota.period * SECOND)  # tokens a nanosecond
        self.burst = quota.burst
        self.tokens = Fraction(quota.burst)
        self.now = now

    def refill(self, now: int) -> None:
        """Let the time pass until ``now``."""
        self.tokens = min(Fraction(self.burst), self.tokens + (now - self.now) * self.rate)
        self.now = now

    def take(self, now: int) -> bool:
        """Take a token, if there is one."""
        self.refill(now)
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    @property
    def remaining(self) -> int:
        """Whole tokens that are left."""
        return floor(self.tokens)

    @property
    def wait(self) -> Fraction:
        """Nanoseconds until there is one whole token more than now."""
        return (self.remaining + 1 - self.tokens) / self.rate

    @property
    def seconds(self) -> int:
        """The same in seconds, rounded up."""
        return ceil(self.wait / SECOND)

    @property
    def instant(self) -> int:
        """The first whole nanosecond at which that token is there."""
        return self.now + ceil(self.wait)


def check(answer: Answer, model: Model, *, admitted: bool) -> None:
    """Hold one answer against the model, which has taken its token."""
    assert (answer.status == 200) is admitted
    _, (limit,) = limits_of(answer)
    assert limit.parameters == {"r": model.remaining, "t": model.seconds}
    assert answer.get("Retry-After") == (None if admitted else str(model.seconds))
