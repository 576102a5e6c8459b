"""Windows, by the strategies of `limits`, in memory and on a real server."""

from __future__ import annotations

import asyncio
import threading
import time
from math import inf
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import Quota, RateLimiter, StoreOutage, on_status
from mantlet.ratelimit.stores.base import TokenRequest
from mantlet.ratelimit.stores.window_storage import MemoryWindowStorage
from mantlet.ratelimit.window_fallback import FallbackWindows
from mantlet.ratelimit.window_strategy import WindowLimiter, WindowResult
from tests.drive import CLIENT, Adapter, both_adapters, hello
from tests.ratelimit.conftest import careless
from tests.ratelimit.structured import limits_of
from tests.servers.server import poll
from tests.stores.redis.servers import Valkey, listen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mantlet.ratelimit.quota import Window

pytestmark = pytest.mark.slow

#: The start of a window of a minute.
START = 1_750_000_020.0
SECOND = 1_000_000_000
WINDOWS: tuple[Window, ...] = ("fixed", "moving", "sliding")
each_window = pytest.mark.parametrize("window", WINDOWS)


class Wall:
    """A wall clock that the tests set."""

    now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """The clock that `limits` uses, under the test's control."""
    clock = Wall()
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server for these tests alone."""
    with Valkey(tmp_path_factory.mktemp("windows")) as started:
        yield started


def claim(
    window: Window, rate: str = "3/minute", key: str = "limit:client", **more: Any
) -> TokenRequest:
    return TokenRequest(key, Quota(rate, window=window), **more)


def take(windows: WindowLimiter, *claims: TokenRequest) -> list[WindowResult]:
    standings = windows.take(claims, is_async=False)
    assert isinstance(standings, list)
    return standings


def peek(windows: WindowLimiter, *claims: TokenRequest) -> list[WindowResult]:
    standings = windows.peek(claims, is_async=False)
    assert isinstance(standings, list)
    return standings


@pytest.fixture
def windows() -> WindowLimiter:
    """Windows in memory."""
    return WindowLimiter("memory://", max_keys=1000, timeout=1)


@each_window
def test_a_window_admits_its_amount_and_then_nothing(
    window: Window, windows: WindowLimiter, wall: Wall
) -> None:
    """The remaining number falls to zero, and stays there."""
    taken = [take(windows, claim(window))[0] for _ in range(4)]
    assert [one.is_within_limit for one in taken] == [True, True, True, False]
    assert [one.remaining for one in taken] == [2, 1, 0, 0]


@pytest.mark.parametrize(("window", "wait"), [("fixed", 60), ("moving", 50)])
def test_a_refused_request_is_admitted_when_its_wait_is_over(
    window: Window, wait: int, windows: WindowLimiter, wall: Wall
) -> None:
    """The wait is exact where the strategy knows it."""
    take(windows, claim(window, "1/minute"))
    wall.now += 60 - wait
    ((within, _, told, _),) = take(windows, claim(window, "1/minute"))
    assert (within, told) == (False, wait * SECOND)
    wall.now += wait - 0.001
    assert not take(windows, claim(window, "1/minute"))[0].is_within_limit
    wall.now += 0.002
    assert take(windows, claim(window, "1/minute"))[0].is_within_limit


def test_a_sliding_window_weighs_the_one_before(windows: WindowLimiter, wall: Wall) -> None:
    """In the middle of a window, half of the previous window's requests still count."""
    four = claim("sliding", "4/minute")
    for _ in range(4):
        assert take(windows, four)[0].is_within_limit
    wall.now += 90
    assert [take(windows, four)[0].is_within_limit for _ in range(3)] == [True, True, False]


@each_window
def test_a_key_is_as_new_when_its_windows_have_passed(
    window: Window, windows: WindowLimiter, wall: Wall
) -> None:
    """After two whole windows nothing is left of it."""
    for _ in range(3):
        take(windows, claim(window))
    wall.now += 121
    ((within, remaining, _, _),) = take(windows, claim(window))
    assert (within, remaining) == (True, 2)


@each_window
def test_several_windows_are_counted_all_or_nothing(
    window: Window, windows: WindowLimiter, wall: Wall
) -> None:
    """A request that one window denies is not counted in another."""
    wide, narrow = claim(window, "9/minute", "wide:c"), claim(window, "1/minute", "narrow:c")
    assert [one.is_within_limit for one in take(windows, wide, narrow)] == [True, True]
    assert [one.is_within_limit for one in take(windows, wide, narrow)] == [True, False]
    assert peek(windows, wide)[0].remaining == 8


@each_window
def test_a_denied_report_only_request_keeps_nothing_from_being_counted(
    window: Window, windows: WindowLimiter, wall: Wall
) -> None:
    """Nor is it counted itself when it is denied."""
    real = claim(window, "9/minute", "real:c")
    tried = claim(window, "1/minute", "tried:c", is_report_only=True)
    for _ in range(2):
        take(windows, real, tried)
    assert peek(windows, real)[0].remaining == 7


