"""The two forms of what can be asked of a limiter outside of HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import RateLimiter

if TYPE_CHECKING:
    from mantlet.ratelimit.decision import Decision


class Plain:
    """The methods that do not wait."""

    def __init__(self, limiter: RateLimiter) -> None:
        self.limiter = limiter

    def check(self, key: str = "x", **options: Any) -> Decision:
        return self.limiter.check(key, **options)

    def peek(self, key: str = "x", **options: Any) -> Decision:
        return self.limiter.peek(key, **options)

    def refund(self, key: str = "x", **options: Any) -> None:
        self.limiter.refund(key, **options)

    def reset(self, key: str = "x", **options: Any) -> None:
        self.limiter.reset(key, **options)

    def ban(self, seconds: Any, key: str = "x", **options: Any) -> None:
        self.limiter.ban(key, seconds, **options)


class Asyncio(Plain):
    """Their forms for asyncio, each on a loop of its own."""

    def check(self, key: str = "x", **options: Any) -> Decision:
        return asyncio.run(self.limiter.acheck(key, **options))

    def peek(self, key: str = "x", **options: Any) -> Decision:
        return asyncio.run(self.limiter.apeek(key, **options))

    def refund(self, key: str = "x", **options: Any) -> None:
        asyncio.run(self.limiter.arefund(key, **options))

    def reset(self, key: str = "x", **options: Any) -> None:
        asyncio.run(self.limiter.areset(key, **options))

    def ban(self, seconds: Any, key: str = "x", **options: Any) -> None:
        asyncio.run(self.limiter.aban(key, seconds, **options))


both_forms = pytest.mark.parametrize("form", [Plain, Asyncio], ids=["plain", "asyncio"])
Form = type[Plain]


def limiter(quota: Any = "3/hour", **options: Any) -> RateLimiter:
    """Return a limiter whose clock stands still."""
    return RateLimiter(quota, **{"clock": lambda: 0, **options})
