"""Fixed, moving and sliding windows, delegated to the `limits` package.

Windows are counted in the memory of this process or in one of the storages that `limits` supports:
Redis, Valkey, Memcached and MongoDB. Its limitations apply: several windows of one request are
tested and then hit one after another. In a storage shared by several processes, simultaneous
requests may therefore all pass the test, and a request that is then rejected may have been counted
in another window. In memory, counting is exact.
"""

import time
from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import Awaitable, Sequence
from contextlib import nullcontext
from hashlib import blake2b
from inspect import isawaitable
from math import inf
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import limits.aio.strategies
import limits.strategies
from limits import RateLimitItemPerSecond
from limits.errors import ConcurrentUpdateError, ConfigurationError, StorageError
from limits.storage import storage_from_string

from mantlet._internal.coroutines import start_eagerly
from mantlet.exceptions import StoreError, StoreOutage
from mantlet.ratelimit.decision import SECOND, Decision, seconds
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.base import TokenRequest, redact_uri
from mantlet.ratelimit.stores.window_storage import MemoryWindowStorage
from mantlet.stores.redis.circuit_breaker import CircuitBreaker

__all__ = ["WindowDecision", "WindowLimiter", "WindowResult"]

_CLASS_NAMES = {
    "fixed": "FixedWindowRateLimiter",
    "moving": "MovingWindowRateLimiter",
    "sliding": "SlidingWindowCounterRateLimiter",
}
#: The supported storages of `limits`.
_STORAGES = ("redis", "rediss", "valkey", "valkeys", "memcached", "mongodb")
#: The longest windows in Memcached, in days, as it takes an expiry of more than 30 days for a date,
#: and a sliding window expires after two periods. It keeps no lists for moving windows.
_MEMCACHED_DAYS = {"fixed": 30, "sliding": 15}
_DAY = 86_400
#: The exceptions of a storage that fails; `limits` wraps most of those of its clients.
_FAULTS: tuple[type[Exception], ...] = (StorageError, ConcurrentUpdateError, OSError)
#: Seconds without a server of several that has failed: the others count its keys.
_DEAD_TIMEOUT = 5
_EXAMPLES = (
    '"memory://", "redis://localhost:6379", "memcached://localhost:11211" or "mongodb://..."'
)


class WindowResult(NamedTuple):
    """The state of one window with respect to a request.

    Attributes:
        is_within_limit: whether the request is within the quota.
        remaining: number of requests that may follow at once.
        wait: nanoseconds until a rejected request would be admitted, or until one more request
            than now may follow, as far as the strategy can tell.
        is_counted: whether the request was counted, if it is within the quota.
    """

    is_within_limit: bool
    remaining: int
    wait: int
    is_counted: bool

    def decision(self, name: str, request: TokenRequest) -> "WindowDecision":
        """Return the decision on the request.

        One within the limit is shown as if it had been counted, as with buckets.
        """
        is_final = self.is_counted or not self.is_within_limit
        return WindowDecision(
            name,
            request.quota,
            is_within_limit=self.is_within_limit,
            remaining=self.remaining - (0 if is_final else request.cost),
            wait=self.wait,
            cost=request.cost,
            is_report_only=request.is_report_only,
        )


