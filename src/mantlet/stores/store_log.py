"""`StoreLog`: log each change of a store's state once.

A store, or one node of a cluster, counts as lost at the first failed call. It counts as recovered
at the first successful call a second or more after the last failed one, so a store with occasional
failures has one outage, not many. Of each kind of log record, ten a minute are logged, and after
these the 100th.
"""

import re
from collections.abc import Callable
from logging import WARNING, Logger
from time import monotonic
from typing import Final, Literal

from mantlet._internal.locks import ForkSafeLock
from mantlet._internal.log_throttle import LogThrottle
from mantlet._internal.printable import printable

__all__ = ["StoreEvent", "StoreLog", "safe_reason"]

StoreEvent = Literal["lost", "not_called", "recovered", "reset"]

#: Seconds since the last failure after which a store that responds has recovered.
_RECOVERY_SECONDS: Final = 1.0
#: Seconds since the last failure after which a node of a cluster is no longer in use, if others
#: respond: they have its keys. A node in use is called more often.
_UNUSED_SECONDS: Final = 60.0
#: Maximum number of parts of a store that are tracked; a cluster has at most a thousand nodes.
_MAX_PARTS: Final = 1000
_MAX_REASON: Final = 300
# As long as the text that is searched, so that it takes linear time.
_CREDENTIALS: Final = re.compile(rf"//\S{{0,{4 * _MAX_REASON}}}@")


class _Outage:
    """The outage of one part of a store."""

    __slots__ = ("decided", "failed_at", "is_called", "reason", "since")

    def __init__(self, reason: str, now: float, decided: int) -> None:
        self.reason = reason
        self.since = self.failed_at = now
        self.is_called = True
        #: The number of decisions made without the store before this outage.
        self.decided = decided


class StoreLog:
    """Logs each change of a store's state once.

    Args:
        logger: the logger.
        policy: the name of the policy that uses the store, for log records.
        consequence: the effect of an outage on requests, as the end of a sentence.
        clock: monotonic clock in seconds.

    Attributes:
        is_lost: whether any part of the store is lost. Otherwise `responded()` need not be called.
    """

    def __init__(
        self,
        logger: Logger,
        policy: str,
        consequence: str = "",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.is_lost = False
        self._logger = logger
        self._policy = policy
        self._consequence = consequence
        self._clock = clock
        self._lock = ForkSafeLock()
        self._throttle = LogThrottle(logger, clock)
        self._parts: dict[str, _Outage] = {}
        self._reset_at: dict[str, float] = {}
        self._outages = 0

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
                f"{now - outage.since:.1f} s{self._toll(decided - outage.decided)}",
            )

    def was_reset(self, part: str, reason: str, level: int = WARNING) -> None:
        """Note that a store has lost its contents, or may have."""
        now = self._clock()
        with self._lock.hold():
            last = self._reset_at.get(part)
            if last is not None and now - last < _RECOVERY_SECONDS:
                return
            if len(self._reset_at) >= _MAX_PARTS:
                self._reset_at.clear()
            self._reset_at[part] = now
        self._record("reset", part, reason, reason, level)

    @property
    def _decided(self) -> int:
        """The number of decisions made without the store so far."""
        return 0

    def _toll(self, decided: int) -> str:
        """Return the effect of an outage, for the log record of its end."""
        return ""

    def _record(
        self, event: StoreEvent, store: str, reason: str, text: str, level: int = WARNING
    ) -> None:
        suppressed = self._throttle.suppressed(f"{event} {store}")
        if suppressed is None:
            return
        more = f" (and {suppressed} more like it)" if suppressed else ""
        extra = {
            "policy": self._policy,
            "event": event,
            "store": store,
            "reason": reason,
            "repeats": suppressed,
        }
        self._logger.log(level, "The store %s %s%s", store, text, more, extra=extra)


def safe_reason(reason: object) -> str:
    """Return an error's text on one line, bounded and without the credentials of a URI."""
    return printable(_CREDENTIALS.sub("//***@", str(reason)[: 4 * _MAX_REASON]))[:_MAX_REASON]
