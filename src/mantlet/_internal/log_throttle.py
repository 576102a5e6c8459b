"""How often a thing is logged that happens again and again: some times, then with a count."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from mantlet._internal.locks import ForkSafeLock

__all__ = ["LogThrottle", "_Burst"]

#: So many of a kind are logged within `_WINDOW` seconds; then the 100th, the 1,000th, ...
_IN_FULL: Final = 10
_WINDOW: Final = 60.0
#: Kinds that are counted at a time; the one not seen for longest is forgotten.
_MOST_KINDS: Final = 1024


@dataclass(slots=True)
class _Burst:
    """One kind, as often as it has come lately."""

    began: float
    count: int = 0
    suppressed: int = 0


class LogThrottle:
    """Counts what happens, by kind, for a log.

    Args:
        clock: seconds, from any beginning.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = ForkSafeLock()
        self._storms: OrderedDict[str, _Burst] = OrderedDict()

    def suppressed(self, kind: str) -> int | None:
        """Return how many of this kind were not logged since the last; None if nor is this one."""
        now = self._clock()
        with self._lock.hold():
            storm = self._storms.get(kind)
            if storm is None:
                storm = self._storms[kind] = _Burst(now)
                if len(self._storms) > _MOST_KINDS:
                    self._storms.popitem(last=False)
            else:
                self._storms.move_to_end(kind)
            if now - storm.began >= _WINDOW:
                storm.began, storm.count = now, 0
            storm.count += 1
            if storm.count > _IN_FULL and not _is_power_of_ten(storm.count):
                storm.suppressed += 1
                return None
            suppressed, storm.suppressed = storm.suppressed, 0
            return suppressed


def _is_power_of_ten(count: int) -> bool:
    text = str(count)
    return text == "1".ljust(len(text), "0")
