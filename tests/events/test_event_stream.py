"""The body of server-sent events: its format, heartbeats, resumption and end."""

from __future__ import annotations

import asyncio
import gc
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from wsgiref.validate import IteratorWrapper

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet import Event, Events, server_sent_events
from mantlet.events import EVENT_STREAM_HEADERS
from tests.events.waiting import until

if TYPE_CHECKING:
    from mantlet.events import Subscription


@dataclass
class Client:
    """A client that parses a stream as WHATWG HTML, 9.2.6, says.

    Attributes:
        events: the events that it has dispatched: type, data and last event id.
        last_id: the last event id.
        retry: the reconnection time, in milliseconds.
        comments: how many lines were comments.
    """

    events: list[tuple[str, str, str]] = field(default_factory=list)
    last_id: str = ""
    retry: int | None = None
    comments: int = 0

    def feed(self, *chunks: bytes) -> Client:
        """Interpret chunks of whole events."""
        id_buffer, kind, data = self.last_id, "", ""
        for line in re.split("\r\n|\r|\n", b"".join(chunks).decode()):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                self.last_id = id_buffer
                if data:
                    self.events.append((kind or "message", data.removesuffix("\n"), id_buffer))
                kind = data = ""
            elif not name:
                self.comments += 1
            elif name == "event":
                kind = value
            elif name == "data":
                data += f"{value}\n"
            elif name == "id" and "\0" not in value:
                id_buffer = value
            elif name == "retry" and re.fullmatch("[0-9]+", value):
                self.retry = int(value)
            else:
                raise AssertionError(f"an unknown field: {line!r}")
        assert data == kind == "", "the last event is not complete"
        return self


def in_thread(subscription: Subscription, count: int, **options: Any) -> list[bytes]:
    """Return the first chunks as a WSGI server gets them."""
    stream = iter(server_sent_events(subscription, **options))
    return [next(stream) for _ in range(count)]


def on_loop(subscription: Subscription, count: int, **options: Any) -> list[bytes]:
    """Return the first chunks as an ASGI framework gets them."""

    async def main() -> list[bytes]:
        stream = aiter(server_sent_events(subscription, **options))
        return [await anext(stream) for _ in range(count)]

    return asyncio.run(main())


both = pytest.mark.parametrize("read", [in_thread, on_loop])


@both
def test_the_bytes_of_a_stream(read: Any) -> None:
    events = Events(history=10)
    events.publish(Event("order.placed", None, "1"))
    subscription = events.subscribe("order.placed")
    events.publish(Event("order.placed", {"id": 7, "note": "a\nb\u2028c"}, "2"))
    assert read(subscription, 2, retry=2.5) == [
        b":\nretry: 2500\nid: 1\n\n",
        b'id: 2\nevent: order.placed\ndata: {"id":7,"note":"a\\nb\\u2028c"}\n\n',
    ]


@both
def test_the_first_chunk_comes_at_once(read: Any) -> None:
    """So that the head of the response is sent."""
    assert read(Events().subscribe("t"), 1) == [b":\n\n"]


@both
def test_heartbeats(read: Any) -> None:
    chunks = read(Events().subscribe("t"), 4, heartbeat=0.1)
    assert chunks[1:] == [b":\n\n"] * 3
    assert Client().feed(*chunks) == Client(comments=4)


@both
def test_a_client_resumes(read: Any) -> None:
    """From the id that the first chunk has, too, if it has got no event yet."""
    events = Events(history=10, gap="reset")
    events.publish(Event("t", 1, "a"))
    client = Client().feed(*read(events.subscribe("t"), 1))
    assert (client.last_id, client.events) == ("a", [])
    for number, name in enumerate("bc"):
        events.publish(Event("t", number, name))
    client.feed(*read(events.subscribe("t", after=client.last_id), 3))
    assert client.events == [("t", "0", "b"), ("t", "1", "c")]


@both
def test_a_gap_leaves_the_client_at_the_newest_event(read: Any) -> None:
    """So that it resumes there the next time."""
    events = Events(history=2, gap="reset")
    for number in range(5):
        events.publish(Event("t", number, str(number)))
    client = Client(last_id="1")
    client.feed(*read(events.subscribe("t", after="1"), 2))
    assert client.events == [("reset", "null", "4")]
    events.publish(Event("t", 5, "5"))
    client.feed(*read(events.subscribe("t", after=client.last_id), 2))
    assert client.events[1:] == [("t", "5", "5")]


