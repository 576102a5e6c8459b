"""Prefetched tokens: keys in constant use are served without a round trip for each request."""

from asyncio import Future, get_running_loop, shield
from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic, monotonic_ns
from typing import Final

from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.base import Remaining, StoreRequest, TokenRequest, granted
from mantlet.ratelimit.stores.redis.script_client import ScriptClient, ScriptReply
from mantlet.stores.redis.patience import TOO_LATE, patient_timeout

__all__ = ["PrefetchCache"]

#: Nanoseconds. A key used less often than this needs no prefetched tokens.
_IDLE: Final = 1_000_000_000


class _PrefetchedTokens:
    """The prefetched tokens of one key."""

    __slots__ = (
        "arrival",
        "asked_at",
        "available",
        "batch",
        "is_dropped",
        "pending",
        "server_remaining",
    )

    def __init__(self) -> None:
        #: Resolves to whether tokens arrived. The callers of one event loop wait for one call.
        self.arrival: Future[bool] | None = None
        #: The number of tokens to prefetch, and when the server was last asked.
        self.batch = self.asked_at = 0
        #: Tokens that may be spent now, and tokens that the server is being asked for.
        self.available = self.pending = 0
        #: The remaining ticks of the server's bucket.
        self.server_remaining = 0
        #: Whether the key was removed from the cache, so that tokens that still arrive are lost.
        self.is_dropped = False

    def remaining(self, quota: Quota, tokens: int) -> int:
        """Return the remaining ticks, including a number of prefetched tokens."""
        return min(self.server_remaining + tokens * quota.interval, quota.capacity)


