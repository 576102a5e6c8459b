"""Observe a user-defined store: report its outages, and pass its results on to the fallback."""

from collections.abc import Awaitable, Sequence
from typing import Any

from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.base import Remaining, Store, StoreRequest, Strikes, TokenRequest
from mantlet.ratelimit.stores.memory import FallbackStore
from mantlet.ratelimit.stores.outages import OutageLog

__all__ = ["ObservedStore"]


class ObservedStore(Store):
    """Passes all calls on to a store, and reports those that fail.

    The fallback learns the results of `take()` and `take_one()`.

    Args:
        store: the store.
        outages: see `Store.observed()`.
        fallback: see `Store.observed()`.
    """

    def __init__(self, store: Store, outages: OutageLog, fallback: FallbackStore | None) -> None:
        self._store = store
        self._outages = outages
        self._fallback = fallback

    def bind(self, is_async: bool) -> Store:
        """Return the store as a protocol adapter uses it."""
        return ObservedStore(self._store.bind(is_async), self._outages, self._fallback)

    def take(self, requests: Sequence[StoreRequest]) -> Remaining | Awaitable[Remaining]:
        """Take everything that is requested, or nothing."""
        return self._observe(self._store.take, requests, learn=requests)  # type: ignore[no-any-return]

    def take_one(self, key: str, quota: Quota, cost: int) -> int | Awaitable[int]:
        """Take from one bucket."""
        request = TokenRequest(key, quota, cost)
        return self._observe(self._store.take_one, key, quota, cost, learn=(request,))  # type: ignore[no-any-return]

    def peek(self, requests: Sequence[StoreRequest]) -> Remaining | Awaitable[Remaining]:
        """Return the result that `take()` would have."""
        return self._observe(self._store.peek, requests)  # type: ignore[no-any-return]

    def give_back(self, requests: Sequence[StoreRequest]) -> Awaitable[None] | None:
        """Give back tokens and slots that were taken."""
        if self._fallback is not None:
            self._fallback.free(requests)
        return self._observe(self._store.give_back, requests)  # type: ignore[no-any-return]

    def block(self, requests: Sequence[TokenRequest], nanoseconds: int) -> Awaitable[None] | None:
        """Empty buckets so that each gets its next token after ``nanoseconds``."""
        return self._observe(self._store.block, requests, nanoseconds)  # type: ignore[no-any-return]

    def strike(self, request: TokenRequest, strikes: Strikes) -> bool | Awaitable[bool]:
        """Record that a request was denied."""
        return self._observe(self._store.strike, request, strikes)  # type: ignore[no-any-return]

    def reset_all(self, prefixes: Sequence[str]) -> Awaitable[None] | None:
        """Refill all buckets, and free all slots, whose keys begin with one of some prefixes."""
        return self._observe(self._store.reset_all, prefixes)  # type: ignore[no-any-return]

    def reset(self, keys: Sequence[str]) -> Awaitable[None] | None:
        """Refill the buckets, and free the slots, of these keys."""
        return self._observe(self._store.reset, keys)  # type: ignore[no-any-return]

    def open(self) -> Awaitable[None] | None:
        """Prepare the store before the first request."""
        return self._store.open()

    def close(self) -> Awaitable[None] | None:
        """Release the resources that the store holds."""
        return self._store.close()

    # Any: the result is that of the method.
    def _observe(self, method: Any, *arguments: Any, learn: Sequence[StoreRequest] = ()) -> Any:
        try:
            result = method(*arguments)
        except StoreOutage as error:
            self._outages.failed(self._name, error)
            raise
        if isinstance(result, Awaitable):
            return self._observe_later(result, learn)
        self._succeeded(result, learn)
        return result

    async def _observe_later(self, waiting: Awaitable[Any], learn: Sequence[StoreRequest]) -> Any:
        try:
            result = await waiting
        except StoreOutage as error:
            self._outages.failed(self._name, error)
            raise
        self._succeeded(result, learn)
        return result

    def _succeeded(self, result: Any, learn: Sequence[StoreRequest]) -> None:
        if self._outages.is_lost:
            self._outages.responded(self._name)
        if learn and self._fallback is not None:
            self._fallback.learn(learn, [result] if isinstance(result, int) else result)

    @property
    def _name(self) -> str:
        return type(self._store).__name__
