"""A store on a Redis or Valkey server, or a cluster: exact across hosts.

Everything an HTTP request needs is one call of one Lua script (see `script_client`), which uses the
server's own time. A key on the server is ``mantlet:<limit>:{<client>}``, with ``:slots`` appended
for slots. The client's part is hashed and in braces, so that everything that belongs to one client
is on one node of a cluster. Keys expire as soon as they are equivalent to missing keys.

**Permissions.** An ACL user needs ``+@connection +evalsha +eval +time +get +set +del +zadd +zrem
+zcount +zremrangebyscore +zscore +pttl +pexpire ~mantlet:*``; for a cluster also
``+cluster|slots``, and for `RateLimiter.reset_all()` also ``+scan``.

**Guarantees.** No call takes longer than the timeout. A server that does not respond is a
`StoreOutage`; after three in a row, calls fail at once, and one call from time to time tries again.
If the server loses its memory, buckets are full. When a replica takes over from a failed master,
the most recent writes may be lost, and the tokens they took may be spent again.

**In a cluster,** the requests of one call may be for several clients (an address and an account,
say) and thus for several nodes, which can't be changed atomically. The nodes are then called one
after another, and tokens already taken are given back when a later node denies a request.
"""

from collections.abc import Awaitable, Sequence
from contextlib import suppress
from copy import copy
from itertools import compress

from mantlet._internal.coroutines import start_eagerly
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.stores.base import (
    Remaining,
    Store,
    StoreRequest,
    Strikes,
    TokenRequest,
    aged,
    granted,
)
from mantlet.ratelimit.stores.memory import FallbackStore
from mantlet.ratelimit.stores.outages import OutageLog
from mantlet.ratelimit.stores.redis.denial_cache import DenialCache
from mantlet.ratelimit.stores.redis.prefetch import PrefetchCache
from mantlet.ratelimit.stores.redis.script_client import ScriptClient, server_key
from mantlet.stores.redis import RedisBackend
from mantlet.stores.redis.circuit_breaker import CircuitBreakers
from mantlet.stores.redis.clients import hash_slot

__all__ = ["RedisStore"]


