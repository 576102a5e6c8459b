"""How a decision is shown: in headers, and in the responses to refused requests.

``RateLimit`` and ``RateLimit-Policy`` are those of draft-ietf-httpapi-ratelimit-headers-10, each a
List of Strings with parameters (RFC 9651): ``q`` and ``w`` are a quota and its period in seconds,
``r`` is the number of requests that may follow at once, and ``t`` the number of seconds until there
is one more, which is the meaning of "reset" for a token bucket.

``X-RateLimit-Limit``, ``X-RateLimit-Remaining`` and ``X-RateLimit-Reset`` are older headers without
a specification. They show the quota with the fewest requests left; the last one is a time, in
seconds since 1970, as on GitHub and in most libraries.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil
from time import time
from typing import Literal

from mantlet.core.problem import FixedProblem, Problem
from mantlet.core.request import Request
from mantlet.core.response import Reply
from mantlet.ratelimit.compiled import ConcurrencyLimit, QuotaLimit
from mantlet.ratelimit.decision import Decision, combine
from mantlet.ratelimit.draft_headers import LIMIT_HEADER, POLICY_HEADER
from mantlet.ratelimit.quota import Concurrency

__all__ = [
    "HEADER_STYLES",
    "HeaderStyle",
    "add_headers",
    "denial",
    "exceeded",
    "outage_problem",
]

HeaderStyle = Literal["draft", "legacy", "both"]
HEADER_STYLES = ("draft", "legacy", "both")

_TYPES = "https://iana.org/assignments/http-problem-types#"
_QUOTA_EXCEEDED = f"{_TYPES}quota-exceeded"
_REDUCED_CAPACITY = f"{_TYPES}temporary-reduced-capacity"
_DENIED = FixedProblem(403, detail="Requests from this network are refused.")


def add_headers(
    request: Request,
    style: HeaderStyle | None,
    limits: Sequence[QuotaLimit | ConcurrencyLimit],
    decision: Decision,
    latest: int | None = None,
) -> None:
    """Add the rate limit headers to the response; limits in report mode are left out.

    Args:
        request: the request.
        style: which headers.
        limits: the limits that decided, in the order of ``decision.parts``.
        decision: the whole decision.
        latest: the ``Retry-After`` of a refusal, in seconds.
    """
    if style is None:
        return
    shown: list[Decision] = []
    policies: list[str] = []
    items: list[str] = []
    for limit, one in zip(limits, decision.parts, strict=True):
        if not one.is_report_only:
            shown.append(one)
            policies.append(limit.policy)
            items.append(limit.item + one.parameters(latest))
    if not shown:
        return
    if style != "legacy":
        request._add_header(POLICY_HEADER, ", ".join(policies))
        request._add_header(LIMIT_HEADER, ", ".join(items))
    if style != "draft":
        _add_legacy_headers(request, combine(shown))


def _add_legacy_headers(request: Request, decision: Decision) -> None:
    """Show a single quota: of several limiters', the one with the fewest requests left."""
    remaining = decision.remaining
    state = request.state
    if state._least_remaining is not None and state._least_remaining < remaining:
        return
    state._least_remaining = remaining
    quota = decision.quota
    if quota is None:
        return
    amount = quota.limit if isinstance(quota, Concurrency) else quota.amount
    for name, number in (
        ("X-RateLimit-Limit", amount),
        ("X-RateLimit-Remaining", remaining),
        ("X-RateLimit-Reset", ceil(time()) + decision.reset),
    ):
        request.add_response_header(name, str(number), replace=True)


def exceeded(decision: Decision) -> Problem:
    """Return the problem of a request that exceeds a quota; see `_quota_exceeded()`."""
    names: tuple[str, ...] = ()
    never = None
    for one in decision.parts:
        if not one.allowed:
            names += (one.name,)
            if never is None and one.is_final:
                never = one.name
    return _quota_exceeded(names, never, decision.whole_seconds)


@lru_cache(maxsize=1024)
def _quota_exceeded(names: tuple[str, ...], never: str | None, wait: int | None) -> Problem:
    """Return the problem of an exceeded quota. A flood of refusals needs few different ones.

    Its type and its member are those of draft-ietf-httpapi-ratelimit-headers-10, 6.1.
    """
    return FixedProblem(
        429,
        type=_QUOTA_EXCEEDED,
        title="Request cannot be satisfied as assigned quota has been exceeded",
        detail=never and f"The request costs more than the quota {never!r} ever holds.",
        headers={"Retry-After": str(wait)} if wait else {},
        extensions={"violated-policies": list(names)},
    )


def denial(request: Request) -> Reply:
    """Return the response to a request whose network is denied.

    It is 403 and not 429: the server understands the request and refuses to fulfill it, however
    long the client waits (RFC 9110, 15.5.4).
    """
    return _DENIED.reply(request)


def outage_problem() -> Problem:
    """Return the problem of a request that can't be counted, because the store is unavailable."""
    return Problem(
        503,
        type=_REDUCED_CAPACITY,
        title="Request cannot be satisfied due to temporary server capacity constraints",
        headers={"Retry-After": "1"},
    )
