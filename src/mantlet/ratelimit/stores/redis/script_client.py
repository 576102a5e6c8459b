"""The client that calls the script, and the numbers that it sends and receives."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from math import gcd
from struct import Struct
from typing import Final, NamedTuple

from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.base import SlotRequest, StoreRequest, Strikes, TokenRequest
from mantlet.ratelimit.stores.memory import FallbackStore
from mantlet.ratelimit.stores.outages import OutageLog
from mantlet.ratelimit.stores.redis.script import SCRIPT
from mantlet.stores.redis import RedisClient
from mantlet.stores.redis.circuit_breaker import CircuitBreakers
from mantlet.stores.redis.resp import CommandError
from mantlet.stores.redis.script import RedisScript

__all__ = ["ScriptClient", "ScriptQuota", "ScriptReply", "script_quota", "server_key"]

_MICROSECONDS: Final = 1_000_000
_BUCKET, _REFUND, _BLOCK, _STRIKE, _SLOTS, _REMAINING = (
    Struct(">10d"),
    Struct(">5d"),
    Struct(">5d"),
    Struct(">7d"),
    Struct(">2d"),
    Struct(">4d"),
)
#: How many encoded keys and bucket parameters are cached.
_CACHE_SIZE: Final = 4096
#: The suffix of the server's key for slots.
_SLOTS_SUFFIX: Final = b":slots"
#: About how many keys of the server `ScriptClient.reset_all()` looks at in one call.
_BATCH: Final = 1000
_RESTARTED: Final = (
    "has lost its scripts, so it was restarted, flushed or replaced: buckets that it has lost too "
    "are full again"
)
#: The requests with which `ScriptClient.open()` tests the server.
_TEST_REQUESTS = (
    TokenRequest("open:", Quota("1/second", burst=10)),
    SlotRequest("open:", 10, 1_000_000_000, "0" * 16),
)


class ScriptQuota(NamedTuple):
    """A quota in the units of the script.

    Attributes:
        units: units per microsecond.
        interval: time in which one token is refilled, in units.
        capacity: time in which an empty bucket is refilled, in units.
        ticks: ticks of the `Quota` per unit.
    """

    units: int
    interval: int
    capacity: int
    ticks: int


@lru_cache(maxsize=_CACHE_SIZE)
def script_quota(quota: Quota) -> ScriptQuota:
    """Return a quota in the units of the script."""
    microseconds = quota.period * _MICROSECONDS
    common = gcd(quota.amount, microseconds)
    units, interval = quota.amount // common, microseconds // common
    return ScriptQuota(units, interval, interval * quota.burst, 1000 * quota.scale // units)


def _split(duration: int, units: int) -> tuple[int, int, int]:
    """Return a duration in units as seconds, microseconds and units."""
    microseconds, fraction = divmod(duration, units)
    seconds, microseconds = divmod(microseconds, _MICROSECONDS)
    return seconds, microseconds, fraction


class ScriptReply(NamedTuple):
    """The script's reply for one bucket or set of slots.

    Attributes:
        remaining: as in `Remaining`, without the prefetched tokens.
        has_prefetch: whether there was room to prefetch. The prefetched tokens are taken if the
            call as a whole is granted.
    """

    remaining: int
    has_prefetch: bool


class ScriptClient:
    """Calls the script, unless the circuit breaker expects the server to fail.

    Args:
        client: the connections to the server.
        safe_uri: the server's URI without secrets.
        timeout: in seconds, for each call.
        breakers: shared by all clients of the server.
        outages: gets the calls that fail, and those that succeed again.
        fallback: learns the results; None if there is no fallback.
        is_async: whether calls are made on an event loop.
    """

    def __init__(
        self,
        client: RedisClient,
        safe_uri: str,
        timeout: float,
        breakers: CircuitBreakers,
        *,
        outages: OutageLog,
        fallback: FallbackStore | None,
        is_async: bool,
    ) -> None:
        self.client = client
        self.is_async = is_async
        self._safe_uri = safe_uri
        self._fallback = fallback
        self._script = RedisScript(
            SCRIPT,
            client,
            safe_uri,
            timeout=timeout,
            breakers=breakers,
            outages=outages,
            restarted=_RESTARTED,
            page="mantlet.ratelimit.stores.redis.store",
        )

    async def open(self) -> None:
        """Test every command that the store uses. An unreachable server may come up later.

        Raises:
            StoreError: the server responds with an error.
        """
        keys = [server_key(request) for request in _TEST_REQUESTS]
        args = [arg for request in _TEST_REQUESTS for arg in _encode(request, 0)]
        back = [arg for request in _TEST_REQUESTS for arg in _encode_refund(request)]
        await self._script.open(keys, [["take", *args], ["peek", *args], ["give_back", *back]])

    def deadline(self) -> float:
        """Return the deadline of a call made now, by `monotonic()`."""
        return self._script.deadline()

    def outage(self, reason: str) -> StoreOutage:
        """Log why a call has failed although the server responds; return the error to raise."""
        return self._script.outage(reason)

    async def run(
        self,
        mode: str,
        requests: Sequence[StoreRequest],
        prefetch: Sequence[int] = (),
        deadline: float | None = None,
    ) -> list[ScriptReply]:
        """Take, peek at, or give back requests that belong to one node.

        Args:
            mode: ``"take"``, ``"peek"`` or ``"give_back"``.
            requests: for tokens and slots.
            prefetch: how many tokens to take in advance for each; none if left out.
            deadline: see `deadline()`; for a caller that has already waited.

        Raises:
            StoreOutage: the server is unavailable.
        """
        prefetch = prefetch or (0,) * len(requests)
        keys: list[bytes] = []
        args: list[str | bytes] = [mode]
        for request, count in zip(requests, prefetch, strict=True):
            keys.append(server_key(request))
            args += _encode_refund(request) if mode == "give_back" else _encode(request, count)
        reply = await self._script.run(keys, args, deadline)
        if mode == "give_back":
            return []
        try:
            if len(reply) != _REMAINING.size * len(requests):
                raise ValueError("it has the wrong length")
            replies = list(map(_decode, requests, _REMAINING.iter_unpack(reply)))
        except (TypeError, ValueError, OverflowError) as error:
            # Another program has written to our keys, which led to values such as NaN.
            raise self.outage("it sent an invalid reply") from error
        if self._fallback is not None and mode == "take":
            self._fallback.learn(requests, [reply.remaining for reply in replies])
        return replies

    async def block(self, requests: Sequence[TokenRequest], nanoseconds: int) -> None:
        """Empty buckets on one node so that each gets its next token after ``nanoseconds``."""
        args: list[str | bytes] = ["block"]
        for request in requests:
            args += ("b", _BLOCK.pack(*_ban(request.quota, nanoseconds)))
        await self._script.run([server_key(request) for request in requests], args)

    async def strike(self, request: TokenRequest, strikes: Strikes) -> bool:
        """Record a denial; return whether it has blocked the bucket."""
        ban = _ban(request.quota, strikes.duration)
        numbers = _STRIKE.pack(*ban, strikes.after, -(-strikes.within // 1000))
        return bool(await self._script.run([server_key(request)], ["strike", "b", numbers]) == 1)

    async def reset(self, key: str) -> None:
        """Refill the bucket, and free the slots, of a key."""
        await self._script.run([_server_key(key), _server_key(key, _SLOTS_SUFFIX)], ["reset"])

    async def reset_all(self, prefixes: Sequence[str]) -> None:
        """Delete all keys that start in certain ways on all nodes, in batches.

        Raises:
            StoreOutage: the server is unavailable, or responds with an error.
        """
        beginnings = tuple(f"mantlet:{prefix}".encode() for prefix in prefixes)
        try:
            for node in await self.client.masters(self._script.long_deadline()):
                cursor: bytes | str = "0"
                while True:
                    scan = ("SCAN", cursor, "MATCH", "mantlet:*", "COUNT", _BATCH)
                    ((cursor, keys),) = await self.client.call_many(
                        node, [scan], self._script.long_deadline()
                    )
                    found = [key for key in keys if key.startswith(beginnings)]
                    if found:
                        deletions = [("DEL", key) for key in found]
                        await self.client.call_many(node, deletions, self._script.long_deadline())
                    if cursor == b"0":
                        break
        except CommandError as error:
            raise StoreOutage(f"the store {self._safe_uri}: {error}") from error


def server_key(request: StoreRequest) -> bytes:
    """Return the server's key of a bucket or of slots. The part that clients control is hashed.

    The part in braces decides which node of a cluster it is on (Redis cluster specification, "Hash
    tags").
    """
    return _server_key(request.key, _SLOTS_SUFFIX if isinstance(request, SlotRequest) else b"")


@lru_cache(maxsize=_CACHE_SIZE)
def _server_key(key: str, suffix: bytes = b"") -> bytes:
    limit, _, client = key.partition(":")
    digest = blake2b(client.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return b"mantlet:%b:{%b}%b" % (limit.encode(), urlsafe_b64encode(digest)[:22], suffix)


def _encode(request: StoreRequest, prefetch: int) -> tuple[str, bytes]:
    """Return the script's arguments for one request: the kind, and its numbers."""
    if isinstance(request, SlotRequest):
        kind = "S" if request.is_report_only else "s"
        lease = -(-request.lease // 1000)
        return kind, _SLOTS.pack(request.limit, lease) + request.holder.encode()
    kind = "B" if request.is_report_only else "b"
    return kind, _encode_bucket(request.quota, request.cost, prefetch)


def _encode_refund(request: StoreRequest) -> tuple[str, bytes]:
    """Return the script's arguments to give one request back."""
    if isinstance(request, SlotRequest):
        return _encode(request, 0)
    units, interval, _, _ = script_quota(request.quota)
    cost = _split(interval * request.cost, units)
    return "b", _REFUND.pack(units, *cost, -(-request.age // 1000))


def _ban(quota: Quota, nanoseconds: int) -> tuple[int, ...]:
    """Return the script's numbers for a ban."""
    units, interval, capacity, _ = script_quota(quota)
    wait = -(-nanoseconds * units // 1000)
    return units, *_split(wait + capacity - interval, units), -(-nanoseconds // 1000)


@lru_cache(maxsize=_CACHE_SIZE)
def _encode_bucket(quota: Quota, cost: int, prefetch: int) -> bytes:
    units, interval, capacity, _ = script_quota(quota)
    durations = (interval * cost, capacity, interval * prefetch)
    return _BUCKET.pack(units, *(part for one in durations for part in _split(one, units)))


def _decode(request: StoreRequest, values: tuple[float, ...]) -> ScriptReply:
    """Return the script's reply for one request."""
    seconds, microseconds, fraction, has_prefetch = map(int, values)
    if isinstance(request, SlotRequest):
        return ScriptReply(seconds, has_prefetch=False)
    units, _, _, ticks = script_quota(request.quota)
    remaining = ((seconds * _MICROSECONDS + microseconds) * units + fraction) * ticks
    return ScriptReply(remaining, bool(has_prefetch))
