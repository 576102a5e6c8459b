"""Each change of a store's state is one record, and decisions made without it are counted."""

from __future__ import annotations

import asyncio
import dataclasses
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet import Concurrency, Quota, RateLimiter, Rule, StoreOutage, asgi, wsgi
from mantlet.ratelimit import LimiterStats
from mantlet.ratelimit.stores.base import TokenRequest
from mantlet.ratelimit.stores.memory import FallbackStore, MemoryStore
from mantlet.ratelimit.stores.outages import OutageLog
from mantlet.stores.store_log import safe_reason
from tests.drive import (
    Adapter,
    Answer,
    ask_asgi,
    both_adapters,
    drive_wsgi,
    hello,
    make_scope,
)
from tests.ratelimit.outages import Broken

if TYPE_CHECKING:
    from collections.abc import Iterable


class Clock:
    """A clock in seconds that moves only when a test sets it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock of the log."""
    return Clock()


@pytest.fixture
def outages(clock: Clock) -> OutageLog:
    """A log of outages."""
    return OutageLog("everything passes", clock)


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return the events that were logged, each with its store."""
    records: Iterable[Any] = caplog.records
    return [(record.event, record.store) for record in records]


# -- changes of state -----------------------------------------------------------------------------


def test_a_store_is_lost_once_and_recovers_once(
    outages: OutageLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """However many calls fail and succeed."""
    for _ in range(100):
        outages.failed("redis://a", StoreOutage("no reply"))
        outages.not_called("redis://a")
        outages.decided_locally()
    assert outages.is_lost
    assert outages.stats({}).outage == "redis://a: no reply"
    clock.now += 5
    for _ in range(100):
        outages.responded("redis://a")
    assert outages.stats({}).outage is None
    assert outages.stats({}) == LimiterStats(local=100, outages=1)
    assert events(caplog) == [
        ("lost", "redis://a"),
        ("not_called", "redis://a"),
        ("recovered", "redis://a"),
    ]
    lost, not_called, recovered = [record.getMessage() for record in caplog.records]
    assert lost == (
        "The store redis://a can't be used: no reply; until it responds, everything passes"
    )
    assert not_called == (
        "The store redis://a has failed repeatedly, so few calls are made for now"
    )
    assert recovered == (
        "The store redis://a is available again after 5.0 s, in which 100 requests were decided "
        "without it"
    )
    assert {record.name for record in caplog.records} == {"mantlet.ratelimit"}
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert {record.reason for record in caplog.records} == {"no reply"}  # type: ignore[attr-defined]


def test_a_store_that_fails_now_and_then_has_one_outage(
    outages: OutageLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Until it has not failed for a second."""
    for _ in range(1000):
        outages.failed("a", "late")
        clock.now += 0.5
        outages.responded("a")
    assert outages.is_lost
    clock.now += 0.6
    outages.responded("a")
    assert [event for event, _ in events(caplog)] == ["lost", "recovered"]


