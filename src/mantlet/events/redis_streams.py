"""`RedisStreams`: events for all workers and services, in a stream of Redis or Valkey.

It needs Redis 6.2 or later, or Valkey. Each event is one entry with the fields ``type``, ``id`` and
``data``, which is JSON. The stream keeps about the newest ``maxlen`` of them. A group of consumers
shares the events (`read()`); a `tail()` gets all of them, as each worker needs for its own
`Events`.

**Guarantees.** An event that has been published is read at least once by each group, unless the
stream has dropped it because of ``maxlen``, or the server has lost it: run it with ``appendonly``.
It may come more than once: a publisher or a consumer repeats its command if the connection breaks
before the reply, and events that a dead consumer had not acknowledged are given to another one. The
id tells a repetition.

**Permissions.** An ACL user needs ``+@connection +xadd`` to publish, ``+xgroup|create +xreadgroup
+xack +xautoclaim`` to `read()`, ``+xrevrange +xread`` to `tail()`, and the key of the stream; for a
cluster also ``+cluster|slots``.
"""

import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from mantlet._internal.coroutines import run_sync
from mantlet._internal.event_loop import is_on_loop, sleep
from mantlet._internal.log_throttle import LogThrottle
from mantlet._internal.options import KnowsOptions, check_int, check_number
from mantlet.events.event import Event
from mantlet.events.subscriptions import encode_data
from mantlet.exceptions import StoreError, StoreOutage

if TYPE_CHECKING:  # importing it needs a library
    from mantlet.stores.redis import RedisClient

__all__ = ["EventReader", "RedisStreams"]

Start = Literal["oldest", "newest"]

#: Seconds for which the server waits for events before it replies without any.
_BLOCK: Final = 5.0
#: Seconds between two attempts to reach a server, at first and at most.
_MIN_DELAY: Final = 0.1
_MAX_DELAY: Final = 5.0
_MAX_NAME: Final = 200

_log = logging.getLogger("mantlet.events")
_throttle = LogThrottle(_log)

#: An entry of a stream: its id, and its event unless it is malformed.
_StreamEntry = tuple[bytes, Event | None]


