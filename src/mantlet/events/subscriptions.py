"""`Events`: publish to the subscribers of this process; `Subscription`: the events of one.

Each subscriber has its own queue, so a slow one does not delay the others. Memory is bounded: each
queue is, and so is the total size of queued events. Nothing here waits for a client, or needs a
task or a thread: `publish()` puts the event into the queues, and wakes the waiting subscribers.

**Topics are the app's own.** A client gets every event of the topics that it is subscribed to. So
build topics from values that the app has checked, such as the id of an order that the client may
read. A topic that a client names itself needs the same check as a page that shows the same data.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from time import time
from types import TracebackType
from typing import Final, Literal, Self, get_args

from mantlet._internal.coroutines import run_sync
from mantlet._internal.event_loop import is_on_loop, wait_for
from mantlet._internal.locks import ForkSafeLock
from mantlet._internal.options import KnowsOptions, check_int, check_number
from mantlet.core.problem import Problem
from mantlet.events.event import Event
from mantlet.events.inbox import EndReason, Entry, Inbox, check_topics, encode_data

__all__ = ["Events", "Subscription"]

Slow = Literal["close", "drop"]

#: Seconds; waiting without a limit is repeated waiting of this length.
_LONG: Final = 3600.0


class Events(KnowsOptions):
    """Publish events to the subscribers of this process.

    Any thread and any event loop can use it. Each worker has its own `Events`; to publish to the
    subscribers of all workers, feed them from `RedisStreams.tail()`.

    Memory: at most ``max_bytes`` for events, and for each subscriber about 2 kB, plus 8 bytes for
    each event in its queue.

    Args:
        queue: maximum number of events queued for one subscriber. Events from the history, with
            which it resumes, do not count.
        slow: how to treat a subscriber whose queue is full: ``"close"`` ends its subscription, so
            that its client reconnects and resumes; ``"drop"`` drops its oldest events.
        history: number of past events kept for clients that reconnect; see `subscribe()`.
        gap: the type of an event that replaces lost events: a subscriber gets it if its oldest
            events were dropped, or the history no longer reaches back to its last one. The client
            should then reload its state. None: no such event is sent.
        max_subscribers: maximum number of concurrent subscriptions; further ones are refused with
            503.
        max_event: maximum size of an event's data, in bytes of JSON.
        max_bytes: maximum total size of queued events and of the history. If it is exceeded, the
            oldest events of the history are dropped, then the subscriptions with the fullest queues
            are ended.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: an option is out of range, or ``max_bytes`` is too small for an event.
    """

    def __init__(
        self,
        *,
        queue: int = 100,
        slow: Slow = "close",
        history: int = 0,
        gap: str | None = None,
        max_subscribers: int = 10_000,
        max_event: int = 65_536,
        max_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        if slow not in get_args(Slow):
            raise ValueError(f'slow must be "close" or "drop", not {slow!r}')
        self._limit = check_int("queue", queue, most=1_000_000)
        self._history_limit = check_int("history", history, least=0, most=10_000)
        self._max_subscribers = check_int("max_subscribers", max_subscribers)
        self._max_event = check_int("max_event", max_event, unit="bytes")
        self._max_bytes = check_int("max_bytes", max_bytes, unit="bytes")
        if max_bytes < max_event + 1000:
            raise ValueError(
                f"max_bytes must have room for an event of max_event, so be at least "
                f"{max_event + 1000}, not {max_bytes}"
            )
        if gap is not None:
            Event(gap)  # which checks it
            if slow == "close" and not history:
                raise ValueError('gap has no effect without history= or slow="drop"')
        self._drops = slow == "drop"
        self._gap = gap
        self._reset()
        self._lock = ForkSafeLock(self._reset_after_fork)

    def _reset_after_fork(self) -> None:
        """Start empty; the events queued for the parent's subscribers no longer count."""
        for inbox in self._inboxes:
            inbox.reason = "closed"
            inbox.queue.clear()
        self._reset()

    def _reset(self) -> None:
        self._topics: dict[str, dict[Inbox, None]] = {}
        self._inboxes: dict[Inbox, None] = {}
        self._history: deque[Entry] = deque()
        #: The inboxes of subscriptions that were deleted without being closed. They are ended
        #: later, since the lock may be held during the deletion.
        self._deleted: deque[Inbox] = deque()
        self._bytes = 0

    @property
    def subscribers(self) -> int:
        """The number of subscriptions."""
        with self._lock.hold():
            self._sweep()
            return len(self._inboxes)

    @property
    def waiting_bytes(self) -> int:
        """The total size of queued events and of the history."""
        with self._lock.hold():
            self._sweep()
            return self._bytes

    # -- publishing -------------------------------------------------------------------------------

    def publish(self, event: Event, *topics: str) -> None:
        """Send an event to all subscribers of its topics, without waiting for them.

        Args:
            event: the event.
            topics: its topics; by default its type.

        Raises:
            TypeError: the event is not an `Event`, a topic is not text, or the data are not JSON.
            ValueError: a topic is malformed, or the event is too large.
        """
        if not isinstance(event, Event):
            raise TypeError(f"publish() takes an Event, not {event!r}")
        names = check_topics(topics) if topics else frozenset((event.type,))
        entry = Entry(event, encode_data(event, self._max_event), names)
        waiters: list[Future[None]] = []
        with self._lock.hold():
            self._sweep()
            if self._history_limit:
                if len(self._history) == self._history_limit:
                    self._release(self._history.popleft())
                self._hold(entry, self._history)
            for inbox in self._subscribed(names):
                self._put(inbox, entry, waiters)
            if self._bytes > self._max_bytes:
                self._make_room(waiters)
        for waiter in waiters:
            waiter.set_result(None)

    def _subscribed(self, names: frozenset[str]) -> list[Inbox]:
        found: dict[Inbox, None] = {}
        for name in names:
            found.update(self._topics.get(name, ()))
        return [*found]

    def _put(self, inbox: Inbox, entry: Entry, waiters: list[Future[None]]) -> None:
        queue = inbox.queue
        if len(queue) >= inbox.limit:
            if not self._drops:
                self._end(inbox, "slow", waiters)
                return
            self._release(queue.popleft())
            inbox.dropped += 1
            inbox.lost = True
        self._hold(entry, queue)
        inbox.wake(waiters)

    def _make_room(self, waiters: list[Future[None]]) -> None:
        """Drop the oldest events of the history, then end the slowest subscriptions."""
        while self._history and self._bytes > self._max_bytes:
            self._release(self._history.popleft())
        if self._bytes > self._max_bytes:
            for inbox in sorted(self._inboxes, key=lambda one: len(one.queue), reverse=True):
                self._end(inbox, "slow", waiters)
                if self._bytes <= self._max_bytes:
                    break

    def _hold(self, entry: Entry, queue: deque[Entry]) -> None:
        if not entry.holders:
            self._bytes += entry.size
        entry.holders += 1
        queue.append(entry)

    def _release(self, entry: Entry) -> None:
        entry.holders -= 1
        if not entry.holders:
            self._bytes -= entry.size

    # -- subscribing ------------------------------------------------------------------------------

    def subscribe(
        self, *topics: str, after: str | None = None, until: float | None = None
    ) -> "Subscription":
        """Return a subscription to all events of some topics from now on.

        Close it after use, for example with a ``with`` statement. A subscription that is not closed
        ends when it is garbage-collected.

        Args:
            topics: 1 to 100 texts of 1 to 200 printable characters. The app chooses them; see the
                module's docstring.
            after: the id of the last event that the client received, from its ``Last-Event-ID``; it
                need not be checked. The subscription begins with the events after it in the
                history. If the history does not contain that event, some may be lost.
            until: when the subscription ends, as Unix time in seconds, such as the expiry of the
                client's credential (`Identity.expires`). None: never.

        Raises:
            Problem: 503, there are too many subscribers.
            TypeError: an argument has the wrong type.
            ValueError: a topic is malformed or missing.
        """
        if not topics:
            raise ValueError("subscribe() needs at least one topic")
        names = check_topics(topics)
        if until is not None:
            check_number("until", until)
        with self._lock.hold():
            self._sweep()
            if len(self._inboxes) >= self._max_subscribers:
                raise Problem(
                    503, detail="There are too many subscribers.", headers={"Retry-After": "5"}
                )
            inbox = Inbox(names, self._limit)
            self._inboxes[inbox] = None
            for name in names:
                self._topics.setdefault(name, {})[inbox] = None
            self._resume(inbox, after)
        return Subscription(self, inbox, until)

    def _resume(self, inbox: Inbox, after: str | None) -> None:
        """Queue the events since the client's last one."""
        missed: list[Entry] = []
        for entry in reversed(self._history):
            if entry.id == after:
                for one in reversed(missed):
                    self._hold(one, inbox.queue)
                inbox.limit += len(missed)
                return
            if not entry.topics.isdisjoint(inbox.topics):
                missed.append(entry)
                if not after:
                    break
        inbox.lost = bool(after)
        inbox.last_id = missed[0].id if missed else None

    def close(self) -> None:
        """End all subscriptions, for example at shutdown."""
        waiters: list[Future[None]] = []
        with self._lock.hold():
            self._sweep()
            for inbox in [*self._inboxes]:
                self._end(inbox, "shutdown", waiters)
        for waiter in waiters:
            waiter.set_result(None)

    def _end(self, inbox: Inbox, reason: EndReason, waiters: list[Future[None]]) -> None:
        """End a subscription, and drop its queue."""
        if inbox.reason is not None:
            return
        inbox.reason = reason
        while inbox.queue:
            self._release(inbox.queue.popleft())
        self._inboxes.pop(inbox, None)
        for name in inbox.topics:
            inboxes = self._topics.get(name, {})
            inboxes.pop(inbox, None)
            if not inboxes:
                self._topics.pop(name, None)
        inbox.wake(waiters)

    def _sweep(self) -> None:
        """End the subscriptions that were deleted without being closed."""
        while self._deleted:
            self._end(self._deleted.popleft(), "closed", [])

    # -- for Subscription -------------------------------------------------------------------------

    def _take(self, inbox: Inbox) -> "Entry | Future[None] | None":
        """Return the next entry, a future to wait on if the queue is empty, or None at the end.

        Raises:
            RuntimeError: another task or thread is waiting for the next entry.
        """
        with self._lock.hold():
            if inbox.waiter is not None:
                raise RuntimeError("another task or thread is iterating over this subscription")
            if inbox.reason is None and inbox.lost:
                inbox.lost = False
                if self._gap is not None:
                    return Entry(Event(self._gap), "null", is_gap=True)
            if inbox.queue:
                entry = inbox.queue.popleft()
                self._release(entry)
                return entry
            if inbox.reason is not None:
                return None
            inbox.waiter = Future()
            return inbox.waiter

    def _close(self, inbox: Inbox, reason: EndReason) -> None:
        waiters: list[Future[None]] = []
        with self._lock.hold():
            self._end(inbox, reason, waiters)
        for waiter in waiters:
            waiter.set_result(None)