class PrefetchCache:
    """Tokens that this process has taken from buckets on the server and not spent yet.

    They are paid for, so all processes together never spend more than was refilled. But a process
    may spend its prefetched tokens at any later time. A key may therefore exceed its burst by up to
    ``size`` tokens per process, and may spend as many after another process has blocked it.

    On an event loop, a caller that finds no tokens waits for those that are on their way.

    A key that is used only occasionally gets no tokens in advance, nor does one whose tokens may be
    given back or that may be banned by a rule. If a key's tokens run out within
    a second, its next batch is twice as large, up to ``size``.

    Args:
        size: maximum number of tokens taken in advance.
        max_keys: maximum number of keys; beyond it, the tokens of the oldest key are lost.
        clock: monotonic clock in nanoseconds.
    """

    __slots__ = ("_clock", "_held", "_lock", "_lost", "_max_keys", "_spent", "_tokens", "size")

    def __init__(self, size: int, max_keys: int, clock: Callable[[], int] = monotonic_ns) -> None:
        self.size = size
        self._max_keys = max_keys
        self._clock = clock
        self._lock = Lock()
        self._tokens: dict[str, _PrefetchedTokens] = {}
        self._spent = self._held = self._lost = 0

    def counts(self) -> dict[str, int]:
        """Return the counts for `LimiterStats`, by their names there."""
        with self._lock:
            return {
                "prefetched": self._spent,
                "prefetch_held": self._held,
                "prefetch_lost": self._lost,
            }

    def spend(self, requests: Sequence[StoreRequest]) -> Remaining | None:
        """Grant all requests from prefetched tokens; return the remaining amounts, or None."""
        tokens = self._tokens
        spent: list[tuple[_PrefetchedTokens, TokenRequest]] = []
        remaining: Remaining = []
        with self._lock:
            for request in requests:
                found = tokens.get(request.key)
                # A cost of zero goes to the server, as the key may be blocked there.
                if (
                    found is None
                    or not isinstance(request, TokenRequest)
                    or not 0 < request.cost <= found.available
                ):
                    return None
                spent.append((found, request))
            for found, request in spent:
                found.available -= request.cost
                self._held -= request.cost
                remaining.append(found.remaining(request.quota, found.available))
            self._spent += 1
        return remaining

    def peek(self, request: TokenRequest) -> int | None:
        """Return the result that `spend()` would have for a single request."""
        found = self._tokens.get(request.key)
        if found is None or not 0 < request.cost <= found.available:
            return None
        return found.remaining(request.quota, found.available - request.cost)

    async def take(self, client: ScriptClient, requests: Sequence[StoreRequest]) -> Remaining:
        """Take requests that belong to one node from the server, and prefetch where it pays.

        Returns:
            The remaining ticks or slots for each request, including prefetched tokens; negative if
            the request was denied.

        Raises:
            StoreOutage: the server is unavailable.
        """
        deadline = client.deadline()
        if client.is_async and self._arrivals(requests):
            spent = await self._wait(client, requests, deadline)
            if spent is not None:
                return spent
            if monotonic() >= deadline:  # something has blocked the event loop
                deadline = client.deadline()
        with self._lock:
            asked = [self._plan(request) for request in requests]
        arrival = _announce(asked) if client.is_async else None
        have_arrived = False
        try:
            counts = [count for _, count in asked]
            replies = await client.run("take", requests, counts, deadline)
            remaining, have_arrived = self._receive(requests, asked, replies)
            return remaining
        finally:
            # Also if the call is cancelled or fails.
            with self._lock:
                for tokens, count in asked:
                    tokens.pending -= count
            if arrival is not None and not arrival.done():
                arrival.set_result(have_arrived)

    def _receive(
        self,
        requests: Sequence[StoreRequest],
        asked: Sequence[tuple[_PrefetchedTokens, int]],
        replies: Sequence[ScriptReply],
    ) -> tuple[Remaining, bool]:
        """Store the tokens that have arrived.

        Returns:
            The remaining amounts, including these tokens; and whether any have arrived.
        """
        # As if nothing were prefetched.
        remaining: Remaining = [
            reply.remaining + count * request.quota.interval
            if reply.has_prefetch and isinstance(request, TokenRequest)
            else reply.remaining
            for request, (_, count), reply in zip(requests, asked, replies, strict=True)
        ]
        have_arrived = False
        with self._lock:
            for index, is_granted in enumerate(granted(requests, remaining)):
                request, (tokens, count), reply = requests[index], asked[index], replies[index]
                left = remaining[index]
                if isinstance(request, TokenRequest) and left is not None and left >= 0:
                    quota = request.quota
                    more = count if is_granted and reply.has_prefetch else 0
                    not_taken = 0 if is_granted else request.cost * quota.interval
                    tokens.server_remaining = left + not_taken - more * quota.interval
                    tokens.available += more
                    if tokens.is_dropped:
                        self._lost += more
                    else:
                        self._held += more
                    have_arrived = have_arrived or more > 0
                    remaining[index] = tokens.remaining(quota, tokens.available) - not_taken
        return remaining, have_arrived

    async def _wait(
        self, client: ScriptClient, requests: Sequence[StoreRequest], deadline: float
    ) -> Remaining | None:
        """Spend pending tokens as soon as they arrive; return None if they do not suffice."""
        try:
            async with patient_timeout(deadline - monotonic()):
                while arrivals := self._arrivals(requests):
                    have_arrived = [await shield(arrival) for arrival in arrivals]
                    spent = self.spend(requests)
                    if spent is not None or not all(have_arrived):
                        return spent
        except TimeoutError:
            if monotonic() - deadline < TOO_LATE:
                raise client.outage("it sent no prefetched tokens in time") from None
        return None  # also if something has blocked the event loop: the server is not late

    def _arrivals(self, requests: Sequence[StoreRequest]) -> list[Future[bool]]:
        """Return the arrivals, on this event loop, after which all requests could be granted."""
        arrivals = []
        loop = get_running_loop()
        for request in requests:
            tokens = self._tokens.get(request.key)
            if tokens is None or not isinstance(request, TokenRequest) or request.cost <= 0:
                return []
            if tokens.available < request.cost:
                arrival = tokens.arrival
                if arrival is None or arrival.done() or arrival.get_loop() is not loop:
                    return []
                arrivals.append(arrival)
        return arrivals

    def _plan(self, request: StoreRequest) -> tuple[_PrefetchedTokens, int]:
        """Return how many tokens to prefetch, along with a request that goes to the server."""
        if (
            not isinstance(request, TokenRequest)
            or request.is_refundable  # given back, a token taken in advance would be another one
            or request.is_bannable
        ):
            return _PrefetchedTokens(), 0
        now, key = self._clock(), request.key
        found = self._tokens.get(key)
        if found is None:
            if len(self._tokens) >= self._max_keys:
                self._drop(self._tokens.pop(next(iter(self._tokens))))
            found = self._tokens[key] = _PrefetchedTokens()
        elif now - found.asked_at >= _IDLE:
            found.batch = 0
        elif not found.pending:
            found.batch = min(2 * found.batch + 1, self.size, request.quota.burst)
        found.asked_at = now
        count = max(min(found.batch, self.size - found.available - found.pending), 0)
        found.pending += count
        return found, count

    def discard(self, key: str) -> None:
        """Drop the tokens of a key, including those that are on their way."""
        with self._lock:
            found = self._tokens.pop(key, None)
            if found is not None:
                self._drop(found)

    def clear(self) -> None:
        """Drop the tokens of all keys."""
        with self._lock:
            for found in self._tokens.values():
                self._drop(found)
            self._tokens.clear()

    def _drop(self, found: _PrefetchedTokens) -> None:
        """Count the tokens of a key that is removed as lost, also those that still arrive."""
        found.is_dropped = True
        self._held -= found.available
        self._lost += found.available


def _announce(asked: Sequence[tuple[_PrefetchedTokens, int]]) -> Future[bool]:
    """Let other callers on this event loop wait for the tokens that are being fetched."""
    arrival: Future[bool] = get_running_loop().create_future()
    for tokens, count in asked:
        if count:
            tokens.arrival = arrival
    return arrival
