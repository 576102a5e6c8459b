"""Options that `RateLimiter` and `Rule` have in common: their types, and their checks."""

from collections.abc import Awaitable, Callable, Sequence
from warnings import warn

from mantlet._internal.coroutines import is_plain_function
from mantlet._internal.options import check_int
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.ratelimit.quota import Concurrency, Quota, parse_quotas

__all__ = [
    "Cost",
    "CountIf",
    "QuotaFunction",
    "QuotaOption",
    "check_concurrency",
    "check_cost",
    "check_count_if",
    "on_status",
    "read_quotas",
    "read_static_quotas",
]

#: The number of tokens that a request takes.
Cost = int | Callable[[Request], int | Awaitable[int]]
#: Decides by the response whether the request counts.
CountIf = Callable[[Response], bool]
QuotaResult = str | Quota | Sequence[str | Quota] | None
QuotaFunction = Callable[[Request], QuotaResult | Awaitable[QuotaResult]]
QuotaOption = str | Quota | Sequence[str | Quota] | QuotaFunction


def on_status(*statuses: int | range) -> CountIf:
    """Return a ``count_if`` predicate that counts responses with certain status codes.

    Args:
        statuses: each a status code or a range of them: ``on_status(401, 403)``,
            ``on_status(range(400, 500))``.

    Raises:
        TypeError: one of them is neither a number nor a range.
        ValueError: they are missing, or one is not an HTTP status code.
    """
    every: set[int] = set()
    for one in statuses:
        if isinstance(one, bool) or not isinstance(one, int | range):
            raise TypeError(f"a status must be a number or a range of numbers, not {one!r}")
        every.update(one if isinstance(one, range) else (one,))
    if not every or not all(100 <= status <= 599 for status in every):
        raise ValueError(f"statuses must be between 100 and 599, not {statuses!r}")
    counted = frozenset(every)

    def counts(response: Response) -> bool:
        return response.status in counted

    return counts


def read_quotas(option: QuotaOption, burst: int | None = None) -> tuple[Quota, ...] | QuotaFunction:
    """Return the quotas of a ``quota`` option, or the function that returns them.

    Args:
        option: the option.
        burst: the burst of a single rate.
    """
    if burst is not None:
        if not isinstance(option, str):
            raise TypeError("burst needs a single rate; give a Quota its own burst instead")
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
    return tuple(quota for one in option for quota in read_static_quotas(one))


def read_static_quotas(option: str | Quota | Sequence[str | Quota]) -> tuple[Quota, ...]:
    """Return the quotas of an option that must not be a function."""
    quotas = read_quotas(option)
    if callable(quotas):
        raise TypeError(f"a quota must be a rate or a Quota here, not {option!r}")
    return quotas


def check_cost(cost: Cost, quotas: tuple[Quota, ...] | QuotaFunction) -> Cost:
    """Return a cost if it is valid, else raise.

    Warns the caller's caller of a cost that exceeds the burst of one of the quotas.
    """
    if callable(cost):
        return cost
    check_int("cost", cost, least=0, unit="tokens, or a function")
    for quota in () if callable(quotas) else quotas:
        if cost > quota.burst:
            warn(
                f"a cost of {cost} is always refused: {quota.rate!r} never holds more than "
                f"{quota.burst} tokens",
                stacklevel=3,
            )
    return cost


def check_count_if(count_if: CountIf | None) -> CountIf | None:
    """Return a ``count_if`` option if it is None or a plain function, else raise."""
    checked: object = count_if
    if checked is on_status:
        raise TypeError("on_status returns a predicate, and is not one: write on_status(401, 403)")
    if checked is not None and not is_plain_function(checked):
        raise TypeError(f"count_if must be a plain function of the response, not {count_if!r}")
    return count_if


def check_concurrency(concurrency: Concurrency | None) -> Concurrency | None:
    """Return a ``concurrency`` option if it is valid, or None if it is off; else raise."""
    if concurrency is not None and not isinstance(concurrency, Concurrency):
        raise TypeError(f"concurrency must be a Concurrency, not {concurrency!r}")
    return None if concurrency is None or concurrency.mode == "off" else concurrency
