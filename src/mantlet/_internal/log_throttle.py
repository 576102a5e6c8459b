"""`LogThrottle`: log the first occurrences of a repeated event, then only a count."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from mantlet._internal.locks import ForkSafeLock

__all__ = ["LogThrottle"]

#: The occurrences that are logged within `_WINDOW` seconds; then the 100th, the 1,000th, ...
_MAX_IN_FULL: Final = 10
_WINDOW: Final = 60.0
#: The most kinds that are counted at a time; the least recent one is forgotten.
_MAX_KINDS: Final = 1024


@dataclass(slots=True)
class _Burst:
    """Recent occurrences of one kind."""

    began: float
    count: int = 0
    suppressed: int = 0


class LogThrottle:
    """Counts events by kind, and decides whether to log each.

    Args:
        clock: returns seconds since any fixed time.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = ForkSafeLock()
        self._bursts: OrderedDict[str, _Burst] = OrderedDict()

    def suppressed(self, kind: str) -> int | None:
        """Return how many events of this kind were suppressed; None to suppress this one too."""
        now = self._clock()
        with self._lock.hold():
            burst = self._bursts.get(kind)
            if burst is None:
                burst = self._bursts[kind] = _Burst(now)
                if len(self._bursts) > _MAX_KINDS:
                    self._bursts.popitem(last=False)
            else:
                self._bursts.move_to_end(kind)
            if now - burst.began >= _WINDOW:
                burst.began, burst.count = now, 0
            burst.count += 1
            if burst.count > _MAX_IN_FULL and not _is_power_of_ten(burst.count):
                burst.suppressed += 1
                return None
            suppressed, burst.suppressed = burst.suppressed, 0
            return suppressed


def _is_power_of_ten(count: int) -> bool:
    text = str(count)
    return text == "1".ljust(len(text), "0")
