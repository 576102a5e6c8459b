"""A store in the hands of a test, whether it answers at once or has to be waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

from mantlet.ratelimit.stores.base import LocalStore, TokenRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from mantlet import Quota
    from mantlet.ratelimit.stores.base import Remaining, SlotRequest, Store
    from tests.ratelimit.stores.model import Clock

T = TypeVar("T")


class Subject:
    """A store under test: what it answers is waited for, if it has to be.

    Args:
        store: the store.
        clock: that it goes by.
        grain: the nanoseconds in one step of the store's own clock. It goes by ``clock`` rounded
            down to whole steps.
        leases: whether a place is free again when its lease has run out.
    """

    def __init__(self, store: Store, clock: Clock, *, grain: int = 1, leases: bool = False) -> None:
        self.store = store
        self.clock = clock
        self.grain = grain
        self.leases = leases
        self._runner: asyncio.Runner | None = None

    @property
    def now(self) -> int:
        """The time as the store has it."""
        return self.clock.now // self.grain * self.grain

    def settle(self, answer: T | Awaitable[T]) -> T:
        """Return an answer, after having waited for it where that is needed."""
        if not isinstance(answer, Awaitable):
            return answer
        # One loop for all that a store is asked, as a server has it.
        self._runner = self._runner or asyncio.Runner()
        settled: T = self._runner.run(_wait_for(answer))
        return settled

    def take(self, *wanted: TokenRequest | SlotRequest) -> Remaining:
        """Take all, or nothing."""
        return self.settle(self.store.take(wanted))

    def take_one(self, key: str, quota: Quota, cost: int = 1) -> int | None:
        """Take from one bucket, the quick way if there is one."""
        if isinstance(self.store, LocalStore):
            return self.store.take_one(key, quota, cost)
        return self.take(TokenRequest(key, quota, cost))[0]

    def peek(self, *wanted: TokenRequest | SlotRequest) -> Remaining:
        """Return what `take()` would."""
        return self.settle(self.store.peek(wanted))

    def give_back(self, *given: TokenRequest | SlotRequest) -> None:
        """Give back."""
        self.settle(self.store.give_back(given))

    def block(self, nanoseconds: int, *claims: TokenRequest) -> None:
        """Let no token come before."""
        self.settle(self.store.block(claims, nanoseconds))

    def reset(self, *keys: str) -> None:
        """Make full, and free, again."""
        self.settle(self.store.reset(keys))

    def admits(self, *wanted: TokenRequest | SlotRequest) -> bool:
        """Take all, or nothing; return which."""
        rooms = self.take(*wanted)
        return all(
            one.is_report_only or (room is not None and room >= 0)
            for one, room in zip(wanted, rooms, strict=True)
        )

    def drain(self, *wanted: TokenRequest | SlotRequest) -> int:
        """Take until it is refused; return how often it was not."""
        count = 0
        while self.admits(*wanted):
            count += 1
        return count

    def left(self, claim: TokenRequest) -> int:
        """Return how many whole tokens a bucket has; below zero, how many it lacks."""
        (room,) = self.peek(claim._replace(cost=0))
        assert room is not None
        return room // claim.quota.interval

    def open(self) -> None:
        """Prepare the store."""
        self.settle(self.store.open())

    def close(self) -> None:
        """Let go of what it holds."""
        self.settle(self.store.close())
        if self._runner is not None:
            self._runner.close()


async def _wait_for(answer: Awaitable[T]) -> T:
    return await answer


def agree(rooms: Remaining, expected: Sequence[int | Fraction]) -> bool:
    """Return whether a store answered as expected.

    Where it refused at once, None stands for what it did not look at.
    """
    refused = any(room is not None and room < 0 for room in rooms)
    return len(rooms) == len(expected) and all(
        room == right or (room is None and refused)
        for room, right in zip(rooms, expected, strict=True)
    )
