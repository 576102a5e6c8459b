"""Read a Redis or Valkey stream continuously: as a consumer of a group, or all events."""

import json
import logging
import time
from collections.abc import AsyncIterator
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from mantlet._internal.event_loop import sleep
from mantlet._internal.log_throttle import LogThrottle
from mantlet.events.event import Event
from mantlet.exceptions import StoreError, StoreOutage

if TYPE_CHECKING:  # importing it needs a library
    from mantlet.events.redis_streams import RedisStreams
    from mantlet.stores.redis import RedisClient

__all__ = ["GroupReading", "PatientClient", "read_tail"]

#: Seconds for which the server waits for events before it replies without any.
_BLOCK: Final = 5.0
#: Initial and maximum seconds between two attempts to reach a server.
_MIN_DELAY: Final = 0.1
_MAX_DELAY: Final = 5.0

_log = logging.getLogger("mantlet.events")
_throttle = LogThrottle(_log)

#: Maximum number of entries that `tail()` fetches at once.
_BATCH: Final = 100
#: An entry of a stream: its id, and its event unless it is malformed.
_StreamEntry = tuple[bytes, Event | None]


class PatientClient:
    """Repeats commands until the server replies.

    Args:
        client: the client.
        name: the name of the stream in logs.
        is_async: whether it runs on an event loop.

    Attributes:
        outages: number of times that a command was repeated.
    """

    def __init__(self, client: "RedisClient", name: str, is_async: bool) -> None:
        self._client = client
        self._name = name
        self._is_async = is_async
        self.outages = 0

    # Any: the type of a reply depends on the command.
    async def call(self, *parts: bytes | str | int, key: bytes, seconds: float) -> Any:
        """Send a command; return its reply.

        Args:
            parts: the command and its arguments.
            key: the key of the stream.
            seconds: how long the reply may take.

        Raises:
            CommandError: the server has refused the command.
        """
        delay = _MIN_DELAY
        while True:
            try:
                return await self._client.call(*parts, key=key, deadline=monotonic() + seconds)
            except StoreError as error:
                # UNBLOCKED: the server has become a replica.
                if not isinstance(error, StoreOutage) and _code(error) != "UNBLOCKED":
                    raise
                self.outages += 1
                if _throttle.suppressed(f"{self._name} can't be read") is not None:
                    _log.warning("%s can't be read: %s; trying again", self._name, error)
            if self._is_async:
                await sleep(delay)
            else:
                time.sleep(delay)  # noqa: ASYNC251  # in a thread
            delay = min(2 * delay, _MAX_DELAY)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()


class GroupReading:
    """One consumer's position in the stream.

    Args:
        streams: the stream.
        client: the client that reads it.
        names: the names of the group and of the consumer.
        start: the id after which a new group begins.
        max_attempts: maximum deliveries of an event before it is set aside; None: no maximum.
    """

    def __init__(
        self,
        streams: "RedisStreams",
        client: PatientClient,
        names: tuple[str, str],
        start: str,
        max_attempts: int | None,
    ) -> None:
        self._key = streams._key
        self._maxlen = streams._maxlen
        self._max_attempts = max_attempts
        self._timeout = streams._timeout
        self._max_event = streams._max_event
        self._name = repr(streams)
        self._client = client
        self._group, self._consumer = names
        self._start = start
        #: The id after which to read events that were delivered to this consumer but not
        #: acknowledged, for example because a reply was lost; None after the last of them.
        self._own: bytes | None = b"0"
        self._claim_at = 0.0
        self._claim_from: bytes = b"0"

    async def events(self, count: int, claim_after: float) -> AsyncIterator[Event]:
        """Read events; acknowledge each when the next one is asked for."""
        client = self._client
        try:
            await self._create()
            while True:
                try:
                    entries = await self._fetch(count, claim_after)
                except StoreError as error:
                    if _code(error) != "NOGROUP":
                        raise
                    # The stream was deleted, or the server has lost it.
                    self._start = "0"
                    await self._create()
                    continue
                for entry, event in _parse(entries, self._max_event, self._name):
                    if event is not None:
                        yield event
                    await self._acknowledge(entry)
        finally:
            await client.close()

    async def _create(self) -> None:
        try:
            await self._call("XGROUP", "CREATE", self._key, self._group, self._start, "MKSTREAM")
        except StoreError as error:
            if _code(error) != "BUSYGROUP":
                raise

    # Any: a part of a reply.
    async def _fetch(self, count: int, claim_after: float) -> list[Any]:
        """Return the consumer's unacknowledged events, then dead consumers' ones, then new ones."""
        if self._own is not None:
            return await self._fetch_own(self._own)
        now = monotonic()
        if now >= self._claim_at:
            await self._claim(count, claim_after)
            return []
        outages = self._client.outages
        entries = await self._read(count, b">", min(_BLOCK, self._claim_at - now))
        if self._client.outages != outages:
            self._own = b"0"
        return entries

    async def _fetch_own(self, after: bytes) -> list[Any]:
        """Return the next event that was delivered before, without others.

        An event that makes its consumers fail then does not add to the delivery counts of others.
        """
        entries = await self._read(1, after)
        if not entries:
            self._own = None
            return []
        self._own = entry = entries[0][0]
        if self._max_attempts is not None:
            pending = await self._call("XPENDING", self._key, self._group, entry, entry, 1)
            if pending and pending[0][3] > self._max_attempts:
                await self._set_aside(entry, entries[0][1] or [])
                return []
        return entries

    async def _set_aside(self, entry: bytes, fields: list[bytes]) -> None:
        dead = self._key + b":dead"
        if fields:
            await self._client.call(
                *("XADD", dead, "MAXLEN", "~", self._maxlen, "*"),
                *fields,
                *("group", self._group),
                key=dead,
                seconds=self._timeout,
            )
        await self._acknowledge(entry)
        if _throttle.suppressed(f"{self._name} sets events aside") is not None:
            _log.error(
                "%s: group %s has not handled the entry %s in %d attempts; it is set aside",
                *(self._name, self._group, entry, self._max_attempts),
            )

    async def _acknowledge(self, entry: bytes) -> None:
        await self._call("XACK", self._key, self._group, entry)

    # Any: a part of a reply.
    async def _read(self, count: int, after: bytes, block: float = 0.0) -> list[Any]:
        waits = ("BLOCK", max(1, int(block * 1000))) if block else ()
        reply = await self._call(
            *("XREADGROUP", "GROUP", self._group, self._consumer, "COUNT", count),
            *(*waits, "STREAMS", self._key, after),
            seconds=block + self._timeout,
        )
        return _only_stream(reply)

    async def _claim(self, count: int, claim_after: float) -> None:
        """Take over events that another consumer has not acknowledged in time."""
        cursor, claimed, *_ = await self._call(
            *("XAUTOCLAIM", self._key, self._group, self._consumer),
            *(int(claim_after * 1000), self._claim_from, "COUNT", count, "JUSTID"),
        )
        if claimed:
            self._own = b"0"
        self._claim_from = cursor
        if cursor == b"0-0":
            self._claim_at = monotonic() + claim_after / 2

    # Any: replies.
    async def _call(self, *parts: bytes | str | int, seconds: float | None = None) -> Any:
        return await self._client.call(
            *parts, key=self._key, seconds=self._timeout if seconds is None else seconds
        )


