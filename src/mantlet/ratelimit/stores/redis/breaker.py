"""The circuit breaker: nobody waits for a server that has just failed to answer."""

from collections.abc import Callable
from random import uniform
from time import monotonic

__all__ = ["Breaker"]

#: Failures in a row that open the circuit.
_FAILURES = 3
#: Seconds until the first probe, and the most between two.
_FIRST, _LONGEST = 0.1, 5.0


class Breaker:
    """Closed while the server answers; open for a growing, jittered while when it does not.

    While the circuit is open, one call is let through at the end of each while, as a probe. The
    jitter keeps the processes of a fleet from probing at the same moment.

    Args:
        clock: seconds that never go back.
    """

    __slots__ = ("_clock", "_failures", "_until", "_while")

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until = 0.0
        self._while = _FIRST

    @property
    def open(self) -> bool:
        """Whether the circuit is open."""
        return self._failures >= _FAILURES

    def admits(self) -> bool:
        """Return whether a call may be made now; where the circuit is open, that is the probe."""
        if self._failures < _FAILURES:
            return True
        now = self._clock()
        if now < self._until:
            return False
        self._until = now + uniform(0.5, 1.5) * self._while  # noqa: S311  # no secret
        return True

    def succeeded(self) -> bool:
        """Hear that a call was answered; return whether that closes the circuit."""
        closes = self.open
        self._failures = 0
        self._while = _FIRST
        return closes

    def failed(self) -> bool:
        """Hear that a call was not answered; return whether that opens the circuit."""
        was_open = self.open
        self._failures += 1
        if not self.open:
            return False
        if was_open:
            self._while = min(2 * self._while, _LONGEST)
        self._until = self._clock() + uniform(0.5, 1.5) * self._while  # noqa: S311  # no secret
        return not was_open
