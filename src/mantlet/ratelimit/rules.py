"""What holds for some requests only: a rule for a method and a path template."""

from collections.abc import Awaitable, Callable, Sequence
from inspect import iscoroutinefunction, isfunction
from typing import Literal
from warnings import warn

from mantlet.core.policy import Close
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.ratelimit.concurrency import Concurrency
from mantlet.ratelimit.keys.key import KeyFunction, as_key
from mantlet.ratelimit.quota import LimitMode, Quota, check_limit_mode, parse_quotas

__all__ = ["Cost", "CountIf", "QuotaFunction", "QuotaOption", "Rule", "on_status"]

#: How many tokens a request takes.
Cost = int | Callable[[Request], int | Awaitable[int]]
#: Whether a request, by its answer, counts after all.
CountIf = Callable[[Response], bool]
Told = str | Quota | Sequence[str | Quota] | None
QuotaFunction = Callable[[Request], Told | Awaitable[Told]]
QuotaOption = str | Quota | Sequence[str | Quota] | QuotaFunction


class Rule:
    """Limits for the requests of one method and path template.

    They hold besides the limiter's own. Of all rules, those of the most specific template that
    matches apply, and of its methods the exact one before ``*``; several rules of one pattern apply
    together. ``HEAD`` follows ``GET``.

    Args:
        pattern: such as ``"POST /login"``, ``"GET /export/{kind}"``, ``"* /static/*"``, within the
            wrapped app, whatever that is mounted under. See `mantlet.http.routing`.
        quota: a rate, several of them joined by ``;``, a `Quota`, a sequence of these, or a
            function (``def`` or ``async def``) of the request that returns one of them, or None for
            no limit.
        key: whose bucket; by default the limiter's. See `mantlet.keys`.
        cost: tokens a request takes, or a function (``def`` or ``async def``) of the request that
            tells. One above a quota's burst is refused for ever; there is a warning of it where it
            is a number.
        count_if: a predicate on the response; the request counts only if it returns true. Tokens
            are reserved before the app runs, so that concurrent requests can't slip through, and
            refunded afterwards. An exception counts by its status, or as 500.
        per: ``"request"``, which includes WebSocket handshakes, or ``"message"``: each message that
            a client sends over a WebSocket.
        exempt: nothing limits these requests, neither does the limiter's own quota.
        override: the limiter's own quota does not hold for these requests.
        concurrency: how many of these requests may be in flight at once.
        mode: ``"enforce"``, or ``"report"`` to decide, count and log without ever refusing.
        over: what becomes of a message over the quota: ``"close"`` ends the connection, ``"drop"``
            drops the message.
        close_code: the connection is closed with: 1008 (RFC 6455, 7.4.1), or such as 4429.

    Raises:
        TypeError: an option is of the wrong type, or does not go with another.
        ValueError: an option's value is wrong; the message names it and what would be right.
    """

    def __init__(
        self,
        pattern: str,
        quota: QuotaOption | None = None,
        *,
        key: KeyFunction | None = None,
        cost: Cost = 1,
        count_if: CountIf | None = None,
        per: Literal["request", "message"] = "request",
        exempt: bool = False,
        override: bool = False,
        concurrency: Concurrency | None = None,
        mode: LimitMode = "enforce",
        over: Literal["close", "drop"] = "close",
        close_code: int = 1008,
    ) -> None:
        if not isinstance(pattern, str):
            raise TypeError(f'pattern must be text such as "POST /login", not {pattern!r}')
        if per not in ("request", "message"):
            raise ValueError(f'per must be "request" or "message", not {per!r}')
        if over not in ("close", "drop"):
            raise ValueError(f'over must be "close" or "drop", not {over!r}')
        if exempt and (quota is not None or concurrency is not None):
            raise TypeError(f"the rule {pattern!r} is exempt, so it takes no limit")
        if not exempt and not override and quota is None and concurrency is None:
            raise TypeError(
                f"the rule {pattern!r} limits nothing: it needs a quota, a concurrency, override "
                f"or exempt"
            )
        if per == "message" and (count_if is not None or concurrency is not None):
            raise TypeError("count_if and concurrency limit requests, not messages")
        self.pattern = pattern
        self.quotas: tuple[Quota, ...] | QuotaFunction = () if quota is None else read_quotas(quota)
        self.key = None if key is None else as_key(key)
        self.cost = check_cost(cost, self.quotas)
        self.count_if = check_count_if(count_if)
        self.per = per
        self.exempt = exempt
        self.override = override
        self.concurrency = check_concurrency(concurrency)
        self.mode = check_limit_mode(mode)
        self.close: Close | None = Close(close_code, "rate limit") if over == "close" else None

    def __repr__(self) -> str:
        return f"Rule({self.pattern!r})"