def test_a_log_is_not_flooded_by_a_store_that_comes_and_goes(
    outages: OutageLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The first ten of each kind in a minute are logged; the rest is counted."""
    for _ in range(200):
        outages.failed("a", "late")
        clock.now += 1.1
        outages.responded("a")
    assert outages.stats({}).outages == 200
    assert len(events(caplog)) <= 2 * 11 * 4
    assert sum(record.repeats for record in caplog.records) > 200  # type: ignore[attr-defined]


def test_the_parts_of_a_store_are_lost_and_recover_each_by_itself(
    outages: OutageLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """As the nodes of a cluster."""
    outages.failed("node 1", "gone")
    outages.failed("node 2", "slow")
    clock.now += 2
    outages.responded("node 2")
    outages.responded("node 3")
    assert outages.is_lost
    assert outages.stats({}).outage == "node 1: gone"
    outages.responded("node 1")
    assert outages.stats({}).outage is None
    assert events(caplog) == [
        ("lost", "node 1"),
        ("lost", "node 2"),
        ("recovered", "node 2"),
        ("recovered", "node 1"),
    ]


def test_a_node_that_has_left_the_cluster_is_not_missed_for_ever(
    outages: OutageLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Another one has its keys, so it is not called any more."""
    outages.failed("node 1", "gone")
    clock.now += 59
    outages.responded("node 2")
    assert outages.is_lost
    clock.now += 2
    outages.responded("node 2")
    assert outages.stats({}).outage is None
    assert "is no longer needed" in caplog.records[-1].getMessage()


def test_a_reset_is_one_record(
    outages: OutageLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Though many calls find out at the same time."""
    for _ in range(50):
        outages.was_reset("a", "was restarted")
    clock.now += 10
    outages.was_reset("a", "was restarted")
    assert events(caplog) == [("reset", "a")] * 2
    assert outages.stats({}).outage is None


def test_threads_that_find_out_at_the_same_time_write_one_record(
    outages: OutageLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """And no count is lost."""
    barrier = Barrier(8)

    def fail() -> None:
        barrier.wait()
        for _ in range(500):
            outages.failed("a", "gone")
            outages.decided_locally()

    threads = [Thread(target=fail) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outages.stats({}).local == 4000
    assert events(caplog) == [("lost", "a")]


@pytest.mark.parametrize(
    "uri",
    [
        "redis://user:seeded-secret@host:6379/0",
        "redis://:seeded-secret@host",
        "mongodb://user:seeded/secret@host",
        "amqp://user:seeded@secret@host",
        "//user:seeded-secret@host",
    ],
)
def test_a_reason_has_no_password_and_is_one_line_of_bounded_length(uri: str) -> None:
    """Whatever an error of a library says."""
    reason = safe_reason(ConnectionError(f"can't reach {uri}:\nforged line \x1b[31m" + "x" * 9999))
    assert "seeded" not in reason
    assert "secret" not in reason
    assert "@host" in reason
    assert reason.isprintable()
    assert len(reason) <= 300


def test_the_number_of_parts_is_bounded(outages: OutageLog) -> None:
    """A server can name any number of nodes."""
    for number in range(3000):
        outages.failed(f"{number}", "gone")
        outages.was_reset(f"{number}", "gone")
    assert len(outages._parts) <= 1000
    assert len(outages._reset_at) <= 1000


# -- a store of one's own -------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("cost", [1, lambda _request: 1], ids=["plain", "told"])
@pytest.mark.parametrize(
    ("on_outage", "expected", "said"),
    [
        ("local", LimiterStats(local=3, outages=1), "its share of the quota (1/2)"),
        ("allow", LimiterStats(uncounted=3, outages=1), "admitted uncounted"),
        ("refuse", LimiterStats(unavailable=3, outages=1), "refused with 503"),
    ],
)
def test_decisions_in_an_outage_are_counted_and_its_record_says_what_happens(
    adapter: Adapter,
    caplog: pytest.LogCaptureFixture,
    *,
    on_outage: Any,
    expected: LimiterStats,
    said: str,
    cost: Any,
) -> None:
    """By what becomes of them."""
    store = Broken()
    limiter = RateLimiter("9/hour", store=store, workers=2, on_outage=on_outage, cost=cost)
    app = adapter.wrap(hello, limiter)
    for _ in range(3):
        adapter.drive(app)
    stats = limiter.stats()
    assert stats.outage == "Broken: seeded-secret"
    assert dataclasses.replace(stats, outage=None) == expected
    (record,) = caplog.records
    assert said in record.getMessage()
    store.out.clear()
    limiter._engine.outages._parts["Broken"].failed_at -= 1
    for _ in range(3):
        adapter.drive(app)
    assert limiter.stats() == expected
    assert events(caplog) == [("lost", "Broken"), ("recovered", "Broken")]


@both_adapters
def test_a_rule_that_is_tried_out_passes_uncounted(adapter: Adapter) -> None:
    """It would refuse nobody."""
    rule = Rule("GET /", "9/hour", mode="report")
    limiter = RateLimiter(rules=[rule], store=Broken(), on_outage="refuse")
    assert adapter.drive(adapter.wrap(hello, limiter)).status == 200
    assert limiter.stats().uncounted == 1


def test_checks_outside_of_http_are_counted_and_looks_are_not() -> None:
    """A look decides nothing."""
    limiter = RateLimiter("9/hour", store=Broken(), workers=2)
    limiter.peek("x")
    limiter.check("x")
    assert limiter.stats().local == 1
    allowing = RateLimiter("9/hour", store=Broken(), on_outage="allow")
    allowing.check("x")
    assert allowing.stats().uncounted == 1


def test_slots_that_are_taken_count_in_an_outage_under_wsgi() -> None:
    """A client with all of its requests in flight gets no more of them."""
    store, statuses = Broken(), list[int | None]()
    limiter = RateLimiter(concurrency=Concurrency(2), store=store, workers=1)
    store.out.clear()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        depth = int(environ["PATH_INFO"][1:])
        if depth == 2:
            store.out.add("take")
        statuses.append(drive_wsgi(wrapped, path=f"/{depth + 1}").status)
        start_response("200 OK", [])
        return [b""]

    wrapped = wsgi.wrap(app, limiter, baseline=False)
    assert drive_wsgi(wrapped, path="/1").status == 200
    assert statuses == [429, 200]
    assert_slots_are_free(limiter)


def test_slots_that_are_taken_count_in_an_outage_under_asgi() -> None:
    """In the same way."""
    store = Broken()
    limiter = RateLimiter(concurrency=Concurrency(2), store=store, workers=1)
    store.out.clear()

    async def main() -> None:
        arrived, leaving = asyncio.Semaphore(0), asyncio.Event()

        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            arrived.release()
            await leaving.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        async def status() -> int | None:
            answer = Answer()
            message = {"type": "http.request", "body": b"", "more_body": False}
            await ask_asgi(wrapped, make_scope(), [message], answer)
            return answer.status

        wrapped = asgi.wrap(app, limiter, baseline=False)
        first = asyncio.gather(status(), status())
        for _ in range(2):
            await arrived.acquire()
        store.out.add("take")
        assert await status() == 429
        leaving.set()
        assert list(await first) == [200, 200]
        assert await status() == 200

    asyncio.run(main())
    assert_slots_are_free(limiter)


def assert_slots_are_free(limiter: RateLimiter) -> None:
    """Check that no slot is held for a request that has ended."""
    fallback = limiter._engine._fallback
    assert fallback is not None
    assert not fallback[0]._store._slots


# -- the counts -----------------------------------------------------------------------------------


def test_stats_are_small_and_frozen() -> None:
    """They can be kept, compared and exported."""
    stats = RateLimiter("9/hour").stats()
    assert stats == LimiterStats()
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.local = 1  # type: ignore[misc]  # the point of the test
    assert not hasattr(stats, "__dict__")
    assert set(dataclasses.asdict(stats)) == {
        *("local", "uncounted", "unavailable", "unasked", "prefetched", "prefetch_held"),
        *("prefetch_lost", "slow", "outages", "outage"),
    }


@both_adapters
def test_a_store_in_memory_is_not_observed(adapter: Adapter) -> None:
    """The usual decision pays for no count."""
    limiter = RateLimiter("2/hour")
    store = limiter._engine.store
    assert limiter._engine.bound_stores == (store, store)
    app = adapter.wrap(hello, limiter)
    assert [adapter.drive(app).status for _ in range(3)] == [200, 200, 429]
    assert limiter.stats() == LimiterStats()


# -- an outage goes on from what is known ---------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("workers", [1, 2, 3, 8, 20])
@pytest.mark.parametrize("spent", [0, 1, 5, 8, 9])
def test_a_process_has_its_share_of_what_is_left(
    adapter: Adapter, workers: int, spent: int
) -> None:
    """Rounded down, also where others have spent the tokens; a new client has a full bucket."""
    burst = 8
    store = Broken()
    store.out.clear()
    quota = Quota("1/year", burst=burst)
    limiter = RateLimiter(quota, store=store, workers=workers)
    app = adapter.wrap(hello, limiter)
    statuses = [adapter.drive(app).status for _ in range(spent)]
    assert statuses.count(200) == min(spent, burst)
    store.out.add("take")
    statuses = [adapter.drive(app).status for _ in range(burst + 1)]
    assert statuses.count(200) == max(burst - spent, 0) // min(workers, burst)
    other = [adapter.drive(app, client="192.0.2.99").status for _ in range(burst + 1)]
    assert other.count(200) == burst // min(workers, burst)


@both_adapters
def test_an_answer_makes_no_bucket_fuller(adapter: Adapter) -> None:
    """So that a client gets no fresh bucket from each further outage."""
    store = Broken()
    limiter = RateLimiter(Quota("1/year", burst=100), store=store, workers=2)
    app = adapter.wrap(hello, limiter)
    admitted = 0
    for _ in range(20):
        store.out.clear()
        assert adapter.drive(app).status == 200
        store.out.add("take")
        admitted += [adapter.drive(app).status for _ in range(20)].count(200)
    assert admitted <= 50


def test_a_key_that_is_reset_is_full_in_an_outage_as_well() -> None:
    """Whoever resets it means it."""
    store = Broken()
    store.out.clear()
    limiter = RateLimiter("3/year", store=store, workers=1)
    for _ in range(4):
        limiter.check("x")
    limiter.reset("x")
    store.out.add("take")
    assert [limiter.check("x").allowed for _ in range(4)] == [True] * 3 + [False]


def test_what_is_known_is_bounded() -> None:
    """A flood of new keys takes no more memory than `max_keys`."""
    store = Broken()
    store.out.clear()
    limiter = RateLimiter("3/year", store=store, workers=1)
    fallback = limiter._engine._fallback
    assert fallback is not None
    fallback[0]._store.max_keys = 100
    for number in range(1000):
        limiter.check(f"{number}")
    assert len(fallback[0]._store) <= 100


quotas = st.builds(
    Quota, st.sampled_from(["1/year", "60/minute", "7/3 seconds"]), burst=st.integers(1, 12)
)


@given(quotas, st.integers(1, 15), st.data())
def test_outages_admit_no_more_than_the_documented_worst_case(
    quota: Quota, workers: int, data: st.DataObject
) -> None:
    """Whatever the order of outages, requests and pauses, and whichever worker gets a request."""
    now = began = 10**18

    def clock() -> int:
        return now

    server = MemoryStore(clock=clock)
    fallbacks = [FallbackStore(workers, 1000, clock) for _ in range(workers)]
    request = TokenRequest("api:192.0.2.1", quota)
    by_server = locally = 0
    for is_lost in data.draw(st.lists(st.booleans(), max_size=12)):
        now += data.draw(st.integers(0, 5 * 10**9))
        for _ in range(data.draw(st.integers(0, 40))):
            now += data.draw(st.sampled_from([0, 0, 0, 10**6, 10**8]))
            fallback = fallbacks[data.draw(st.integers(0, workers - 1))]
            answer = (fallback if is_lost else server).take([request])
            if is_lost:
                locally += answer[0] is not None and answer[0] >= 0
            else:
                by_server += answer[0] is not None and answer[0] >= 0
                fallback.learn([request], answer)
    burst = quota.burst
    refilled = (now - began) * quota.scale // quota.interval
    assert by_server <= burst + refilled
    assert locally <= workers * ((burst + refilled) // min(workers, burst))


@given(quotas, st.integers(1, 15))
def test_the_worst_case_is_reached(quota: Quota, workers: int) -> None:
    """By a client that nobody knows, at all workers."""
    fallbacks = [FallbackStore(workers, 1000, lambda: 10**18) for _ in range(workers)]
    request = TokenRequest("api:192.0.2.1", quota)
    admitted = 0
    for fallback in fallbacks:
        while (fallback.take([request])[0] or 0) >= 0:
            admitted += 1
    assert admitted == workers * (quota.burst // min(workers, quota.burst))
