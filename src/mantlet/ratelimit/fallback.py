"""What takes a shared store's place while it can't be used: this process's share, in its memory."""

from collections.abc import Callable, Sequence

from mantlet.ratelimit.stores.memory import MemoryStore
from mantlet.ratelimit.stores.store import Claim, LocalStore, Place, Rooms

__all__ = ["Fallback"]


class Fallback(LocalStore):
    """A memory store that gives each of several workers its share.

    A token costs as many as there are workers, which is the same as a bucket, and a refill, of that
    part of the size; each worker always admits at least what fits in one empty bucket.

    Args:
        workers: how many processes share the quota.
        max_keys: how many buckets are kept.
        clock: nanoseconds that never go back.
    """

    def __init__(self, workers: int, max_keys: int, clock: Callable[[], int]) -> None:
        self.workers = workers
        self._store = MemoryStore(max_keys, clock)

    def take(self, wanted: Sequence[Claim | Place]) -> Rooms:
        """Take all that is wanted, or nothing."""
        return self._shared(self._store.take(self.shares(wanted)))

    def peek(self, wanted: Sequence[Claim | Place]) -> Rooms:
        """Return what `take()` would return, and take nothing."""
        return self._shared(self._store.peek(self.shares(wanted)))

    def give(self, given: Sequence[Claim | Place]) -> None:
        """Give tokens and places back that were taken."""
        self._store.give(self.shares(given))

    def hold(self, claims: Sequence[Claim], nanoseconds: int) -> None:
        """Empty buckets so that the next token of each comes in so many ``nanoseconds``."""
        self._store.hold(claims, nanoseconds)

    def forget(self, keys: Sequence[str]) -> None:
        """Make buckets full, and places free, again."""
        self._store.forget(keys)

    def _shared(self, rooms: Rooms) -> Rooms:
        """Return what is left in terms of what one token takes here."""
        return [room // self.workers if room and room > 0 else room for room in rooms]

    def shares(self, wanted: Sequence[Claim | Place]) -> list[Claim | Place]:
        """Return what is wanted, as it weighs for one of several workers."""
        return [self._share(one) for one in wanted]

    def _share(self, one: Claim | Place) -> Claim | Place:
        if isinstance(one, Place):
            return one._replace(limit=max(1, one.limit // self.workers))
        burst = one.quota.burst
        # What a full bucket could pay is not to become too dear.
        cost = one.cost * self.workers
        return one._replace(cost=cost if one.cost > burst else min(cost, burst))
