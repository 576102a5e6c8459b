"""`RateLimiter`: no client gets more than its share.

It keeps a token bucket for each client address: a quota of 100 a minute with a burst of 20 lets 20
requests pass at once and one more every 0.6 seconds, for ever and without losing a fraction. What
exceeds it is answered with 429, a problem (RFC 9457) and ``Retry-After``. Every answer says what is
left, in ``RateLimit`` and ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers-10).

What it does not do: buckets are this process's own, so each of several workers counts for itself;
and the address is the peer's as the server says it, so behind a proxy have the server (uvicorn's
``--forwarded-allow-ips``, gunicorn's ``--forwarded-allow-ips`` with a PROXY protocol, or your
framework's proxy middleware outside this) set it, or all clients share the proxy's bucket.
"""

from collections.abc import Callable
from time import monotonic_ns

from mantlet.policy import Policy, Reply
from mantlet.problem import Problem
from mantlet.ratelimit.bucket import Decision
from mantlet.ratelimit.keys import client_address
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.memory import MemoryStore
from mantlet.request import Request

__all__ = ["RateLimiter"]

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"


class RateLimiter(Policy):
    """Refuse requests of a client that exceed its quota, with 429 and a ``Retry-After``.

    The decision is in ``mantlet.state(...)["ratelimit"]``, a `Decision`.

    Args:
        quota: a rate such as ``"100/minute"``, or a `Quota`.
        burst: how many requests may come at once; by default as many as the rate's amount.
        max_keys: how many clients are kept in memory, at about 250 bytes each. When more than that
            are short of their full bucket at once, further ones share one bucket.
        clock: nanoseconds that never go back.

    Raises:
        TypeError: an option is of the wrong type, or ``burst`` is given beside a `Quota`.
        ValueError: an option's value is wrong; the message names it and what would be right.
    """

    def __init__(
        self,
        quota: str | Quota,
        *,
        burst: int | None = None,
        max_keys: int = 100_000,
        clock: Callable[[], int] = monotonic_ns,
    ) -> None:
        if not isinstance(quota, Quota):
            quota = Quota(quota, burst=burst)
        elif burst is not None:
            raise TypeError("burst belongs into the Quota where one is given")
        if isinstance(max_keys, bool) or not isinstance(max_keys, int):
            raise TypeError(f"max_keys must be a whole number of clients, not {max_keys!r}")
        if max_keys < 1:
            raise ValueError(f"max_keys must be at least 1, not {max_keys}")
        if not callable(clock):
            raise TypeError(f"clock must be a function that returns nanoseconds, not {clock!r}")
        self.quota = quota
        self._store = MemoryStore(quota, max_keys, clock)
        self._name = '"' + quota.name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        self._policy = f"{self._name};q={quota.amount};w={quota.window}"

    def on_request(self, request: Request) -> Reply | None:
        """Take a token from the client's bucket, or refuse; say what is left in either case."""
        decision = Decision(self._store.take(client_address(request)), self.quota)
        request.state["ratelimit"] = decision
        request.add_answer_field("RateLimit-Policy", self._policy)
        request.add_answer_field("RateLimit", self._name + decision.parameters())
        return None if decision.allowed else self._refuse(request, decision)

    def _refuse(self, request: Request, decision: Decision) -> Reply:
        return Problem(
            429,
            type=QUOTA_EXCEEDED,
            title="Request cannot be satisfied as assigned quota has been exceeded",
            headers={"Retry-After": str(decision.reset)},
            extensions={"violated-policies": [self.quota.name]},
        ).reply(request)
