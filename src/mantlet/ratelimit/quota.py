"""`Quota` and `Concurrency`: how many requests a client may make, and how many at once."""

import re
from dataclasses import dataclass, field
from math import gcd
from typing import Literal

from mantlet._internal.options import KnowsOptions, check_int, check_number
from mantlet.ratelimit.keys.key import Key, KeyFunction, as_key

__all__ = [
    "MAX_BAN",
    "Ban",
    "Concurrency",
    "LimitMode",
    "Quota",
    "Window",
    "check_limit_mode",
    "parse_quotas",
]

#: A strategy of `limits` that counts requests instead of a token bucket.
Window = Literal["fixed", "moving", "sliding"]
#: Whether a limit refuses requests, only reports those that it would have refused, or is off.
LimitMode = Literal["enforce", "report", "off"]

_WINDOWS = ("fixed", "moving", "sliding")
_SECOND = 1_000_000_000
# Abbreviated units, which limits does not parse.
_UNITS = {"s": "second", "sec": "second", "min": "minute", "h": "hour", "hr": "hour", "d": "day"}
_ABBREVIATED = re.compile(r"(?<=[/ \d])(s|sec|min|h|hr|d)\s*$", re.IGNORECASE)
# limits parses "1 per 0 minutes" as 1 per minute.
_ZERO_PERIOD = re.compile(r"(/|per)\s*0+\s*[a-z]", re.IGNORECASE)
_BURST = re.compile(r"(.*?)\s+burst\s+([0-9]{1,18})\s*", re.IGNORECASE | re.DOTALL)
_SEPARATORS = re.compile(r"[;,|]")
#: The largest integer that a structured header can hold (RFC 9651, 3.3.1).
_MAX_INTEGER = 999_999_999_999_999
#: In seconds: no ban is longer than ten years.
MAX_BAN = 10 * 365 * 86_400
#: How many refusals are remembered for each key, at 8 bytes each; in memory at 40.
_MAX_STRIKES = 100


@dataclass(frozen=True, slots=True, init=False)
class Quota(KnowsOptions):
    """A number of requests per period of time, refilled continuously.

    Args:
        rate: in the syntax of `limits.parse`: ``"100/minute"``, ``"10 per 2 hours"``; optionally
            with a burst, ``"5/second burst 20"``.
        burst: the capacity of the token bucket: how many requests may come at once. The default is
            the number of requests per period.
        name: the quota's name in headers and problems.
        window: count with a strategy of `limits` instead of a token bucket: ``"fixed"``,
            ``"moving"`` or ``"sliding"``. Windows have no burst.

    Attributes:
        amount: the number of requests per period.
        period: in seconds.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: ``rate`` is malformed, a number is below 1 or too large for a header, ``name``
            is not printable ASCII, or ``window`` is unknown.
    """

    rate: str
    burst: int
    name: str
    window: Window | None
    amount: int = field(repr=False)
    period: int = field(repr=False)
    #: Clock ticks per nanosecond, chosen so that one token takes a whole number of ticks and no
    #: fraction is ever lost: 1 for most rates, 3 for 90 a minute.
    scale: int = field(repr=False)
    #: Ticks per second.
    second: int = field(repr=False)
    #: Ticks until one token is refilled.
    interval: int = field(repr=False)
    #: Ticks until an empty bucket is full.
    capacity: int = field(repr=False)

    def __init__(
        self,
        rate: str,
        *,
        burst: int | None = None,
        name: str = "default",
        window: Window | None = None,
    ) -> None:
        amount, period, rate_burst = _parse_rate(rate)
        if window is not None and window not in _WINDOWS:
            raise ValueError(f'window must be "fixed", "moving" or "sliding", not {window!r}')
        if window is not None and (rate_burst is not None or burst is not None):
            raise ValueError(f"burst needs a token bucket, not a window: {rate_burst or burst!r}")
        burst = _check_burst(amount, rate_burst, burst)
        for option, number in (("rate", amount), ("rate", period), ("burst", burst)):
            if number > _MAX_INTEGER:
                raise ValueError(
                    f"{option} must not contain a number above {_MAX_INTEGER}: {number}"
                )
        _check_name(name)
        common = gcd(amount, period * _SECOND)
        interval = period * _SECOND // common
        values = {
            "rate": rate,
            "burst": burst,
            "name": name,
            "window": window,
            "amount": amount,
            "period": period,
            "scale": amount // common,
            "second": amount // common * _SECOND,
            "interval": interval,
            "capacity": burst * interval,
        }
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)

    def __hash__(self) -> int:
        return hash(self.rate)  # quick: quotas are looked up in caches by each request


