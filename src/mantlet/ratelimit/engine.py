"""The engine: decides about hits, whichever store is configured and whether it is available."""

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic_ns
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from mantlet._internal.event_loop import is_on_loop
from mantlet.exceptions import StoreError, StoreOutage
from mantlet.ratelimit.compiled import ConcurrencyLimit, Hit, QuotaLimit, are_report_only
from mantlet.ratelimit.decision import BucketDecision, ConcurrencyDecision, Decision, combine
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.base import (
    Remaining,
    SlotRequest,
    Store,
    StoreRequest,
    TokenRequest,
    aged,
)
from mantlet.ratelimit.stores.outages import LimiterStats, OutageLog

if TYPE_CHECKING:  # the windows are slow to import, and seldom needed
    from mantlet.ratelimit.stores.memory import FallbackStore
    from mantlet.ratelimit.window_fallback import FallbackWindows
    from mantlet.ratelimit.window_strategy import WindowLimiter, WindowResult

__all__ = ["LimitEngine", "LimitResult", "OutageAction"]


OutageAction = Literal["local", "allow", "refuse"]

#: The key that health checks read; no request takes from it.
_PROBE: Final = "health:"


class LimitResult(NamedTuple):
    """The outcome of the hits of one request.

    Attributes:
        hits: the hits that were decided; a store that denies at once leaves out the others.
        decision: the decision on all of them.
        store: the store that they were taken from, and must be given back to.
    """

    hits: Sequence[Hit]
    decision: Decision
    store: Store

    def before(self, rest: "LimitResult") -> "LimitResult":
        """Return the outcome of these hits and of others that were taken later.

        If one of the others was refused, these have been given back.
        """
        parts = self.decision.parts
        if not rest.decision.allowed:
            parts = [one.refunded() if one.is_within_limit else one for one in parts]
        decision = combine([*parts, *rest.decision.parts])
        return LimitResult([*self.hits, *rest.hits], decision, rest.store)

    @property
    def limits(self) -> list[QuotaLimit | ConcurrencyLimit]:
        """The limits that were decided."""
        return [hit.limit for hit in self.hits]

    @property
    def refusing_key(self) -> str:
        """The key of the limit that decided a refusal."""
        pairs = zip(self.hits, self.decision.parts, strict=True)
        return next(hit.key for hit, one in pairs if one.name == self.decision.name)

    @property
    def taken(self) -> list[StoreRequest]:
        """The tokens and slots that were taken."""
        return [hit.store_request for hit in self.hits if self.was_taken(hit)]

    def was_taken(self, hit: Hit) -> bool:
        """Return whether the tokens or the slot of a hit were taken."""
        if not self.decision.allowed:
            return False
        return not hit.store_request.is_report_only or all(
            one.is_within_limit for one in self.decision.parts if one.is_report_only
        )


