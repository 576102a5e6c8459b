"""An asyncio connection on which many calls are in flight at once."""

import asyncio
from collections import deque
from math import inf
from time import monotonic
from typing import Any

from mantlet.stores.redis.patience import MIN_DELAY, TOO_LATE
from mantlet.stores.redis.resp import (
    INCOMPLETE,
    PROTOCOL_ERRORS,
    ConnectionLost,
    PushNotification,
    ServerUnavailable,
    make_reader,
)
from mantlet.stores.redis.transport import CommandChannel
from mantlet.stores.redis.uri import ServerAddress

__all__ = ["AsyncConnection"]

#: Maximum delay in seconds of replies that no call waits for any more. This bounds the queue.
_MAX_LAG = 1.0


class AsyncConnection(asyncio.Protocol, CommandChannel):
    """A pipeline of calls, whose replies arrive in the order of the calls.

    Commands sent in the same iteration of the event loop go out in one write. A caller that gives
    up leaves its entry in the queue, so that replies are matched correctly. Calls have no timers of
    their own: one timer serves the queue for as long as a caller waits.

    The server's time starts when the command is written, and ends when the event loop has had the
    chance to read the reply. Time in which something blocks the loop does not count.

    Args:
        address: the server.
        loop: the event loop that the connection belongs to.
        patience: seconds after which a silent connection that owes a reply is given up, as soon as
            a call times out.

    Attributes:
        is_closed: whether the connection is unusable.
    """

    def __init__(
        self, address: ServerAddress, loop: asyncio.AbstractEventLoop, patience: float
    ) -> None:
        self.address = address
        self.is_closed = False
        self._loop = loop
        self._patience = patience
        self._transport: asyncio.Transport | None = None
        self._reader = make_reader()
        self._unsent: list[bytes] = []
        #: When the first command was queued that is not written yet.
        self._unsent_since = 0.0
        self._queue: deque[tuple[asyncio.Future[Any], float]] = deque()
        #: When data was last received, or the queue was started.
        self._last_received = 0.0
        #: When the timer fires, which is not later than any call's deadline.
        self._timer_at = inf
        self._timer: asyncio.TimerHandle | None = None

    async def execute(self, packed: bytes, deadline: float) -> Any:
        """See `CommandChannel.execute()`."""
        reply = await self._send(packed, deadline)
        if isinstance(reply, ServerUnavailable):
            raise reply
        return reply

    async def execute_many(self, packed: bytes, count: int, deadline: float) -> list[Any]:
        """See `CommandChannel.execute_many()`."""
        futures = [self._send(packed, deadline)]
        futures += [self._send(b"", deadline) for _ in range(count - 1)]
        replies = [await future for future in futures]
        for reply in replies:
            if isinstance(reply, ServerUnavailable):
                raise reply
        return replies

    def _send(self, packed: bytes, deadline: float) -> asyncio.Future[Any]:
        """Send a command; return the future of its reply.

        An outage is set as a result, not as an exception, since no caller may be left to retrieve
        it.
        """
        loop = self._loop
        future: asyncio.Future[Any] = loop.create_future()
        if self.is_closed:
            future.set_result(ConnectionLost(f"{self.address} has closed the connection"))
            return future
        if not self._unsent:
            self._unsent_since = monotonic()
            loop.call_soon(self._flush)
        if not self._queue:
            self._last_received = self._unsent_since
        self._queue.append((future, deadline))
        if deadline < self._timer_at:
            self._set_timer(deadline)
        self._unsent.append(packed)
        return future

    def _flush(self) -> None:
        if self._transport is not None:
            late = monotonic() - self._unsent_since
            if late > TOO_LATE:
                queue = self._queue
                for index in range(-len(self._unsent), 0):
                    future, deadline = queue[index]
                    queue[index] = future, deadline + late
            self._transport.write(b"".join(self._unsent))
            self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        """Pass replies to their callers."""
        self._last_received = monotonic()
        queue, gets = self._queue, self._reader.gets
        try:
            self._reader.feed(data)
            while (reply := gets()) is not INCOMPLETE:
                if isinstance(reply, PushNotification):
                    continue
                future, _ = queue.popleft()
                if not future.done():
                    future.set_result(reply)
        except (*PROTOCOL_ERRORS, IndexError):  # IndexError: a reply without a call
            self._end(ServerUnavailable, "sent an invalid reply")

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_later(max(at - monotonic(), MIN_DELAY), self._on_timer)

    def _on_timer(self) -> None:
        """Time out the calls whose deadlines have passed, once their replies could be read.

        They may have arrived while something blocked the event loop. A late timer means that
        something did. The server then gets the same amount of additional time, within bounds:
        uvloop writes only at the end of a turn, however long that takes.
        """
        now = monotonic()
        late = now - self._timer_at
        delay = MIN_DELAY if late <= TOO_LATE else min(late, self._patience)
        self._timer = self._loop.call_later(delay, self._time_out, now)

    def _time_out(self, now: float) -> None:
        """Time out the calls whose deadlines had passed in the last turn of the loop."""
        timed_out, next_deadline = False, inf
        for future, deadline in self._queue:
            if future.done():
                continue
            if deadline <= now:
                timed_out = True
                future.set_result(ServerUnavailable(f"{self.address} did not reply in time"))
            elif deadline < next_deadline:
                next_deadline = deadline
        self._timer_at, self._timer = inf, None
        lag = now - self._queue[0][1] if self._queue else 0.0
        if timed_out and (now - self._last_received >= self._patience or lag >= _MAX_LAG):
            self.abort()
        elif next_deadline < inf:
            self._set_timer(next_deadline)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = transport  # type: ignore[assignment]  # a stream's transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Notify all callers."""
        self._end(ConnectionLost, "closed the connection")

    def abort(self) -> None:
        """Close the connection now."""
        self._end(ConnectionLost, "was too slow")

    def _end(self, kind: type[ServerUnavailable], reason: str) -> None:
        self.is_closed = True
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for future, _ in self._queue:
            if not future.done():
                future.set_result(kind(f"{self.address} {reason}"))
        self._queue.clear()
        self._unsent.clear()
