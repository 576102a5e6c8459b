"""Log each change of a limiter's store once, and count the decisions made without the store."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from mantlet.stores.store_log import StoreLog

__all__ = ["LimiterStats", "OutageLog"]

log = logging.getLogger("mantlet.ratelimit")


@dataclass(frozen=True, slots=True)
class LimiterStats:
    """Counts of decisions that a limiter made without its store, in this process since it began.

    Attributes:
        local: decisions made in this process's memory, because the store was unavailable
            (``on_outage="local"``).
        uncounted: requests and messages that passed uncounted during an outage
            (``on_outage="allow"``, or limits in report mode).
        unavailable: requests and messages that were refused because the store was unavailable
            (``on_outage="refuse"``).
        unasked: refusals of keys that the store had refused before, made without calling it again.
        prefetched: decisions paid for with prefetched tokens.
        prefetch_held: prefetched tokens that this process holds. Other processes may refuse
            requests that these tokens would pay for.
        prefetch_lost: prefetched tokens that were dropped unspent.
        slow: calls of an ``lmdb://`` store that took more than 10 ms. They block an event loop.
        outages: how often the store, or a node of it, became unavailable.
        outage: why it is unavailable now, as text without secrets; None while it responds.
    """

    local: int = 0
    uncounted: int = 0
    unavailable: int = 0
    unasked: int = 0
    prefetched: int = 0
    prefetch_held: int = 0
    prefetch_lost: int = 0
    slow: int = 0
    outages: int = 0
    outage: str | None = None


class OutageLog(StoreLog):
    """Logs each change of a store's state once, and counts decisions made without the store.

    Args:
        consequence: what happens to requests during an outage, as the end of a sentence.
        clock: monotonic clock in seconds.
    """

    def __init__(self, consequence: str = "", clock: Callable[[], float] = monotonic) -> None:
        super().__init__(log, "RateLimiter", consequence, clock)
        self._local = self._uncounted = self._unavailable = 0

    @property
    def _decided(self) -> int:
        return self._local + self._uncounted + self._unavailable

    def _toll(self, decided: int) -> str:
        return f", in which {decided} requests were decided without it"

    def decided_locally(self) -> None:
        """Count a decision made in this process's memory."""
        with self._lock.hold():
            self._local += 1

    def passed_uncounted(self) -> None:
        """Count a request that passed uncounted."""
        with self._lock.hold():
            self._uncounted += 1

    def refused(self) -> None:
        """Count a request that was refused because the store is unavailable."""
        with self._lock.hold():
            self._unavailable += 1

    def stats(self, counts: dict[str, int]) -> LimiterStats:
        """Return the counts, with those of the store."""
        with self._lock.hold():
            outage = next(iter(self._parts.items()), None)
            return LimiterStats(
                local=self._local,
                uncounted=self._uncounted,
                unavailable=self._unavailable,
                outages=self._outages,
                outage=outage and f"{outage[0]}: {outage[1].reason}",
                **counts,
            )
