"""All processes and threads share one set of buckets."""

from __future__ import annotations

import sys
from threading import Barrier, Thread
from typing import TYPE_CHECKING

import pytest

from mantlet.stores.lmdb import environment
from tests.ratelimit.stores.lmdb.processes import together, workers
from tests.ratelimit.stores.lmdb.worker import BURST, YEARLY, admitted, in_child, result_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mantlet.ratelimit.stores.lmdb import LmdbStore

    OpenStore = Callable[..., LmdbStore]


def test_four_processes_on_one_key_admit_its_burst_and_not_one_more(
    path: Path, open_store: OpenStore
) -> None:
    """With stopped clocks the number is exact."""
    assert sum(together(path, *[("spend", 1, 700, BURST)] * 4)) == BURST
    assert admitted(open_store(), range(1)) == 0


def test_refusals_by_four_processes_ban_together_and_once(
    path: Path, open_store: OpenStore
) -> None:
    """The 999th of a thousand refusals, whichever process sees it; and no earlier one."""
    assert together(path, *[("strike", 250, 1001)] * 4) == [0] * 4
    assert admitted(open_store(), range(1)) == 1
    open_store().reset(["api:0"])
    assert sum(together(path, *[("strike", 250, 999)] * 4)) == 1
    assert admitted(open_store(), range(1)) == 0


def test_four_processes_on_ten_thousand_keys_admit_the_burst_of_each(path: Path) -> None:
    """Each of the four processes requests one token of each key, which has three."""
    got = together(path, *[("spend", 10_000, 1, 3)] * 4)
    assert sum(got) == 30_000


def test_what_is_taken_together_is_taken_by_one_process_at_a_time(
    path: Path, open_store: OpenStore
) -> None:
    """A token requested with the only seat is spent only by the process that gets the seat."""
    got = sum(together(path, *[("sit", 1000)] * 3))
    assert got > 0
    assert got + admitted(open_store(), range(1), BURST) == BURST


def test_processes_follow_each_other_as_the_file_grows(path: Path, open_store: OpenStore) -> None:
    """Different processes find it full, again and again, and no key is lost."""
    assert together(path, ("fill", 0, 30_000), ("fill", 30_000, 30_000)) == [30_000, 30_000]
    (file,) = path.glob("*.mdb")
    assert file.stat().st_size >= 4 << 20
    store = open_store()
    assert len(store) == 60_000
    assert store.take_one("api:59999", YEARLY, 1) == (BURST - 2) * YEARLY.interval


def test_a_process_with_a_larger_map_does_not_cut_the_file_off(
    path: Path, open_store: OpenStore
) -> None:
    """Nor does a process with a smaller map: the others would crash."""
    store = open_store()
    assert admitted(store, range(1000)) == 1000
    (file,) = path.glob("*.mdb")
    size = file.stat().st_size
    with workers(path, ("spend", 1, 1, BURST)) as (worker,):  # whose minimum file size is smaller
        worker.go()
        assert worker.result() == "1"
    assert file.stat().st_size == size == environment.MIN_SIZE
    assert file.stat().st_blocks * 512 >= size, "there may be no space for what was promised"
    assert admitted(store, range(1000, 5000)) == 4000


def test_a_process_that_forks_shares_its_buckets_with_its_children(open_store: OpenStore) -> None:
    """After using them itself; and its children with theirs."""
    store = open_store()
    before = admitted(store, range(1), 100)
    children = [in_child(store, deeper=True) for _ in range(3)]
    got = before + sum(map(result_of, children))
    assert got + admitted(store, range(1), BURST) == BURST


def test_what_is_open_is_closed_before_a_fork(open_store: OpenStore) -> None:
    """A child could neither use nor close a file that its parent had open."""
    store = open_store()
    admitted(store, range(1))
    opened = store._environment.opened
    child = in_child(store, deeper=False)
    assert store._environment.opened is not opened
    assert result_of(child) == 200


@pytest.mark.parametrize("turn", range(3))
def test_forks_in_the_middle_of_the_work_of_threads_are_exact(path: Path, turn: int) -> None:
    """Whatever the threads are doing: no child waits for them, or is affected by them."""
    assert together(path, ("fork", 3, 4)) == [BURST]


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Let the interpreter switch threads as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_switches")
def test_eight_threads_admit_exactly_the_burst(open_store: OpenStore) -> None:
    """Two stores in one process share their buckets, too."""
    stores = [open_store(), open_store()]
    counts: list[int] = []
    start = Barrier(8)

    def hammer(store: LmdbStore) -> None:
        start.wait()
        counts.append(admitted(store, range(1), 300))

    threads = [Thread(target=hammer, args=[stores[turn % 2]]) for turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == BURST


@pytest.mark.usefixtures("eager_switches")
def test_a_file_grows_under_threads(open_store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is remapped while no thread is using it."""
    monkeypatch.setattr(environment, "MIN_SIZE", 1 << 20)
    store = open_store()
    threads = [
        Thread(target=admitted, args=[store, range(turn * 8000, (turn + 1) * 8000)])
        for turn in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store) == 32_000
