"""`RedisStreams` with a real Valkey: what is published is read, whoever is killed meanwhile."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import Event, Events, RedisStreams, StoreError, StoreOutage
from mantlet.events import redis_streams, stream_readers
from tests.events.waiting import until
from tests.servers.server import poll
from tests.stores.redis.servers import Cluster, Valkey, quiet_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mantlet.events import EventReader

#: So that what was published is there after a kill.
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.fixture(scope="module")
def _valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def valkey(_valkey: Valkey) -> Valkey:
    """An empty server."""
    _valkey.ask("FLUSHALL")
    return _valkey


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[Valkey]:
    """A server for this test alone, to be killed, that forgets nothing."""
    with Valkey(tmp_path, *DURABLE) as server:
        yield server


def streams_of(valkey: Valkey, **options: Any) -> RedisStreams:
    """Return the stream ``events`` of a server, which may be slow.

    A reply that came too late would count as a delivery of its events.
    """
    return RedisStreams(f"redis://{valkey.place}", "events", timeout=60, **options)


def numbered(*numbers: int) -> list[Event]:
    """Return events whose id and data are a number."""
    return [Event("tick", number, str(number)) for number in numbers]


def in_thread(reader: EventReader, count: int) -> list[Event]:
    """Return the first events, read without an event loop, and acknowledge all but the last."""
    events = iter(reader)
    try:
        return list(islice(events, count))
    finally:
        events.close()  # type: ignore[attr-defined]  # a generator


def on_loop(reader: EventReader, count: int) -> list[Event]:
    """Return the first events, read on an event loop."""

    async def main() -> list[Event]:
        got = []
        async for event in reader:
            got.append(event)
            if len(got) == count:
                break
        return got

    return asyncio.run(main())


Read = "Callable[[EventReader, int], list[Event]]"
both = pytest.mark.parametrize("read", [in_thread, on_loop])


def publish_on_loop(streams: RedisStreams, *events: Event) -> None:
    """Publish as an ASGI app does."""

    async def main() -> None:
        for event in events:
            await streams.publish(event)
        await streams.close()

    asyncio.run(main())


def publish_in_thread(streams: RedisStreams, *events: Event) -> None:
    """Publish as a WSGI app does."""
    for event in events:
        assert streams.publish(event) is None
    streams.close()


# -- publishing and reading -----------------------------------------------------------------------


@both
@pytest.mark.parametrize("publish", [publish_in_thread, publish_on_loop])
def test_events_arrive_as_they_were(valkey: Valkey, read: Any, publish: Any) -> None:
    streams = streams_of(valkey)
    sent = [
        Event("order.placed", {"id": 1, "ü\n\0\U0001f600": [None, True, 1.5, "\u2028"]}, "a"),
        Event("empty", None, "b"),
        Event("text", "x" * 60_000, "c"),
    ]
    publish(streams, *sent)
    assert read(streams.read("group", "one"), 3) == sent


@both
def test_the_stream_keeps_about_the_newest(valkey: Valkey, read: Any) -> None:
    """Old ones are dropped in whole nodes, by default of 100 entries."""
    streams = streams_of(valkey, maxlen=200)
    publish_in_thread(streams, *numbered(*range(1000)))
    assert 200 <= valkey.ask("XLEN", "events") < 400
    assert read(streams.tail(last=1), 1)[0].data == 999


@both
def test_each_group_gets_all_events_and_its_consumers_share_them(valkey: Valkey, read: Any) -> None:
    streams = streams_of(valkey)
    publish_in_thread(streams, *numbered(*range(6)))
    mails = read(streams.read("mails", "one", count=2), 3)
    others = read(streams.read("mails", "two", count=2), 2)
    bills = read(streams.read("bills", "one"), 6)
    assert [event.data for event in mails] == [0, 1, 2]
    assert [event.data for event in others] == [4, 5]  # 2 and 3 were given to the other consumer
    assert [event.data for event in bills] == [*range(6)]


@both
def test_a_new_group_may_begin_with_the_newest(valkey: Valkey, read: Any) -> None:
    streams = streams_of(valkey)
    publish_in_thread(streams, *numbered(1, 2))
    reading = threading.Thread(
        target=lambda: got.extend(read(streams.read("group", "one", start="newest"), 1))
    )
    got: list[Event] = []
    reading.start()
    poll(lambda: groups(valkey) == 1, "the group")
    publish_in_thread(streams, *numbered(3))
    reading.join(120)
    assert [event.data for event in got] == [3]


def groups(valkey: Valkey) -> int:
    """Return how many groups there are."""
    with suppress(Exception):  # no stream yet
        return len(valkey.ask("XINFO", "GROUPS", "events"))
    return 0


def pending(valkey: Valkey) -> int:
    """Return how many events of the group are not acknowledged."""
    count: int = valkey.ask("XPENDING", "events", "group")[0]
    return count


@both
def test_an_event_is_acknowledged_when_the_next_one_is_asked_for(valkey: Valkey, read: Any) -> None:
    """So one whose handler raises, or whose consumer stops, comes again at once."""
    streams = streams_of(valkey)
    publish_in_thread(streams, *numbered(*range(5)))
    assert [event.data for event in read(streams.read("group", "one"), 3)] == [0, 1, 2]
    assert pending(valkey) == 3
    assert [event.data for event in read(streams.read("group", "one"), 3)] == [2, 3, 4]
    assert pending(valkey) == 1


@both
def test_events_of_a_dead_consumer_are_taken_over(valkey: Valkey, read: Any) -> None:
    streams = streams_of(valkey)
    publish_in_thread(streams, *numbered(*range(30)))
    read(streams.read("group", "dead", count=20), 5)
    got = read(streams.read("group", "alive", claim_after=0.1), 10)
    assert [event.data for event in got] == [*range(20, 30)]
    got = read(streams.read("group", "alive", claim_after=0.1), 17)
    assert [event.data for event in got] == [29, *range(4, 20)]


@both
def test_an_event_that_is_never_handled_is_set_aside(
    valkey: Valkey, read: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """After its attempts, in a stream that can be read; what was fetched with it has all of its."""
    streams = streams_of(valkey)
    publish_in_thread(streams, *numbered(1, 2, 3))
    for _ in range(3):  # whoever handles it raises
        assert read(streams.read("group", "one", max_attempts=3), 1) == numbered(1)
    assert "set aside" not in caplog.text
    assert read(streams.read("group", "one", max_attempts=3), 2) == numbered(2, 3)
    assert "group group has not handled the entry" in caplog.text
    assert pending(valkey) == 1
    dead = RedisStreams(f"redis://{valkey.place}", "events:dead")
    assert read(dead.tail(last=1), 1) == numbered(1)
    assert b"group" in valkey.ask("XRANGE", "events:dead", "-", "+")[0][1]


def test_an_event_that_kills_each_of_its_consumers_is_set_aside(valkey: Valkey) -> None:
    """A claim is no attempt of what was claimed with it."""
    streams = streams_of(valkey)
    publish_in_thread(streams, *numbered(*range(10)))
    for name in ("a", "b", "c"):
        reader = streams.read("group", name, claim_after=0.1, max_attempts=3)
        assert in_thread(reader, 1) == numbered(0)
    reader = streams.read("group", "d", claim_after=0.1, max_attempts=3)
    assert in_thread(reader, 9) == numbered(*range(1, 10))
    assert valkey.ask("XLEN", "events:dead") == 1


def test_without_a_number_of_attempts_an_event_comes_for_ever(valkey: Valkey) -> None:
    """So none is lost because a database was down."""
    streams = streams_of(valkey)
    publish_in_thread(streams, *numbered(1, 2))
    for _ in range(30):
        assert in_thread(streams.read("group", "one"), 1) == numbered(1)


def test_entries_that_are_no_events_are_skipped(
    valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    """As those of another program; they are acknowledged, or they would come for ever."""
    streams = streams_of(valkey, max_event=100)
    for fields in (
        ("type", "t", "id", "1"),
        ("type", "t", "id", "1", "data", "{"),
        ("type", "t", "id", "1", "data", "[" * 90),
        ("type", "t", "id", "1", "data", "9" * 101),
        ("type", "t", "id", "1", "data", "NaN"),
        ("type", "t\nevent: evil", "id", "1", "data", "1"),
        ("type", b"\xff", "id", "1", "data", "1"),
        ("type", "t", "id", "x" * 101, "data", "1"),
        ("evil\nlog", "line"),
    ):
        valkey.ask("XADD", "events", "*", *fields)
    publish_in_thread(streams, Event("t", 1))
    for reader in (streams.tail(last=10), streams.read("group", "one")):
        (event,) = in_thread(reader, 1)
        assert event.data == 1
    assert pending(valkey) == 1
    assert "is not an event; skipped" in caplog.text
    assert "evil" not in caplog.text
    assert len(caplog.records) <= 10


def test_entries_that_were_dropped_before_they_were_acknowledged(valkey: Valkey) -> None:
    streams = streams_of(valkey)
    publish_in_thread(streams, *numbered(1, 2, 3))
    in_thread(streams.read("group", "one"), 1)
    valkey.ask("XTRIM", "events", "MAXLEN", 1)
    assert [event.data for event in in_thread(streams.read("group", "one"), 1)] == [3]


# -- tails ----------------------------------------------------------------------------------------


def test_tails_feed_the_subscribers_of_all_workers(valkey: Valkey) -> None:
    """Each worker's `Events` gets each event once; one that starts later can resume clients."""
    streams = streams_of(valkey)
    publish_in_thread(streams, *numbered(0, 1))

    async def worker(events: Events) -> None:
        async for event in streams.tail(last=100):
            events.publish(event, "all")

    async def main() -> list[list[int]]:
        workers = [Events(history=100) for _ in range(3)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(worker(events)) for events in workers[:2]]
            await until(lambda: all(len(events._history) == 2 for events in workers[:2]))
            subscriptions = [events.subscribe("all") for events in workers[:2]]
            await streams.publish(Event("tick", 2, "2"))
            got = [[(await anext(one)).data for _ in range(1)] for one in subscriptions]
            tasks.append(group.create_task(worker(workers[2])))
            await until(lambda: len(workers[2]._history) == 3)
            resumed = workers[2].subscribe("all", after="0")
            got.append([(await anext(resumed)).data for _ in range(2)])
            for task in tasks:
                task.cancel()
            await streams.close()
        return got

    assert asyncio.run(main()) == [[2], [2], [1, 2]]
    valkey.wait_for_clients(0)


