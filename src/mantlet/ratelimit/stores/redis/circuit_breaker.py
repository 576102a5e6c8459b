"""The circuit breaker: nobody waits for a server that has just failed to answer."""

from collections.abc import Callable
from random import uniform
from threading import Lock
from time import monotonic

from mantlet.ratelimit.stores.redis.client.uri import Address

__all__ = ["Breaker", "Breakers"]

#: Failures in a row that open the circuit.
_FAILURES = 3
#: Seconds until the first probe, and the most between two, but for the jitter.
_FIRST, _LONGEST = 0.1, 5.0
#: How many nodes are remembered; a cluster has at most a thousand.
_NODES = 1000


class Breaker:
    """Closed while the server answers; open for a growing, jittered while when it does not.

    While the circuit is open, one call is let through at the end of each while, as a probe. The
    jitter keeps the processes of a fleet from probing at the same moment.

    Args:
        deadline: in seconds; a probe takes no longer, so that there is one at a time.
        clock: seconds that never go back.
    """

    __slots__ = ("_clock", "_failures", "_first", "_lock", "_until", "_while")

    def __init__(self, deadline: float = 0.0, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._first = self._while = max(_FIRST, 2 * deadline)
        self._until = 0.0

    @property
    def open(self) -> bool:
        """Whether the circuit is open."""
        return self._failures >= _FAILURES

    def admits(self) -> bool:
        """Return whether a call may be made now; where the circuit is open, that is the probe."""
        if self._failures < _FAILURES:
            return True
        with self._lock:
            if self._clock() < self._until:
                return False
            self._wait()
        return True

    def succeeded(self) -> bool:
        """Hear that a call was answered; return whether that closes the circuit."""
        closes = self.open
        self._failures = 0
        return closes

    def failed(self) -> bool:
        """Hear that a call was not answered; return whether that opens the circuit.

        Calls that were made before it opened may still fail after that, and change nothing.
        """
        with self._lock:
            self._failures += 1
            if self._failures != _FAILURES:
                return False
            self._while = self._first
            self._wait()
        return True

    def _wait(self) -> None:
        """Let nobody through for a while, and the next time for twice as long."""
        self._until = self._clock() + uniform(0.5, 1.5) * self._while  # noqa: S311  # no secret
        self._while = min(2 * self._while, max(self._first, _LONGEST))


class Breakers:
    """A breaker for each node of a cluster; for a single server there is one.

    Args:
        deadline: see `Breaker`.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._breakers: dict[Address | None, Breaker] = {}

    def of(self, node: Address | None) -> Breaker:
        """Return that of a node; None for the only server there is, or one that is not known."""
        breaker = self._breakers.get(node)
        if breaker is None:
            if len(self._breakers) >= _NODES:
                self._breakers.clear()
            breaker = self._breakers.setdefault(node, Breaker(self._deadline))
        return breaker
