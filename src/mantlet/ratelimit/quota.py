"""What a client may spend: an amount a window, and how much of it at once."""

from dataclasses import dataclass, field
from math import gcd

from limits import parse

__all__ = ["Quota"]

_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
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
        TypeError: ``rate`` is no string or ``burst`` no integer.
        ValueError: ``rate`` can't be read, ``burst`` is below 1, or ``name`` is not printable.
    """

    rate: str
    burst: int = 0
    name: str = "default"
    amount: int = field(init=False, repr=False)
    window: int = field(init=False, repr=False)
    #: Clock ticks a nanosecond, so that one token takes a whole number of them and no fraction is
    #: ever lost: 1 for most rates, 3 for 90 a minute.
    scale: int = field(init=False, repr=False)
    #: Ticks in a second.
    second: int = field(init=False, repr=False)
    #: Ticks that one token takes to come back.
    interval: int = field(init=False, repr=False)
    #: Ticks that a whole bucket takes.
    capacity: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.rate, str):
            raise TypeError(f'rate must be a string such as "100/minute", not {self.rate!r}')
        if isinstance(self.burst, bool) or not isinstance(self.burst, int):
            raise TypeError(f"burst must be a whole number of requests, not {self.burst!r}")
        try:
            item = parse(self.rate)
        except ValueError:
            raise ValueError(
                f'rate must read like "100/minute" or "10 per 2 hours", not {self.rate!r}'
            ) from None
        amount, window = item.amount, item.get_expiry()
        if amount < 1 or window < 1:
            raise ValueError(f"rate must allow at least 1 request a window, not {self.rate!r}")
        if self.burst < 0:
            raise ValueError(f"burst must be at least 1, not {self.burst}")
        if not self.name or not self.name.isascii() or not self.name.isprintable():
            raise ValueError(f"name must be printable ASCII, not {self.name!r}")
        common = gcd(amount, window * _SECOND)
        interval = window * _SECOND // common
        burst = self.burst or amount
        derived = {
            "burst": burst,
            "amount": amount,
            "window": window,
            "scale": amount // common,
            "second": amount // common * _SECOND,
            "interval": interval,
            "capacity": burst * interval,
        }
        for attribute, value in derived.items():
            object.__setattr__(self, attribute, value)
