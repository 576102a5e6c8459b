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
cluster also ``+cluster|slots``. With ``max_attempts`` a reader needs ``+xpending +xadd`` too, and
the key of the stream with ``:dead`` at the end.
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
        max_attempts: int | None = None,
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
            max_attempts: how often an event is delivered that nobody acknowledges; at least 2,
                since one may be fetched with others and not be handled. After that it is moved to
                the stream of this name with ``:dead`` at the end, with the field ``group`` beside
                the others, and an error is logged. That stream keeps about ``maxlen`` events.
                None: an event is delivered for ever.

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
            client = PatientClient(self._connect().client(is_async), repr(self), is_async)
            return read_tail(self, client, last)

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


def _check_name(option: str, name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"{option} must be text, not {name!r}")
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        raise ValueError(f"{option} must be 1 to {_MAX_NAME} printable characters, not {name!r}")
    return name
