"""A store on a server, asked in one of the ways that there are."""

from __future__ import annotations

from contextlib import contextmanager
from inspect import isawaitable
from typing import TYPE_CHECKING, TypeVar

from mantlet.ratelimit.stores.redis.store import RedisStore
from tests.ratelimit.redis.conftest import AMPLE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from mantlet.ratelimit.stores.base import Claim, Place, Rooms
    from tests.ratelimit.redis.conftest import Way

T = TypeVar("T")


class Asked:
    """A store, asked from threads or on an event loop.

    Args:
        way: how.
        store: the store.
    """

    def __init__(self, way: Way, store: RedisStore) -> None:
        self.way = way
        self.store = store.bind(way.is_async)

    def do(self, call: Callable[[], T | Awaitable[T]]) -> T:
        """Call; wait for the answer if it has to be waited for."""
        result: T = self.way.run(_done(call))
        return result

    def open(self) -> None:
        self.do(self.store.open)

    def close(self) -> None:
        self.do(self.store.close)

    def take(self, *wanted: Claim | Place) -> Rooms:
        return self.do(lambda: self.store.take(wanted))

    def peek(self, *wanted: Claim | Place) -> Rooms:
        return self.do(lambda: self.store.peek(wanted))

    def give(self, *given: Claim | Place) -> None:
        self.do(lambda: self.store.give(given))

    def hold(self, nanoseconds: int, *claims: Claim) -> None:
        self.do(lambda: self.store.hold(claims, nanoseconds))

    def forget(self, *keys: str) -> None:
        self.do(lambda: self.store.forget(keys))

    def admits(self, *wanted: Claim | Place) -> bool:
        """Take all, or nothing; return which."""
        return all(room is not None and room >= 0 for room in self.take(*wanted))


async def _done(call: Callable[[], T | Awaitable[T]]) -> T:
    answer = call()
    return await answer if isawaitable(answer) else answer


@contextmanager
def asked(
    way: Way, uri: str, *, deadline: float = AMPLE, lease: int | None = None, max_keys: int = 1000
) -> Iterator[Asked]:
    """Yield a store; close its connections."""
    store = Asked(way, RedisStore(uri, deadline=deadline, lease=lease, max_keys=max_keys))
    try:
        yield store
    finally:
        store.close()
