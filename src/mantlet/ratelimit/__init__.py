"""Rate limits: a token bucket for each client."""

from mantlet.ratelimit import keys
from mantlet.ratelimit.decision import Decision
from mantlet.ratelimit.options import on_status
from mantlet.ratelimit.policy import RateLimiter
from mantlet.ratelimit.quota import Ban, Concurrency, Quota
from mantlet.ratelimit.rules import Rule
from mantlet.ratelimit.stores.outages import LimiterStats

__all__ = [
    "Ban",
    "Concurrency",
    "Decision",
    "LimiterStats",
    "Quota",
    "RateLimiter",
    "Rule",
    "keys",
    "on_status",
]
