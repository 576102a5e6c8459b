"""Count who uses which version, so that a sunset can be decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["CallerUsage", "Counts", "VersionUsage"]

#: The most callers of a version that are counted apart, and the longest name of one, so that the
#: counts of a version take at most about 1 MB.
MAX_CALLERS: Final = 1000
MAX_NAME: Final = 256


class CallerUsage(NamedTuple):
    """The use of a version by one caller.

    Attributes:
        requests: the number of requests.
        last_seen: when the last one ended, in UTC.
    """

    requests: int
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class VersionUsage:
    """The use of a version in this process.

    Attributes:
        requests: the number of requests.
        last_seen: when the last one ended, in UTC; None if there was none.
        callers: the use by each caller, the most frequent first.
        anonymous: how many requests nobody has identified with.
        others: how many requests came from further callers: after the first thousand, or with names
            of more than 256 characters.
    """

    requests: int
    last_seen: datetime | None
    callers: Mapping[str, CallerUsage]
    anonymous: int
    others: int


class Counts:
    """Counts the requests for one version by their callers, in bounded memory.

    Without a lock, which would cost as much as the rest: of requests that several threads count at
    the same moment, some may be missing.
    """

    __slots__ = ("_anonymous", "_callers", "_last", "_others")

    def __init__(self) -> None:
        #: For each caller, the number of requests and the time of the last one.
        self._callers: dict[str, list[float]] = {}
        self._anonymous = self._others = 0
        self._last = 0.0

    def add(self, caller: str | None) -> None:
        """Count a request.

        Args:
            caller: who has sent it, or None.
        """
        self._last = now = time()
        if caller is None:
            self._anonymous += 1
            return
        one = self._callers.get(caller)
        if one is not None:
            one[0] += 1
            one[1] = now
        elif len(self._callers) < MAX_CALLERS and len(caller) <= MAX_NAME:
            self._callers[caller] = [1, now]
        else:
            self._others += 1

    def report(self) -> VersionUsage:
        """Return the use since the process has started."""
        counted = list(self._callers.items())  # at once, as other threads may add some
        callers = {
            name: CallerUsage(int(requests), datetime.fromtimestamp(last, UTC))
            for name, (requests, last) in sorted(counted, key=lambda pair: -pair[1][0])
        }
        known = sum(one.requests for one in callers.values())
        return VersionUsage(
            requests=known + self._anonymous + self._others,
            last_seen=datetime.fromtimestamp(self._last, UTC) if self._last else None,
            callers=MappingProxyType(callers),
            anonymous=self._anonymous,
            others=self._others,
        )
