"""Buckets on a Redis or Valkey server, or a cluster: exact across hosts.

All that a request wants is one call of one script (see `script`), with the server's own time. Every
key of the server is ``mantlet:<limit>:{<client>}``, both parts hashed, so that what belongs to one
client lies on one node of a cluster. Keys expire when they say no more than no key would.

**Rights.** An ACL user needs ``+@connection +evalsha +eval +time +get +set +del +zadd +zrem +zcount
+zremrangebyscore +zscore +pttl +pexpire ~mantlet:*``; for a cluster also ``+cluster|slots``.

**What it promises.** No call takes longer than the deadline. When the server does not answer, that
is a `StoreOutage`; after three in a row nobody waits for it any more, and now and then one call
tries again. When the server loses its memory, buckets are full. Between a failing master and its
replica the last moments may be lost: what was spent in them may be spent again.

**In a cluster** what a request wants of several clients (an address and an account, say) may lie on
several nodes, which can't be asked as one. Then they are asked in turn, and what was taken is given
back when a later one refuses.
"""

from collections.abc import Awaitable, Sequence
from contextlib import suppress
from copy import copy
from itertools import compress

from mantlet._internal.coroutines import start_eagerly
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.stores.base import Claim, Place, Rooms, Store, taken
from mantlet.ratelimit.stores.redis.circuit_breaker import Breakers
from mantlet.ratelimit.stores.redis.client import Remote
from mantlet.ratelimit.stores.redis.denial_cache import Refusals
from mantlet.ratelimit.stores.redis.prefetch import Leases
from mantlet.ratelimit.stores.redis.script_client import Asker, server_key

__all__ = ["RedisStore"]

Wanted = Sequence[Claim | Place]


class RedisStore(Store):
    """Buckets on a server, shared by all processes that name it.

    Args:
        uri: of the server, see `client.uri`.
        deadline: in seconds, for each call, connecting included.
        lease: tokens that are taken ahead for keys that are asked for again and again; see
            `leases` for what that lets through.
        max_keys: how many refused and leased keys are remembered here, at about 300 bytes each.

    Raises:
        ImportError: hiredis is not installed; the message names the extra.
        ValueError: the URI can't be read.
    """

    def __init__(
        self,
        uri: str,
        *,
        deadline: float = 0.05,
        lease: int | None = None,
        max_keys: int = 100_000,
    ) -> None:
        self._remote = Remote(uri, deadline=deadline)
        self._deadline = deadline
        self._breakers = Breakers(deadline)
        self._refusals = Refusals(max_keys)
        self._leases = None if lease is None else Leases(lease, max_keys)
        self._asker = self._make_asker(waits=False)

    def __repr__(self) -> str:
        return f"RedisStore({self._remote.safe_uri!r})"

    def bind(self, waits: bool) -> "RedisStore":
        """Return the store as a face uses it: with a client that blocks, or one for asyncio."""
        bound = copy(self)
        bound._asker = self._make_asker(waits)
        return bound

    def _make_asker(self, waits: bool) -> Asker:
        client = self._remote.bind(waits)
        return Asker(client, self._remote.safe_uri, self._deadline, self._breakers, waits=waits)

    def open(self) -> Awaitable[None] | None:
        """Connect. A server that does not answer is no error yet: it may by the time it is needed.

        Raises:
            StoreError: it answers, and refuses: a wrong password, a missing right.
        """
        return start_eagerly(self._asker.open())

    def close(self) -> Awaitable[None] | None:
        """Close the connections."""
        return start_eagerly(self._asker.client.close())

    # -- the protocol -----------------------------------------------------------------------------

    def take(self, wanted: Wanted) -> Rooms | Awaitable[Rooms]:
        """Take all that is wanted, or nothing."""
        known = None if self._leases is None else self._leases.spend(wanted)
        if known is None:
            known = self._refusals.rooms(wanted)
        if known is not None:
            return known
        if len(wanted) > 1 and self._remote.is_cluster:
            return start_eagerly(self._take_groups(wanted))
        return start_eagerly(self._take_group(wanted))

    def peek(self, wanted: Wanted) -> Rooms | Awaitable[Rooms]:
        """Return what `take()` would return, and take nothing."""
        return start_eagerly(self._peek(wanted))

    def give(self, given: Wanted) -> Awaitable[None] | None:
        """Give tokens and places back that were taken."""
        for one in given:
            self._refusals.forget(one.key)
        return start_eagerly(self._give(given))

    def hold(self, claims: Sequence[Claim], nanoseconds: int) -> Awaitable[None] | None:
        """Empty buckets so that the next token of each comes in so many ``nanoseconds``."""
        for claim in claims:
            self._forget_leased(claim.key)
        return start_eagerly(self._hold(claims, nanoseconds))

    def forget(self, keys: Sequence[str]) -> Awaitable[None] | None:
        """Make buckets full, and places free, again; others may refuse for a minute longer."""
        for key in keys:
            self._refusals.forget(key)
            self._forget_leased(key)
        return start_eagerly(self._forget(keys))

    def _forget_leased(self, key: str) -> None:
        if self._leases is not None:
            self._leases.forget(key)

    # -- asking -----------------------------------------------------------------------------------

    async def _take_group(self, wanted: Wanted) -> Rooms:
        """Take what lies on one node, with tokens ahead where that pays."""
        asked = self._refusals.now()
        if self._leases is not None:
            rooms = await self._leases.take(self._asker, wanted)
        else:
            rooms = [answer.room for answer in await self._asker.ask("take", wanted)]
        self._refusals.add(wanted, rooms, asked)
        return rooms

    async def _take_groups(self, wanted: Wanted) -> Rooms:
        """Take what may lie on several nodes, in turn; give back what a later one refuses."""
        found: dict[str, int | None] = {}
        mine: list[Claim | Place] = []
        for group in self._groups(wanted):
            try:
                rooms = await self._take_group(group)
            except StoreOutage:
                with suppress(StoreOutage):
                    await self._give(mine)
                raise
            found.update((one.key, room) for one, room in zip(group, rooms, strict=True))
            took = taken(group, rooms)
            if not all(is_taken or one.shadow for one, is_taken in zip(group, took, strict=True)):
                await self._give(mine)
                break
            mine += compress(group, took)
        return [found.get(one.key) for one in wanted]

    async def _peek(self, wanted: Wanted) -> Rooms:
        found: dict[str, int | None] = {}
        for group in self._groups(wanted):
            answers = await self._asker.ask("peek", group)
            for one, answer in zip(group, answers, strict=True):
                room = answer.room
                if self._leases is not None and isinstance(one, Claim):
                    room = max(room, self._leases.room(one) or room)
                found[one.key] = room
        return [found[one.key] for one in wanted]

    async def _give(self, given: Wanted) -> None:
        for group in self._groups(given):
            await self._asker.ask("give", group)

    async def _hold(self, claims: Sequence[Claim], nanoseconds: int) -> None:
        for group in self._groups(claims):
            held = [one for one in group if isinstance(one, Claim)]
            await self._asker.hold(held, nanoseconds)

    async def _forget(self, keys: Sequence[str]) -> None:
        for key in keys:
            await self._asker.forget(key)

    def _groups(self, wanted: Wanted) -> list[Wanted]:
        """Return what is wanted by the nodes of a cluster that it may lie on."""
        if not wanted or not self._remote.is_cluster or len(wanted) == 1:
            return [wanted] if wanted else []
        groups: dict[int, list[Claim | Place]] = {}
        for one in wanted:
            slot = self._asker.client.slot_of(server_key(one))
            groups.setdefault(slot, []).append(one)
        return list(groups.values())
