"""One call of the script: what is wanted in its words, and its answer in ours."""

import logging
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b, sha1
from struct import pack, unpack
from time import monotonic
from typing import Any, NamedTuple

from mantlet.exceptions import StoreError, StoreOutage
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.redis.breaker import Breaker
from mantlet.ratelimit.stores.redis.client import Client
from mantlet.ratelimit.stores.redis.errors import CommandError
from mantlet.ratelimit.stores.redis.script import SCRIPT, numbers, split
from mantlet.ratelimit.stores.store import Claim, Place

__all__ = ["Answer", "Asker", "server_key"]

log = logging.getLogger("mantlet.ratelimit")

_SHA = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
_ANY = Quota("1/second")
_MICROSECONDS = 1_000_000


class Answer(NamedTuple):
    """What the server says of one bucket or places.

    Attributes:
        room: as in `Rooms`.
        more: whether the tokens ahead were taken as well.
    """

    room: int
    more: bool


class Asker:
    """Calls the script, if the server is likely to answer.

    Args:
        client: the connections to the server.
        uri: the server's, without its password.
        deadline: in seconds, for each call.
        breaker: shared by all that ask the server.
    """

    def __init__(self, client: Client, uri: str, deadline: float, breaker: Breaker) -> None:
        self.client = client
        self._uri = uri
        self._deadline = deadline
        self._breaker = breaker

    async def open(self) -> None:
        """See whether the server takes us; one that does not answer may do so later.

        Raises:
            StoreError: it answers, and refuses.
        """
        try:
            await self._evaluate([server_key("open:")], ["peek", "b", _bucket(_ANY, 0, 0)])
        except CommandError as error:
            raise StoreError(f"the store {self._uri} can't be used: {error}") from None
        except StoreOutage as error:
            log.warning("The store %s can't be reached yet: %s", self._uri, error)

    async def ask(
        self, mode: str, wanted: Sequence[Claim | Place], ahead: Sequence[int] = ()
    ) -> list[Answer]:
        """Take, peek at or give back what lies on one node.

        Args:
            mode: ``"take"``, ``"peek"`` or ``"give"``.
            wanted: claims and places.
            ahead: for each, how many tokens to take besides; none at all if left out.

        Raises:
            StoreOutage: the server can't be asked.
        """
        arguments: list[str | bytes] = [mode]
        for one, more in zip(wanted, ahead or (0,) * len(wanted), strict=True):
            if isinstance(one, Place):
                places = pack(">dd", one.limit, -(-one.lease // 1000)) + one.holder.encode()
                arguments += ("P" if one.shadow else "p", places)
            else:
                arguments += ("B" if one.shadow else "b", _bucket(one.quota, one.cost, more))
        reply = await self._script([one.key for one in wanted], arguments)
        if mode == "give":
            return []
        return [_answer(one, left) for one, left in zip(wanted, reply, strict=True)]

    async def hold(self, claims: Sequence[Claim], nanoseconds: int) -> None:
        """Empty buckets on one node so that the next token of each comes in so many nanoseconds."""
        arguments: list[str | bytes] = ["hold"]
        for claim in claims:
            parts, interval, capacity, _ = numbers(claim.quota)
            wait = -(-nanoseconds * parts // 1000)
            arguments += ("b", pack(">4d", parts, *split(wait + capacity - interval, parts)))
        await self._script([claim.key for claim in claims], arguments)

    async def forget(self, key: str) -> None:
        """Make a bucket full, or places free, again."""
        await self._script([key], ["forget"])

    async def _script(self, keys: Sequence[str], arguments: Sequence[str | bytes]) -> Any:
        """Run the script, unless the server is not to be asked at the moment."""
        if not self._breaker.admits():
            raise StoreOutage(f"the store {self._uri} is not asked for the moment")
        try:
            reply = await self._evaluate([server_key(key) for key in keys], arguments)
        except (StoreOutage, CommandError) as error:
            if self._breaker.failed():
                log.warning("The store %s is not asked for a while: %s", self._uri, error)
            if isinstance(error, StoreOutage):
                raise
            raise StoreOutage(f"the store {self._uri}: {error}") from error
        if self._breaker.succeeded():
            log.warning("The store %s answers again", self._uri)
        return reply

    async def _evaluate(self, named: list[bytes], arguments: Sequence[str | bytes]) -> Any:
        """Run the script, which the server may not know yet."""
        expires = monotonic() + self._deadline
        call, rest = self.client.call, (len(named), *named, *arguments)
        try:
            return await call("EVALSHA", _SHA, *rest, key=named[0], expires=expires)
        except CommandError as error:
            if error.code != "NOSCRIPT":
                raise
        return await call("EVAL", SCRIPT, *rest, key=named[0], expires=expires)


def server_key(key: str) -> bytes:
    """Return the server's name of a key. What the client has chosen of it is hashed.

    The part in braces decides which node of a cluster it lies on (Redis cluster specification,
    "Hash tags").
    """
    limit, _, client = key.partition(":")
    digest = blake2b(client.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return b"mantlet:%b:{%b}" % (limit.encode(), urlsafe_b64encode(digest)[:22])


@lru_cache(maxsize=4096)
def _bucket(quota: Quota, cost: int, ahead: int) -> bytes:
    """Return the script's numbers for a bucket."""
    parts, interval, capacity, _ = numbers(quota)
    lengths = (interval * cost, capacity, interval * ahead)
    return pack(">10d", parts, *(number for length in lengths for number in split(length, parts)))


def _answer(one: Claim | Place, left: bytes) -> Answer:
    """Return what the script says of one key."""
    seconds, microseconds, fraction, more = map(int, unpack(">4d", left))
    if isinstance(one, Place):
        return Answer(seconds, more=False)
    parts, _, _, ticks = numbers(one.quota)
    room = ((seconds * _MICROSECONDS + microseconds) * parts + fraction) * ticks
    return Answer(room, bool(more))