def on_status(*statuses: int | range) -> CountIf:
    """Return a predicate that counts answers of these statuses, for `Rule` and `RateLimiter`.

    Args:
        statuses: each a status, or a range of them: ``on_status(401, 403)``,
            ``on_status(range(400, 500))``.

    Raises:
        TypeError: one of them is neither.
        ValueError: there are none, or one is no HTTP status.
    """
    every: set[int] = set()
    for one in statuses:
        if isinstance(one, bool) or not isinstance(one, int | range):
            raise TypeError(f"a status must be a number or a range of numbers, not {one!r}")
        every.update(one if isinstance(one, range) else (one,))
    if not every or not all(100 <= status <= 599 for status in every):
        raise ValueError(f"statuses must be some between 100 and 599, not {statuses!r}")
    counted = frozenset(every)

    def counts(response: Response) -> bool:
        return response.status in counted

    return counts


# -- options that the limiter and its rules have in common ----------------------------------------


def read_quotas(option: QuotaOption, burst: int | None = None) -> tuple[Quota, ...] | QuotaFunction:
    """Return the quotas that an option says, or the function that tells them.

    Args:
        option: the option.
        burst: of a single rate.
    """
    if burst is not None:
        if not isinstance(option, str):
            raise TypeError("burst belongs into the Quota where one is given")
        return (Quota(option, burst=burst),)
    if isinstance(option, Quota):
        return (option,)
    if isinstance(option, str):
        return parse_quotas(option)
    if callable(option):
        return option
    checked: object = option
    if not isinstance(checked, Sequence) or isinstance(checked, bytes):
        raise TypeError(
            f'a quota must be a rate such as "100/minute", a Quota, a sequence of these, or a '
            f"function of the request, not {option!r}"
        )
    return tuple(quota for one in option for quota in static_quotas(one))


def static_quotas(option: str | Quota | Sequence[str | Quota]) -> tuple[Quota, ...]:
    """Return the quotas that an option says, which must not be a function."""
    quotas = read_quotas(option)
    if callable(quotas):
        raise TypeError(f"a quota must be a rate or a Quota here, not {option!r}")
    return quotas


def check_cost(cost: Cost, quotas: tuple[Quota, ...] | QuotaFunction) -> Cost:
    """Return a cost if it is one; warn the caller's caller of one that none of the quotas holds."""
    if callable(cost):
        return cost
    if isinstance(cost, bool) or not isinstance(cost, int):
        raise TypeError(f"cost must be a whole number of tokens, or a function, not {cost!r}")
    if cost < 0:
        raise ValueError(f"cost must be at least 0, not {cost}")
    for quota in () if callable(quotas) else quotas:
        if cost > quota.burst:
            warn(
                f"a cost of {cost} is refused for ever: {quota.rate!r} never holds more than "
                f"{quota.burst}",
                stacklevel=3,
            )
    return cost


def check_count_if(count_if: CountIf | None) -> CountIf | None:
    called = count_if if isfunction(count_if) else getattr(count_if, "__call__", None)  # noqa: B004
    if count_if is not None and (called is None or iscoroutinefunction(called)):
        raise TypeError(f"count_if must be a plain function of the response, not {count_if!r}")
    return count_if


def check_concurrency(concurrency: Concurrency | None) -> Concurrency | None:
    if concurrency is not None and not isinstance(concurrency, Concurrency):
        raise TypeError(f"concurrency must be a Concurrency, not {concurrency!r}")
    return concurrency
