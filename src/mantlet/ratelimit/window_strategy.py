"""Windows, for those who must: the strategies of `limits`, on its storages.

Fixed, moving and sliding windows are counted by that package, in this process's memory or wherever
it has a storage: Redis, Valkey, Memcached, MongoDB. What it can't do, this can't: several windows
of one request are tested, and then hit, one after another, so that with a storage that processes
share, requests at the same moment may each pass the test, and one that is refused then may have
spent something of another window. In memory that is exact.
"""

import time
from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import Awaitable, Sequence
from contextlib import nullcontext
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
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.decision import SECOND, Decision, seconds
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.base import Claim, hidden
from mantlet.ratelimit.stores.window_storage import WindowMemory

__all__ = ["Standing", "WindowDecision", "Windows"]

_NAMES = {
    "fixed": "FixedWindowRateLimiter",
    "moving": "MovingWindowRateLimiter",
    "sliding": "SlidingWindowCounterRateLimiter",
}
#: The storages of `limits` that are of use, and what bounds the time that a call of each takes.
_STORAGES = ("redis", "rediss", "valkey", "valkeys", "memcached", "mongodb")
#: Which client for asyncio is meant, where `limits` knows several.
_CLIENTS = {
    "redis": {"implementation": "redispy"},
    "rediss": {"implementation": "redispy"},
}
_RIGHT = '"memory://", "redis://localhost:6379", "memcached://localhost:11211" or "mongodb://..."'


class Standing(NamedTuple):
    """How a request stands in one window.

    Attributes:
        within: whether it is within the quota.
        remaining: how many may follow at once.
        wait: nanoseconds until a refused one would be admitted, or else one more than now, as far
            as the strategy can tell.
        counted: whether it was counted, if it is within the quota.
    """

    within: bool
    remaining: int
    wait: int
    counted: bool