@dataclass(frozen=True, slots=True, init=False)
class Concurrency(KnowsOptions):
    """A limit on the requests and WebSocket connections that a key may have in flight at once.

    A slot is taken before the app runs, and freed when the exchange has ended in any way.

    Args:
        limit: how many requests and connections may be in flight.
        key: the key whose requests are counted; by default the key of the limiter or the rule.
        lease: in seconds. In a store that outlives the process, a slot that was not freed by then
            is free again, so that a killed worker does not keep its slots. It must be longer than
            the longest request, or else more than ``limit`` requests may run at once.
        name: the limit's name in headers and problems.
        mode: ``"enforce"``; ``"report"`` to decide, count and log without ever refusing; or
            ``"off"``.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: ``limit`` or ``lease`` is not positive, ``name`` is not printable ASCII, or
            ``mode`` is unknown.
    """

    limit: int
    key: Key | None
    lease: float
    name: str
    mode: LimitMode

    def __init__(
        self,
        limit: int,
        *,
        key: KeyFunction | None = None,
        lease: float = 300.0,
        name: str = "concurrency",
        mode: LimitMode = "enforce",
    ) -> None:
        check_int("limit", limit, unit="requests")
        check_number("lease", lease, least=0.001, most=31_536_000)
        values = {
            "limit": limit,
            "key": None if key is None else as_key(key),
            "lease": lease,
            "name": _check_name(name),
            "mode": check_limit_mode(mode),
        }
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)


@dataclass(frozen=True, slots=True, init=False)
class Ban(KnowsOptions):
    """A ban of keys that are refused again and again, in a `Rule`.

    While a key is banned, every request of the rule is refused, with the rest of the ban as
    ``Retry-After``. Requests during a ban do not prolong it, and do not count towards the next one.

    Args:
        after: how many refusals ban the key; at most 100, as each is remembered for some time.
        within: the time, in seconds, in which these refusals have to come.
        seconds: how long the key is banned.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: an option is out of range.
    """

    after: int
    within: float
    seconds: float

    def __init__(self, *, after: int, within: float, seconds: float) -> None:
        values = {
            "after": check_int("after", after, most=_MAX_STRIKES, unit="refusals"),
            "within": check_number("within", within, least=0.001, most=MAX_BAN),
            "seconds": check_number("seconds", seconds, least=0.001, most=MAX_BAN),
        }
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)


def check_limit_mode(mode: LimitMode) -> LimitMode:
    """Return the mode of a single limit if it is valid, else raise."""
    if mode not in ("enforce", "report", "off"):
        raise ValueError(f'mode must be "enforce", "report" or "off", not {mode!r}')
    return mode


def parse_quotas(text: str) -> tuple[Quota, ...]:
    """Parse one or several rates, joined by ``;``, ``,`` or ``|``.

    Several quotas are named by their rates.

    Raises:
        TypeError: it is not text.
        ValueError: a rate is malformed, or occurs twice.
    """
    if not isinstance(text, str):
        raise TypeError(f'a quota must be a Quota or a rate such as "100/minute", not {text!r}')
    rates = [rate.strip() for rate in _SEPARATORS.split(text)]
    if len(rates) == 1:
        return (Quota(text),)
    quotas = tuple(Quota(rate, name=rate) for rate in rates)
    if len(set(rates)) < len(rates):
        raise ValueError(f"a rate occurs twice in {text!r}")
    return quotas


def _check_name(name: str) -> str:
    """Return a name if it fits in a String of a structured header (RFC 9651, 3.3.3), else raise."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, not {name!r}")
    if not name or not name.isascii() or not name.isprintable():
        raise ValueError(f"name must be printable ASCII, not {name!r}")
    return name


def _check_burst(amount: int, rate_burst: int | None, burst: int | None) -> int:
    """Return the burst of the rate or of the option; the amount if neither is given."""
    if burst is None:
        burst = amount if rate_burst is None else rate_burst
    elif rate_burst is not None:
        raise ValueError(f"the rate has a burst already, so burst can't be {burst!r} as well")
    return check_int("burst", burst, unit="requests")


def _parse_rate(rate: str) -> tuple[int, int, int | None]:
    """Return the amount, the period in seconds, and the burst (None if it has none) of a rate."""
    if not isinstance(rate, str):
        raise TypeError(f'rate must be a string such as "100/minute", not {rate!r}')
    from limits import parse_many  # slow to import

    match = _BURST.fullmatch(rate)
    plain, burst = (rate, None) if match is None else (match[1], int(match[2]))
    try:
        (item,) = parse_many(_ABBREVIATED.sub(lambda unit: _UNITS[unit[1].lower()], plain))
    except ValueError:
        raise ValueError(
            f'rate must look like "100/minute", "5/s burst 20" or "10 per 2 hours", not {rate!r}'
        ) from None
    if item.amount < 1 or item.multiples < 1 or _ZERO_PERIOD.search(plain):
        raise ValueError(f"rate must allow at least 1 request a period, not {rate!r}")
    return item.amount, item.get_expiry(), burst
