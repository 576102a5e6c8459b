"""Count who uses which version, so that a sunset can be decided."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["CallerUsage", "UsageCounter", "VersionUsage"]

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


class _Counts:
    """The counts of one version."""

    __slots__ = ("anonymous", "callers", "last", "others")

    def __init__(self) -> None:
        #: For each caller, the number of requests and the time of the last one.
        self.callers: dict[str, list[float]] = {}
        self.anonymous = self.others = 0
        self.last = 0.0


class UsageCounter:
    """Counts requests by version and caller, in bounded memory.

    Without a lock, which would cost as much as the rest: of requests that several threads count at
    the same moment, some may be missing.

    Args:
        labels: the versions.
    """

    def __init__(self, labels: Iterable[str]) -> None:
        self._counts = {label: _Counts() for label in labels}

    def add(self, label: str, caller: str | None) -> None:
        """Count a request for a version.

        Args:
            label: the version; one that is not known is ignored.
            caller: who has sent it, or None.
        """
        counts = self._counts.get(label)
        if counts is None:
            return
        counts.last = now = time()
        if caller is None:
            counts.anonymous += 1
            return
        one = counts.callers.get(caller)
        if one is not None:
            one[0] += 1
            one[1] = now
        elif len(counts.callers) < MAX_CALLERS and len(caller) <= MAX_NAME:
            counts.callers[caller] = [1, now]
        else:
            counts.others += 1

    def report(self) -> dict[str, VersionUsage]:
        """Return the use of each version since the process has started."""
        return {label: _report(counts) for label, counts in self._counts.items()}


def _report(counts: _Counts) -> VersionUsage:
    counted = list(counts.callers.items())  # at once, as other threads may add some
    callers = {
        name: CallerUsage(int(requests), datetime.fromtimestamp(last, UTC))
        for name, (requests, last) in sorted(counted, key=lambda pair: -pair[1][0])
    }
    known = sum(one.requests for one in callers.values())
    return VersionUsage(
        requests=known + counts.anonymous + counts.others,
        last_seen=datetime.fromtimestamp(counts.last, UTC) if counts.last else None,
        callers=MappingProxyType(callers),
        anonymous=counts.anonymous,
        others=counts.others,
    )