class WindowDecision(Decision):
    """A decision by a window strategy of `limits`.

    Args:
        name: the quota's name.
        quota: the quota that was applied.
        is_within_limit: whether the request is within the quota.
        remaining: number of requests that may follow at once.
        wait: nanoseconds until a rejected request would be admitted, or until one more request
            than now may follow.
        cost: the request's cost.
        is_report_only: whether the quota is only reported, not enforced.
    """

    __slots__ = ("_cost", "_remaining", "_wait")

    quota: Quota

    def __init__(
        self,
        name: str,
        quota: Quota,
        *,
        is_within_limit: bool,
        remaining: int,
        wait: int,
        cost: int = 1,
        is_report_only: bool = False,
    ) -> None:
        self.name = name
        self.quota = quota
        self.is_report_only = is_report_only
        self.is_within_limit = is_within_limit
        self._remaining = remaining
        self._wait = wait
        self._cost = cost

    @property
    def remaining(self) -> int:
        """Number of requests that may follow at once."""
        return self._remaining

    @property
    def reset(self) -> int:
        """Whole seconds, rounded up, until one more request may follow than now."""
        return -(-self._wait // SECOND)

    @property
    def retry_after(self) -> float:
        """Seconds after which a rejected request would be admitted."""
        if self.is_within_limit:
            return 0.0
        return inf if self._cost > self.quota.amount else seconds(self._wait)

    def refunded(self) -> "WindowDecision":
        """Return the decision as if the request had not been counted."""
        return WindowDecision(
            self.name,
            self.quota,
            is_within_limit=True,
            remaining=self._remaining + self._cost,
            wait=self._wait,
            cost=0,
            is_report_only=self.is_report_only,
        )


#: Strategies by window type. Any: the blocking and the asyncio strategies share no base class.
_Strategies = dict[str, Any]


class WindowLimiter:
    """Counts requests in windows.

    Args:
        uri: a storage of `limits`.
        max_keys: maximum number of keys kept in memory.
        timeout: in seconds, for each socket operation of the storage; a call that needs several
            may take longer.

    Attributes:
        breaker: decides whether the storage is called.
        is_local: whether windows are kept in this process, which has no outages.
        name: the storage as shown in the log, without secrets; that of a store which uses the same
            server, if there is one, so that its outage is one.

    Raises:
        ValueError: the URI does not name a storage that supports windows.
    """

    def __init__(self, uri: str, *, max_keys: int, timeout: float) -> None:
        scheme = uri.partition("://")[0]
        family = scheme.partition("+")[0]
        is_supported = scheme == "memory" or family in _STORAGES
        try:  # the storage will do the same on first use
            parts = urlsplit(uri)
            if family == "memcached":
                is_supported = _has_ports(parts.netloc) if parts.netloc else len(parts.path) > 1
        except ValueError:
            is_supported = False
        if not is_supported:
            raise ValueError(
                f"the store of a window must be such as {_EXAMPLES}, not {redact_uri(uri)}"
            )
        self._uri = uri
        self._scheme = scheme
        self._family = family
        self._timeout = timeout
        self.breaker = CircuitBreaker(timeout)
        self.name = redact_uri(uri).strip("'")
        self.is_local = is_local = scheme == "memory"
        self._storage_in_memory = MemoryWindowStorage(max_keys) if is_local else None
        self._local = (
            None
            if self._storage_in_memory is None
            else self._create_strategies(limits.strategies, self._storage_in_memory)
        )
        self._lock = Lock() if is_local else nullcontext()
        self._blocking: _Strategies | None = None
        self._faults = _FAULTS
        #: An asyncio client belongs to the event loop that uses it.
        self._by_loop: WeakKeyDictionary[AbstractEventLoop, _Strategies] = WeakKeyDictionary()

    def check(self, quota: Quota) -> None:
        """Reject a quota with a window that the storage can't count.

        Raises:
            ValueError: the kind of window, or one as long, does not exist there.
        """
        window = str(quota.window)
        days = _MEMCACHED_DAYS.get(window)
        if self._family != "memcached" or (days and quota.period <= days * _DAY):
            return
        limit, advice = f" of more than {days} days", "a shorter one"
        if days is None:
            limit, advice = "", '"sliding", "fixed"'
        raise ValueError(
            f'no window="{window}"{limit} in {redact_uri(self._uri)}: use {advice} or another store'
        )

    def take(
        self, requests: Sequence[TokenRequest], is_async: bool
    ) -> list[WindowResult] | Awaitable[list[WindowResult]]:
        """Count all requests, or none; report-only requests don't keep the others from counting.

        Args:
            requests: for quotas with a window.
            is_async: whether this is called on an event loop.

        Raises:
            StoreOutage: the storage is unavailable.
            ImportError: the storage's client is not installed.
        """
        return start_eagerly(self._evaluate(requests, is_async, hit=True))

    def peek(
        self, requests: Sequence[TokenRequest], is_async: bool
    ) -> list[WindowResult] | Awaitable[list[WindowResult]]:
        """Return the result that `take()` would have, without counting anything."""
        return start_eagerly(self._evaluate(requests, is_async, hit=False))

    def reset_all(self) -> None:
        """Clear all windows.

        Raises:
            TypeError: they are kept outside of this process, with those of others.
        """
        if self._storage_in_memory is None:
            raise TypeError(
                f"windows in {self._family} can't be reset all at once; reset them by their keys"
            )
        with self._lock:
            self._storage_in_memory.reset()

    def reset(self, requests: Sequence[TokenRequest], is_async: bool) -> Awaitable[None] | None:
        """Clear the windows."""
        return start_eagerly(self._clear(requests, is_async))

    async def _evaluate(
        self, requests: Sequence[TokenRequest], is_async: bool, *, hit: bool
    ) -> list[WindowResult]:
        strategies = self._strategies(is_async)
        if not self.breaker.admits():
            raise StoreOutage(f"the {self._scheme} storage is unavailable: not calling it for now")
        try:
            with self._lock:
                results = await self._count(strategies, requests, hit=hit)
        except self._faults as error:
            self.breaker.record_failure()
            raise self._outage(error) from None
        except BaseException:  # cancelled
            self.breaker.abandon()
            raise
        self.breaker.record_success()
        return results

    async def _count(
        self, strategies: _Strategies, requests: Sequence[TokenRequest], *, hit: bool
    ) -> list[WindowResult]:
        within = [await self._call(strategies, "test", request) for request in requests]
        pairs = list(zip(requests, within, strict=True))
        hits = [False] * len(requests)
        if hit and all(fits or request.is_report_only for request, fits in pairs):
            counts_reported = all(fits for request, fits in pairs if request.is_report_only)
            hits = [counts_reported or not request.is_report_only for request in requests]
            within = [
                await self._call(strategies, "hit", request) if is_hit else fits
                for (request, fits), is_hit in zip(pairs, hits, strict=True)
            ]
        results = []
        for request, fits, is_hit in zip(requests, within, hits, strict=True):
            reset, remaining = await self._call(strategies, "get_window_stats", request)
            wait = max(0, int((reset - time.time()) * SECOND))
            results.append(WindowResult(bool(fits), remaining, wait, is_hit))
        return results

    async def _clear(self, requests: Sequence[TokenRequest], is_async: bool) -> None:
        strategies = self._strategies(is_async)
        try:
            with self._lock:
                for request in requests:
                    await self._call(strategies, "clear", request)
        except self._faults as error:
            raise self._outage(error) from None

    def _outage(self, error: Exception) -> StoreOutage:
        # The error's text is left out, as it may contain the URI.
        kind = type(getattr(error, "storage_error", error)).__name__
        return StoreOutage(f"the {self._scheme} storage: {kind}")

    def _strategies(self, is_async: bool) -> _Strategies:
        if self._local is not None:
            return self._local
        if not is_async:
            if self._blocking is None:
                storage = self._storage(self._uri, is_async=False)
                self._blocking = self._create_strategies(limits.strategies, storage)
            return self._blocking
        try:
            loop = get_running_loop()
        except RuntimeError:
            raise StoreError(
                "windows on the network need asyncio, and the server runs another event loop"
            ) from None
        found = self._by_loop.get(loop)
        if found is None:
            storage = self._storage(f"async+{self._uri}", is_async=True)
            found = self._create_strategies(limits.aio.strategies, storage)
            self._by_loop[loop] = found
        return found

    def _storage(self, uri: str, *, is_async: bool) -> Any:
        options: dict[str, Any] = {}  # with the client, where there are several
        names: tuple[str, ...] = ("socket_timeout", "socket_connect_timeout")
        timeout: float = self._timeout
        if self._family in ("redis", "rediss") and is_async:
            options["implementation"] = "redispy"
        elif self._family == "memcached":
            names = ("timeout", "connect_timeout")
            if is_async:
                options["implementation"] = "memcachio"
                names = ("blocking_timeout", "connect_timeout", "read_timeout")
            elif "," in uri:
                # While the client of several servers retries one, it counts nothing there.
                options |= {"retry_attempts": 0, "dead_timeout": _DEAD_TIMEOUT}
        elif self._family == "mongodb":
            names = ("serverSelectionTimeoutMS", "connectTimeoutMS", "socketTimeoutMS")
            timeout = max(1, int(self._timeout * 1000))
        options |= dict.fromkeys(names, timeout)
        try:
            storage = storage_from_string(uri, wrap_exceptions=True, **options)
        except ConfigurationError as error:
            extra = {"rediss": "redis", "valkeys": "valkey"}.get(self._family, self._family)
            extra = f"async-{extra}" if is_async else extra
            raise ImportError(
                f'windows in {self._family} need its client: pip install "limits[{extra}]"'
            ) from error
        if self._family == "memcached" and is_async:
            from memcachio.errors import MemcachedError  # the client of the storage

            self._faults = (*_FAULTS, MemcachedError)
        return storage

    def _create_strategies(self, module: Any, storage: Any) -> _Strategies:
        return {
            window: getattr(module, name)(storage)
            for window, name in _CLASS_NAMES.items()
            if self._family != "memcached" or window in _MEMCACHED_DAYS
        }

    async def _call(self, strategies: _Strategies, method: str, request: TokenRequest) -> Any:
        """Call a method of a blocking or an asyncio strategy."""
        quota = request.quota
        item = RateLimitItemPerSecond(quota.amount, quota.period)
        options = {"cost": request.cost} if method in ("test", "hit") else {}
        key = request.key
        if self._family == "memcached":  # whose keys are short, without spaces
            key = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
        result = getattr(strategies[str(quota.window)], method)(item, key, **options)
        return await result if isawaitable(result) else result


def _has_ports(netloc: str) -> bool:
    """Return whether all servers of a URI have a name and a port."""
    servers = [urlsplit(f"//{server}") for server in netloc.rpartition("@")[2].split(",")]
    return all(server.hostname and server.port for server in servers)
