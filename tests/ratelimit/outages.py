"""A store of one's own that fails when it is told to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mantlet import StoreOutage
from mantlet.ratelimit.stores.base import LocalStore, Store
from mantlet.ratelimit.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mantlet.ratelimit.stores.base import Remaining, SlotRequest, TokenRequest


class Broken(Store):
    """Buckets somewhere else: under ASGI its answers are waited for.

    Attributes:
        out: the methods that can't be used at the moment.
        called: those that were called.
    """

    def __init__(self) -> None:
        self.kept = MemoryStore(clock=lambda: 0)
        self.out: set[str] = {"take", "peek", "give_back", "block", "reset"}
        self.called: list[str] = []
        self.is_async = False

    def bind(self, is_async: bool) -> Store:
        """Return the store as a adapter uses it, which is another object."""
        bound = Broken()
        bound.__dict__ |= self.__dict__ | {"is_async": is_async}
        return bound

    def take(self, wanted: Sequence[TokenRequest | SlotRequest]) -> Any:
        return self._do("take", wanted)

    def peek(self, wanted: Sequence[TokenRequest | SlotRequest]) -> Any:
        return self._do("peek", wanted)

    def give_back(self, given: Sequence[TokenRequest | SlotRequest]) -> Any:
        return self._do("give_back", given)

    def block(self, claims: Sequence[TokenRequest], nanoseconds: int) -> Any:
        return self._do("block", claims, nanoseconds)

    def reset(self, keys: Sequence[str]) -> Any:
        return self._do("reset", keys)

    def open(self) -> None:
        self.called.append("open")

    def close(self) -> None:
        self.called.append("close")

    def _do(self, method: str, *arguments: Any) -> Any:
        self.called.append(method)
        if self.is_async:
            return self._later(method, arguments)
        return self._now(method, arguments)

    async def _later(self, method: str, arguments: Sequence[Any]) -> Any:
        await asyncio.sleep(0)
        return self._now(method, arguments)

    def _now(self, method: str, arguments: Sequence[Any]) -> Any:
        if method in self.out:
            raise StoreOutage("seeded-secret")
        return getattr(self.kept, method)(*arguments)


class Full(LocalStore):
    """Buckets on this host, where there is no room any more."""

    def take(self, wanted: Sequence[TokenRequest | SlotRequest]) -> Remaining:
        raise StoreOutage("seeded-secret")

    def peek(self, wanted: Sequence[TokenRequest | SlotRequest]) -> Remaining:
        raise StoreOutage("seeded-secret")

    def give_back(self, given: Sequence[TokenRequest | SlotRequest]) -> None:
        raise StoreOutage("seeded-secret")

    def block(self, claims: Sequence[TokenRequest], nanoseconds: int) -> None:
        raise StoreOutage("seeded-secret")

    def reset(self, keys: Sequence[str]) -> None:
        raise StoreOutage("seeded-secret")