@both
def test_a_tail_begins_with_as_many_as_there_are(valkey: Valkey, read: Any) -> None:
    """Fetched in batches, since thousands of large events take longer than a reply may."""
    streams = streams_of(valkey)
    publish_in_thread(streams, *numbered(*range(250)))
    for last in (1, 99, 100, 101, 249, 250, 10_000):
        first, *_ = read(streams.tail(last=last), 1)
        assert first.data == max(0, 250 - last)
    assert read(streams.tail(last=1000), 250) == numbered(*range(250))


def test_a_tail_in_a_thread(valkey: Valkey) -> None:
    streams, events = streams_of(valkey), Events()
    subscription = events.subscribe("tick")

    def run() -> None:
        for event in streams.tail():
            events.publish(event)
            if event.data == 3:
                break

    thread = threading.Thread(target=run)
    thread.start()
    poll(lambda: bool(valkey.clients()), "the tail")
    poll(lambda: b"cmd=xread" in valkey.ask("CLIENT", "LIST"), "a tail that waits")
    publish_in_thread(streams, *numbered(1, 2, 3))
    thread.join(120)
    assert [next(subscription).data for _ in range(3)] == [1, 2, 3]
    valkey.wait_for_clients(0)


@pytest.mark.parametrize("start", ["tail", "read"])
def test_a_cancelled_reader_leaves_no_connection(valkey: Valkey, start: str) -> None:
    """Also while it waits: the server would give an event to a connection that nobody reads."""
    streams = streams_of(valkey)
    reader = streams.tail() if start == "tail" else streams.read("group", "one")

    async def read() -> None:
        async for _ in reader:
            pass

    async def main() -> None:
        task = asyncio.create_task(read())
        await until(lambda: b"cmd=xread" in valkey.ask("CLIENT", "LIST"))
        task.cancel()
        await asyncio.wait([task])
        await until(lambda: not valkey.clients())

    asyncio.run(main())


