"""How many requests of a client may be in flight at once."""

from dataclasses import dataclass

from mantlet._internal.options import check_int, check_number
from mantlet.ratelimit.keys.key import Key, KeyFunction, as_key
from mantlet.ratelimit.quota import LimitMode, check_limit_mode, check_name

__all__ = ["Concurrency"]


@dataclass(frozen=True, slots=True, init=False)
class Concurrency:
    """A bound on the requests, and WebSocket connections, that are in flight for a key at once.

    A place is taken on the way in and given back when the exchange has ended, in whatever way.

    Args:
        limit: how many.
        key: whose requests they are; by default as the limiter's, or the rule's, own key says.
        lease: in seconds. In a store that outlives the process, a place that was not given back by
            then is free again, so that a killed worker frees its own. Longer than the longest
            request, or more than ``limit`` may run at once.
        name: what it is called in header fields and problems.
        mode: ``"enforce"``, or ``"report"`` to decide, count and log without ever refusing.

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
            "name": check_name(name),
            "mode": check_limit_mode(mode),
        }
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)