@both
@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("<b>\n</b>", b"data: <b>\ndata: </b>"),
        ("a\r\nb\rc\n\nd", b"data: a\ndata: b\ndata: c\ndata: \ndata: d"),
        ("\ndata: x\n\nevent: evil\nid: 9\n\n", None),
        (" space", b"data:  space"),
        ("\u2028\u2029\x85\x0b\x0c\0", "data: \u2028\u2029\x85\x0b\x0c\0".encode()),
        ("\ufeff\ud800", b"data: \xef\xbb\xbf?"),
        ("", b"data: "),
    ],
    ids=["html", "ends", "injection", "space", "separators", "surrogate", "empty"],
)
def test_text_with_line_ends(read: Any, text: str, lines: bytes | None) -> None:
    """All of it is data, line by line."""
    events = Events()
    subscription = events.subscribe("t")
    events.publish(Event("t", text, "1"))
    _, chunk = read(subscription, 2, encode=lambda event: event.data)
    if lines is not None:
        assert chunk == b"id: 1\nevent: t\n" + lines + b"\n\n"
    client = Client().feed(chunk)
    if text:
        assert client.events == [("t", re.sub("\r\n|\r", "\n", text).replace("\ud800", "?"), "1")]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(
    data=json_values,
    kind=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=100),
    id_=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=100),
)
def test_any_event_arrives_as_it_was(data: Any, kind: str, id_: str) -> None:
    """With any data, type and id: nothing in them is taken for another field, or another event."""
    import json

    events = Events(max_event=10**6)
    subscription = events.subscribe("t")
    events.publish(Event(kind, data, id_), "t")
    client = Client().feed(*in_thread(subscription, 2))
    ((got_kind, got_data, got_id),) = client.events
    assert (got_kind, json.loads(got_data), got_id) == (kind, data, id_)


@given(text=st.text(st.sampled_from("ab:\r\n\u2028 \0") | st.characters()))
def test_any_text_arrives_with_its_lines(text: str) -> None:
    events = Events(max_event=10**6)
    subscription = events.subscribe("t")
    events.publish(Event("t", text, "1"))
    client = Client().feed(*in_thread(subscription, 2, encode=lambda event: str(event.data)))
    expected = re.sub("\r\n|\r", "\n", text).encode(errors="replace").decode()
    # An event whose only data is an empty line has data all the same.
    assert [data for _, data, _ in client.events] == [expected]


def test_types_and_ids_that_would_inject_fields_are_no_events() -> None:
    for name in ("a\nb", "a\rb", "a b", "", "é", "\u2028", "a\0", "x" * 101):
        with pytest.raises(ValueError, match="printable ASCII"):
            Event(name)
        with pytest.raises(ValueError, match="printable ASCII"):
            Event("t", None, name)


@both
def test_a_stream_ends_with_its_subscription(read: Any) -> None:
    events = Events(queue=1)
    subscription = events.subscribe("t")
    events.publish(Event("t"))
    events.publish(Event("t"))
    error = RuntimeError if read is on_loop else StopIteration
    with pytest.raises((StopAsyncIteration, error)):
        read(subscription, 2)
    assert subscription.reason == "slow"


def test_closing_a_stream_closes_its_subscription() -> None:
    """As WSGI servers do when the client has disconnected."""
    events = Events()
    stream = server_sent_events(events.subscribe("t"))
    next(iter(stream))
    stream.close()
    assert events.subscribers == 0


def test_a_stream_whose_task_is_cancelled_closes_its_subscription() -> None:
    """As by frameworks for ASGI when the client has disconnected; they close nothing."""
    events = Events()

    async def main() -> None:
        stream = server_sent_events(events.subscribe("t"))

        async def send_to_a_client_that_leaves() -> None:
            async for _ in stream:
                pass

        task = asyncio.create_task(send_to_a_client_that_leaves())
        (inbox,) = events._inboxes
        await until(lambda: inbox.waiter is not None)
        task.cancel()
        await asyncio.wait([task])
        assert events.subscribers == 0

    asyncio.run(main())


def test_a_stream_that_is_dropped_closes_its_subscription() -> None:
    """As by a framework whose task is cancelled while it sends."""
    events = Events()

    async def main() -> None:
        stream = aiter(server_sent_events(events.subscribe("t")))
        await anext(stream)

    asyncio.run(main())
    gc.collect()
    assert events.subscribers == 0


def test_a_stream_ends_when_the_credential_expires() -> None:
    events = Events()
    chunks = list(server_sent_events(events.subscribe("t", until=time.time() + 0.05)))
    assert chunks[0] == b":\n\n"
    assert events.subscribers == 0


def test_wsgi_servers_get_bytes_alone() -> None:
    """PEP 3333 allows no subclass; `wsgiref.validate` checks that."""
    events = Events()
    subscription = events.subscribe("t")
    events.publish(Event("t"))
    wrapped = IteratorWrapper(iter(server_sent_events(subscription)), None)
    assert next(wrapped) == b":\n\n"
    assert b"event: t" in next(wrapped)
    wrapped.close()


def test_on_a_loop_it_can_only_be_awaited() -> None:
    """So that no framework takes it for an iterator that may block."""

    async def main() -> None:
        stream: Any = server_sent_events(Events().subscribe("t"))
        with pytest.raises(TypeError):
            iter(stream)
        stream.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"heartbeat": 0}, ValueError, "heartbeat must be from 0.1 to 3600"),
        ({"heartbeat": None}, TypeError, "heartbeat must be a number"),
        ({"retry": -1}, ValueError, "retry must be from 0 to 86400"),
        ({"encode": "json"}, TypeError, "encode must be a function"),
    ],
    ids=["zero", "none", "retry", "encode"],
)
def test_options_are_checked(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        server_sent_events(Events().subscribe("t"), **options)
    with pytest.raises(TypeError, match="takes a Subscription, not 'x'"):
        server_sent_events("x")  # type: ignore[arg-type]


def test_the_headers() -> None:
    assert dict(EVENT_STREAM_HEADERS) == {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
    }