class RedisStore(Store):
    """A store on a server, shared by all processes that use the same server.

    Args:
        uri: the server's URI, see `client.uri`.
        timeout: in seconds, for each call, including connecting.
        prefetch: maximum number of tokens taken in advance for keys in constant use; see
            `PrefetchCache` for how far it lets a key exceed its burst.
        max_keys: maximum number of denied and of prefetched keys that are cached in this process,
            at about 300 bytes each.

    Attributes:
        safe_uri: the URI without its secrets.

    Raises:
        ImportError: hiredis is not installed; the message names the extra.
        ValueError: the URI is malformed.
    """

    def __init__(
        self,
        uri: str,
        *,
        timeout: float = 0.05,
        prefetch: int | None = None,
        max_keys: int = 100_000,
    ) -> None:
        self._backend = RedisBackend(uri, timeout=timeout)
        self.safe_uri = self._backend.safe_uri
        self._timeout = timeout
        self._breakers = CircuitBreakers(timeout)
        self._denials = DenialCache(max_keys)
        self._prefetched = None if prefetch is None else PrefetchCache(prefetch, max_keys)
        self._outages = OutageLog()
        self._fallback: FallbackStore | None = None
        self._script = self._script_client(is_async=False)

    def __repr__(self) -> str:
        return f"RedisStore({self._backend.safe_uri!r})"

    def bind(self, is_async: bool) -> "RedisStore":
        """Return the store with a client that blocks, or with one for asyncio."""
        bound = copy(self)
        bound._script = self._script_client(is_async)
        return bound

    def observed(self, outages: OutageLog, fallback: FallbackStore | None) -> "RedisStore":
        """Return the store as a limiter uses it; see `Store.observed()`."""
        observed = copy(self)
        observed._outages = outages
        observed._fallback = fallback
        return observed.bind(is_async=False)

    def counts(self) -> dict[str, int]:
        """Return the counts of decisions that the server was not asked for."""
        unasked = {"unasked": self._denials.found}
        return unasked if self._prefetched is None else unasked | self._prefetched.counts()

    def _script_client(self, is_async: bool) -> ScriptClient:
        return ScriptClient(
            self._backend.client(is_async),
            self._backend.safe_uri,
            self._timeout,
            self._breakers,
            outages=self._outages,
            fallback=self._fallback,
            is_async=is_async,
        )

    def open(self) -> Awaitable[None] | None:
        """Connect. A server that is unreachable is not an error yet: it may come up later.

        Raises:
            StoreError: the server responds with an error: a wrong password, a missing permission.
        """
        return start_eagerly(self._script.open())

    def close(self) -> Awaitable[None] | None:
        """Close the connections."""
        return start_eagerly(self._script.client.close())

    # -- the store protocol -----------------------------------------------------------------------

    def take(self, requests: Sequence[StoreRequest]) -> Remaining | Awaitable[Remaining]:
        """Take everything that is requested, or nothing."""
        known = None if self._prefetched is None else self._prefetched.spend(requests)
        if known is None:
            known = self._denials.find(requests)
        if known is not None:
            return known
        if len(requests) > 1 and self._backend.is_cluster:
            return start_eagerly(self._take_groups(requests))
        return start_eagerly(self._take_group(requests))

    def peek(self, requests: Sequence[StoreRequest]) -> Remaining | Awaitable[Remaining]:
        """Return the result that `take()` would have, without taking anything."""
        return start_eagerly(self._peek(requests))

    def give_back(self, requests: Sequence[StoreRequest]) -> Awaitable[None] | None:
        """Give back tokens and slots that were taken."""
        for request in requests:
            self._denials.discard(request.key)
        return start_eagerly(self._give_back(requests))

    def block(self, requests: Sequence[TokenRequest], nanoseconds: int) -> Awaitable[None] | None:
        """Empty buckets so that each gets its next token after ``nanoseconds``."""
        for request in requests:
            self._discard_prefetched(request.key)
        return start_eagerly(self._block(requests, nanoseconds))

    def strike(self, request: TokenRequest, strikes: Strikes) -> bool | Awaitable[bool]:
        """Record that a request was denied; block its bucket if it was denied too often."""
        return start_eagerly(self._strike(request, strikes))

    def reset_all(self, prefixes: Sequence[str]) -> Awaitable[None] | None:
        """Refill buckets and free slots; other processes may deny for up to a minute longer."""
        self._denials.clear()
        if self._prefetched is not None:
            self._prefetched.clear()
        return start_eagerly(self._script.reset_all(prefixes))

    def reset(self, keys: Sequence[str]) -> Awaitable[None] | None:
        """Refill buckets and free slots; other processes may deny for up to a minute longer."""
        for key in keys:
            self._denials.discard(key)
            self._discard_prefetched(key)
        return start_eagerly(self._reset(keys))

    def _discard_prefetched(self, key: str) -> None:
        if self._prefetched is not None:
            self._prefetched.discard(key)

    # -- calling the server -----------------------------------------------------------------------

    async def _take_group(self, requests: Sequence[StoreRequest]) -> Remaining:
        """Take requests that belong to one node, and prefetch where it pays."""
        asked_at = self._denials.now()
        remaining: Remaining
        if self._prefetched is not None:
            remaining = await self._prefetched.take(self._script, requests)
        else:
            remaining = [reply.remaining for reply in await self._script.run("take", requests)]
        self._denials.add(requests, remaining, asked_at)
        return remaining

    async def _take_groups(self, requests: Sequence[StoreRequest]) -> Remaining:
        """Take from several nodes in turn; give everything back if a later node denies."""
        found: dict[str, int | None] = {}
        taken: list[StoreRequest] = []
        taken_at = self._denials.now()
        for group in self._groups(requests):
            try:
                remaining = await self._take_group(group)
            except StoreOutage:
                with suppress(StoreOutage):
                    await self._give_back(aged(taken, self._denials.now() - taken_at))
                raise
            if not taken:
                taken_at = self._denials.now()
            found.update((one.key, left) for one, left in zip(group, remaining, strict=True))
            grants = granted(group, remaining)
            if not all(
                is_granted or request.is_report_only
                for request, is_granted in zip(group, grants, strict=True)
            ):
                await self._give_back(aged(taken, self._denials.now() - taken_at))
                break
            taken += compress(group, grants)
        return [found.get(request.key) for request in requests]

    async def _peek(self, requests: Sequence[StoreRequest]) -> Remaining:
        found: dict[str, int | None] = {}
        for group in self._groups(requests):
            replies = await self._script.run("peek", group)
            for request, reply in zip(group, replies, strict=True):
                left = reply.remaining
                if self._prefetched is not None and isinstance(request, TokenRequest):
                    left = max(left, self._prefetched.peek(request) or left)
                found[request.key] = left
        return [found[request.key] for request in requests]

    async def _give_back(self, requests: Sequence[StoreRequest]) -> None:
        if self._fallback is not None:
            self._fallback.free(requests)
        for group in self._groups(requests):
            await self._script.run("give_back", group)

    async def _block(self, requests: Sequence[TokenRequest], nanoseconds: int) -> None:
        for group in self._groups(requests):
            blocked = [request for request in group if isinstance(request, TokenRequest)]
            await self._script.block(blocked, nanoseconds)

    async def _strike(self, request: TokenRequest, strikes: Strikes) -> bool:
        is_banned = await self._script.strike(request, strikes)
        if is_banned:
            self._denials.discard(request.key)  # the ban is longer
        return is_banned

    async def _reset(self, keys: Sequence[str]) -> None:
        for key in keys:
            await self._script.reset(key)

    def _groups(self, requests: Sequence[StoreRequest]) -> list[Sequence[StoreRequest]]:
        """Return the requests grouped by hash slot, as each slot may be on another node."""
        if not requests or not self._backend.is_cluster or len(requests) == 1:
            return [requests] if requests else []
        groups: dict[int, list[StoreRequest]] = {}
        for request in requests:
            groups.setdefault(hash_slot(server_key(request)), []).append(request)
        return list(groups.values())