def test_publishing_does_not_wait_for_readers(valkey: Valkey) -> None:
    """They wait on connections of their own."""
    streams = streams_of(valkey)

    async def main() -> Event:
        reading = asyncio.ensure_future(anext(aiter(streams.tail())))
        await until(lambda: b"cmd=xread" in valkey.ask("CLIENT", "LIST"))
        await streams.publish(Event("t", 1))
        event = await reading
        await streams.close()
        return event

    assert asyncio.run(main()).data == 1


# -- outages --------------------------------------------------------------------------------------


def test_a_server_that_is_down_is_an_outage_for_publishers(own_port: int) -> None:
    """The outbox keeps the event, and tries again."""
    streams = RedisStreams(f"redis://:hidden@127.0.0.1:{own_port}", "events", timeout=0.5)
    with pytest.raises(StoreOutage) as down:
        streams.publish(Event("t"))
    assert "hidden" not in str(down.value) + repr(streams)
    with pytest.raises(StoreOutage):
        publish_on_loop(streams, Event("t"))


@pytest.fixture
def own_port() -> int:
    """A port that nobody listens on."""
    return quiet_port()


def test_a_command_that_the_server_refuses_is_no_outage(valkey: Valkey) -> None:
    valkey.ask("SET", "events", "text")
    streams = streams_of(valkey)
    with pytest.raises(StoreError, match="WRONGTYPE"):
        streams.publish(Event("t"))
    with pytest.raises(StoreError, match="WRONGTYPE"):
        in_thread(streams.read("group", "one"), 1)
    with pytest.raises(StoreError, match="WRONGTYPE"):
        on_loop(streams.tail(), 1)


