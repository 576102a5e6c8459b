"""`RedisStreams`: share events among all workers and services, in a Redis or Valkey stream.

It needs Redis 6.2 or later, or Valkey. Each event is an entry with the fields ``type``, ``id`` and
``data``; the data are JSON. The stream keeps approximately the newest ``maxlen`` entries. The
consumers of a group share the events (`read()`). `tail()` reads all events, so that each worker can
feed its own `Events`.

**Guarantees.** Each group reads a published event at least once, unless the stream has dropped it
because of ``maxlen``, or the server has lost it: run the server with ``appendonly``. An event may
be read more than once: publishers and consumers repeat a command if the connection breaks before
the reply, and events that a dead consumer has not acknowledged go to another one. Recognize
duplicates by the id.

**Permissions.** An ACL user needs ``+@connection +xadd`` to publish, ``+xgroup|create +xreadgroup
+xack +xautoclaim`` to `read()`, ``+xrevrange +xread`` to `tail()`, and the key of the stream; for a
cluster also ``+cluster|slots``. With ``max_attempts`` a reader needs ``+xpending +xadd`` too, and
access to the key of the stream with ``:dead`` appended.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from mantlet._internal.coroutines import run_sync
from mantlet._internal.event_loop import is_on_loop
from mantlet._internal.options import KnowsOptions, check_int, check_number
from mantlet.events.event import Event
from mantlet.events.inbox import encode_data
from mantlet.events.stream_readers import GroupReading, PatientClient, read_tail

if TYPE_CHECKING:  # importing it needs a library
    from mantlet.stores.redis import RedisClient

__all__ = ["EventReader", "RedisStreams"]

Start = Literal["oldest", "newest"]

_MAX_NAME: Final = 200


class RedisStreams(KnowsOptions):
    """Publish events to a stream of Redis or Valkey, and read them from it.

    Threads and asyncio event loops can share it. It connects on first use.

    Args:
        url: the server's URL, such as ``"redis://:password@localhost:6379/0"``, also ``rediss:``,
            ``redis+cluster:``, ``redis+sentinel:`` and ``unix:``.
        stream: the key of the stream, 1 to 200 printable characters.
        maxlen: approximate number of events that the stream keeps; the oldest are dropped.
        timeout: the timeout of a command, in seconds.
        max_event: maximum size of an event's data, in bytes of JSON. Larger events are not
            published, and are skipped by readers.

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

        #: Readers use separate connections, since their commands block.
        self._connect = connect
        self._backend = connect()

    def __repr__(self) -> str:
        return f"RedisStreams({self._backend.safe_uri!r}, {self._stream!r})"

    # Any: None in a thread, and on an event loop an awaitable of None, which may be awaited.
    def publish(self, event: Event) -> Any:
        """Add an event to the stream.

        On an event loop this returns an awaitable that does the work; in a thread it blocks.

        Args:
            event: the event.

        Raises:
            StoreOutage: the server can't be used. The event may have been added anyway.
            StoreError: the server has refused the command.
            TypeError: the argument is not an `Event`, or its data are not JSON.
            ValueError: the data are too large.
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
        max_attempts: int | None = None,
    ) -> "EventReader":
        """Read the events of a group, shared with its other consumers; this never ends.

        An event is acknowledged when the iterator is asked for the next one. If its consumer
        raises, stops or is killed before that, the event is read again: at once by a consumer of
        the same name, or by another one after ``claim_after``.

        While the server is down, this retries at intervals of up to five seconds, and logs a
        warning.

        Args:
            group: the group, such as the name of the service. It is created if missing.
            consumer: this consumer, such as the name of the host. Two running consumers must not
                share a name.
            start: where a new group begins: with the oldest event in the stream, or with events
                published from now on.
            claim_after: seconds after which an event is taken over from another consumer. It must
                be longer than the time to handle ``count`` events.
            count: number of events fetched at once.
            max_attempts: maximum number of deliveries of an event that is never acknowledged; at
                least 2, since an event may be fetched with others and not be handled. It is then
                moved to the stream of this name with ``:dead`` appended, with an additional field
                ``group``, and an error is logged. That stream keeps approximately ``maxlen``
                events. None: no maximum.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: an argument is malformed or out of range.
        """
        if start not in get_args(Start):
            raise ValueError(f'start must be "oldest" or "newest", not {start!r}')
        names = _check_name("group", group), _check_name("consumer", consumer)
        check_number("claim_after", claim_after, least=0.1, most=86_400)
        check_int("count", count, most=1000)
        if max_attempts is not None:
            check_int("max_attempts", max_attempts, least=2, unit="attempts")

        def events(is_async: bool) -> AsyncIterator[Event]:
            client = PatientClient(self._connect().client(is_async), repr(self), is_async)
            first = "0" if start == "oldest" else "$"
            reading = GroupReading(self, client, names, first, max_attempts)
            return reading.events(count, claim_after)

        return EventReader(events)

    def tail(self, *, last: int = 0) -> "EventReader":
        """Read all events from now on, without acknowledging them; this never ends.

        While the server is down, this retries as `read()` does. It misses no event.

        Args:
            last: number of past events to begin with. Use the ``history`` of `Events`, so that
                clients that reconnect to a new worker can resume.

        Raises:
            TypeError: the argument has the wrong type.
            ValueError: the argument is out of range.
        """
        check_int("last", last, least=0, most=10_000)

        def events(is_async: bool) -> AsyncIterator[Event]:
            client = PatientClient(self._connect().client(is_async), repr(self), is_async)
            return read_tail(self, client, last)

        return EventReader(events)

    def close(self) -> Any:
        """Close the connections for publishing; on an event loop, await the result."""
        is_async = is_on_loop()
        steps = self._backend.client(is_async).close()
        return steps if is_async else run_sync(steps)


class EventReader:
    """Read events: iterate with ``async for``, or with ``for`` in a thread.

    Each iteration has its own connection, and closes it when it ends.
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
    steps: Any = events  # an async generator; `run_sync()` takes its methods' results
    try:
        while True:
            try:
                event = run_sync(steps.__anext__())
            except StopAsyncIteration:
                return
            yield event
    finally:
        run_sync(steps.aclose())


def _check_name(option: str, name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"{option} must be text, not {name!r}")
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        raise ValueError(f"{option} must be 1 to {_MAX_NAME} printable characters, not {name!r}")
    return name
