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

EVENT_STREAM_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
    }
)
"""The headers of a response with `server_sent_events()`.

They keep caches from storing it, and nginx and compatible proxies from buffering it.
"""

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

    Frameworks for WSGI and ASGI can iterate over it. It closes the subscription when it ends. Send
    the response with the `EVENT_STREAM_HEADERS`.

    The first chunk is sent at once, so the client knows that it is connected. It contains the id of
    the newest event in the history. A client that loses its connection before its first event
    resumes from there.

    Args:
        subscription: the subscription.
        heartbeat: seconds without an event after which a comment is sent. It detects lost
            connections, and keeps proxies from closing idle ones.
        retry: seconds that the client waits before it reconnects. By default the client decides.
        encode: returns the data of an event as text; by default as JSON.

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
    # Django and Quart prefer the synchronous iterator if there is one; it would block the loop.
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
        """Close the subscription, which ends the body."""
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
    """The body of a response with server-sent events: both an iterator and an async iterator."""

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

    Its type and its id contain no line breaks; see `Event`.
    """
    head = f"event: {entry.type}\n" if entry.is_gap else f"id: {entry.id}\nevent: {entry.type}\n"
    if encode is None:
        return _Chunk(f"{head}data: {entry.data}\n\n".encode())
    lines = _LINE_END.sub("\ndata: ", encode(entry.event()))
    # A lone surrogate, which cannot be encoded, becomes a question mark.
    return _Chunk(f"{head}data: {lines}\n\n".encode(errors="replace"))
