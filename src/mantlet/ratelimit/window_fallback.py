"""Windows in memory that replace a shared storage of `limits` during an outage."""

import time
from collections.abc import Sequence
from threading import Lock

from mantlet.ratelimit.decision import SECOND
from mantlet.ratelimit.stores.base import TokenRequest
from mantlet.ratelimit.window_strategy import WindowLimiter, WindowResult

__all__ = ["FallbackWindows"]


class FallbackWindows:
    """Enforces one worker's share of each quota, starting from the storage's last result.

    As in `FallbackStore`, the cost of a request is multiplied by the number of workers, and a
    worker always admits one request that an empty window would admit.

    Args:
        workers: number of processes that share the quota.
        max_keys: maximum number of keys whose last result is kept, and of windows in memory.
        timeout: see `WindowLimiter`.
    """

    def __init__(self, workers: int, max_keys: int, timeout: float) -> None:
        self._workers = workers
        self._max_keys = max_keys
        self._windows = WindowLimiter("memory://", max_keys=max_keys, timeout=timeout)
        self._lock = Lock()
        #: By key: how many requests the storage had left, and when that expires (`time.time()`).
        self._last_results: dict[str, tuple[int, float]] = {}

    def learn(self, requests: Sequence[TokenRequest], results: Sequence[WindowResult]) -> None:
        """Remember the results of the shared storage."""
        now = time.time()
        with self._lock:
            for request, result in zip(requests, results, strict=True):
                quota = request.quota
                seconds = result.wait / SECOND if quota.window == "fixed" else quota.period
                self._last_results.pop(request.key, None)
                if len(self._last_results) >= self._max_keys:
                    del self._last_results[next(iter(self._last_results))]
                self._last_results[request.key] = result.remaining, now + seconds

    def take(self, requests: Sequence[TokenRequest]) -> list[WindowResult]:
        """Count all requests, or none."""
        return self._evaluate(requests, peek=False)

    def peek(self, requests: Sequence[TokenRequest]) -> list[WindowResult]:
        """Return the result that `take()` would have."""
        return self._evaluate(requests, peek=True)

    def reset(self, requests: Sequence[TokenRequest]) -> None:
        """Clear the windows."""
        with self._lock:
            for request in requests:
                self._last_results.pop(request.key, None)
        self._windows.reset(requests, is_async=False)

    def reset_all(self) -> None:
        """Clear all windows."""
        with self._lock:
            self._last_results.clear()
        self._windows.reset_all()

    def _evaluate(self, requests: Sequence[TokenRequest], *, peek: bool) -> list[WindowResult]:
        for request in requests:
            self._fill(request)
        shares = [request._replace(cost=self._share(request)) for request in requests]
        results = (self._windows.peek if peek else self._windows.take)(shares, is_async=False)
        assert isinstance(results, list)  # noqa: S101  # for the type checker: it is in memory
        return [one._replace(remaining=one.remaining // self._workers) for one in results]

    def _share(self, request: TokenRequest) -> int:
        amount = request.quota.amount
        cost = request.cost * self._workers
        return cost if request.cost > amount else min(cost, amount)

    def _fill(self, request: TokenRequest) -> None:
        """Set a window to the last known state of the shared storage."""
        with self._lock:
            left, until = self._last_results.pop(request.key, (0, 0.0))
        if until <= time.time():
            return
        held = self._windows.peek((request._replace(cost=1),), is_async=False)
        assert isinstance(held, list)  # noqa: S101  # for the type checker: it is in memory
        if held[0].remaining > left:
            used = request._replace(cost=held[0].remaining - max(left, 0), is_report_only=False)
            self._windows.take((used,), is_async=False)
