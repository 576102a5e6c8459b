"""Asking the store, whatever it is and in whatever state, and making a decision of its answer."""

import logging
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.compiled import Ask, Bound, Limit
from mantlet.ratelimit.decision import (
    BucketDecision,
    ConcurrencyDecision,
    Decision,
    joint,
)
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.base import Remaining, SlotRequest, Store, TokenRequest

if TYPE_CHECKING:
    from mantlet.ratelimit.stores.memory import FallbackStore
    from mantlet.ratelimit.window_strategy import WindowLimiter, WindowResult

__all__ = ["Counter", "Outcome"]

log = logging.getLogger("mantlet.ratelimit")


class Outcome(NamedTuple):
    """What became of what a request asked for.

    Attributes:
        asks: those that were decided about; where the store refuses at once, the others are not.
        decision: about all of them.
        store: that it was taken from, which is also where to give it back.
    """

    asks: Sequence[Ask]
    decision: Decision
    store: Store

    @property
    def limits(self) -> list[Limit | Bound]:
        """The limits that were decided about."""
        return [ask.limit for ask in self.asks]

    def report(self) -> None:
        """Say in the log what would have been refused, by the names in the configuration alone."""
        for one in self.decision.parts:
            if one.is_report_only and not one.is_within_limit:
                log.info("The quota %s would have refused a request", one.name)

    def took(self, ask: Ask) -> bool:
        """Return whether what was asked for has been taken."""
        if not self.decision.allowed:
            return False
        return not ask.claim.is_report_only or all(
            one.is_within_limit for one in self.decision.parts if one.is_report_only
        )


class Counter:
    """The store, the windows, and what takes the place of both in an outage.

    Args:
        store: where buckets and places are.
        windows: where windows are counted, if there are any.
        fallback: what is asked where the store can't be, and where the windows can't be.
    """

    def __init__(
        self,
        store: Store,
        windows: "WindowLimiter | None",
        fallback: "tuple[FallbackStore, WindowLimiter] | None",
    ) -> None:
        self.store = store
        self._windows = windows
        self._fallback = fallback
        #: The store as it is used by a face that waits, and by one that does not.
        self._bound = {waits: store.bind(waits) for waits in (False, True)}

    def bound(self, waits: bool) -> Store:
        """Return the store as a face uses it."""
        return self._bound[waits]

    async def take(self, asks: Sequence[Ask], waits: bool, *, peek: bool = False) -> Outcome:
        """Take all that is asked for, or nothing.

        Args:
            asks: at least one.
            waits: whether this is on an event loop.
            peek: whether nothing is to be taken after all.

        Raises:
            StoreOutage: the store can't be asked, and nothing takes its place.
        """
        store = self._bound[waits]
        if self._windows is None:
            store, rooms = await self._rooms(store, [ask.claim for ask in asks], peek)
            return _outcome(_decided(asks, rooms), store)
        windowed = [
            (ask, ask.claim)
            for ask in asks
            if isinstance(ask.claim, TokenRequest) and ask.claim.quota.window
        ]
        counted = [ask for ask in asks if not any(ask is one for one, _ in windowed)]
        told: list[tuple[Ask, Decision]] = []
        if counted:
            store, rooms = await self._rooms(store, [ask.claim for ask in counted], peek)
            told = _decided(counted, rooms)
        if windowed:
            claims = [claim for _, claim in windowed]
            peek = peek or not all(one.allowed for _, one in told)
            standings = await self._standings(self._windows, claims, waits, peek)
            judged = [
                (ask, _window_decision(ask.limit.name, claim, standing))
                for (ask, claim), standing in zip(windowed, standings, strict=True)
            ]
            if counted and not peek and not all(one.allowed for _, one in judged):
                given = store.give_back([ask.claim for ask in counted])
                if given is not None:
                    await given
            told += judged
        return _outcome(told, store)

    def take_one(self, key: str, quota: Quota, waits: bool) -> int | Awaitable[int]:
        """Take one token of one bucket: `take()` for what nearly every request wants.

        Returns:
            The room left, or what is missing if negative.

        Raises:
            StoreOutage: the store can't be asked, and nothing takes its place.
        """
        try:
            room = self._bound[waits].take_one(key, quota, 1)
        except StoreOutage:
            if self._fallback is None:
                raise
            return self._fallback[0].take_one(key, quota, 1)
        return room if isinstance(room, int) else self._take_one(room, key, quota)

    async def _take_one(self, waiting: Awaitable[int], key: str, quota: Quota) -> int:
        try:
            return await waiting
        except StoreOutage:
            if self._fallback is None:
                raise
            return self._fallback[0].take_one(key, quota, 1)

    async def forget(self, claims: Sequence[TokenRequest], waits: bool) -> None:
        """Make buckets full, and windows empty, again.

        Raises:
            StoreOutage: the store can't be asked.
        """
        keys = [claim.key for claim in claims]
        if self._fallback is not None:
            self._fallback[0].reset(keys)
        waiting = self._bound[waits].reset(keys)
        if waiting is not None:
            await waiting
        windowed = [claim for claim in claims if claim.quota.window]
        if self._windows is not None and windowed:
            forgetting = self._windows.reset(windowed, waits)
            if forgetting is not None:
                await forgetting

    async def _rooms(
        self, store: Store, wanted: Sequence[TokenRequest | SlotRequest], peek: bool
    ) -> tuple[Store, Remaining]:
        try:
            rooms = store.peek(wanted) if peek else store.take(wanted)
            return store, rooms if isinstance(rooms, list) else await rooms
        except StoreOutage:
            if self._fallback is None:
                raise
        local = self._fallback[0]
        return local, local.peek(wanted) if peek else local.take(wanted)

    async def _standings(
        self, windows: "WindowLimiter", claims: Sequence[TokenRequest], waits: bool, peek: bool
    ) -> "Sequence[WindowResult]":
        try:
            standings = (windows.peek if peek else windows.take)(claims, waits)
            return standings if isinstance(standings, list) else await standings
        except StoreOutage:
            if self._fallback is None:
                raise
        local, spare = self._fallback
        shares = [claim._replace(cost=claim.cost * local.workers) for claim in claims]
        standings = (spare.peek if peek else spare.take)(shares, waits)
        return standings if isinstance(standings, list) else await standings


