"""A store under test, whether it returns results or awaitables."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

from mantlet.ratelimit.stores.base import LocalStore, TokenRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from mantlet import Quota
    from mantlet.ratelimit.stores.base import Remaining, SlotRequest, Store, Strikes
    from tests.ratelimit.stores.model import Clock

T = TypeVar("T")


class Subject:
    """A store under test, whose awaitables are run to completion.

    Args:
        store: the store.
        clock: the store's clock.
        grain: the resolution of the store's own clock in nanoseconds; it rounds ``clock`` down.
        leases: whether a slot is free again when its lease has ended.
    """

    def __init__(self, store: Store, clock: Clock, *, grain: int = 1, leases: bool = False) -> None:
        self.store = store
        self.clock = clock
        self.grain = grain
        self.leases = leases
        self._runner: asyncio.Runner | None = None

    @property
    def now(self) -> int:
        """The time as the store sees it."""
        return self.clock.now // self.grain * self.grain

    def settle(self, answer: T | Awaitable[T]) -> T:
        """Return a result, running the event loop if necessary."""
        if not isinstance(answer, Awaitable):
            return answer
        # One event loop for all calls to a store, as in a server.
        self._runner = self._runner or asyncio.Runner()
        settled: T = self._runner.run(_wait_for(answer))
        return settled

    def take(self, *wanted: TokenRequest | SlotRequest) -> Remaining:
        """Take everything, or nothing."""
        return self.settle(self.store.take(wanted))

    def take_one(self, key: str, quota: Quota, cost: int = 1) -> int | None:
        """Take from one bucket, by the fast path if there is one."""
        if isinstance(self.store, LocalStore):
            return self.store.take_one(key, quota, cost)
        return self.take(TokenRequest(key, quota, cost))[0]

    def peek(self, *wanted: TokenRequest | SlotRequest) -> Remaining:
        """Return the result that `take()` would have."""
        return self.settle(self.store.peek(wanted))

    def give_back(self, *given: TokenRequest | SlotRequest) -> None:
        """Give tokens and slots back."""
        self.settle(self.store.give_back(given))

    def block(self, nanoseconds: int, *claims: TokenRequest) -> None:
        """Allow no token before this many nanoseconds have passed."""
        self.settle(self.store.block(claims, nanoseconds))

    def strike(self, claim: TokenRequest, strikes: Strikes) -> bool:
        """Record a refusal; return whether it bans."""
        return self.settle(self.store.strike(claim, strikes))

    def reset_all(self, *beginnings: str) -> None:
        """Refill buckets, and free slots, whose keys start in certain ways."""
        self.settle(self.store.reset_all(beginnings))

    def reset(self, *keys: str) -> None:
        """Refill buckets, and free slots."""
        self.settle(self.store.reset(keys))

    def admits(self, *wanted: TokenRequest | SlotRequest) -> bool:
        """Take everything, or nothing; return whether it was taken."""
        rooms = self.take(*wanted)
        return all(
            one.is_report_only or (room is not None and room >= 0)
            for one, room in zip(wanted, rooms, strict=True)
        )

    def drain(self, *wanted: TokenRequest | SlotRequest) -> int:
        """Take until a request is denied; return how many were granted."""
        count = 0
        while self.admits(*wanted):
            count += 1
        return count

    def left(self, claim: TokenRequest) -> int:
        """Return how many whole tokens a bucket has; if negative, how many it lacks."""
        (room,) = self.peek(claim._replace(cost=0))
        assert room is not None
        return room // claim.quota.interval

    def open(self) -> None:
        """Open the store."""
        self.settle(self.store.open())

    def close(self) -> None:
        """Release the store's resources."""
        self.settle(self.store.close())
        if self._runner is not None:
            self._runner.close()


async def _wait_for(answer: Awaitable[T]) -> T:
    return await answer


def agree(rooms: Remaining, expected: Sequence[int | Fraction]) -> bool:
    """Return whether a store's result is as expected.

    None stands for requests that the store did not look at because it denied another one.
    """
    refused = any(room is not None and room < 0 for room in rooms)
    return len(rooms) == len(expected) and all(
        room == right or (room is None and refused)
        for room, right in zip(rooms, expected, strict=True)
    )
