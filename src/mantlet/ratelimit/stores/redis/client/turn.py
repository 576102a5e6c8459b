"""What several coroutines of a loop need at once is done by one of them."""

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy
from time import monotonic
from typing import Any, TypeVar

from mantlet.exceptions import StoreError
from mantlet.ratelimit.stores.redis.client.errors import Outage

__all__ = ["Turn"]

T = TypeVar("T")

#: The outcome of one that gave up: it says nothing about the work.
_GAVE_UP = object()


class Turn:
    """Work that one coroutine at a time does, and the others wait for.

    Args:
        name: of the work, for errors.
    """

    __slots__ = ("_name", "_outcome")

    def __init__(self, name: str) -> None:
        self._name = name
        self._outcome: asyncio.Future[Any] | None = None

    async def take(self, work: Callable[[float], Awaitable[T]], expires: float) -> T:
        """Do the work, or wait for whoever is at it.

        The outcome is everyone's, also if it is an error. One that is cancelled, or whose own time
        is up, leaves the work to the next.

        Args:
            work: is given ``expires``.
            expires: until when, by `time.monotonic()`.

        Raises:
            Outage: someone else is still at it.
        """
        while self._outcome is not None:
            try:
                async with asyncio.timeout(expires - monotonic()):
                    outcome = await asyncio.shield(self._outcome)
            except TimeoutError:
                raise Outage(f"{self._name} took too long") from None
            if isinstance(outcome, StoreError):
                raise copy(outcome)
            if outcome is not _GAVE_UP:
                return outcome  # type: ignore[no-any-return]  # what the other's work returned
        self._outcome = told = asyncio.get_running_loop().create_future()
        outcome = _GAVE_UP
        try:
            result = outcome = await work(expires)
        except StoreError as error:
            if monotonic() < expires:
                outcome = error
            raise
        finally:
            self._outcome = None
            told.set_result(outcome)
        return result
