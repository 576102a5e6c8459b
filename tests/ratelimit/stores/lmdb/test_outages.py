"""A file that can't be used, is replaced or starts anew is one record; long waits are counted."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import RateLimiter
from mantlet.ratelimit.stores.lmdb import LmdbStore
from tests.drive import Adapter, both_adapters, hello
from tests.ratelimit.stores.lmdb.processes import workers
from tests.ratelimit.stores.lmdb.test_files import FIRST, SECOND_BOOT, boot_as
from tests.ratelimit.stores.lmdb.worker import YEARLY, admitted
from tests.ratelimit.stores.model import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ratelimit.stores.model import Clock

    OpenStore = Callable[..., LmdbStore]


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return the events that were logged, each with its store."""
    records: list[Any] = [one for one in caplog.records if hasattr(one, "event")]
    return [(record.event, record.store) for record in records]


@both_adapters
def test_a_file_that_cannot_be_used_is_lost_once_and_recovers_once(
    adapter: Adapter, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the meantime each process counts its share; here it has no answers to go on from."""
    limiter = RateLimiter("8/hour", store=f"lmdb://{path}", workers=4)
    app = adapter.wrap(hello, limiter)
    assert adapter.drive(app).status == 200
    limiter._engine.store._environment.close()  # type: ignore[attr-defined]  # as on a fork
    path.chmod(0o777)
    assert [adapter.drive(app).status for _ in range(5)] == [200, 200, 429, 429, 429]
    stats = limiter.stats()
    assert (stats.local, stats.outages) == (5, 1)
    assert "must belong to the current user" in (stats.outage or "")
    path.chmod(0o700)
    assert adapter.drive(app).status == 200
    limiter._engine.outages._parts[f"lmdb://{path}"].failed_at -= 1
    assert [adapter.drive(app).status for _ in range(3)] == [200] * 3
    stats = limiter.stats()
    assert (stats.local, stats.outages, stats.outage) == (5, 1, None)
    assert events(caplog) == [("lost", f"lmdb://{path}"), ("recovered", f"lmdb://{path}")]
    assert "(1/4)" in caplog.text


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_file_that_is_removed_or_replaced_is_one_record(
    path: Path,
    open_store: OpenStore,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    *,
    is_replaced: bool,
) -> None:
    """Its limits start anew, which nobody would notice otherwise."""
    store = open_store()
    admitted(store, range(1))
    (file,) = path.glob("*.mdb")
    content = file.read_bytes()
    for one in list(path.iterdir()):
        one.unlink()
    if is_replaced:
        file.write_bytes(content)
    for _ in range(5):
        clock.now += SECOND
        admitted(store, range(1))
    assert events(caplog) == [("reset", f"lmdb://{path}")]
    assert f"their file {file} was removed or replaced" in caplog.text


def test_limits_that_are_reset_after_a_restart_of_the_host_are_one_record(
    path: Path,
    open_store: OpenStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By the first process that finds the old file."""
    boot_as(monkeypatch, FIRST)
    store = open_store()
    admitted(store, range(1))
    store.close()
    store._environment._close_fd()  # as the end of the process does
    assert not caplog.records
    boot_as(monkeypatch, SECOND_BOOT)
    admitted(open_store(), range(1))
    open_store()
    assert events(caplog) == [("reset", f"lmdb://{path}")]
    assert "the host has restarted" in caplog.text


@pytest.mark.parametrize("is_simple", [True, False])
def test_a_wait_for_another_process_is_counted(path: Path, is_simple: bool) -> None:
    """It blocks the event loop, or the thread."""
    quota = YEARLY
    store = LmdbStore(path)
    limiter = RateLimiter([quota] if is_simple else [quota, "5/hour"], store=store)
    limiter.check("a")
    before = limiter.stats().slow  # opening the file may take as long
    with workers(path, ("stay_inside",)) as (worker,):
        started = threading.Event()

        def check() -> None:
            started.set()
            limiter.check("a")

        asking = threading.Thread(target=check)
        asking.start()
        started.wait()
        asking.join(0.1)
        worker.go()
        asking.join()
    assert limiter.stats().slow > before
    store.close()


def test_a_wait_is_counted_in_the_shortest_way_as_well(open_store: OpenStore, clock: Clock) -> None:
    """By the store's own clock."""

    def later() -> int:
        clock.now += SECOND // 20
        return clock.now

    store = open_store()
    for _ in range(2):
        store.take_one("api:0", YEARLY, 1)
    assert store.counts() == {"slow": 0}
    store._clock = later
    store.take_one("api:0", YEARLY, 1)
    assert store.counts() == {"slow": 1}