@each_window
def test_a_look_counts_nothing_and_a_reset_forgets(
    window: Window, windows: WindowLimiter, wall: Wall
) -> None:
    """A peek only looks, and a reset clears the window."""
    take(windows, claim(window, cost=2))
    assert [peek(windows, claim(window))[0].remaining for _ in range(3)] == [1, 1, 1]
    assert windows.reset([claim(window)], is_async=False) is None
    assert peek(windows, claim(window))[0].remaining == 3


def test_no_thread_is_started(windows: WindowLimiter) -> None:
    """The memory storage of `limits` starts one."""
    before = threading.enumerate()
    for window in WINDOWS:
        take(windows, claim(window))
    assert threading.enumerate() == before


def test_memory_is_bounded_and_new_clients_have_windows_of_their_own(wall: Wall) -> None:
    """Those whose windows end soonest make room, so a client whose window is longer stays there."""
    windows = WindowLimiter("memory://", max_keys=10, timeout=1)
    take(windows, claim("fixed", "1/hour", "limit:first"))
    admitted = sum(
        take(windows, claim("fixed", "1/minute", f"limit:{n}"))[0].is_within_limit
        for n in range(1000)
    )
    assert admitted == 1000
    assert windows._storage_in_memory is not None
    assert len(windows._storage_in_memory._windows) == 10
    assert not take(windows, claim("fixed", "1/hour", "limit:first"))[0].is_within_limit


def test_keys_leave_when_their_windows_have_passed(wall: Wall) -> None:
    """Memory use follows the number of recent clients."""
    storage = MemoryWindowStorage(max_keys=1_000_000)
    for n in range(1000):
        storage.incr(f"key{n}", 60)
    wall.now += 61
    for n in range(1000):
        storage.incr(f"other{n}", 60)
    assert storage.reset() <= 1001


@careless
@both_adapters
@each_window
@pytest.mark.parametrize("store", ["memory", "valkey"])
@pytest.mark.usefixtures("careless_client")
def test_a_limiter_counts_in_windows(
    store: str, window: Window, adapter: Adapter, server: Valkey
) -> None:
    """Beside a bucket, from which a request that the window denies takes nothing."""
    server.ask("FLUSHALL")
    uri = "memory://" if store == "memory" else f"redis://{server.place}"
    quotas = [Quota("2/hour", window=window, name="window"), Quota("9/hour", name="bucket")]
    app = adapter.wrap(hello, RateLimiter(quotas, store=uri, timeout=5))
    answers = [adapter.drive(app) for _ in range(4)]
    assert [answer.error for answer in answers] == [None] * 4
    assert [answer.status for answer in answers] == [200, 200, 429, 429]
    refused = answers[-1]
    assert refused.json()["violated-policies"] == ["window"]
    told = {item.value: item.parameters for item in limits_of(refused)[1]}
    assert told["bucket"]["r"] == 7
    assert told["window"]["r"] == 0
    assert all(item["t"] <= int(refused.get("Retry-After") or 0) for item in told.values())


@careless
@both_adapters
@pytest.mark.usefixtures("careless_client")
def test_windows_are_counted_here_while_the_server_is_away(adapter: Adapter) -> None:
    """The same option applies as for buckets."""
    quota = Quota("2/hour", window="fixed")
    app = adapter.wrap(hello, RateLimiter(quota, store="redis://127.0.0.1:1", workers=1))
    answers = [adapter.drive(app) for _ in range(3)]
    assert [answer.error for answer in answers] == [None] * 3
    assert [answer.status for answer in answers] == [200, 200, 429]


@careless
@pytest.mark.usefixtures("careless_client")
def test_several_event_loops_one_after_another_work(server: Valkey) -> None:
    """An asyncio client belongs to the loop that uses it."""
    server.ask("FLUSHALL")
    limiter = RateLimiter(Quota("2/hour", window="fixed"), store=f"redis://{server.place}")

    async def check() -> bool:
        return (await limiter.acheck("client")).allowed

    assert [asyncio.run(check()) for _ in range(3)] == [True, True, False]


def test_a_cost_above_the_amount_is_refused_for_ever() -> None:
    """And the decision says so."""
    limiter = RateLimiter(Quota("2/hour", window="moving"))
    assert limiter.check("client", cost=3).retry_after == inf
    assert limiter.check(CLIENT, cost=2).allowed


@pytest.mark.parametrize("uri", ["lmdb:///tmp/limits", "sqlite://", "nowhere"])
def test_a_store_without_windows_is_a_value_error(uri: str) -> None:
    """The message names the stores that have windows."""
    with pytest.raises(ValueError, match="memory://"):
        WindowLimiter(uri, max_keys=1, timeout=1)