class RedisStreams(KnowsOptions):
    """Publish events to a stream of Redis or Valkey, and read them from it.

    Threads and event loops (of asyncio) may share it. Nothing connects before it has to.

    Args:
        url: the server's URL, such as ``"redis://:password@localhost:6379/0"``, also ``rediss:``,
            ``redis+cluster:``, ``redis+sentinel:`` and ``unix:``.
        stream: the key of the stream, 1 to 200 printable characters.
        maxlen: about how many events the stream keeps; the oldest are dropped.
        timeout: of a command, in seconds.
        max_event: the largest data of an event, in bytes of JSON; larger ones are not published,
            and skipped when they are read.

    Raises:
        ImportError: hiredis is not installed; the message names the extra.
        TypeError: an option has the wrong type.
        ValueError: the URL is malformed, or an option is out of range.
    """

    def __init__(
        self,
        url: str,
        stream: str,
        *,
        maxlen: int = 100_000,
        timeout: float = 1.0,
        max_event: int = 65_536,
    ) -> None:
        from mantlet.stores.redis import RedisBackend  # which needs a library

        self._stream = _check_name("stream", stream)
        self._key = stream.encode()
        self._maxlen = check_int("maxlen", maxlen)
        self._max_event = check_int("max_event", max_event, unit="bytes")
        self._timeout = timeout

        def connect() -> RedisBackend:
            return RedisBackend(url, timeout=timeout)

        #: Readers have connections of their own, on which they wait.
        self._connect = connect
        self._backend = connect()

    def __repr__(self) -> str:
        return f"RedisStreams({self._backend.safe_uri!r}, {self._stream!r})"

    # Any: None in a thread, and on an event loop an awaitable of None, which may be awaited.
    def publish(self, event: Event) -> Any:
        """Add an event to the stream.

        On an event loop this returns an awaitable, which does the work; in a thread it blocks.

        Args:
            event: the event.

        Raises:
            StoreOutage: the server can't be used; the event may have been added all the same.
            StoreError: the server has refused it.
            TypeError: it is not an `Event`, or its data are not JSON.
            ValueError: its data are too large.
        """
        if not isinstance(event, Event):
            raise TypeError(f"publish() takes an Event, not {event!r}")
        data = encode_data(event, self._max_event)
        is_async = is_on_loop()
        steps = self._add(self._backend.client(is_async), event, data)
        return steps if is_async else run_sync(steps)

    async def _add(self, client: "RedisClient", event: Event, data: str) -> None:
        await client.call(
            *("XADD", self._key, "MAXLEN", "~", self._maxlen, "*"),
            *("type", event.type, "id", event.id, "data", data),
            key=self._key,
            deadline=monotonic() + self._timeout,
        )

    def read(
        self,
        group: str,
        consumer: str,
        *,
        start: Start = "oldest",
        claim_after: float = 60.0,
        count: int = 10,
    ) -> "EventReader":
        """Read the events that no other consumer of the group has got, for ever.

        An event is acknowledged when the next one is asked for. One that was not, since its
        consumer has raised, was killed or stopped, is read again: at once by a consumer of the same
        name, or by another one after ``claim_after``.

        While the server is down, this tries again after up to five seconds, and logs a warning.

        Args:
            group: the group, such as the name of the service; it is created.
            consumer: this consumer, such as the name of the host; at a time only one may have it.
            start: where a new group begins: with the oldest event that the stream has, or with
                those that are published later.
            claim_after: seconds after which an event is taken over from another consumer. It has to
                be longer than ``count`` events take.
            count: how many events are fetched at once.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: an argument is malformed or out of range.
        """
        if start not in get_args(Start):
            raise ValueError(f'start must be "oldest" or "newest", not {start!r}')
        names = _check_name("group", group), _check_name("consumer", consumer)
        check_number("claim_after", claim_after, least=0.1, most=86_400)
        check_int("count", count, most=1000)

        def events(is_async: bool) -> AsyncIterator[Event]:
            client = _PatientClient(self._connect().client(is_async), repr(self), is_async)
            reading = _GroupReading(self, client, names, "0" if start == "oldest" else "$")
            return reading.events(count, claim_after)

        return EventReader(events)

    def tail(self, *, last: int = 0) -> "EventReader":
        """Read all events from now on, for ever; no event is acknowledged.

        While the server is down, this tries again, as `read()` does, and misses no event.

        Args:
            last: with how many of the newest events to begin; as many as `Events` remembers, so
                that clients that reconnect to a new worker can resume.

        Raises:
            TypeError: the argument has the wrong type.
            ValueError: it is out of range.
        """
        check_int("last", last, least=0, most=10_000)

        def events(is_async: bool) -> AsyncIterator[Event]:
            client = _PatientClient(self._connect().client(is_async), repr(self), is_async)
            return _tail(self, client, last)

        return EventReader(events)

    def close(self) -> Any:
        """Close the connections for publishing; on an event loop, await the result."""
        is_async = is_on_loop()
        steps = self._backend.client(is_async).close()
        return steps if is_async else run_sync(steps)


class EventReader:
    """Events that are read: iterate with ``async for``, or with ``for`` in a thread.

    The iteration has a connection of its own, which is closed at its end.
    """

    __slots__ = ("_events",)

    def __init__(self, events: Callable[[bool], AsyncIterator[Event]]) -> None:
        self._events = events

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events(True)

    def __iter__(self) -> Iterator[Event]:
        if is_on_loop():
            raise TypeError('this would block the event loop; use "async for"')
        return _without_loop(self._events(False))


def _without_loop(events: AsyncIterator[Event]) -> Iterator[Event]:
    steps: Any = events  # an asynchronous generator, whose methods return what `run_sync()` takes
    try:
        while True:
            try:
                event = run_sync(steps.__anext__())
            except StopAsyncIteration:
                return
            yield event
    finally:
        run_sync(steps.aclose())