class LimitEngine:
    """The store, the windows, and the fallback for both during an outage.

    Args:
        store: keeps buckets and slots.
        windows: counts windows; None if no limit needs them.
        outages: logs the outages of both.
        fallback: replaces the store and the windows while they are unavailable; None unless
            ``on_outage`` is ``"local"``.
        clock: a monotonic clock in nanoseconds.
        on_outage: see `RateLimiter`.
        has_bans: whether refusals may ban a key.

    Attributes:
        store: see above.
        outages: see above.
        on_outage: see above.
        clock: see above.
        bound_stores: the store as used outside of an event loop (index 0), and on one (index 1).
    """

    def __init__(
        self,
        store: Store,
        windows: "WindowLimiter | None",
        outages: OutageLog,
        fallback: "tuple[FallbackStore, FallbackWindows | None] | None",
        clock: Callable[[], int] = monotonic_ns,
        *,
        on_outage: OutageAction,
        has_bans: bool = False,
    ) -> None:
        self.store = store
        self._has_bans = has_bans
        self.clock = clock
        self.outages = outages
        self.on_outage = on_outage
        observed = store.observed(outages, fallback and fallback[0])
        self.bound_stores = (observed.bind(False), observed.bind(True))
        self._observed = observed
        self._windows = windows
        self._fallback = fallback

    def open(self) -> Awaitable[None] | None:
        """Open the store."""
        return self.bound_stores[is_on_loop()].open()

    def close(self) -> Awaitable[None] | None:
        """Close the store."""
        return self.bound_stores[is_on_loop()].close()

    def stats(self) -> LimiterStats:
        """Return the counts of decisions made without the store, and its state."""
        return self.outages.stats(self._observed.counts())

    async def responds(self) -> bool:
        """Call the store and the storage of the windows; return whether both respond."""
        is_async = is_on_loop()
        try:
            remaining = self.bound_stores[is_async].peek((TokenRequest(_PROBE, Quota("1/second")),))
            if not isinstance(remaining, list):
                await remaining
            if self._windows is None:
                return True
            probe = TokenRequest(_PROBE, Quota("1/second", window="fixed"))
            return not (await self._from_windows(self._windows, [probe], is_async, peek=True))[1]
        except StoreError:
            return False

    async def take(
        self, hits: Sequence[Hit], is_async: bool, *, peek: bool = False, strikes: bool = True
    ) -> LimitResult:
        """Take everything that the hits need, or nothing.

        Args:
            hits: at least one.
            is_async: whether this is called on an event loop.
            peek: decide only, and take nothing.
            strikes: whether a refusal counts towards bans at once; else `strike()` counts it.

        Raises:
            StoreOutage: the store is unavailable, without a fallback.
        """
        store = self.bound_stores[is_async]
        if self._windows is None:
            store, remaining = await self._from_store(
                store, [hit.store_request for hit in hits], peek
            )
            if store is self._local and not peek:
                self.outages.decided_locally()
            result = _result(_decide(hits, remaining), store)
            return await self.strike(result) if self._has_bans and strikes and not peek else result
        windowed: list[tuple[Hit, TokenRequest]] = []
        bucketed: list[Hit] = []
        for hit in hits:
            needed = hit.store_request
            if isinstance(needed, TokenRequest) and needed.quota.window:
                windowed.append((hit, needed))
            else:
                bucketed.append(hit)
        decided: list[tuple[Hit, Decision]] = []
        if bucketed:
            store, remaining = await self._from_store(
                store, [hit.store_request for hit in bucketed], peek
            )
            decided = _decide(bucketed, remaining)
        taken_at = self.clock()
        is_local = bool(bucketed) and store is self._local
        if windowed:
            requests = [needed for _, needed in windowed]
            only_peek = peek or not all(one.allowed for _, one in decided)
            results, are_local = await self._from_windows(
                self._windows, requests, is_async, peek=only_peek
            )
            is_local = is_local or are_local
            by_window = [
                (hit, result.decision(hit.limit.name, needed))
                for (hit, needed), result in zip(windowed, results, strict=True)
            ]
            if bucketed and not only_peek and not all(one.allowed for _, one in by_window):
                taken = [hit.store_request for hit in bucketed]
                waiting = store.give_back(aged(taken, self.clock() - taken_at))
                if waiting is not None:
                    await waiting
            decided += by_window
        if is_local and not peek:
            self.outages.decided_locally()
        result = _result(decided, store)
        return await self.strike(result) if self._has_bans and strikes and not peek else result

    def take_one_from_fallback(self, key: str, quota: Quota) -> int | None:
        """Take one token from one bucket during an outage.

        Returns:
            The remaining ticks; if negative, the ticks that were missing. None if there is no
            fallback.
        """
        if self._fallback is None:
            return None
        self.outages.decided_locally()
        return self._fallback[0].take_one(key, quota, 1)

    def passes_uncounted(self, hits: Sequence[Hit] = ()) -> bool:
        """Count a decision in an outage without a fallback; return whether the request passes.

        Args:
            hits: the hits of the request, which may all be in report mode; none if unknown.
        """
        if self.on_outage == "allow" or (hits and are_report_only(hits)):
            self.outages.passed_uncounted()
            return True
        self.outages.refused()
        return False

    @property
    def _local(self) -> "FallbackStore | None":
        return None if self._fallback is None else self._fallback[0]

    async def reset(self, requests: Sequence[TokenRequest], is_async: bool) -> None:
        """Refill the buckets, and clear the windows.

        Raises:
            StoreOutage: the store is unavailable.
        """
        keys = [request.key for request in requests]
        windowed = [request for request in requests if request.quota.window]
        if self._fallback is not None:
            local, windows = self._fallback
            local.reset(keys)
            if windows is not None:
                windows.reset(windowed)
        waiting = self.bound_stores[is_async].reset(keys)
        if waiting is not None:
            await waiting
        if self._windows is not None and windowed:
            waiting = self._windows.reset(windowed, is_async)
            if waiting is not None:
                await waiting

    async def ban(self, requests: Sequence[TokenRequest], nanoseconds: int, is_async: bool) -> None:
        """Ban the keys of buckets, also for an outage.

        Raises:
            StoreOutage: the store is unavailable.
        """
        if self._fallback is not None:
            self._fallback[0].block(requests, nanoseconds)
        waiting = self.bound_stores[is_async].block(requests, nanoseconds)
        if waiting is not None:
            await waiting

    async def reset_all(self, prefixes: Sequence[str], is_async: bool) -> None:
        """Refill all buckets whose keys begin with one of some prefixes, and clear all windows.

        Raises:
            StoreOutage: the store is unavailable.
            TypeError: the store, or the storage of the windows, does not support this.
        """
        if self._windows is not None:
            self._windows.reset_all()
        if self._fallback is not None:
            local, windows = self._fallback
            local.reset_all(prefixes)
            if windows is not None:
                windows.reset_all()
        waiting = self.bound_stores[is_async].reset_all(prefixes)
        if waiting is not None:
            await waiting

    async def strike(self, result: LimitResult) -> LimitResult:
        """Count a refusal towards bans; return the result with the bans that it leads to."""
        if result.decision.allowed:
            return result
        parts = list(result.decision.parts)
        for index, (hit, one) in enumerate(zip(result.hits, parts, strict=True)):
            needed = hit.store_request
            if (
                hit.strikes is None
                or one.is_within_limit
                or one.is_banned  # which does not count
                or not isinstance(needed, TokenRequest)
                or not isinstance(one, BucketDecision)
            ):
                continue
            try:
                striking = result.store.strike(needed, hit.strikes)
                is_banned = striking if isinstance(striking, bool) else await striking
            except StoreOutage:
                continue  # the request is refused all the same
            if is_banned:
                parts[index] = one.banned(hit.strikes.duration)
                if self._fallback is not None:
                    self._fallback[0].block((needed,), hit.strikes.duration)
        return result._replace(decision=combine(parts))

    async def _from_store(
        self, store: Store, requests: Sequence[StoreRequest], peek: bool
    ) -> tuple[Store, Remaining]:
        try:
            remaining = store.peek(requests) if peek else store.take(requests)
            return store, remaining if isinstance(remaining, list) else await remaining
        except StoreOutage:
            if self._fallback is None:
                raise
        local = self._fallback[0]
        return local, local.peek(requests) if peek else local.take(requests)

    async def _from_windows(
        self,
        windows: "WindowLimiter",
        requests: Sequence[TokenRequest],
        is_async: bool,
        *,
        peek: bool,
    ) -> "tuple[Sequence[WindowResult], bool]":
        """Return the results, and whether they come from the fallback."""
        fallback = None if self._fallback is None else self._fallback[1]
        try:
            results = (windows.peek if peek else windows.take)(requests, is_async)
            results = results if isinstance(results, list) else await results
        except StoreOutage as error:
            self.outages.failed(windows.name, error)
            if windows.breaker.is_open:
                self.outages.not_called(windows.name)
            if fallback is None:
                raise
            return (fallback.peek if peek else fallback.take)(requests), True
        if self.outages.is_lost:
            self.outages.responded(windows.name)
        if fallback is not None:
            fallback.learn(requests, results)
        return results, False


def _result(decided: list[tuple[Hit, Decision]], store: Store) -> LimitResult:
    hits = [hit for hit, _ in decided]
    parts = [one for _, one in decided]
    for one in parts:
        if not (one.is_within_limit or one.is_report_only):
            parts = [one.refunded() if one.is_within_limit else one for one in parts]
            break
    return LimitResult(hits, combine(parts), store)


def _decide(hits: Sequence[Hit], remaining: Remaining) -> list[tuple[Hit, Decision]]:
    """Return the decision for each hit that the store looked at."""
    return [
        (hit, _decision(hit, left))
        for hit, left in zip(hits, remaining, strict=True)
        if left is not None
    ]


def _decision(hit: Hit, left: int) -> Decision:
    limit, needed = hit.limit, hit.store_request
    if isinstance(needed, SlotRequest):
        return ConcurrencyDecision(limit.name, limit.quota, left, needed.is_report_only)
    return BucketDecision(limit.name, needed.quota, left, needed.cost, needed.is_report_only)
