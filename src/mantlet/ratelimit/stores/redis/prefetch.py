"""Tokens taken ahead of need, so that keys that are asked for all the time need no round trip."""

from asyncio import Future, get_running_loop, shield, timeout
from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic, monotonic_ns
from typing import Final

from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.base import Claim, Place, Rooms, taken
from mantlet.ratelimit.stores.redis.script_client import Answer, Asker

__all__ = ["Leases"]

#: Nanoseconds. A key that is asked for less often than this needs no tokens ahead.
_LULL: Final = 1_000_000_000

Wanted = Sequence[Claim | Place]


class _Lease:
    """What is known of one key."""

    __slots__ = ("arrival", "asked", "batch", "coming", "left", "room")

    def __init__(self) -> None:
        #: Whether tokens have come, once that is known: those of one event loop wait for one call.
        self.arrival: Future[bool] | None = None
        #: How many tokens are wanted ahead, and when the server was asked last.
        self.batch = self.asked = 0
        #: Tokens at hand, and those that the server is just asked for.
        self.left = self.coming = 0
        #: What the server had left, in ticks.
        self.room = 0

    def seen(self, quota: Quota, tokens: int) -> int:
        """Return the room that there is with tokens at hand, in ticks."""
        return min(self.room + tokens * quota.interval, quota.capacity)


class Leases:
    """Tokens of buckets on the server that this process has taken and not spent yet.

    They are paid for, so all processes together never spend more than was refilled. But those that
    one holds back it may spend at any later time, so at once a key may spend its burst and,
    besides, up to ``size`` tokens for each process; and as many after another process has banned
    it.

    On an event loop, who finds none at hand while some are coming waits for them.

    A key that is asked for once in a while gets none ahead. For one whose tokens ran out within a
    second the next batch is twice the size, up to ``size``.

    Args:
        size: the most tokens that are taken ahead.
        max_keys: how many keys are kept; beyond that the tokens of the oldest are lost.
        clock: nanoseconds that never go back.
    """

    __slots__ = ("_clock", "_leases", "_lock", "_max_keys", "size")

    def __init__(self, size: int, max_keys: int, clock: Callable[[], int] = monotonic_ns) -> None:
        self.size = size
        self._max_keys = max_keys
        self._clock = clock
        self._lock = Lock()
        self._leases: dict[str, _Lease] = {}

    def spend(self, wanted: Wanted) -> Rooms | None:
        """Spend what is wanted where all of it is at hand; return what is left, else None."""
        leases = self._leases
        spent: list[tuple[_Lease, Claim]] = []
        rooms: Rooms = []
        with self._lock:
            for one in wanted:
                lease = leases.get(one.key)
                # What costs nothing is asked for: there may be a ban.
                if lease is None or not isinstance(one, Claim) or not 0 < one.cost <= lease.left:
                    return None
                spent.append((lease, one))
            for lease, one in spent:
                lease.left -= one.cost
                rooms.append(lease.seen(one.quota, lease.left))
        return rooms

    def room(self, one: Claim) -> int | None:
        """Return what `spend()` would for a single claim."""
        lease = self._leases.get(one.key)
        if lease is None or not 0 < one.cost <= lease.left:
            return None
        return lease.seen(one.quota, lease.left - one.cost)

    async def take(self, asker: Asker, wanted: Wanted) -> Rooms:
        """Take what lies on one node, with tokens ahead where that pays.

        Returns:
            For each what is left in ticks or places, with what is at hand; negative if refused.

        Raises:
            StoreOutage: the server can't be asked.
        """
        expires = asker.expires()
        if asker.is_async and self._arrivals(wanted):
            spent = await self._wait(wanted, expires)
            if spent is not None:
                return spent
        with self._lock:
            asked = [self._ahead(one) for one in wanted]
        arrival = _announce(asked) if asker.is_async else None
        have_come = False
        try:
            answers = await asker.ask("take", wanted, [ahead for _, ahead in asked], expires)
            rooms, have_come = self._receive(wanted, asked, answers)
            return rooms
        finally:
            # Also of one that is cancelled, or whose server does not answer.
            with self._lock:
                for lease, ahead in asked:
                    lease.coming -= ahead
            if arrival is not None and not arrival.done():
                arrival.set_result(have_come)

    def _receive(
        self, wanted: Wanted, asked: Sequence[tuple[_Lease, int]], answers: Sequence[Answer]
    ) -> tuple[Rooms, bool]:
        """Keep the tokens that have come.

        Returns:
            What is left of each of the wanted with them; and whether there were any.
        """
        rooms: Rooms = [answer.room for answer in answers]
        have_come = False
        with self._lock:
            for index, is_taken in enumerate(taken(wanted, rooms)):
                one, (lease, ahead), answer = wanted[index], asked[index], answers[index]
                if isinstance(one, Claim) and answer.room >= 0:
                    quota = one.quota
                    more = ahead if is_taken and answer.more else 0
                    untaken = 0 if is_taken else one.cost * quota.interval
                    lease.room = answer.room + untaken - more * quota.interval
                    lease.left += more
                    have_come = have_come or more > 0
                    rooms[index] = lease.seen(quota, lease.left) - untaken
        return rooms, have_come

    async def _wait(self, wanted: Wanted, expires: float) -> Rooms | None:
        """Spend what is wanted as soon as all of it has come; return None where it won't."""
        try:
            async with timeout(expires - monotonic()):
                while arrivals := self._arrivals(wanted):
                    have_come = [await shield(arrival) for arrival in arrivals]
                    spent = self.spend(wanted)
                    if spent is not None or not all(have_come):
                        return spent
        except TimeoutError:
            raise StoreOutage("tokens did not come in time") from None
        return None

    def _arrivals(self, wanted: Wanted) -> list[Future[bool]]:
        """Return what to wait for, on this event loop, for all that is wanted to be at hand."""
        arrivals = []
        loop = get_running_loop()
        for one in wanted:
            lease = self._leases.get(one.key)
            if lease is None or not isinstance(one, Claim) or one.cost <= 0:
                return []
            if lease.left < one.cost:
                arrival = lease.arrival
                if arrival is None or arrival.done() or arrival.get_loop() is not loop:
                    return []
                arrivals.append(arrival)
        return arrivals

    def _ahead(self, one: Claim | Place) -> tuple[_Lease, int]:
        """Return how many tokens to take besides, now that the server is asked for some."""
        if isinstance(one, Place):
            return _Lease(), 0
        now, key = self._clock(), one.key
        leases = self._leases
        lease = leases.get(key)
        if lease is None:
            if len(leases) >= self._max_keys:
                del leases[next(iter(leases))]
            lease = leases[key] = _Lease()
        elif now - lease.asked >= _LULL:
            lease.batch = 0
        elif not lease.coming:
            lease.batch = min(2 * lease.batch + 1, self.size, one.quota.burst)
        lease.asked = now
        ahead = max(min(lease.batch, self.size - lease.left - lease.coming), 0)
        lease.coming += ahead
        return lease, ahead

    def forget(self, key: str) -> None:
        """Let go of what is at hand, and of what is coming."""
        with self._lock:
            self._leases.pop(key, None)


def _announce(asked: Sequence[tuple[_Lease, int]]) -> Future[bool]:
    """Have others of this event loop wait for the tokens that are asked for."""
    arrival: Future[bool] = get_running_loop().create_future()
    for lease, ahead in asked:
        if ahead:
            lease.arrival = arrival
    return arrival