def test_the_rights_that_are_documented_are_enough(valkey: Valkey) -> None:
    """To publish, to read by a group, and to read a tail."""
    rights = {
        "publishes": ["+xadd"],
        "reads": ["+xgroup|create", "+xreadgroup", "+xack", "+xautoclaim"],
        "tails": ["+xrevrange", "+xread"],
        "sets-aside": [
            "+xgroup|create",
            "+xreadgroup",
            "+xack",
            "+xautoclaim",
            "+xpending",
            "+xadd",
        ],
    }
    users = {}
    for name, commands in rights.items():
        assert all(command in redis_streams.__doc__.replace("\n", " ") for command in commands)
        valkey.ask(
            *("ACL", "SETUSER", name, "reset", "on", ">pw", "+@connection", "~events"),
            *(["~events:dead"] if name == "sets-aside" else []),
            *commands,
        )
        users[name] = RedisStreams(f"redis://{name}:pw@{valkey.place}", "events")
    publish_in_thread(users["publishes"], *numbered(1, 2))
    assert [event.data for event in in_thread(users["reads"].read("group", "one"), 2)] == [1, 2]
    assert [event.data for event in in_thread(users["tails"].tail(last=2), 2)] == [1, 2]
    for expected in (1, 1, 2):
        reader = users["sets-aside"].read("another", "one", max_attempts=2)
        assert in_thread(reader, 1) == numbered(expected)
    with pytest.raises(StoreError, match="NOPERM"):
        users["reads"].publish(Event("t"))
    users["reads"].close()


ENTRIES = [[b"1-0", [b"type", b"t", b"id", b"1", b"data", b"2"]]]


