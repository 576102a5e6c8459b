"""Queued events: entries of known size, and the queues of subscribers that hold them."""

import json
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Final, Literal

from mantlet.events.event import Event

__all__ = ["EndReason", "Entry", "Inbox", "check_topics", "encode_data"]

#: Why a subscription has ended: the app closed it, its client was too slow, it expired, or
#: `Events.close()` ended all subscriptions.
EndReason = Literal["closed", "slow", "expired", "shutdown"]

#: Maximum number of topics of a subscription or of an event.
MAX_TOPICS: Final = 100
_MAX_TOPIC: Final = 200
#: Approximate size of an entry without its strings, in bytes.
_OVERHEAD: Final = 250
#: Size of a topic without its characters.
_TOPIC_OVERHEAD: Final = 100

_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def encode_data(event: Event, limit: int) -> str:
    """Return the data of an event as JSON, in ASCII and on one line.

    Args:
        event: the event.
        limit: maximum number of characters.

    Raises:
        TypeError: a value is of a type that JSON doesn't have.
        ValueError: a number is not finite, a value contains itself, or the data are too large.
    """
    text = _encode(event.data)
    if len(text) > limit:
        raise ValueError(
            f"the data of an event must be at most {limit} bytes of JSON, not {len(text)}: "
            f"publish its id, and let subscribers ask for the rest"
        )
    return text


class Entry:
    """A queued event, stored as text: its size is known, and it cannot be changed.

    Attributes:
        type: the event's.
        id: the event's.
        data: as JSON.
        topics: the topics that it was published to.
        size: approximate size in bytes.
        holders: number of queues that hold it.
        is_gap: whether it stands in for lost events.
    """

    __slots__ = ("data", "holders", "id", "is_gap", "size", "topics", "type")

    def __init__(
        self, event: Event, data: str, topics: Iterable[str] = (), *, is_gap: bool = False
    ) -> None:
        self.type = event.type
        self.id = event.id
        self.data = data
        self.topics = frozenset(topics)
        self.size = _OVERHEAD + len(event.type) + len(event.id) + len(data)
        self.size += sum(_TOPIC_OVERHEAD + 4 * len(topic) for topic in self.topics)
        self.holders = 0
        self.is_gap = is_gap

    def event(self) -> Event:
        """Return the event, with its own copy of the data."""
        return Event(self.type, json.loads(self.data), self.id)


class Inbox:
    """The queue of a subscription. `Events` changes it while holding its lock.

    Attributes:
        topics: of the subscription.
        queue: the queued events.
        limit: maximum number of queued events.
        waiter: a future to resolve at the next change, if the subscriber is waiting.
        reason: why the subscription has ended.
        dropped: number of dropped events.
        lost: whether events were lost since the subscriber was last told.
        last_id: the id of the last event before the subscription.
    """

    __slots__ = ("dropped", "last_id", "limit", "lost", "queue", "reason", "topics", "waiter")

    def __init__(self, topics: frozenset[str], limit: int) -> None:
        self.topics = topics
        self.queue: deque[Entry] = deque()
        self.limit = limit
        self.waiter: Future[None] | None = None
        self.reason: EndReason | None = None
        self.dropped = 0
        self.lost = False
        self.last_id: str | None = None

    def wake(self, waiters: list[Future[None]]) -> None:
        """Add the subscriber's future, if it is waiting, to the futures to resolve."""
        if self.waiter is not None:
            waiters.append(self.waiter)
            self.waiter = None


def check_topics(topics: tuple[str, ...]) -> frozenset[str]:
    """Return topics as a set.

    Raises:
        TypeError: a topic is not text.
        ValueError: there are too many topics, or one is malformed.
    """
    if len(topics) > MAX_TOPICS:
        raise ValueError(f"there may be at most {MAX_TOPICS} topics, not {len(topics)}")
    for topic in topics:
        if not isinstance(topic, str):
            raise TypeError(f"a topic must be text, not {topic!r}")
        if not 0 < len(topic) <= _MAX_TOPIC or not topic.isprintable():
            raise ValueError(
                f"a topic must be 1 to {_MAX_TOPIC} printable characters, not "
                f"{topic[: _MAX_TOPIC + 1]!r}"
            )
    return frozenset(topics)
