"""Count the callers of each version, to help decide on a sunset."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["CallerUsage", "Counts", "VersionUsage"]

#: The maximum number of callers of a version that are counted separately, and the maximum length of
#: a caller's name. Together they limit the counts of a version to about 1 MB.
MAX_CALLERS: Final = 1000
MAX_NAME: Final = 256


class CallerUsage(NamedTuple):
    """The usage of a version by one caller.

    Attributes:
        requests: the number of requests.
        last_seen: the time when the last request ended, in UTC.
    """

    requests: int
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class VersionUsage:
    """The usage of a version in this process.

    Attributes:
        requests: the number of requests.
        last_seen: the time when the last request ended, in UTC; None before the first request.
        callers: the usage by each caller, the most frequent first.
        anonymous: the number of requests without a known caller.
        others: the number of requests from other callers: after the first thousand, or with names
            of more than 256 characters.
    """

    requests: int
    last_seen: datetime | None
    callers: Mapping[str, CallerUsage]
    anonymous: int
    others: int


class Counts:
    """Count the requests for one version by caller, in bounded memory.

    There is a race: if several threads count at the same moment, some requests may be missed. A
    lock would cost as much as all the rest.
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
            caller: the name of the caller, or None.
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
        """Return the usage since the process started."""
        counted = list(self._callers.items())  # a copy, as other threads may add callers
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
