"""What a client may spend: an amount a period, and how much of it at once."""

import re
from dataclasses import dataclass, field
from math import gcd
from typing import Literal

from mantlet._internal.options import check_int

__all__ = ["LimitMode", "Quota", "Window", "check_limit_mode", "check_name", "parse_quotas"]

#: How requests are counted where not by a token bucket; each is a strategy of `limits`.
Window = Literal["fixed", "moving", "sliding"]

#: Whether a limit refuses requests, or only reports which ones it would have refused.
LimitMode = Literal["enforce", "report"]

_WINDOWS = ("fixed", "moving", "sliding")
_SECOND = 1_000_000_000
# Units as they are written short, which limits does not read.
_UNITS = {"s": "second", "sec": "second", "min": "minute", "h": "hour", "hr": "hour", "d": "day"}
_SHORT = re.compile(r"(?<=[/ \d])(s|sec|min|h|hr|d)\s*$", re.IGNORECASE)
# limits reads "1 per 0 minutes" as 1 per minute.
_NOTHING = re.compile(r"(/|per)\s*0+\s*[a-z]", re.IGNORECASE)
_BURST = re.compile(r"(.*?)\s+burst\s+([0-9]{1,18})\s*", re.IGNORECASE | re.DOTALL)
_SEPARATORS = re.compile(r"[;,|]")
#: The largest integer that a header field can say (RFC 9651, 3.3.1).
_LARGEST = 999_999_999_999_999


@dataclass(frozen=True, slots=True, init=False)
class Quota:
    """An amount of requests a period of time, refilled continuously.

    Args:
        rate: as `limits.parse` reads it: ``"100/minute"``, ``"10 per 2 hours"``; and with a burst,
            ``"5/second burst 20"``.
        burst: the bucket's capacity: how many requests may come at once. By default the amount.
        name: what the quota is called in header fields and problems.
        window: count by a strategy of `limits` instead of a token bucket: ``"fixed"``, ``"moving"``
            or ``"sliding"`` windows. They have no burst.

    Attributes:
        amount: requests a period.
        period: in seconds.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: ``rate`` can't be read, a number is below 1 or too large for a header field,
            ``name`` is not printable ASCII, or ``window`` is none.
    """

    rate: str
    burst: int
    name: str
    window: Window | None
    amount: int = field(repr=False)
    period: int = field(repr=False)
    #: Clock ticks a nanosecond, so that one token takes a whole number of them and no fraction is
    #: ever lost: 1 for most rates, 3 for 90 a minute.
    scale: int = field(repr=False)
    #: Ticks in a second.
    second: int = field(repr=False)
    #: Ticks that one token takes to come back.
    interval: int = field(repr=False)
    #: Ticks that a whole bucket takes.
    capacity: int = field(repr=False)

    def __init__(
        self,
        rate: str,
        *,
        burst: int | None = None,
        name: str = "default",
        window: Window | None = None,
    ) -> None:
        amount, period, said = _read(rate)
        if window is not None and window not in _WINDOWS:
            raise ValueError(f'window must be "fixed", "moving" or "sliding", not {window!r}')
        if window is not None and (said is not None or burst is not None):
            raise ValueError(f"burst is a token bucket's; a window has none: {said or burst!r}")
        burst = _burst(amount, said, burst)
        for option, number in (("rate", amount), ("rate", period), ("burst", burst)):
            if number > _LARGEST:
                raise ValueError(f"{option} must not have a number above {_LARGEST}: {number}")
        check_name(name)
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


def check_name(name: str) -> str:
    """Return ``name`` if a header field can say it as a String (RFC 9651, 3.3.3), else raise."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, not {name!r}")
    if not name or not name.isascii() or not name.isprintable():
        raise ValueError(f"name must be printable ASCII, not {name!r}")
    return name


def check_limit_mode(mode: LimitMode) -> LimitMode:
    """Return the mode of a single limit, or raise a ValueError."""
    if mode not in ("enforce", "report"):
        raise ValueError(f'mode must be "enforce" or "report", not {mode!r}')
    return mode


def parse_quotas(text: str) -> tuple[Quota, ...]:
    """Return the quotas that a text says, one or several joined by ``;``, ``,`` or ``|``.

    Several are named by their rates.

    Raises:
        TypeError: it is no text.
        ValueError: one of them can't be read, or comes twice.
    """
    if not isinstance(text, str):
        raise TypeError(f'a quota must be a Quota or a rate such as "100/minute", not {text!r}')
    rates = [rate.strip() for rate in _SEPARATORS.split(text)]
    if len(rates) == 1:
        return (Quota(text),)
    quotas = tuple(Quota(rate, name=rate) for rate in rates)
    if len(set(rates)) < len(rates):
        raise ValueError(f"a rate comes twice in {text!r}")
    return quotas


def _burst(amount: int, said: int | None, burst: int | None) -> int:
    """Return how many may come at once, as the rate says or the option does; else the amount."""
    if burst is None:
        burst = amount if said is None else said
    elif said is not None:
        raise ValueError(f"burst is in the rate already, so it can't be {burst!r} besides")
    return check_int("burst", burst, unit="requests")


def _read(rate: str) -> tuple[int, int, int | None]:
    """Return the amount, the period in seconds, and the burst if there is one, of a rate."""
    if not isinstance(rate, str):
        raise TypeError(f'rate must be a string such as "100/minute", not {rate!r}')
    from limits import parse_many  # noqa: PLC0415  # slow to import

    match = _BURST.fullmatch(rate)
    plain, burst = (rate, None) if match is None else (match[1], int(match[2]))
    try:
        (item,) = parse_many(_SHORT.sub(lambda unit: _UNITS[unit[1].lower()], plain))
    except ValueError:
        raise ValueError(
            f'rate must read like "100/minute", "5/s burst 20" or "10 per 2 hours", not {rate!r}'
        ) from None
    if item.amount < 1 or item.multiples < 1 or _NOTHING.search(plain):
        raise ValueError(f"rate must allow at least 1 request a period, not {rate!r}")
    return item.amount, item.get_expiry(), burst
