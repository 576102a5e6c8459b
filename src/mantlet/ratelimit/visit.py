"""What one request has taken, and what of it is given back once its answer is known, or sent."""

from collections.abc import Sequence

from mantlet.core.response import Response
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.compiled import Ask
from mantlet.ratelimit.decision import Decision, joint
from mantlet.ratelimit.engine import Counter, Outcome
from mantlet.ratelimit.stores.base import SlotRequest, Store, TokenRequest

__all__ = ["Visit"]


class Visit:
    """One request's stay.

    Args:
        asks: what it asks for.

    Attributes:
        counts: whether its answer decides what it has to pay; no longer once that is settled.
        outcome: what became of it; None until the store has answered.
    """

    __slots__ = ("asks", "counts", "outcome")

    def __init__(self, asks: Sequence[Ask]) -> None:
        self.asks = asks
        self.counts = any(ask.count_if is not None for ask in asks)
        self.outcome: Outcome | None = None

    async def settle(self, outcome: Outcome, response: Response) -> Decision:
        """Give back what does not count by the ``response``; return the decision as it stands."""
        given: list[TokenRequest | SlotRequest] = []
        each: list[Decision] = []
        for ask, one in zip(outcome.asks, outcome.decision.parts, strict=True):
            if ask.count_if is None or not outcome.took(ask) or ask.count_if(response):
                each.append(one)
            else:
                given.append(ask.claim)
                each.append(one.given_back())
        await _give(outcome.store, given)
        return joint(each)

    async def leave(self, counter: Counter, waits: bool) -> None:
        """Free the places that the request has held, or may have where it was cancelled."""
        outcome = self.outcome
        places: list[TokenRequest | SlotRequest] = [
            ask.claim
            for ask in self.asks
            if isinstance(ask.claim, SlotRequest) and (outcome is None or outcome.took(ask))
        ]
        await _give(counter.bound(waits) if outcome is None else outcome.store, places)


async def _give(store: Store, given: Sequence[TokenRequest | SlotRequest]) -> None:
    if not given:
        return
    try:
        waiting = store.give_back(given)
        if waiting is not None:
            await waiting
    except StoreOutage:
        # Nobody is let through by that: tokens stay spent, and places are free when their lease is
        # over.
        return
