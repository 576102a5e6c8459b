"""Rate limits: a token bucket for each client."""

from mantlet.ratelimit.policy import RateLimiter
from mantlet.ratelimit.quota import Quota

__all__ = ["Quota", "RateLimiter"]
