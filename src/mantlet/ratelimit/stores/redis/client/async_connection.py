"""One connection of an event loop, on which many calls are in flight at once."""

import asyncio
from collections import deque
from math import inf
from time import monotonic
from typing import Any

from mantlet.ratelimit.stores.redis.client.resp import (
    MORE,
    NONSENSE,
    Lost,
    Outage,
    PushNotification,
    make_reader,
)
from mantlet.ratelimit.stores.redis.client.transport import Link
from mantlet.ratelimit.stores.redis.client.uri import Address

__all__ = ["Connection"]

#: Seconds. Less than this, uvloop takes for now.
_TICK = 0.001
#: Seconds by which the watch is late when something has held the loop up.
_HELD_UP = 0.005
#: Seconds that a server may be behind with what nobody waits for any more. It bounds the line.
_BEHIND = 1.0


class Connection(asyncio.Protocol, Link):
    """A line of calls, whose replies come in the order of the calls.

    Commands of one turn of the loop go out in one write. A caller that gives up leaves its place in
    the line, so that the order stays right. There is no timer for each call: one looks after the
    line as long as somebody waits in it.

    Args:
        address: the server.
        loop: the loop that it belongs to.
        patience: seconds after which a silent connection that owes a reply is given up, as soon as
            a call's time is up.

    Attributes:
        lost: whether it is of no use any more.
    """

    def __init__(self, address: Address, loop: asyncio.AbstractEventLoop, patience: float) -> None:
        self.address = address
        self.lost = False
        self._loop = loop
        self._patience = patience
        self._transport: asyncio.Transport | None = None
        self._reader = make_reader()
        self._unsent: list[bytes] = []
        self._line: deque[tuple[asyncio.Future[Any], float]] = deque()
        #: When something was received last, or the line was begun.
        self._heard = 0.0
        #: When the watch looks next, which is not after any call's time is up.
        self._due = inf
        self._watch: asyncio.TimerHandle | None = None

    async def ask(self, packed: bytes, expires: float) -> Any:
        """See `Link.ask()`."""
        reply = await self._send(packed, expires)
        if isinstance(reply, Outage):
            raise reply
        return reply

    async def ask_all(self, packed: bytes, count: int, expires: float) -> list[Any]:
        """See `Link.ask_all()`."""
        places = [self._send(packed, expires)]
        places += [self._send(b"", expires) for _ in range(count - 1)]
        replies = [await place for place in places]
        for reply in replies:
            if isinstance(reply, Outage):
                raise reply
        return replies

    def _send(self, packed: bytes, expires: float) -> asyncio.Future[Any]:
        """Send what will be replied to; return the place in the line where the reply comes.

        An outage comes there as a result too: nobody may be left to see it as an exception.
        """
        loop = self._loop
        place: asyncio.Future[Any] = loop.create_future()
        if self.lost:
            place.set_result(Lost(f"{self.address} has closed the connection"))
            return place
        if not self._line:
            self._heard = monotonic()
        self._line.append((place, expires))
        if expires < self._due:
            self._look_at(expires)
        if not self._unsent:
            loop.call_soon(self._flush)
        self._unsent.append(packed)
        return place

    def _flush(self) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(self._unsent))
            self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        """Hand replies to those that wait for them."""
        self._heard = monotonic()
        line, gets = self._line, self._reader.gets
        try:
            self._reader.feed(data)
            while (reply := gets()) is not MORE:
                if isinstance(reply, PushNotification):
                    continue
                place, _ = line.popleft()
                if not place.done():
                    place.set_result(reply)
        except (*NONSENSE, IndexError):  # the last: a reply that nobody asked for
            self._end(Outage, "does not speak the protocol")

    def _look_at(self, due: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._due = due
        self._watch = self._loop.call_later(max(due - monotonic(), _TICK), self._look)

    def _look(self, again: bool = False) -> None:
        """End the waiting of those whose time is up."""
        now = monotonic()
        if now > self._due + _HELD_UP and not again:
            # Their replies may be here, and nobody could read them yet.
            self._watch = self._loop.call_later(_TICK, self._look, True)
            return
        up, due = False, inf
        for place, expires in self._line:
            if place.done():
                continue
            if expires <= now:
                up = True
                place.set_result(Outage(f"{self.address} did not answer in time"))
            elif expires < due:
                due = expires
        self._due, self._watch = inf, None
        behind = now - self._line[0][1] if self._line else 0.0
        if up and (now - self._heard >= self._patience or behind >= _BEHIND):
            self.abort()
        elif due < inf:
            self._look_at(due)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]  # a stream's is one

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell all that wait."""
        self._end(Lost, "closed the connection")

    def abort(self) -> None:
        """End the connection now."""
        self._end(Lost, "was too slow")

    def _end(self, kind: type[Outage], why: str) -> None:
        self.lost = True
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for place, _ in self._line:
            if not place.done():
                place.set_result(kind(f"{self.address} {why}"))
        self._line.clear()
        self._unsent.clear()
