"""`Reservation`: the tokens and slots that a request holds until its response and its end."""

from collections.abc import Callable, Sequence

from mantlet.core.response import Response
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.compiled import ConcurrencyLimit, Hit, QuotaLimit
from mantlet.ratelimit.decision import Decision, combine
from mantlet.ratelimit.engine import LimitResult
from mantlet.ratelimit.stores.base import Store, StoreRequest, aged

__all__ = ["Reservation"]


class Reservation:
    """The tokens and slots that one request holds, taken in one step or in two.

    Args:
        hits: the hits of the first step.
        clock: a monotonic clock in nanoseconds.

    Attributes:
        awaits_response: whether the response decides if the request counts; False before the store
            has answered, and once the response has decided.
    """

    __slots__ = ("_clock", "_pending", "_results", "awaits_response")

    def __init__(self, hits: Sequence[Hit], clock: Callable[[], int]) -> None:
        self._pending = hits
        self._clock = clock
        #: The outcome of each step, with the time when the store had answered.
        self._results: list[tuple[LimitResult, int]] = []
        self.awaits_response = False

    @property
    def limits(self) -> list[QuotaLimit | ConcurrencyLimit]:
        """The limits that were decided."""
        return [limit for result, _ in self._results for limit in result.limits]

    def expect(self, hits: Sequence[Hit]) -> None:
        """Note the hits of the next step, before the store is asked."""
        self._pending = hits

    def forget(self) -> None:
        """Drop the expected hits: the store is unavailable."""
        self._pending = ()

    def record(self, result: LimitResult | None) -> None:
        """Note the outcome of the expected hits; None for no hits."""
        self._pending = ()
        if result is not None:
            self._results.append((result, self._clock()))
            for hit in result.hits if result.decision.allowed else ():
                if hit.count_if is not None:
                    self.awaits_response = True

    async def give_back(self) -> None:
        """Give back all tokens and slots: a later step has refused the request."""
        self.awaits_response = False
        while self._results:
            result, taken_at = self._results[-1]
            await _give_back(result.store, aged(result.taken, self._clock() - taken_at))
            self._results.pop()

    async def commit(self, response: Response) -> Decision:
        """Give back the tokens that don't count, given the response; return the new decision."""
        parts: list[Decision] = []
        is_unchanged = len(self._results) == 1
        for result, taken_at in self._results:
            returned: list[StoreRequest] = []
            for hit, one in zip(result.hits, result.decision.parts, strict=True):
                if hit.count_if is None or not result.was_taken(hit) or hit.count_if(response):
                    parts.append(one)
                else:
                    returned.append(hit.store_request)
                    parts.append(one.refunded())
            if returned:
                is_unchanged = False
                await _give_back(result.store, aged(returned, self._clock() - taken_at))
        return self._results[0][0].decision if is_unchanged else combine(parts)

    async def release(self, store: Store) -> None:
        """Free the slots that the request holds, or may hold if it was cancelled.

        Args:
            store: used if the request was cancelled before the store answered.
        """
        if self._pending:
            await _give_back(store, [hit.store_request for hit in self._pending if hit.is_slot])
        for result, _ in self._results:
            taken = [
                hit.store_request for hit in result.hits if hit.is_slot and result.was_taken(hit)
            ]
            await _give_back(result.store, taken)


async def _give_back(store: Store, requests: Sequence[StoreRequest]) -> None:
    if not requests:
        return
    try:
        waiting = store.give_back(requests)
        if waiting is not None:
            await waiting
    except StoreOutage:
        # That admits nobody: tokens stay spent, and slots become free when their lease expires.
        return
