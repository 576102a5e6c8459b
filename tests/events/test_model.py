"""`Events` against a model, under random publishers, subscribers and clients that vanish."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet import Event, Events

if TYPE_CHECKING:
    from mantlet.events import Subscription
    from mantlet.events.inbox import Entry

TOPICS = "abc"
MAX_BYTES = 3000


@dataclass
class Client:
    """A client, and what it should get.

    Attributes:
        subscription: its subscription.
        topics: its topics.
        expected: the ids of the events that were published to it and that it has not got.
    """

    subscription: Subscription
    topics: frozenset[str]
    expected: list[str] = field(default_factory=list)


def steps() -> st.SearchStrategy[list[tuple[str, int, frozenset[str]]]]:
    """Return random steps: what, a number, topics."""
    what = st.sampled_from(
        ["publish"] * 4 + ["take"] * 3 + ["subscribe", "resume", "close", "drop"]
    )
    topics = st.frozensets(st.sampled_from(TOPICS), min_size=1)
    return st.lists(st.tuples(what, st.integers(0, 400), topics), max_size=60)


def counted(events: Events) -> int:
    """Return the size of all events that are held."""
    queues = [events._history, *(inbox.queue for inbox in events._inboxes)]
    held: dict[Entry, int] = {}
    for queue in queues:
        for entry in queue:
            held[entry] = held.get(entry, 0) + 1
    assert all(entry.holders == count for entry, count in held.items())
    return sum(entry.size for entry in held)


class Model:
    """Clients of an `Events`, and what they should get.

    Args:
        events: the events.
    """

    def __init__(self, events: Events) -> None:
        self.events = events
        self.clients: list[Client] = []
        self._count = 0

    def step(self, what: str, number: int, topics: frozenset[str]) -> None:
        """Do something."""
        if what == "publish":
            self._publish(number, topics)
        elif what in ("subscribe", "resume"):
            after = str(number % (self._count + 1)) if what == "resume" else None
            if self.events.subscribers < 5:
                self._subscribe(topics, after)
        elif self.clients:
            index = number % len(self.clients)
            if what == "take":
                self.take(self.clients[index])
            elif what == "close":
                self.clients[index].subscription.close()
            else:
                del self.clients[index]

    def _publish(self, size: int, topics: frozenset[str]) -> None:
        self._count += 1
        name = str(self._count)
        self.events.publish(Event("t", "x" * size, name), *topics)
        for client in self.clients:
            if client.topics & topics and client.subscription.reason is None:
                client.expected.append(name)

    def _subscribe(self, topics: frozenset[str], after: str | None) -> None:
        remembered = list(self.events._history)
        client = Client(self.events.subscribe(*topics, after=after), topics)
        ids = [entry.id for entry in remembered]
        if after in ids:
            since = remembered[ids.index(after) + 1 :]
            client.expected = [entry.id for entry in since if entry.topics & topics]
        assert client.subscription.has_lost is (after is not None and after not in ids)
        self.clients.append(client)

    def take(self, client: Client) -> None:
        """Let a client take the next event that waits, if any does."""
        subscription, inbox = client.subscription, client.subscription._inbox
        if subscription.reason is not None:
            assert list(subscription) == []
            assert subscription.reason in ("closed", "slow")
            client.expected.clear()
            return
        if inbox.lost:  # the oldest ones
            lost = len(client.expected) - len(inbox.queue)
            assert lost > 0 or not subscription.dropped
            del client.expected[:lost]
            if self.events._gap is not None:
                assert next(subscription).type == "gap"
        assert [entry.id for entry in inbox.queue] == client.expected
        if client.expected:
            assert next(subscription).id == client.expected.pop(0)


@pytest.mark.parametrize("slow", ["close", "drop"])
@given(steps=steps(), queue=st.integers(1, 5), history=st.integers(0, 6), tight=st.booleans())
@settings(max_examples=60)
def test_a_client_gets_what_it_should_or_learns_that_it_has_not(
    slow: Any, steps: list[tuple[str, int, frozenset[str]]], queue: int, history: int, tight: bool
) -> None:
    """In order, once, of its topics alone; sizes are exact, and bounded, at each step."""
    limit = MAX_BYTES if tight else 10**6
    events = Events(
        queue=queue,
        slow=slow,
        history=history,
        gap="gap" if history or slow == "drop" else None,
        max_subscribers=5,
        max_event=1000,
        max_bytes=limit,
    )
    model = Model(events)
    for what, number, topics in steps:
        model.step(what, number, topics)
        assert events.waiting_bytes == counted(events) <= limit
        assert all(len(inbox.queue) <= queue + history for inbox in events._inboxes)
        assert len(events._history) <= history
    while any(client.expected for client in model.clients):
        for client in model.clients:
            model.take(client)
    del model
    gc.collect()
    assert events.subscribers in (0, 1)  # the last client of the loop
    assert events.waiting_bytes == counted(events)