@pytest.mark.parametrize(
    "reply",
    [None, {b"events": ENTRIES}, [[b"events", ENTRIES]]],
    ids=["none", "resp3", "resp2"],
)
def test_replies_of_both_protocols(reply: Any) -> None:
    """A server before Redis 6 speaks RESP2 alone, as some proxies do."""
    entries = stream_readers._parse(stream_readers._only_stream(reply), 100, "streams")
    assert entries == ([] if reply is None else [(b"1-0", Event("t", 2, "1"))])


@contextmanager
def collecting(read: Callable[[list[int]], None]) -> Iterator[list[int]]:
    """Run a reader in a thread until it has all events, ending with 99."""
    got: list[int] = []
    thread = threading.Thread(target=read, args=(got,))
    thread.start()
    yield got
    thread.join(120)
    assert not thread.is_alive()


def read_to_the_end(reader: EventReader, way: str, got: list[int]) -> None:
    """Read until the event 99."""

    async def main() -> None:
        async for event in reader:
            got.append(event.data)
            if event.data == 99:
                break

    if way == "loop":
        asyncio.run(main())
    else:
        for event in reader:
            got.append(event.data)
            if event.data == 99:
                break


@pytest.mark.slow
@pytest.mark.parametrize("way", ["thread", "loop"])
@pytest.mark.parametrize("kind", ["tail", "read"])
def test_readers_go_on_after_a_restart(durable: Valkey, kind: str, way: str) -> None:
    """Killed while they wait, and while there is something to read; nothing is lost."""
    streams = streams_of(durable)
    publish_in_thread(streams, *numbered(0))
    reader = streams.tail(last=1) if kind == "tail" else streams.read("group", "one")
    with collecting(partial(read_to_the_end, reader, way)) as got:
        for number in range(1, 4):
            poll(lambda number=number: len(got) >= number, "an event")  # type: ignore[misc]  # mypy
            durable.kill()
            durable.start()
            publish_in_thread(streams, *numbered(number))
        poll(lambda: 3 in got, "the last event")
        publish_in_thread(streams, *numbered(99))
    assert list(dict.fromkeys(got)) == [0, 1, 2, 3, 99]
    if kind == "tail":
        assert got == [0, 1, 2, 3, 99]


