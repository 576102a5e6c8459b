"""Log each change of a store's state once, and count the decisions made without the store.

A store, or one node of a cluster, is lost with the first call that fails. It has recovered with the
first call that succeeds a second or more after the last one that failed: a store that fails now and
then has one outage, not many. Of the records of one kind, ten a minute are logged, then the 100th.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final, Literal

from mantlet._internal.locks import ForkSafeLock
from mantlet._internal.log_throttle import LogThrottle
from mantlet._internal.printable import printable

__all__ = ["Event", "LimiterStats", "OutageLog", "safe_reason"]

log = logging.getLogger("mantlet.ratelimit")

Event = Literal["lost", "not_called", "recovered", "reset"]

#: Seconds since the last failure after which a store that responds has recovered.
_RECOVERY_SECONDS: Final = 1.0
#: Seconds since the last failure after which a node of a cluster is no longer in use, if others
#: respond: they have its keys. A node in use is called more often.
_UNUSED_SECONDS: Final = 60.0
#: Maximum number of parts of a store that are tracked; a cluster has at most a thousand nodes.
_MAX_PARTS: Final = 1000
_MAX_REASON: Final = 300
_CREDENTIALS: Final = re.compile(r"//\S*@")


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


class _Outage:
    """The outage of one part of a store."""

    __slots__ = ("decided", "failed_at", "is_called", "reason", "since")

    def __init__(self, reason: str, now: float, decided: int) -> None:
        self.reason = reason
        self.since = self.failed_at = now
        self.is_called = True
        #: The number of decisions that had been made without the store before this outage.
        self.decided = decided


class OutageLog:
    """Logs each change of a store's state once, and counts decisions made without the store.

    Args:
        consequence: what happens to requests during an outage, as the end of a sentence.
        clock: monotonic clock in seconds.

    Attributes:
        is_lost: whether any part of the store is lost. Otherwise `responded()` need not be called.
    """

    def __init__(self, consequence: str = "", clock: Callable[[], float] = monotonic) -> None:
        self.is_lost = False
        self._consequence = consequence
        self._clock = clock
        self._lock = ForkSafeLock()
        self._throttle = LogThrottle(log, clock)
        self._parts: dict[str, _Outage] = {}
        self._reset_at: dict[str, float] = {}
        self._outages = self._local = self._uncounted = self._unavailable = 0

    # -- changes of state -------------------------------------------------------------------------

    def failed(self, part: str, reason: object) -> None:
        """Note that a call has failed.

        Args:
            part: the store, or a node of it, as shown in the log; without secrets.
            reason: the error.
        """
        now = self._clock()
        with self._lock.hold():
            outage = self._parts.get(part)
            if outage is not None:
                outage.failed_at = now
                return
            if len(self._parts) >= _MAX_PARTS:
                return
            text = safe_reason(reason)
            self._parts[part] = _Outage(text, now, self._decided)
            self.is_lost = True
            self._outages += 1
        until = f"; until it responds, {self._consequence}" if self._consequence else ""
        self._record("lost", part, text, f"can't be used: {text}{until}")

    def not_called(self, part: str) -> None:
        """Note that a lost store is only probed now and then, instead of being called."""
        with self._lock.hold():
            outage = self._parts.get(part)
            if outage is None or not outage.is_called:
                return
            outage.is_called = False
            text = outage.reason
        self._record(
            "not_called", part, text, "has failed repeatedly, so few calls are made for now"
        )

    def responded(self, part: str) -> None:
        """Note that a call has succeeded."""
        now = self._clock()
        with self._lock.hold():
            ended = [
                (name, outage)
                for name, outage in self._parts.items()
                if now - outage.failed_at
                >= (_RECOVERY_SECONDS if name == part else _UNUSED_SECONDS)
            ]
            for name, _ in ended:
                del self._parts[name]
            self.is_lost = bool(self._parts)
            decided = self._decided
        for name, outage in ended:
            self._record(
                "recovered",
                name,
                outage.reason,
                f"{'is available again' if name == part else 'is no longer needed'} after "
                f"{now - outage.since:.1f} s, in which {decided - outage.decided} requests were "
                "decided without it",
            )

    def was_reset(self, part: str, reason: str) -> None:
        """Note that a store has lost its contents, or may have."""
        now = self._clock()
        with self._lock.hold():
            last = self._reset_at.get(part)
            if last is not None and now - last < _RECOVERY_SECONDS:
                return
            if len(self._reset_at) >= _MAX_PARTS:
                self._reset_at.clear()
            self._reset_at[part] = now
        self._record("reset", part, reason, reason)

    def _record(self, event: Event, store: str, reason: str, text: str) -> None:
        suppressed = self._throttle.suppressed(f"{event} {store}")
        if suppressed is None:
            return
        more = f" (and {suppressed} more like it)" if suppressed else ""
        extra = {
            "policy": "RateLimiter",
            "event": event,
            "store": store,
            "reason": reason,
            "repeats": suppressed,
        }
        log.warning("The store %s %s%s", store, text, more, extra=extra)

    # -- counts -----------------------------------------------------------------------------------

    @property
    def _decided(self) -> int:
        return self._local + self._uncounted + self._unavailable

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


def safe_reason(reason: object) -> str:
    """Return an error's text on one line, bounded and without the credentials of a URI."""
    return printable(_CREDENTIALS.sub("//***@", str(reason)[: 4 * _MAX_REASON]))[:_MAX_REASON]