class _PatientClient:
    """Repeats commands until the server replies.

    Args:
        client: the client.
        name: of the stream, in logs.
        is_async: whether it runs on an event loop.

    Attributes:
        outages: how often a command had to be repeated.
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


class _GroupReading:
    """One consumer's way through the stream.

    Args:
        streams: the stream.
        client: reads it.
        names: of the group and of the consumer.
        start: the id after which a new group begins.
    """

    def __init__(
        self, streams: RedisStreams, client: _PatientClient, names: tuple[str, str], start: str
    ) -> None:
        self._key = streams._key
        self._timeout = streams._timeout
        self._max_event = streams._max_event
        self._name = repr(streams)
        self._client = client
        self._group, self._consumer = names
        self._start = start
        #: The id after which this consumer's own events are read that it has not acknowledged, as
        #: those of a reply that was lost; None if there are none.
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
                for entry, event in entries:
                    if event is not None:
                        yield event
                    await self._call("XACK", self._key, self._group, entry)
        finally:
            await client.close()

    async def _create(self) -> None:
        try:
            await self._call("XGROUP", "CREATE", self._key, self._group, self._start, "MKSTREAM")
        except StoreError as error:
            if _code(error) != "BUSYGROUP":
                raise

    async def _fetch(self, count: int, claim_after: float) -> Sequence[_StreamEntry]:
        """Return the consumer's own events first, then those of dead ones, then new ones."""
        if self._own is not None:
            entries = await self._read(count, self._own)
            self._own = entries[-1][0] if entries else None
            return entries
        now = monotonic()
        if now >= self._claim_at:
            return await self._claim(count, claim_after)
        outages = self._client.outages
        entries = await self._read(count, b">", min(_BLOCK, self._claim_at - now))
        if self._client.outages != outages:
            self._own = b"0"
        return entries

    async def _read(self, count: int, after: bytes, block: float = 0.0) -> list[_StreamEntry]:
        waits = ("BLOCK", max(1, int(block * 1000))) if block else ()
        reply = await self._call(
            *("XREADGROUP", "GROUP", self._group, self._consumer, "COUNT", count),
            *(*waits, "STREAMS", self._key, after),
            seconds=block + self._timeout,
        )
        return self._parse(_only_stream(reply))

    async def _claim(self, count: int, claim_after: float) -> list[_StreamEntry]:
        """Take over events that another consumer has not acknowledged in time."""
        cursor, entries, *_ = await self._call(
            *("XAUTOCLAIM", self._key, self._group, self._consumer),
            *(int(claim_after * 1000), self._claim_from, "COUNT", count),
        )
        self._claim_from = cursor
        if cursor == b"0-0":
            self._claim_at = monotonic() + claim_after / 2
        return self._parse(entries)

    # Any: replies.
    async def _call(self, *parts: bytes | str | int, seconds: float | None = None) -> Any:
        return await self._client.call(
            *parts, key=self._key, seconds=self._timeout if seconds is None else seconds
        )

    # Any: a reply.
    def _parse(self, entries: Any) -> list[_StreamEntry]:
        return _parse(entries, self._max_event, self._name)


async def _tail(streams: RedisStreams, client: _PatientClient, last: int) -> AsyncIterator[Event]:
    key, timeout = streams._key, streams._timeout
    try:
        newest = await client.call(
            "XREVRANGE", key, "+", "-", "COUNT", max(1, last), key=key, seconds=timeout
        )
        position: bytes = newest[0][0] if newest else b"0-0"
        for _, event in _parse(newest[:last][::-1], streams._max_event, repr(streams)):
            if event is not None:
                yield event
        while True:
            reply = await client.call(
                *("XREAD", "COUNT", 100, "BLOCK", int(_BLOCK * 1000), "STREAMS", key, position),
                key=key,
                seconds=_BLOCK + timeout,
            )
            for entry, event in _parse(_only_stream(reply), streams._max_event, repr(streams)):
                position = entry
                if event is not None:
                    yield event
    finally:
        await client.close()


# Any: a reply.
def _only_stream(reply: Any) -> Any:
    """Return the entries of the one stream in a reply: a map in RESP3, a list of pairs in RESP2."""
    if not reply:
        return []
    return next(iter(reply.values())) if isinstance(reply, dict) else reply[0][1]


# Any: a part of a reply.
def _parse(entries: Any, max_event: int, name: str) -> list[_StreamEntry]:
    """Parse entries; those without an event are logged, and have None for it."""
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
    """Return the code of a server's error, if it is one."""
    return getattr(error, "code", None)


def _check_name(option: str, name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"{option} must be text, not {name!r}")
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        raise ValueError(f"{option} must be 1 to {_MAX_NAME} printable characters, not {name!r}")
    return name