def test_counting_by_the_answer_needs_a_bucket() -> None:
    """A window can't give requests back."""
    with pytest.raises(TypeError, match="token bucket"):
        RateLimiter(Quota("2/hour", window="fixed"), count_if=on_status(401))
    with pytest.raises(TypeError, match="token bucket"):
        RateLimiter(Quota("2/hour", window="fixed")).refund("client")


def test_a_uri_that_the_storage_could_not_split_is_an_error_at_construction() -> None:
    """Not at the first request; and the message does not show the password."""
    with pytest.raises(ValueError, match=r"must be such as .*not redis://\*\*\*"):
        WindowLimiter("redis://:seeded-secret\u2100@h", max_keys=10, timeout=1)


# -- a storage that is lost -----------------------------------------------------------------------


@careless
@both_adapters
@each_window
@pytest.mark.usefixtures("careless_client")
@pytest.mark.parametrize(
    ("workers", "spent", "admitted"), [(1, 3, 5), (2, 3, 2), (2, 8, 0), (3, 0, 2), (20, 0, 1)]
)
def test_an_outage_of_a_storage_goes_on_from_what_it_had_left(
    adapter: Adapter,
    tmp_path: Path,
    *,
    window: Window,
    workers: int,
    spent: int,
    admitted: int,
) -> None:
    """With the share of a process."""
    quota = Quota("8/day", window=window)
    with Valkey(tmp_path) as own:
        limiter = RateLimiter(quota, store=f"redis://{own.place}", workers=workers, timeout=5)
        app = adapter.wrap(hello, limiter)
        assert [adapter.drive(app).status for _ in range(spent)] == [200] * spent
    answers = [adapter.drive(app) for _ in range(admitted + 2)]
    assert [answer.status for answer in answers] == [200] * admitted + [429] * 2
    left = [limits_of(answer)[1][0].parameters["r"] for answer in answers]
    assert left == [max(admitted - 1 - number, 0) for number in range(admitted + 2)]
    assert limiter.stats().local == admitted + 2
    with pytest.raises(StoreOutage):
        limiter.reset(CLIENT)
    full = max(8 // workers, 1)
    assert [adapter.drive(app).status for _ in range(full + 1)] == [200] * full + [429]


@pytest.mark.few_cases(1)
@careless
@both_adapters
@pytest.mark.usefixtures("careless_client")
def test_a_storage_that_is_lost_and_comes_back_is_logged_once_each(
    adapter: Adapter, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the reason, and without the password of its URI."""
    own = Valkey(tmp_path, "--requirepass", "seeded-secret")
    uri = f"redis://:seeded-secret@{own.place}"
    limiter = RateLimiter(Quota("2/second", window="fixed"), store=uri, workers=1, timeout=5)
    app = adapter.wrap(hello, limiter)
    for _ in range(5):
        assert adapter.drive(app).status in (200, 429)
    stats = limiter.stats()
    assert (stats.local, stats.outages) == (5, 1)
    assert (stats.outage or "").startswith(f"redis://***@{own.place}: ")
    with own:
        poll(
            lambda: adapter.drive(app) is not None and limiter.stats().outage is None,
            "the storage to be called again",
        )
    records: list[Any] = [one for one in caplog.records if hasattr(one, "event")]
    assert [record.event for record in records] == ["lost", "not_called", "recovered"]
    assert "seeded" not in caplog.text
    assert f"in which {limiter.stats().local} requests" in records[2].getMessage()


@careless
@both_adapters
@pytest.mark.usefixtures("careless_client")
def test_a_storage_that_has_failed_is_called_only_now_and_then(adapter: Adapter) -> None:
    """So no request waits for it."""
    taken: list[Any] = []
    with listen(taken.append) as place:
        quota = Quota("100/day", window="fixed")
        limiter = RateLimiter(quota, store=f"redis://{place}", workers=1, timeout=5)
        app = adapter.wrap(hello, limiter)
        for _ in range(10):
            adapter.drive(app)
        limiter._engine._windows.breaker._probe_at = inf  # type: ignore[union-attr]
        before = len(taken)
        assert [adapter.drive(app).status for _ in range(20)] == [200] * 20
        assert len(taken) == before
    assert limiter.stats().local == 30


def test_what_is_known_of_windows_is_bounded(wall: Wall) -> None:
    """And outdated when the window is over."""
    fallback = FallbackWindows(1, max_keys=2, timeout=1)
    claims = [claim("fixed", key=f"limit:{number}") for number in range(3)]
    for one in claims:
        fallback.learn([one], [WindowResult(True, 0, 30 * SECOND, True)])
    assert [fallback.peek([one])[0].is_within_limit for one in claims] == [True, False, False]
    for one in claims:
        fallback.learn([one], [WindowResult(True, 0, 30 * SECOND, True)])
    fallback.reset(claims)
    fallback.learn(claims[2:], [WindowResult(True, 0, 30 * SECOND, True)])
    wall.now += 31
    assert fallback.take(claims[2:])[0].is_within_limit
