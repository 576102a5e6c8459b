"""`KeyedLimiter`: the methods of `RateLimiter` for keys, outside of HTTP.

A job, a login by another protocol or an operator's console takes tokens from the same buckets as
requests do, looks at them, gives tokens back, bans keys and lifts bans.
"""

from collections.abc import Sequence
from math import ceil

from mantlet._internal.coroutines import run_sync
from mantlet._internal.options import check_number
from mantlet.core.policy import Policy
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.compiled import Hit
from mantlet.ratelimit.decision import BucketDecision, Decision, combine
from mantlet.ratelimit.engine import LimitEngine
from mantlet.ratelimit.quota import MAX_BAN
from mantlet.ratelimit.rules import RuleTable
from mantlet.ratelimit.stores.base import TokenRequest, aged
from mantlet.ratelimit.stores.outages import LimiterStats

__all__ = ["KeyedLimiter"]


class KeyedLimiter(Policy):
    """A limiter whose buckets can be used by their keys; see `RateLimiter`."""

    _engine: LimitEngine
    _table: RuleTable

    def check(self, key: str, *, cost: int = 1, rule: str | None = None) -> Decision:
        """Take tokens if all quotas hold enough of them, and return the decision.

        Args:
            key: the key of the bucket.
            cost: the number of tokens.
            rule: the pattern of the rule whose quotas to use; by default the limiter's own.

        Raises:
            LookupError: the rule is unknown, or the limiter has no quota of its own.
            TypeError: the quota is a function of the request.
            StoreOutage: the store is unavailable, and ``on_outage`` is ``"refuse"``.
        """
        return run_sync(self._check(key, cost, rule, is_async=False))

    async def acheck(self, key: str, *, cost: int = 1, rule: str | None = None) -> Decision:
        """Take tokens on an event loop; see `check()`."""
        return await self._check(key, cost, rule, is_async=True)

    def peek(self, key: str, *, cost: int = 1, rule: str | None = None) -> Decision:
        """Return the decision that `check()` would make, and take nothing."""
        return run_sync(self._check(key, cost, rule, is_async=False, peek=True))

    async def apeek(self, key: str, *, cost: int = 1, rule: str | None = None) -> Decision:
        """Return the decision that `acheck()` would make, and take nothing."""
        return await self._check(key, cost, rule, is_async=True, peek=True)

    def refund(self, key: str, *, cost: int = 1, rule: str | None = None, age: float = 0.0) -> None:
        """Give back tokens that were taken, but not to a key that is banned.

        A bucket never holds more than its burst.

        Args:
            key: the key.
            cost: the number of tokens.
            rule: the pattern of a rule; None for the limiter's own quotas.
            age: in seconds: how long ago the tokens were taken. Those that time has refilled since
                then are not given back as well.

        Raises:
            TypeError: one of the quotas is a window, which can't be refunded.
            ValueError: ``age`` is negative, or more than ten years.
            StoreOutage: the store is unavailable.
        """
        run_sync(self._refund(key, cost, rule, age, is_async=False))

    async def arefund(
        self, key: str, *, cost: int = 1, rule: str | None = None, age: float = 0.0
    ) -> None:
        """Give back tokens on an event loop; see `refund()`."""
        await self._refund(key, cost, rule, age, is_async=True)

    def reset(self, key: str, *, rule: str | None = None) -> None:
        """Refill a key's buckets, clear its windows and lift its bans.

        Raises:
            StoreOutage: the store is unavailable.
        """
        run_sync(self._engine.reset(self._token_requests(key, 1, rule), is_async=False))

    async def areset(self, key: str, *, rule: str | None = None) -> None:
        """Refill a key's buckets on an event loop; see `reset()`."""
        await self._engine.reset(self._token_requests(key, 1, rule), is_async=True)

    def reset_all(self) -> None:
        """Refill the buckets of all keys, clear their windows, and lift all bans.

        Only those of this limiter and its rules: the rest of the store is left alone. Slots of
        concurrency limits stay taken.

        Raises:
            TypeError: the store has no ``reset_all()``, or windows are kept outside of this
                process.
            StoreOutage: the store is unavailable; some keys may have been reset.
        """
        run_sync(self._engine.reset_all(self._table.prefixes(), is_async=False))

    async def areset_all(self) -> None:
        """Refill the buckets of all keys on an event loop; see `reset_all()`."""
        await self._engine.reset_all(self._table.prefixes(), is_async=True)

    def ban(self, key: str, seconds: float, *, rule: str | None = None) -> None:
        """Refuse all requests of a key for some seconds, and then admit one.

        A longer ban stays, and no refund shortens it. `peek()` shows it, and `reset()` lifts it.

        Raises:
            TypeError: none of the quotas is a token bucket.
            ValueError: ``seconds`` is not positive, or more than ten years.
            StoreOutage: the store is unavailable.
        """
        run_sync(self._ban(key, seconds, rule, is_async=False))

    async def aban(self, key: str, seconds: float, *, rule: str | None = None) -> None:
        """Refuse all requests of a key on an event loop; see `ban()`."""
        await self._ban(key, seconds, rule, is_async=True)

    def stats(self) -> LimiterStats:
        """Return how many decisions were made without the store, in this process, and why.

        It only reads counters, without a call of the store, and takes about a microsecond.
        """
        return self._engine.stats()

    async def _check(
        self, key: str, cost: int, rule: str | None, *, is_async: bool, peek: bool = False
    ) -> Decision:
        hits = self._table.hits_of_key(rule, key, cost)
        try:
            return (await self._engine.take(hits, is_async, peek=peek)).decision
        except StoreOutage:
            if self._engine.on_outage != "allow":
                raise
            self._engine.outages.passed_uncounted()
        return _uncounted_decision(hits)

    async def _refund(
        self, key: str, cost: int, rule: str | None, age: float, *, is_async: bool
    ) -> None:
        check_number("age", age, least=0, most=MAX_BAN)
        requests = self._token_requests(key, cost, rule)
        if any(request.quota.window for request in requests):
            raise TypeError("a window can't be refunded; use a token bucket")
        given = aged(requests, ceil(age * 1_000_000_000))
        waiting = self._engine.bound_stores[is_async].give_back(given)
        if waiting is not None:
            await waiting

    async def _ban(self, key: str, seconds: float, rule: str | None, *, is_async: bool) -> None:
        check_number("seconds", seconds, most=MAX_BAN)
        requests = [one for one in self._token_requests(key, 1, rule) if not one.quota.window]
        if not requests:
            raise TypeError("a ban needs a token bucket, but all quotas are windows")
        await self._engine.ban(requests, int(seconds * 1_000_000_000), is_async)

    def _token_requests(self, key: str, cost: int, rule: str | None) -> list[TokenRequest]:
        hits = self._table.hits_of_key(rule, key, cost)
        return [hit.store_request for hit in hits if isinstance(hit.store_request, TokenRequest)]


def _uncounted_decision(hits: Sequence[Hit]) -> Decision:
    """Return the decision on hits that are admitted uncounted: the first ones of full buckets."""
    return combine(
        [
            BucketDecision(
                hit.limit.name, needed.quota, needed.quota.capacity - needed.quota.interval
            )
            for hit in hits
            if isinstance(needed := hit.store_request, TokenRequest)
        ]
    )