class Subscription:
    """The events of some topics, in order, for one subscriber.

    Iterate over it with ``async for``, or with ``for`` in a thread; only one task or thread at a
    time. The iteration ends with the subscription; `reason` says why. It can be used as a context
    manager, which closes it at the end of the block.
    """

    __slots__ = ("__weakref__", "_events", "_inbox", "_until")

    def __init__(self, events: Events, inbox: Inbox, until: float | None) -> None:
        self._events = events
        self._inbox = inbox
        self._until = until

    @property
    def reason(self) -> EndReason | None:
        """Why the subscription has ended; None if it has not."""
        return self._inbox.reason

    @property
    def dropped(self) -> int:
        """The number of events dropped because the subscriber was too slow."""
        return self._inbox.dropped

    @property
    def has_lost(self) -> bool:
        """Whether events were lost since the last one: dropped, or no longer in the history."""
        return self._inbox.lost

    @property
    def last_id(self) -> str | None:
        """The id of the newest earlier event of its topics in the history, if any.

        None for a subscription that resumes: its client already has an id.
        """
        return self._inbox.last_id

    def close(self) -> None:
        """End the subscription, and wake a task or thread that is waiting for an event."""
        self._events._close(self._inbox, "closed")

    async def _next_entry(self, seconds: float = _LONG) -> Entry | None:
        """Return the next queued event; None at the end, or if none arrives in time.

        Without an event loop, this blocks the thread.

        Args:
            seconds: how long to wait.
        """
        if self._until is not None:
            left = self._until - time()
            if left <= 0:
                self._events._close(self._inbox, "expired")
            seconds = min(seconds, max(0.0, left))
        found = self._events._take(self._inbox)
        if isinstance(found, Future):
            try:
                await wait_for(found, seconds)
            finally:
                self._inbox.waiter = None
            found = self._events._take(self._inbox)
            if isinstance(found, Future):
                self._inbox.waiter = None
                found = None
        return found

    async def _next(self) -> Event | None:
        while True:
            entry = await self._next_entry()
            if entry is not None:
                return entry.event()
            if self.reason is not None:
                return None

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        event = await self._next()
        if event is None:
            raise StopAsyncIteration
        return event

    def __iter__(self) -> Iterator[Event]:
        if is_on_loop():
            raise TypeError('this would block the event loop; use "async for"')
        return self

    def __next__(self) -> Event:
        event = run_sync(self._next())
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._inbox.reason is None:
            self._events._deleted.append(self._inbox)
