"""What the limiter says in header fields, and in its refusals.

``RateLimit`` and ``RateLimit-Policy`` are those of draft-ietf-httpapi-ratelimit-headers-10, each a
List of Strings with parameters (RFC 9651): ``q`` and ``w`` are a quota and its period in seconds,
``r`` is how many requests may follow at once, and ``t`` the seconds until there is one more, which
is what "reset" means for a token bucket.

``X-RateLimit-Limit``, ``X-RateLimit-Remaining`` and ``X-RateLimit-Reset`` are the older fields
without a specification, of the quota that has least left; the last is a point in time, in seconds
since 1970, as GitHub and most libraries have it.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, inf
from time import time
from typing import Literal

from mantlet.core.policy import Reply
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.ratelimit.compiled import Bound, Limit
from mantlet.ratelimit.concurrency import Concurrency
from mantlet.ratelimit.decision import Decision, joint

__all__ = ["HEADERS", "Fields", "add_fields", "refuse", "refuse_for_outage"]

Fields = Literal["draft", "legacy", "both"]
HEADERS = ("draft", "legacy", "both")

_TYPES = "https://iana.org/assignments/http-problem-types#"
#: Where an exchange's state has what the older fields say is left.
QUOTA_EXCEEDED = f"{_TYPES}quota-exceeded"
REDUCED_CAPACITY = f"{_TYPES}temporary-reduced-capacity"


def add_fields(
    request: Request, headers: Fields | None, limits: Sequence[Limit | Bound], decision: Decision
) -> None:
    """Say in the answer what was decided; what is only tried out is not told.

    Args:
        request: the request.
        headers: which fields.
        limits: those it was decided by, in the order of ``decision.parts``.
        decision: about all of it.
    """
    if headers is None:
        return
    told = [
        (limit, one)
        for limit, one in zip(limits, decision.parts, strict=True)
        if not one.is_report_only
    ]
    if not told:
        return
    if headers != "legacy":
        latest = None if decision.allowed else _whole(decision.retry_after)
        policies = [limit.policy for limit, _ in told]
        items = [limit.item + one.parameters(latest) for limit, one in told]
        request.add_response_header("RateLimit-Policy", ", ".join(policies))
        request.add_response_header("RateLimit", ", ".join(items))
    if headers != "draft":
        _add_legacy_fields(request, joint([one for _, one in told]))


def _add_legacy_fields(request: Request, decision: Decision) -> None:
    """Say what is left of one quota: of several limiters', the one that has least left."""
    remaining = decision.remaining
    state = request.state
    if state._least_remaining is not None and state._least_remaining < remaining:
        return
    state._least_remaining = remaining
    quota = decision.quota
    amount = quota.limit if isinstance(quota, Concurrency) else quota.amount
    for name, number in (
        ("X-RateLimit-Limit", amount),
        ("X-RateLimit-Remaining", remaining),
        ("X-RateLimit-Reset", ceil(time()) + decision.reset),
    ):
        request.add_response_header(name, str(number), replace=True)


def refuse(request: Request, decision: Decision) -> Reply:
    """Return the answer to a request that exceeds a quota."""
    refusing = [one for one in decision.parts if not one.allowed]
    never = next((one.name for one in refusing if one.retry_after == inf), None)
    names = tuple(one.name for one in refusing)
    return _exceeded(names, never, _whole(decision.retry_after)).reply(request)


@lru_cache(maxsize=1024)
def _exceeded(names: tuple[str, ...], never: str | None, wait: int | None) -> Problem:
    """Return the problem that an exceeded quota is; a flood is refused with few different ones.

    Its type and its member are those of draft-ietf-httpapi-ratelimit-headers-10, 6.1.
    """
    return Problem(
        429,
        type=QUOTA_EXCEEDED,
        title="Request cannot be satisfied as assigned quota has been exceeded",
        detail=never and f"The request costs more than the quota {never!r} ever holds.",
        headers={"Retry-After": str(wait)} if wait else {},
        extensions={"violated-policies": list(names)},
    )


def refuse_for_outage() -> Problem:
    """Return the problem that it is when nobody can say what is left."""
    return Problem(
        503,
        type=REDUCED_CAPACITY,
        title="Request cannot be satisfied due to temporary server capacity constraints",
        headers={"Retry-After": "1"},
    )


def _whole(seconds: float) -> int | None:
    """Return whole seconds, rounded up, or None where there are none or no end of them."""
    return ceil(seconds) if 0 < seconds < inf else None