async def read_tail(
    streams: "RedisStreams", client: PatientClient, last: int
) -> AsyncIterator[Event]:
    """Read some of the newest events, then all new ones; see `RedisStreams.tail()`."""
    key, timeout = streams._key, streams._timeout
    try:
        position = await _find_start(streams, client, last)
        while True:
            reply = await client.call(
                *("XREAD", "COUNT", _BATCH, "BLOCK", int(_BLOCK * 1000), "STREAMS", key, position),
                key=key,
                seconds=_BLOCK + timeout,
            )
            for entry, event in _parse(_only_stream(reply), streams._max_event, repr(streams)):
                position = entry
                if event is not None:
                    yield event
    finally:
        await client.close()


async def _find_start(streams: "RedisStreams", client: PatientClient, last: int) -> bytes:
    """Return the id that precedes the newest ``last`` entries, counting them in batches."""
    key = streams._key
    end = b"+"
    left = last + 1
    while True:
        batch = await client.call(
            *("XREVRANGE", key, end, "-", "COUNT", min(left, _BATCH)),
            key=key,
            seconds=streams._timeout,
        )
        left -= len(batch)
        if not batch:
            return b"0-0"
        if not left:
            oldest: bytes = batch[-1][0]
            return oldest
        end = b"(" + batch[-1][0]


# Any: a reply.
def _only_stream(reply: Any) -> list[Any]:
    """Return the entries of the one stream in a reply: a map in RESP3, a list of pairs in RESP2."""
    if not reply:
        return []
    entries: list[Any] = next(iter(reply.values())) if isinstance(reply, dict) else reply[0][1]
    return entries


# Any: a part of a reply.
def _parse(entries: Any, max_event: int, name: str) -> list[_StreamEntry]:
    """Parse entries. Those that are not events are logged, and get None as their event."""
    found: list[_StreamEntry] = []
    for entry in entries:
        if not entry:  # deleted, in Redis 6.2
            continue
        entry_id, fields = entry
        event = None
        if fields is not None:  # it is not deleted
            try:
                event = _parse_event(fields, max_event)
            except (LookupError, TypeError, ValueError, RecursionError):
                if _throttle.suppressed(f"{name} has malformed entries") is not None:
                    _log.warning("%s: the entry %s is not an event; skipped", name, entry_id)
        found.append((entry_id, event))
    return found


def _parse_event(fields: list[bytes], max_event: int) -> Event:
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    data = values[b"data"]
    if len(data) > max_event:
        raise ValueError("the data are too large")
    return Event(values[b"type"].decode(), _decode(data.decode()), values[b"id"].decode())


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_decode: Final = json.JSONDecoder(parse_constant=_refuse).decode


def _code(error: StoreError) -> str | None:
    """Return the error's code, if the server sent one."""
    return getattr(error, "code", None)
