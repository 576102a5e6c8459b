"""What the server has refused is refused here, without asking again, until it would be admitted."""

from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic_ns
from typing import Final

from mantlet.ratelimit.bucket import take
from mantlet.ratelimit.stores.base import Claim, Place, Rooms

__all__ = ["Refusals"]

#: Nanoseconds for which a refusal is believed. A reset by another process is seen by then.
_BELIEVED: Final = 60_000_000_000


class Refusals:
    """Buckets that were found too empty, each with the time at which it is full again.

    Only the server makes a bucket fuller than that, by what is given back to it, and emptier it may
    be; so what is refused here would be refused there. Time counts from before the server was
    asked, so that nobody is refused here a moment longer than there. What others give back or
    forget is not heard of here, so of a longer wait the server is asked once a minute.

    Args:
        max_keys: how many are kept; beyond that the oldest ones are asked for again.
        clock: nanoseconds that never go back.
    """

    __slots__ = ("_clock", "_known", "_lock", "_max_keys")

    def __init__(self, max_keys: int, clock: Callable[[], int] = monotonic_ns) -> None:
        self._max_keys = max_keys
        self._clock = clock
        self._lock = Lock()
        #: For each key when it was asked for, and when it is full again, in ticks.
        self._known: dict[str, tuple[int, int]] = {}

    def now(self) -> int:
        """Return the time to hand to `add()`, in nanoseconds."""
        return self._clock()

    def rooms(self, wanted: Sequence[Claim | Place]) -> Rooms | None:
        """Return what is missing where something is known to be refused; None to ask for it."""
        rooms: Rooms | None = None
        known = self._known
        for index, one in enumerate(wanted):
            found = known.get(one.key)
            if found is None or not isinstance(one, Claim) or one.shadow:
                continue
            now, (asked, full_at) = self._clock(), found
            _, room = take(one.quota, full_at, now * one.quota.scale, one.cost)
            if room >= 0 or now - asked >= _BELIEVED:
                self.forget(one.key)
                continue
            rooms = rooms or [None] * len(wanted)
            rooms[index] = room
        return rooms

    def add(self, wanted: Sequence[Claim | Place], rooms: Rooms, asked: int) -> None:
        """Remember what is refused.

        Args:
            wanted: what the server was asked for.
            rooms: what it said.
            asked: when it was asked, see `now()`.
        """
        for one, room in zip(wanted, rooms, strict=True):
            if (
                room is None
                or room >= 0
                or not isinstance(one, Claim)
                or one.shadow
                or one.refundable
            ):
                continue
            quota = one.quota
            full_at = asked * quota.scale + quota.capacity - quota.interval * one.cost - room
            with self._lock:
                if len(self._known) >= self._max_keys and one.key not in self._known:
                    del self._known[next(iter(self._known))]
                self._known[one.key] = asked, full_at

    def forget(self, key: str) -> None:
        """Ask for a bucket again: it may be fuller than was known."""
        with self._lock:
            self._known.pop(key, None)
