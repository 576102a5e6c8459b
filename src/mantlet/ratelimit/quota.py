"""What a client may spend: an amount a window, and how much of it at once."""

import re
from dataclasses import dataclass, field
from math import gcd

from limits import parse_many

__all__ = ["Quota"]

_SECOND = 1_000_000_000
# Units as they are written short, which limits does not read.
_UNITS = {"s": "second", "sec": "second", "min": "minute", "h": "hour", "hr": "hour", "d": "day"}
_SHORT = re.compile(r"(?<=[/ \d])(s|sec|min|h|hr|d)\s*$", re.IGNORECASE)
# limits reads "1 per 0 minutes" as 1 per minute.
_NOTHING = re.compile(r"(/|per)\s*0+\s*[a-z]", re.IGNORECASE)
#: The largest integer that a header field can say (RFC 9651, 3.3.1).
_LARGEST = 999_999_999_999_999


@dataclass(frozen=True, slots=True, init=False)
class Quota:
    """An amount of requests a window of time, refilled continuously.

    Args:
        rate: as `limits.parse` reads it: ``"100/minute"``, ``"10 per 2 hours"``, ``"5/second"``.
        burst: the bucket's capacity: how many requests may come at once. By default the amount.
        name: what the quota is called in header fields and problems.

    Attributes:
        amount: requests a window.
        window: in seconds.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: ``rate`` can't be read, a number is below 1 or too large for a header field, or
            ``name`` is not printable ASCII.
    """

    rate: str
    burst: int
    name: str
    amount: int = field(repr=False)
    window: int = field(repr=False)
    #: Clock ticks a nanosecond, so that one token takes a whole number of them and no fraction is
    #: ever lost: 1 for most rates, 3 for 90 a minute.
    scale: int = field(repr=False)
    #: Ticks in a second.
    second: int = field(repr=False)
    #: Ticks that one token takes to come back.
    interval: int = field(repr=False)
    #: Ticks that a whole bucket takes.
    capacity: int = field(repr=False)

    def __init__(self, rate: str, *, burst: int | None = None, name: str = "default") -> None:
        amount, window = _read(rate)
        if burst is None:
            burst = amount
        elif isinstance(burst, bool) or not isinstance(burst, int):
            raise TypeError(f"burst must be a whole number of requests, not {burst!r}")
        elif burst < 1:
            raise ValueError(f"burst must be at least 1, not {burst}")
        for option, number in (("rate", amount), ("rate", window), ("burst", burst)):
            if number > _LARGEST:
                raise ValueError(f"{option} must not have a number above {_LARGEST}: {number}")
        if not isinstance(name, str):
            raise TypeError(f"name must be a string, not {name!r}")
        if not name or not name.isascii() or not name.isprintable():
            raise ValueError(f"name must be printable ASCII, not {name!r}")
        common = gcd(amount, window * _SECOND)
        interval = window * _SECOND // common
        values = {
            "rate": rate,
            "burst": burst,
            "name": name,
            "amount": amount,
            "window": window,
            "scale": amount // common,
            "second": amount // common * _SECOND,
            "interval": interval,
            "capacity": burst * interval,
        }
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)


def _read(rate: str) -> tuple[int, int]:
    """Return the amount and the window, in seconds, that a rate says."""
    if not isinstance(rate, str):
        raise TypeError(f'rate must be a string such as "100/minute", not {rate!r}')
    try:
        (item,) = parse_many(_SHORT.sub(lambda unit: _UNITS[unit[1].lower()], rate))
    except ValueError:
        raise ValueError(
            f'rate must read like "100/minute", "5/s" or "10 per 2 hours", not {rate!r}'
        ) from None
    if item.amount < 1 or item.multiples < 1 or _NOTHING.search(rate):
        raise ValueError(f"rate must allow at least 1 request a window, not {rate!r}")
    return item.amount, item.get_expiry()
