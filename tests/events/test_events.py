"""`Events` and its subscriptions, on event loops and in threads."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest
import trio

from mantlet import Event, Events, Problem
from mantlet.events.inbox import Entry
from tests.events.waiting import until
from tests.servers.server import poll

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet.events import Subscription


def numbered(number: int, kind: str = "tick") -> Event:
    """Return an event whose id and data are a number."""
    return Event(kind, number, str(number))


def taken(subscription: Subscription, count: int) -> list[Event]:
    """Return the next events, which wait already."""
    return [next(subscription) for _ in range(count)]


def publish_all(events: Events, count: int) -> None:
    """Publish numbers."""
    for number in range(count):
        events.publish(Event("t", number))


# -- publishing and subscribing -------------------------------------------------------------------


def test_a_subscriber_gets_the_events_of_its_topics_in_order() -> None:
    events = Events()
    with events.subscribe("orders:1", "news") as subscription:
        events.publish(Event("order.placed", {"id": 1}, "a"), "orders:1")
        events.publish(Event("order.placed", {"id": 2}, "b"), "orders:2")
        events.publish(Event("news", None, "c"))
        events.publish(Event("order.paid", {"id": 1}, "d"), "orders:1", "news")
        got = taken(subscription, 3)
    assert [event.id for event in got] == ["a", "c", "d"]
    assert got[0] == Event("order.placed", {"id": 1}, "a")


def test_without_topics_the_type_of_an_event_is_its_topic() -> None:
    events = Events()
    with events.subscribe("order.placed") as subscription:
        events.publish(Event("order.placed", 1))
        assert next(subscription).data == 1


def test_subscribers_do_not_share_data() -> None:
    """Nor do they with the publisher, who may change them later."""
    events = Events()
    data = {"items": [1]}
    with events.subscribe("t") as one, events.subscribe("t") as other:
        events.publish(Event("t", data))
        data["items"].append(2)
        next(one).data["items"].append(3)
        assert next(other).data == {"items": [1]}


def test_a_closed_subscription_ends() -> None:
    events = Events()
    subscription = events.subscribe("t")
    events.publish(Event("t"))
    subscription.close()
    subscription.close()
    assert list(subscription) == []
    assert subscription.reason == "closed"
    assert events.subscribers == events.waiting_bytes == 0


def test_close_ends_all_subscriptions_of_now() -> None:
    events = Events()
    one, other = events.subscribe("t"), events.subscribe("u")
    events.close()
    assert (one.reason, other.reason, list(one)) == ("shutdown", "shutdown", [])
    with events.subscribe("t") as later:
        events.publish(Event("t", 1))
        assert next(later).data == 1


def test_an_exception_within_the_context_closes_it() -> None:
    events = Events()
    with pytest.raises(LookupError), events.subscribe("t"):
        raise LookupError
    assert events.subscribers == 0


@pytest.mark.parametrize(
    ("topics", "error"),
    [
        ((), "at least one topic"),
        (("",), "1 to 200 printable"),
        (("x" * 201,), "1 to 200 printable"),
        (("a\nb",), "1 to 200 printable"),
        (("a\ud800",), "1 to 200 printable"),
        (tuple(map(str, range(101))), "at most 100 topics, not 101"),
    ],
    ids=["none", "empty", "long", "line", "surrogate", "many"],
)
def test_topics_are_bounded(topics: tuple[str, ...], error: str) -> None:
    """They are keys in memory."""
    events = Events()
    with pytest.raises(ValueError, match=error):
        events.subscribe(*topics)
    if topics:
        with pytest.raises(ValueError, match=error):
            events.publish(Event("t"), *topics)
    assert events.subscribers == 0


def test_topics_must_be_text() -> None:
    topic: Any = 1
    with pytest.raises(TypeError, match="a topic must be text, not 1"):
        Events().subscribe(topic)
    with pytest.raises(TypeError, match="a topic must be text, not 1"):
        Events().publish(Event("t"), topic)


@pytest.mark.parametrize("data", [float("nan"), {1, 2}, object()], ids=["nan", "set", "object"])
def test_data_that_are_not_json_are_refused_where_they_are_published(data: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Events().publish(Event("t", data))


def test_a_large_event_is_refused() -> None:
    events = Events(max_event=100, max_bytes=2000)
    events.publish(Event("t", "x" * 98))
    with pytest.raises(ValueError, match="at most 100 bytes of JSON, not 101"):
        events.publish(Event("t", "x" * 99))
    with pytest.raises(TypeError, match="takes an Event, not 'x'"):
        events.publish("x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"queue": 0}, "queue must be from 1 to 1000000, not 0"),
        ({"slow": "wait"}, 'slow must be "close" or "drop", not \'wait\''),
        ({"history": -1}, "history must be from 0 to 10000, not -1"),
        ({"history": 10_001}, "history must be from 0 to 10000"),
        ({"max_subscribers": 0}, "max_subscribers must be at least 1"),
        ({"max_event": 0}, "max_event must be at least 1"),
        ({"max_bytes": 65_536}, "room for an event of max_event, so be at least 66536"),
        ({"gap": "reset"}, "gap has no effect without"),
        ({"gap": "re set", "history": 1}, "without spaces"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_options_are_checked(options: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        Events(**options)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="did you mean 'history'"):
        Events(histori=1)  # type: ignore[call-arg]


# -- slow subscribers -----------------------------------------------------------------------------


def test_a_slow_subscriber_is_ended_and_its_queue_is_freed() -> None:
    events = Events(queue=3)
    slow, quick = events.subscribe("t"), events.subscribe("t")
    for number in range(4):
        events.publish(numbered(number), "t")
        assert next(quick).data == number
    assert slow.reason == "slow"
    assert list(slow) == []
    assert events.waiting_bytes == 0
    assert events.subscribers == 1
    assert quick.reason is None


def test_a_slow_subscriber_may_lose_its_oldest_events() -> None:
    events = Events(queue=3, slow="drop")
    with events.subscribe("t") as subscription:
        for number in range(10):
            events.publish(numbered(number), "t")
        assert subscription.dropped == 7
        assert subscription.has_lost
        assert [event.data for event in taken(subscription, 3)] == [7, 8, 9]
        assert not subscription.has_lost


def test_a_gap_stands_for_the_events_that_were_lost() -> None:
    """Where they were."""
    events = Events(queue=2, slow="drop", gap="reset")
    with events.subscribe("t") as subscription:
        for number in range(4):
            events.publish(numbered(number), "t")
        got = taken(subscription, 3)
        assert [(event.type, event.data) for event in got] == [
            ("reset", None),
            ("tick", 2),
            ("tick", 3),
        ]
        events.publish(numbered(4), "t")
        assert next(subscription).data == 4


def test_all_events_together_are_bounded() -> None:
    """However many queues they are in: the subscribers with the fullest queues are ended."""
    events = Events(queue=1000, max_event=1000, max_bytes=20_000)
    slow = [events.subscribe(f"user:{number}") for number in range(50)]
    with events.subscribe("all") as quick:
        for turn in range(40):
            for number in range(50):
                events.publish(Event("t", "x" * 900), f"user:{number}", "all")
                next(quick)
                assert events.waiting_bytes <= 20_000
            assert turn < 2 or events.subscribers < 20
        assert quick.reason is None
    assert {one.reason for one in slow} <= {"slow", None}


def test_a_flood_for_thousands_of_slow_subscribers_is_read_in_time() -> None:
    """All have the same events, so that room is only there when all have ended."""
    events = Events(queue=1000, max_event=1000, max_bytes=2000)
    subscriptions = [events.subscribe("t") for _ in range(10_000)]
    looks = 0

    class Queue(deque[Entry]):
        def __len__(self) -> int:
            nonlocal looks
            looks += 1
            return super().__len__()

    for one in subscriptions:
        one._inbox.queue = Queue()
    for _ in range(2):
        events.publish(Event("t", "x" * 900))
    assert {one.reason for one in subscriptions} == {"slow"}
    assert looks < 20 * len(subscriptions)
    assert events.waiting_bytes == 0


def test_a_child_process_counts_nothing_of_its_parent() -> None:
    """Also if a thread of the parent was publishing when it forked; see `ForkSafeLock`."""
    events = Events(history=10)
    subscription = events.subscribe("t")
    events.publish(Event("t"))
    events._lock.plain.acquire()
    events._lock.reset()  # as in the child
    assert list(subscription) == []
    assert subscription.reason == "closed"
    assert events.subscribers == events.waiting_bytes == 0
    with events.subscribe("t") as own:
        events.publish(Event("t", 1))
        assert next(own).data == 1


def test_an_event_counts_once_however_many_wait_for_it() -> None:
    events = Events(max_event=1000, max_bytes=3000)
    subscriptions = [events.subscribe("t") for _ in range(1000)]
    events.publish(Event("t", "x" * 900))
    events.publish(Event("t", "x" * 900))
    assert events.waiting_bytes < 3000
    assert events.subscribers == 1000
    for subscription in subscriptions:
        taken(subscription, 2)
    assert events.waiting_bytes == 0


def test_the_number_of_subscribers_is_bounded() -> None:
    events = Events(max_subscribers=2)
    with events.subscribe("t"):
        other = events.subscribe("t")
        with pytest.raises(Problem) as refused:
            events.subscribe("t")
        assert refused.value.status == 503
        assert refused.value.headers["Retry-After"] == "5"
        other.close()
        events.subscribe("t").close()


@pytest.mark.exhaustive
def test_a_forgotten_subscription_ends() -> None:
    """Also if the response that iterated over it was never closed."""
    events = Events(max_subscribers=2, queue=5)
    kept = events.subscribe("t")
    for _ in range(10):
        events.subscribe("t")
        gc.collect()
        assert events.subscribers == 1
    del kept
    gc.collect()
    events.publish(Event("t"))
    assert events.subscribers == events.waiting_bytes == 0
    assert events._topics == {}


# -- resuming -------------------------------------------------------------------------------------


def test_a_client_resumes_after_its_last_event() -> None:
    events = Events(queue=2, history=5)
    for number in range(8):
        events.publish(numbered(number), "t" if number % 2 else "other")
    with events.subscribe("t", after="3") as subscription:
        assert [event.data for event in taken(subscription, 2)] == [5, 7]
        assert not subscription.has_lost
    with events.subscribe("t", after="7") as subscription:
        events.publish(numbered(9), "t")
        assert next(subscription).data == 9


def test_what_is_resumed_does_not_make_a_subscriber_slow() -> None:
    events = Events(queue=2, history=100)
    for number in range(100):
        events.publish(numbered(number), "t")
    with events.subscribe("t", after="0") as subscription:
        for number in range(100, 102):
            events.publish(numbered(number), "t")
        assert [event.data for event in taken(subscription, 101)] == [*range(1, 102)]


@pytest.mark.parametrize(
    "after", ["0", "unknown", "x" * 100_000, "\0\r\n", "é\ud800"], ids=str.__len__
)
def test_a_last_event_that_is_not_remembered_is_a_gap(after: str) -> None:
    """Whatever a client sends, it only chooses among the events that it may read."""
    events = Events(history=3, gap="reset")
    for number in range(5):
        events.publish(numbered(number), "t")
    with events.subscribe("t", after=after) as subscription:
        assert subscription.has_lost
        events.publish(numbered(5), "t")
        assert [event.type for event in taken(subscription, 2)] == ["reset", "tick"]


def test_an_event_of_another_topic_is_a_place_to_resume_from() -> None:
    """But its own events stay those of others."""
    events = Events(history=10)
    events.publish(numbered(1), "mine")
    events.publish(numbered(2), "theirs")
    events.publish(numbered(3), "mine")
    events.publish(numbered(4), "theirs")
    with events.subscribe("mine", after="2") as subscription:
        assert next(subscription).data == 3
        assert events._take(subscription._inbox) is subscription._inbox.waiter


@pytest.mark.parametrize("after", [None, ""])
def test_a_new_client_begins_with_the_next_event(after: str | None) -> None:
    events = Events(history=10, gap="reset")
    events.publish(numbered(1), "t")
    with events.subscribe("t", after=after) as subscription:
        assert subscription.last_id == "1"
        events.publish(numbered(2), "t")
        assert next(subscription).data == 2


def test_what_is_remembered_is_bounded_in_size_too() -> None:
    events = Events(history=10_000, max_event=1000, max_bytes=10_000)
    for number in range(100):
        events.publish(Event("t", "x" * 900, str(number)))
        assert events.waiting_bytes <= 10_000
    with events.subscribe("t", after="98") as subscription:
        assert next(subscription).id == "99"


def test_repeated_ids_resume_after_the_last_of_them() -> None:
    """As after an event that was published twice."""
    events = Events(history=10)
    for number in (1, 2, 1, 3):
        events.publish(numbered(number), "t")
    with events.subscribe("t", after="1") as subscription:
        assert next(subscription).data == 3


# -- until ----------------------------------------------------------------------------------------


def test_a_subscription_ends_at_its_time() -> None:
    events = Events()
    past = events.subscribe("t", until=time.time() - 1)
    events.publish(Event("t"))
    assert list(past) == []
    assert past.reason == "expired"
    soon = events.subscribe("t", until=time.time() + 0.05)
    assert list(soon) == []
    assert (soon.reason, events.subscribers) == ("expired", 0)


@pytest.mark.parametrize("until", [0, float("nan"), -1], ids=str)
def test_a_time_that_is_none_is_refused(until: float) -> None:
    with pytest.raises(ValueError, match="until must be more than 0"):
        Events().subscribe("t", until=until)


# -- waiting --------------------------------------------------------------------------------------


def test_a_thread_waits_for_events_of_other_threads() -> None:
    events = Events(queue=1000)
    got: list[int] = []
    subscription = events.subscribe("t")

    def consume() -> None:
        got.extend(event.data for event in subscription)

    consumer = threading.Thread(target=consume)
    consumer.start()
    publishers = [threading.Thread(target=publish_all, args=(events, 50)) for _ in range(4)]
    for one in publishers:
        one.start()
    for one in publishers:
        one.join()
    poll(lambda: len(got) == 200, "all events")
    subscription.close()
    consumer.join(120)
    assert sorted(got) == sorted([*range(50)] * 4)
    assert subscription.reason == "closed"


async def consume(subscription: Subscription, got: list[Any]) -> None:
    """Collect the data of a subscription."""
    async for event in subscription:
        got.append(event.data)  # noqa: PERF401  # one by one, for others to see


def test_a_thousand_subscribers_on_one_loop() -> None:
    """Each gets each event, from the loop and from a thread, and nothing is left of them."""
    events = Events()

    async def main() -> list[list[int]]:
        received: list[list[int]] = [[] for _ in range(1000)]
        subscriptions = [events.subscribe("t", f"user:{n}") for n in range(1000)]
        async with asyncio.TaskGroup() as group:
            for subscription, got in zip(subscriptions, received, strict=True):
                group.create_task(consume(subscription, got))
            events.publish(Event("t", 1))
            await asyncio.to_thread(events.publish, Event("t", 2))
            await asyncio.to_thread(events.publish, Event("t", 3), "user:7")
            await until(lambda: len(received[7]) == 3 and all(len(got) > 1 for got in received))
            events.close()
        return received

    received = asyncio.run(main())
    assert received[7] == [1, 2, 3]
    assert all(got == [1, 2] for number, got in enumerate(received) if number != 7)
    assert events.subscribers == events.waiting_bytes == 0


def test_subscribers_on_several_loops() -> None:
    events = Events()
    received: list[list[int]] = [[] for _ in range(3)]

    def run(got: list[int]) -> None:
        asyncio.run(consume(events.subscribe("t"), got))

    threads = [threading.Thread(target=run, args=(got,)) for got in received]
    for thread in threads:
        thread.start()
    poll(lambda: events.subscribers == 3, "three subscribers")
    for number in range(20):
        events.publish(Event("t", number))
    poll(lambda: all(len(got) == 20 for got in received), "all events")
    events.close()
    for thread in threads:
        thread.join(120)
    assert received == [[*range(20)]] * 3


def test_a_subscriber_on_trio() -> None:
    events = Events()
    got: list[int] = []

    async def main() -> None:
        subscription = events.subscribe("t")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(consume, subscription, got)
            events.publish(Event("t", 1))
            await trio.to_thread.run_sync(events.publish, Event("t", 2))
            while len(got) < 2:
                await trio.lowlevel.checkpoint()
            subscription.close()

    trio.run(main)
    assert got == [1, 2]


def test_a_cancelled_subscriber_loses_nothing_and_can_go_on() -> None:
    events = Events()

    async def main() -> list[int]:
        got = []
        with events.subscribe("t") as subscription:
            for number in range(40):
                waiting = asyncio.ensure_future(anext(subscription))
                for _ in range(number % 4):
                    await asyncio.sleep(0)
                if number % 3:
                    events.publish(Event("t", number))
                    waiting.cancel()
                else:
                    waiting.cancel()
                    events.publish(Event("t", number))
                await asyncio.wait([waiting])
                if not waiting.cancelled():
                    got.append(waiting.result().data)
            return got + [(await anext(subscription)).data for _ in range(40 - len(got))]

    assert asyncio.run(main()) == [*range(40)]


def test_a_loop_that_has_ended_keeps_no_publisher() -> None:
    """Its subscriber waits for ever, and is ended when its queue is full."""
    events = Events(queue=2)
    subscription = events.subscribe("t")
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(subscription._next_entry())
    loop.run_until_complete(asyncio.sleep(0))
    waiting.cancel()
    loop.run_until_complete(asyncio.gather(waiting, return_exceptions=True))
    loop.close()
    for _ in range(3):
        events.publish(Event("t"))
    assert subscription.reason == "slow"


def test_two_consumers_of_one_subscription_are_refused() -> None:
    events = Events()

    async def main() -> None:
        with events.subscribe("t") as subscription:
            waiting = asyncio.ensure_future(anext(subscription))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="another task or thread"):
                await anext(subscription)
            events.publish(Event("t", 1))
            assert (await waiting).data == 1

    asyncio.run(main())


def test_an_event_loop_is_not_blocked_by_mistake() -> None:
    async def main() -> None:
        with Events().subscribe("t") as subscription, pytest.raises(TypeError, match="async for"):
            iter(subscription)

    asyncio.run(main())


def test_publishing_in_a_subscriber_does_not_deadlock() -> None:
    """Nor does a subscription that is garbage-collected while an event is published."""
    events = Events()
    with events.subscribe("t") as subscription:
        events.publish(Event("t", 0))
        for event in subscription:
            if event.data == 5:
                break
            cycle: list[Any] = [events.subscribe("t")]
            cycle.append(cycle)
            del cycle
            events.publish(Event("t", event.data + 1))
    gc.collect()
    assert events.subscribers == 0


@pytest.mark.slow
def test_random_threads_and_loops_lose_nothing() -> None:
    """Subscribers that come and go meanwhile leave nothing behind."""
    events = Events(queue=100_000)
    count = 300
    stop = threading.Event()
    received: list[list[int]] = [[] for _ in range(6)]

    def in_thread(got: list[int]) -> None:
        with events.subscribe("t") as subscription:
            got.extend(event.data for event in subscription)

    def on_loop(got: list[int]) -> None:
        asyncio.run(consume(events.subscribe("t"), got))

    def come_and_go() -> None:
        while not stop.is_set():
            for _ in events.subscribe("t", after="x"):
                break

    targets: list[Callable[..., None]] = [in_thread, on_loop] * 3
    threads = [
        threading.Thread(target=target, args=(got,))
        for target, got in zip(targets, received, strict=True)
    ]
    threads += [threading.Thread(target=come_and_go) for _ in range(2)]
    for thread in threads:
        thread.start()
    poll(lambda: events.subscribers >= 7, "subscribers")
    publishers = [threading.Thread(target=publish_all, args=(events, count)) for _ in range(3)]
    for one in publishers:
        one.start()
    for one in publishers:
        one.join()
    poll(lambda: all(len(got) == 3 * count for got in received), "all events")
    stop.set()
    events.publish(Event("t", -1))
    events.close()
    for thread in threads:
        thread.join(120)
    gc.collect()
    assert events.subscribers == events.waiting_bytes == 0
