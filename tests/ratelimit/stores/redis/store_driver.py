"""A store on a server, called in any of the ways."""

from __future__ import annotations

from contextlib import contextmanager
from inspect import isawaitable
from typing import TYPE_CHECKING, TypeVar

from mantlet.ratelimit.stores.redis.store import RedisStore
from tests.stores.redis.conftest import AMPLE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from mantlet.ratelimit.stores.base import Remaining, SlotRequest, Strikes, TokenRequest
    from tests.stores.redis.conftest import Way

T = TypeVar("T")


class StoreDriver:
    """A store, called from threads or on an event loop.

    Args:
        way: the way to call it.
        store: the store.
    """

    def __init__(self, way: Way, store: RedisStore) -> None:
        self.way = way
        self.store = store.bind(way.is_async)

    def do(self, call: Callable[[], T | Awaitable[T]]) -> T:
        """Call a function, and wait for the result if necessary."""
        result: T = self.way.run(_done(call))
        return result

    def open(self) -> None:
        self.do(self.store.open)

    def close(self) -> None:
        self.do(self.store.close)

    def take(self, *wanted: TokenRequest | SlotRequest) -> Remaining:
        return self.do(lambda: self.store.take(wanted))

    def peek(self, *wanted: TokenRequest | SlotRequest) -> Remaining:
        return self.do(lambda: self.store.peek(wanted))

    def give_back(self, *given: TokenRequest | SlotRequest) -> None:
        self.do(lambda: self.store.give_back(given))

    def block(self, nanoseconds: int, *claims: TokenRequest) -> None:
        self.do(lambda: self.store.block(claims, nanoseconds))

    def reset(self, *keys: str) -> None:
        self.do(lambda: self.store.reset(keys))

    def strike(self, claim: TokenRequest, strikes: Strikes) -> bool:
        return self.do(lambda: self.store.strike(claim, strikes))

    def reset_all(self, *beginnings: str) -> None:
        self.do(lambda: self.store.reset_all(beginnings))

    def admits(self, *wanted: TokenRequest | SlotRequest) -> bool:
        """Take everything, or nothing; return whether it was taken."""
        return all(room is not None and room >= 0 for room in self.take(*wanted))


async def _done(call: Callable[[], T | Awaitable[T]]) -> T:
    answer = call()
    return await answer if isawaitable(answer) else answer


@contextmanager
def drive_store(
    way: Way, uri: str, *, timeout: float = AMPLE, prefetch: int | None = None, max_keys: int = 1000
) -> Iterator[StoreDriver]:
    """Yield a store, and close its connections."""
    store = StoreDriver(way, RedisStore(uri, timeout=timeout, prefetch=prefetch, max_keys=max_keys))
    try:
        yield store
    finally:
        store.close()