@pytest.mark.parametrize("way", ["thread", "loop"])
@pytest.mark.parametrize("kind", ["tail", "read"])
def test_readers_whose_wait_the_server_breaks_off_go_on(
    valkey: Valkey, kind: str, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As when it becomes a replica; an event that is not acknowledged is not lost."""
    streams = streams_of(valkey)
    reader = streams.tail() if kind == "tail" else streams.read("group", "one")
    with collecting(partial(read_to_the_end, reader, way)) as got:
        poll(lambda: b"cmd=xread" in valkey.ask("CLIENT", "LIST"), "a reader that waits")
        (waiting,) = (
            line.split(b" ")[0].removeprefix(b"id=")
            for line in valkey.ask("CLIENT", "LIST").splitlines()
            if b"cmd=xread" in line
        )
        assert valkey.ask("CLIENT", "UNBLOCK", waiting, "ERROR") == 1
        publish_in_thread(streams, *numbered(1, 99))
    assert got == [1, 99]
    assert "can't be read" in caplog.text
    assert caplog.text.count("trying again") == 1


@pytest.mark.slow
def test_a_server_that_forgets_gets_its_group_again(own_valkey: Valkey) -> None:
    """And all that is published later is read, from the oldest on."""
    streams = streams_of(own_valkey)
    publish_in_thread(streams, *numbered(0))
    reader = streams.read("group", "one", start="newest")
    with collecting(partial(read_to_the_end, reader, "thread")) as got:
        poll(lambda: groups(own_valkey) == 1, "the group")
        own_valkey.kill()
        own_valkey.start()
        publish_in_thread(streams, *numbered(1))
        poll(lambda: 1 in got, "an event")
        own_valkey.ask("DEL", "events")
        publish_in_thread(streams, *numbered(2, 99))
    assert got == [1, 2, 99]


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server for this test alone, to be killed."""
    with Valkey(tmp_path) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("way", ["thread", "loop"])
def test_killed_consumers_lose_nothing(valkey: Valkey, way: str) -> None:
    """Each is killed while it handles an event; another one gets it, and all after it."""
    streams = streams_of(valkey)
    publish_in_thread(streams, *numbered(*range(40)))
    handled: list[str] = []
    for number in range(3):
        command = [sys.executable, "-m", "tests.events.reading", f"redis://{valkey.place}"]
        hangs_at = str(number * 10 + 5)
        process = subprocess.Popen(
            [*command, f"consumer-{number}", way, hangs_at],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout is not None
            for line in process.stdout:
                handled.append(line.strip())
                if handled[-1] == hangs_at:
                    break
            process.kill()
    rest = in_thread(streams.read("group", "last", claim_after=0.5), 1)
    with collecting(
        partial(read_to_the_end, streams.read("group", "last", claim_after=0.5), "thread")
    ) as got:
        poll(
            lambda: pending(valkey) <= 1 and len({*got, *map(int, handled)}) == 40,
            "all",
            seconds=20,
        )
        publish_in_thread(streams, *numbered(99))
    assert {*map(int, handled), *(event.data for event in rest), *got} == {*range(40), 99}
    assert [int(name) for name in handled if int(name) < 5] == [*range(5)]


@pytest.mark.slow
def test_a_cluster(tmp_path: Path) -> None:
    """The key of the stream decides the node."""
    with Cluster(tmp_path) as cluster:
        nodes = ",".join(node.place for node in cluster.nodes)
        streams = RedisStreams(f"redis+cluster://{nodes}", "events")
        publish_in_thread(streams, *numbered(1, 2))
        publish_on_loop(streams, *numbered(3))
        assert [event.data for event in on_loop(streams.read("group", "one"), 3)] == [1, 2, 3]
        assert [event.data for event in in_thread(streams.tail(last=2), 2)] == [2, 3]
        for expected in (1, 1, 2):
            got = in_thread(streams.read("two", "one", max_attempts=2), 1)
            assert got == numbered(expected)
        dead = RedisStreams(f"redis+cluster://{nodes}", "events:dead")
        assert in_thread(dead.tail(last=1), 1) == numbered(1)


LOCAL = RedisStreams("redis://localhost", "events")


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: RedisStreams("http://localhost", "events"), "redis"),
        (lambda: RedisStreams("redis://localhost", ""), "stream must be 1 to 200"),
        (lambda: RedisStreams("redis://localhost", "a\nb"), "stream must be 1 to 200"),
        (lambda: RedisStreams("redis://localhost", "s", maxlen=0), "maxlen must be at least 1"),
        (lambda: RedisStreams("redis://localhost", "s", timeout=0), "timeout must be"),
        (lambda: LOCAL.read("", "c"), "group must be 1 to 200"),
        (lambda: LOCAL.read("g", "c" * 201), "consumer must be 1 to 200"),
        (lambda: LOCAL.read("g", "c", start="$"), 'start must be "oldest" or "newest"'),  # type: ignore[arg-type]
        (lambda: LOCAL.read("g", "c", claim_after=0), "claim_after must be from 0.1"),
        (lambda: LOCAL.read("g", "c", count=0), "count must be from 1 to 1000"),
        (lambda: LOCAL.read("g", "c", max_attempts=1), "max_attempts must be at least 2"),
        (lambda: LOCAL.tail(last=-1), "last must be from 0 to 10000"),
    ],
    ids=[
        "scheme",
        "empty",
        "line",
        "maxlen",
        "timeout",
        "group",
        "consumer",
        "start",
        "claim_after",
        "count",
        "max_attempts",
        "last",
    ],
)
def test_options_are_checked(make: Callable[[], object], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        make()


def test_what_is_published_is_checked_first() -> None:
    with pytest.raises(TypeError, match="takes an Event"):
        LOCAL.publish("x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at most 65536 bytes"):
        LOCAL.publish(Event("t", "x" * 65_536))


def test_an_event_loop_is_not_blocked_by_mistake() -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="async for"):
            iter(LOCAL.tail())

    asyncio.run(main())