class WindowDecision(Decision):
    """A window's, by a strategy of `limits`.

    Args:
        name: the quota's.
        quota: it was decided by.
        within: whether the request is within it.
        remaining: whole requests that may follow at once.
        wait: nanoseconds until a refused request would be admitted, or else one more than now.
        cost: of the request.
        shadow: whether it is only tried out.
    """

    __slots__ = ("_cost", "_remaining", "_wait")

    quota: Quota

    def __init__(
        self,
        name: str,
        quota: Quota,
        *,
        within: bool,
        remaining: int,
        wait: int,
        cost: int = 1,
        shadow: bool = False,
    ) -> None:
        self.name = name
        self.quota = quota
        self.shadow = shadow
        self.within = within
        self._remaining = remaining
        self._wait = wait
        self._cost = cost

    @property
    def remaining(self) -> int:
        """Whole requests that may follow at once."""
        return self._remaining

    @property
    def reset(self) -> int:
        """Whole seconds, rounded up, until one more request may follow than now."""
        return -(-self._wait // SECOND)

    @property
    def retry_after(self) -> float:
        """Seconds after which a refused request would be admitted."""
        if self.within:
            return 0.0
        return inf if self._cost > self.quota.amount else seconds(self._wait)

    def given_back(self) -> "WindowDecision":
        """Return the decision as it stands when nothing was taken."""
        return WindowDecision(
            self.name,
            self.quota,
            within=True,
            remaining=self._remaining + self._cost,
            wait=self._wait,
            cost=0,
            shadow=self.shadow,
        )


#: Strategies by the names of windows. Any: the blocking ones and those for asyncio are unrelated.
Strategies = dict[str, Any]


class Windows:
    """Counts requests in windows.

    Args:
        uri: of a storage, as `limits` has them.
        max_keys: how many keys are kept in memory.
        deadline: in seconds; the time-out of each of the storage's own socket operations, so that a
            call that needs several may take longer.

    Raises:
        ValueError: the URI names no storage that has windows.
    """

    def __init__(self, uri: str, *, max_keys: int, deadline: float) -> None:
        scheme = uri.partition("://")[0]
        if scheme != "memory" and scheme.partition("+")[0] not in _STORAGES:
            raise ValueError(f"windows are counted in {_RIGHT}, not in {hidden(uri)}")
        try:
            urlsplit(uri)  # as the storage will, once it is needed
        except ValueError:
            raise ValueError(f"windows are counted in {_RIGHT}, not in {hidden(uri)}") from None
        self._uri = uri
        self._scheme = scheme
        self._family = scheme.partition("+")[0]
        self._deadline = deadline
        memory = scheme == "memory"
        self._local = _strategies(limits.strategies, WindowMemory(max_keys)) if memory else None
        self._lock = Lock() if memory else nullcontext()
        self._blocking: Strategies | None = None
        #: An asyncio client belongs to the loop that uses it.
        self._by_loop: WeakKeyDictionary[AbstractEventLoop, Strategies] = WeakKeyDictionary()

    def take(
        self, claims: Sequence[Claim], waits: bool
    ) -> list[Standing] | Awaitable[list[Standing]]:
        """Count all, or nothing; what is wanted in shadow keeps nothing else from being counted.

        Args:
            claims: of quotas with a window.
            waits: whether this is on an event loop.

        Raises:
            StoreOutage: the storage can't be used at the moment.
            ImportError: its client is not installed.
        """
        return start_eagerly(self._judge(claims, waits, hit=True))

    def peek(
        self, claims: Sequence[Claim], waits: bool
    ) -> list[Standing] | Awaitable[list[Standing]]:
        """Return what `take()` would return, and count nothing."""
        return start_eagerly(self._judge(claims, waits, hit=False))

    def forget(self, claims: Sequence[Claim], waits: bool) -> Awaitable[None] | None:
        """Make windows empty again."""
        return start_eagerly(self._clear(claims, waits))

    async def _judge(self, claims: Sequence[Claim], waits: bool, *, hit: bool) -> list[Standing]:
        strategies = self._strategies(waits)
        try:
            with self._lock:
                return await self._count(strategies, claims, hit=hit)
        except (StorageError, ConcurrentUpdateError) as error:
            # Not its text, which may hold the URI.
            raise StoreOutage(f"the {self._scheme} storage: {type(error).__name__}") from None

    async def _count(
        self, strategies: Strategies, claims: Sequence[Claim], *, hit: bool
    ) -> list[Standing]:
        within = [await _ask(strategies, "test", claim) for claim in claims]
        pairs = list(zip(claims, within, strict=True))
        hits = [False] * len(claims)
        if hit and all(fits or claim.shadow for claim, fits in pairs):
            tried = all(fits for claim, fits in pairs if claim.shadow)
            hits = [tried or not claim.shadow for claim in claims]
            within = [
                await _ask(strategies, "hit", claim) if is_hit else fits
                for (claim, fits), is_hit in zip(pairs, hits, strict=True)
            ]
        standings = []
        for claim, fits, is_hit in zip(claims, within, hits, strict=True):
            reset, remaining = await _ask(strategies, "get_window_stats", claim)
            wait = max(0, int((reset - time.time()) * SECOND))
            standings.append(Standing(bool(fits), remaining, wait, is_hit))
        return standings

    async def _clear(self, claims: Sequence[Claim], waits: bool) -> None:
        strategies = self._strategies(waits)
        try:
            with self._lock:
                for claim in claims:
                    await _ask(strategies, "clear", claim)
        except (StorageError, ConcurrentUpdateError) as error:
            raise StoreOutage(f"the {self._scheme} storage: {type(error).__name__}") from None

    def _strategies(self, waits: bool) -> Strategies:
        if self._local is not None:
            return self._local
        if not waits:
            if self._blocking is None:
                self._blocking = _strategies(limits.strategies, self._storage(self._uri))
            return self._blocking
        loop = get_running_loop()
        found = self._by_loop.get(loop)
        if found is None:
            storage = self._storage(f"async+{self._uri}", **_CLIENTS.get(self._family, {}))
            found = self._by_loop[loop] = _strategies(limits.aio.strategies, storage)
        return found

    def _storage(self, uri: str, **options: Any) -> Any:
        times: tuple[str, ...] = ("socket_timeout", "socket_connect_timeout")
        longest: float = self._deadline
        if self._scheme.startswith("memcached"):
            times = ("timeout", "connect_timeout")
        elif self._scheme.startswith("mongodb"):
            times = ("serverSelectionTimeoutMS", "connectTimeoutMS", "socketTimeoutMS")
            longest = max(1, int(self._deadline * 1000))
        options |= dict.fromkeys(times, longest)
        try:
            return storage_from_string(uri, wrap_exceptions=True, **options)
        except ConfigurationError as error:
            raise ImportError(
                f"windows in {self._family} need its client: pip install limits[{self._family}]"
            ) from error


def _strategies(module: Any, storage: Any) -> Strategies:
    return {window: getattr(module, name)(storage) for window, name in _NAMES.items()}


async def _ask(strategies: Strategies, method: str, claim: Claim) -> Any:
    """Ask a strategy of either kind."""
    quota = claim.quota
    item = RateLimitItemPerSecond(quota.amount, quota.period)
    options = {"cost": claim.cost} if method in ("test", "hit") else {}
    answer = getattr(strategies[str(quota.window)], method)(item, claim.key, **options)
    return await answer if isawaitable(answer) else answer
