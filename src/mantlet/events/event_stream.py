"""Server-sent events: a subscription as the body of a response (WHATWG HTML, 9.2)."""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, cast

from mantlet._internal.coroutines import is_plain_function, run_sync
from mantlet._internal.event_loop import is_on_loop
from mantlet._internal.options import check_number
from mantlet.events.event import Event
from mantlet.events.inbox import Entry
from mantlet.events.subscriptions import Subscription

__all__ = ["EVENT_STREAM_HEADERS", "EventStream", "server_sent_events"]

#: The headers of a response with `server_sent_events()`: no cache stores it, and nginx, and proxies
#: that follow it, do not buffer it.
EVENT_STREAM_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
    }
)

#: WHATWG HTML, 9.2.5: all of these end a line, and nothing else does.
_LINE_END: Final = re.compile("\r\n|\n|\r")


class _Chunk(bytes):
    """A part of the body; Falcon's ``Response.sse`` takes objects that serialize themselves."""

    __slots__ = ()

    def serialize(self, _handler: object = None) -> bytes:
        """Return the bytes."""
        return self


_HEARTBEAT: Final = _Chunk(b":\n\n")


def server_sent_events(
    subscription: Subscription,
    *,
    heartbeat: float = 15,
    retry: float | None = None,
    encode: Callable[[Event], str] | None = None,
) -> "EventStream":
    """Return the body of a response that sends the events of a subscription.

    It may be iterated over by a framework for WSGI or ASGI, and closes the subscription in its end.
    The response needs the `EVENT_STREAM_HEADERS`.

    The first chunk comes at once, so that the client knows that it is connected; it has the id of
    the last event that is remembered, from which a client resumes that loses its connection before
    it gets an event.

    Args:
        subscription: the subscription.
        heartbeat: after how many seconds without an event a comment is sent, so that connections
            that are gone are noticed, and idle ones are not closed by proxies.
        retry: how many seconds the client is to wait before it reconnects; by default as it does.
        encode: returns the data of an event as text; by default they are JSON.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: a number is out of range.
    """
    if not isinstance(subscription, Subscription):
        raise TypeError(f"server_sent_events() takes a Subscription, not {subscription!r}")
    check_number("heartbeat", heartbeat, least=0.1, most=3600)
    if retry is not None:
        check_number("retry", retry, least=0, most=86_400)
    if encode is not None and not is_plain_function(encode):
        raise TypeError(f"encode must be a function of an event, not {encode!r}")
    first = ":\n"
    if retry is not None:
        first += f"retry: {round(retry * 1000)}\n"
    if subscription.last_id is not None:
        first += f"id: {subscription.last_id}\n"
    # Django and Quart iterate over whatever they can without await, which would block the loop.
    kind = _AsyncEventStream if is_on_loop() else EventStream
    return cast("EventStream", kind(subscription, first + "\n", heartbeat, encode))


class _AsyncEventStream:
    """A body to iterate over on an event loop."""

    __slots__ = ("_encode", "_first", "_heartbeat", "_subscription")

    def __init__(
        self,
        subscription: Subscription,
        first: str,
        heartbeat: float,
        encode: Callable[[Event], str] | None,
    ) -> None:
        self._subscription = subscription
        self._first = first
        self._heartbeat = heartbeat
        self._encode = encode

    def close(self) -> None:
        """Close the subscription, and so end the body."""
        self._subscription.close()

    async def _next(self) -> bytes | None:
        if self._first:
            first, self._first = self._first, ""
            return _Chunk(first.encode())
        subscription = self._subscription
        entry = await subscription._next_entry(self._heartbeat)
        if entry is not None:
            return _chunk(entry, self._encode)
        return _HEARTBEAT if subscription.reason is None else None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._next()
        except BaseException:  # such as a cancellation: frameworks close nothing
            self.close()
            raise
        if chunk is None:
            raise StopAsyncIteration
        return chunk


class EventStream(_AsyncEventStream):
    """The body of a response that sends server-sent events: an iterator, with and without await."""

    __slots__ = ()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = run_sync(self._next())
        if chunk is None:
            raise StopIteration
        return bytes(chunk)  # PEP 3333 allows no subclass


def _chunk(entry: Entry, encode: Callable[[Event], str] | None) -> bytes:
    """Return an event in the format of the stream.

    Its type and its id have no line ends; see `Event`.
    """
    head = f"event: {entry.type}\n" if entry.is_gap else f"id: {entry.id}\nevent: {entry.type}\n"
    if encode is None:
        return _Chunk(f"{head}data: {entry.data}\n\n".encode())
    lines = _LINE_END.sub("\ndata: ", encode(entry.event()))
    # A lone surrogate, which is in no encoding, becomes a question mark.
    return _Chunk(f"{head}data: {lines}\n\n".encode(errors="replace"))
