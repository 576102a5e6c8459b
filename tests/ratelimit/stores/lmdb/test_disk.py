"""A disk that is full before the store is made, or while it is used; files with holes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import RateLimiter
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.stores.lmdb import LmdbStore
from mantlet.stores.lmdb import environment
from tests.disks import fill, small_disk
from tests.drive import Adapter, both_adapters, hello
from tests.ratelimit.stores.lmdb.processes import workers
from tests.ratelimit.stores.lmdb.worker import YEARLY, admitted
from tests.ratelimit.stores.model import MINUTE, SECOND, Clock
from tests.stores.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    OpenStore = Callable[..., LmdbStore]

SIZE = 3 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return the root of a file system that has space for one file, not for a larger one."""
    with small_disk(tmp_path / "disk", SIZE) as directory:
        yield directory


@pytest.fixture
def path(disk: Path) -> Path:
    """Return the path of a directory on it."""
    return disk / "limits"


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "MIN_SIZE", 1 << 20)


OPENED = """
import sys
from mantlet.ratelimit.stores.lmdb import LmdbStore
from mantlet.stores.lmdb import environment
environment.MIN_SIZE = 1 << 20
LmdbStore(sys.argv[1])
"""


@pytest.mark.parametrize("left", [0, 8 << 10, 300 << 10, 1 << 20])
def test_a_store_that_finds_the_disk_full_is_an_error_and_leaves_nothing(
    disk: Path, path: Path, left: int
) -> None:
    """The process is not killed by its first access to LMDB's lock file, which is mapped too."""
    fill(disk, left)
    ended = subprocess.run(
        [sys.executable, "-c", OPENED, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.strip().endswith(
        f"StoreError: lmdb://{path} can't be used: [Errno 28] No space left on device"
    )
    assert list(path.iterdir()) == []


def test_a_file_with_holes_is_an_error_on_a_full_disk_and_is_used_where_there_is_space(
    disk: Path, path: Path, open_store: OpenStore
) -> None:
    """As one that was copied, or whose process was killed while it made it."""
    store = open_store()
    admitted(store, range(1))
    store.close()
    (file,) = path.glob("*.mdb")
    os.truncate(file, 10 * 4096)
    os.truncate(file, 1 << 20)
    ballast = fill(disk)
    store._environment._close_fd()  # as the end of the process does
    with pytest.raises(StoreOutage, match="No space left"):
        admitted(store, range(1))
    ballast.unlink()
    assert admitted(store, range(1000)) == 1000
    assert file.stat().st_blocks * 512 == file.stat().st_size


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return the events that were logged, each with its reason."""
    records: list[Any] = [one for one in caplog.records if hasattr(one, "event")]
    return [(record.event, record.reason) for record in records]


@pytest.mark.unmeasured
@both_adapters
def test_while_the_disk_is_full_there_is_one_outage(
    adapter: Adapter, disk: Path, path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not over when a known client is counted, nor a new one that happens to find room."""
    store = LmdbStore(path, clock=clock)
    limiter = RateLimiter("2/year", key=lambda request: request.path, store=store, workers=1)
    app = adapter.wrap(hello, limiter)
    limiter._engine.outages._clock = lambda: clock.now / SECOND
    ballast = fill(disk)
    assert adapter.drive(app, path="/known").status == 200
    for number in range(100):
        while limiter.stats().local <= number:
            assert limiter.check(f"new {clock.now}").allowed
            clock.now += 1
        clock.now += 5 * SECOND
        assert adapter.drive(app, path="/known").status == (429 if number else 200)
    stats = limiter.stats()
    assert (stats.local, stats.outages) == (100, 1)
    assert "No space left on device" in (stats.outage or "")
    ballast.unlink()
    for number in range(1000):
        assert limiter.check(f"again {number}").allowed
    clock.now += 5 * SECOND
    assert adapter.drive(app, path="/known").status == 429
    assert (limiter.stats().local, limiter.stats().outage) == (100, None)
    assert [event for event, _ in events(caplog)] == ["lost", "recovered"]
    assert "No space left on device" in events(caplog)[0][1]
    store.close()


def test_new_clients_are_counted_again_in_place_of_those_whose_buckets_are_full(
    disk: Path, open_store: OpenStore, clock: Clock
) -> None:
    """Without any more space."""
    store = open_store()
    fill(disk)
    with pytest.raises(StoreOutage):
        admitted(store, range(100_000))
    clock.now += 400 * 24 * 60 * MINUTE
    count = len(store)
    got = 0
    for key in range(100_000, 100_000 + count // 2):
        try:
            got += store.take_one(f"api:{key}", YEARLY, 1) >= 0
        except StoreOutage:
            continue
    assert got > count // 2 * 0.8


def test_processes_that_share_a_full_disk_go_on(disk: Path, path: Path) -> None:
    """None of them is killed, and all of them count new keys once there is space."""
    with workers(path, ("fill_disk", 0), ("fill_disk", 10_000_000)) as started:
        ballast = fill(disk)
        for one in started:
            one.go()
        for one in started:
            one.ready()
        ballast.unlink()
        for one in started:
            one.go()
        assert [one.result() for one in started] == ["200", "200"]
