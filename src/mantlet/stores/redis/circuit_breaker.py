"""A circuit breaker: callers don't wait for a server that has just failed to respond."""

from collections.abc import Callable
from random import uniform
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing it needs a library
    from mantlet.stores.redis.uri import ServerAddress

__all__ = ["CircuitBreaker", "CircuitBreakers"]

#: Consecutive failures that open the circuit.
_FAILURES = 3
#: Seconds until the first probe, and at most between two probes, before jitter.
_MIN_DELAY, _MAX_DELAY = 0.1, 5.0
#: How many nodes are remembered; a cluster has at most a thousand.
_MAX_NODES = 1000


class CircuitBreaker:
    """Closed while the server responds; open for growing, jittered delays while it does not.

    While the circuit is open, one call is admitted at the end of each delay, as a probe. The jitter
    keeps the processes of a fleet from probing at the same moment.

    Args:
        timeout: of a call, in seconds. Delays are longer, so only one probe runs at a time.
        clock: monotonic clock in seconds.
    """

    __slots__ = ("_clock", "_delay", "_failures", "_lock", "_min_delay", "_probe_at")

    def __init__(self, timeout: float = 0.0, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._min_delay = self._delay = max(_MIN_DELAY, 2 * timeout)
        self._probe_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the circuit is open."""
        return self._failures >= _FAILURES

    def admits(self) -> bool:
        """Return whether a call may be made now; if the circuit is open, the call is the probe."""
        if self._failures < _FAILURES:
            return True
        with self._lock:
            if self._clock() < self._probe_at:
                return False
            self._schedule_probe()
        return True

    def record_success(self) -> bool:
        """Record that a call succeeded; return whether this closes the circuit."""
        closes = self.is_open
        self._failures = 0
        return closes

    def record_failure(self) -> bool:
        """Record that a call failed; return whether this opens the circuit.

        Calls made before the circuit opened may fail later; they change nothing.
        """
        with self._lock:
            self._failures += 1
            if self._failures != _FAILURES:
                return False
            self._delay = self._min_delay
            self._schedule_probe()
        return True

    def abandon(self) -> None:
        """Record that a call was cancelled: if it was a probe, the next call is one instead.

        Otherwise a client that cancels its requests could keep the circuit open.
        """
        with self._lock:
            if self.is_open:
                self._probe_at = self._clock()

    def _schedule_probe(self) -> None:
        """Admit no call until the delay has passed, and double the next delay."""
        self._probe_at = self._clock() + uniform(0.5, 1.5) * self._delay  # noqa: S311  # no secret
        self._delay = min(2 * self._delay, max(self._min_delay, _MAX_DELAY))


class CircuitBreakers:
    """One circuit breaker for each node of a cluster, or one for a single server.

    Args:
        timeout: see `CircuitBreaker`.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._breakers: dict[ServerAddress | None, CircuitBreaker] = {}

    def of(self, node: "ServerAddress | None") -> CircuitBreaker:
        """Return the breaker of a node; None stands for a single server or an unknown node."""
        breaker = self._breakers.get(node)
        if breaker is None:
            if len(self._breakers) >= _MAX_NODES:
                self._breakers.clear()
            breaker = self._breakers.setdefault(node, CircuitBreaker(self._timeout))
        return breaker