def _outcome(told: list[tuple[Ask, Decision]], store: Store) -> Outcome:
    asks = [ask for ask, _ in told]
    each = [one for _, one in told]
    for one in each:
        if not (one.is_within_limit or one.is_report_only):
            each = [one.given_back() if one.is_within_limit else one for one in each]
            break
    return Outcome(asks, joint(each), store)


def _decided(asks: Sequence[Ask], rooms: Remaining) -> list[tuple[Ask, Decision]]:
    """Return what was decided about each that was asked for, but for those not looked at."""
    return [
        (ask, _decision(ask, room))
        for ask, room in zip(asks, rooms, strict=True)
        if room is not None
    ]


def _decision(ask: Ask, room: int) -> Decision:
    limit, claim = ask.limit, ask.claim
    if isinstance(claim, SlotRequest):
        return ConcurrencyDecision(limit.name, limit.quota, room, claim.is_report_only)
    return BucketDecision(limit.name, claim.quota, room, claim.cost, claim.is_report_only)


def _window_decision(name: str, claim: TokenRequest, standing: "WindowResult") -> Decision:
    from mantlet.ratelimit.window_strategy import WindowDecision  # noqa: PLC0415  # for windows alone

    # What is within is told as if it had been counted, as with buckets.
    is_told = standing.is_counted or not standing.is_within_limit
    return WindowDecision(
        name,
        claim.quota,
        is_within_limit=standing.is_within_limit,
        remaining=standing.remaining - (0 if is_told else claim.cost),
        wait=standing.wait,
        cost=claim.cost,
        is_report_only=claim.is_report_only,
    )
