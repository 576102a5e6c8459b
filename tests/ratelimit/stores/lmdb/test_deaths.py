"""A process that is stopped or killed, at any point, leaves the others unaffected."""

from __future__ import annotations

import os
import signal
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.stores.base import SlotRequest
from mantlet.stores.lmdb import environment
from tests.ratelimit.stores.lmdb.processes import workers
from tests.ratelimit.stores.lmdb.worker import BURST, YEARLY, admitted
from tests.ratelimit.stores.model import MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mantlet.ratelimit.stores.lmdb import LmdbStore
    from tests.ratelimit.stores.model import Clock

    OpenStore = Callable[..., LmdbStore]


def test_what_a_process_had_not_committed_when_it_was_killed_is_not_there(
    path: Path, open_store: OpenStore
) -> None:
    """Others go on, with the buckets as they were before."""
    store = open_store()
    admitted(store, range(1))
    with workers(path, ("stay_inside",)) as (worker,):
        rooms: list[int] = []
        waiting = Thread(target=lambda: rooms.append(store.take_one("api:0", YEARLY, 1)))
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive(), "two were in a transaction at once"
        worker.kill()
        waiting.join()
    assert rooms == [(BURST - 2) * YEARLY.interval]
    assert len(store) == 1


def test_a_process_that_is_killed_again_and_again_does_no_harm(
    path: Path, open_store: OpenStore
) -> None:
    """Each time the bucket goes on from its last committed state."""
    for turn in range(1, 4):
        with workers(path, ("stay_inside",)) as (worker,):
            worker.kill()
        store = open_store()
        assert store.take_one("api:0", YEARLY, 1) == (BURST - turn) * YEARLY.interval
        assert len(store) == 1


def test_others_wait_for_a_process_that_is_stopped_and_go_on_when_it_does(
    path: Path, open_store: OpenStore
) -> None:
    """Its operations after that count as well."""
    store = open_store()
    with workers(path, ("stay_inside",)) as (worker,):
        worker.process.send_signal(signal.SIGSTOP)
        waiting = Thread(target=admitted, args=[store, range(1)])
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
        worker.go()
        worker.process.send_signal(signal.SIGCONT)
        waiting.join(120)
        assert not waiting.is_alive()
        assert worker.result() == "None"


def test_the_slot_of_a_process_that_was_killed_is_free_when_its_lease_has_ended(
    path: Path, open_store: OpenStore, clock: Clock
) -> None:
    """And not before."""
    with workers(path, ("stay_seated",)) as (worker,):
        worker.kill()
    store, place = open_store(), SlotRequest("seats:0", 1, MINUTE, "1" * 16)
    clock.now += MINUTE - 1
    assert store.take((place,)) == [-1]
    clock.now += 1
    assert store.take((place,)) == [0]


def test_a_process_that_was_killed_holding_the_directory_keeps_nobody_out(
    path: Path, open_store: OpenStore
) -> None:
    """Others may be waiting for the lock."""
    with workers(path, ("stay_in_the_directory",)) as (worker,):
        waiting = Thread(target=open_store)
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive(), "two were in the gate at once"
        worker.kill()
        waiting.join(120)
        assert not waiting.is_alive()


def test_a_reader_that_was_killed_does_not_make_the_file_grow(
    path: Path, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages that it was reading are reused as soon as they are needed."""
    monkeypatch.setattr(environment, "MIN_SIZE", 1 << 20)
    with workers(path, ("stay_reading",)) as (worker,):
        store = open_store()
        assert admitted(store, range(1)) == 1
        worker.kill()
        assert admitted(store, range(1), BURST) == BURST - 2
    (file,) = path.glob("*.mdb")
    assert file.stat().st_size == 1 << 20


def test_a_reader_that_lives_may_fill_the_file_but_not_the_disk(
    path: Path, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is an outage until it ends."""
    monkeypatch.setattr(environment, "MIN_SIZE", 1 << 20)
    with workers(path, ("stay_reading",)) as (worker,):
        store = open_store(max_keys=1000)
        with pytest.raises(StoreOutage, match="reached its maximum size"):
            admitted(store, range(1), BURST)
        (file,) = path.glob("*.mdb")
        assert file.stat().st_size == 1 << 20
        worker.go()
        assert worker.result() == "None"
        assert admitted(store, range(1)) == 1


@pytest.mark.skipif(not hasattr(signal, "SIGBUS"), reason="there is no such signal")
def test_a_file_that_is_truncated_while_it_is_used_kills_its_processes_and_is_a_reset(
    path: Path, open_store: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The only trace of it that the next process can leave."""
    with workers(path, ("stay_open",)) as (worker,):
        (file,) = path.glob("*.mdb")
        os.truncate(file, 0)
        worker.go()
        assert worker.process.wait(120) == -signal.SIGBUS
    store = open_store()
    assert admitted(store, range(1), BURST) == BURST
    assert f"Rate limits were reset: their file {file} was emptied or removed" in caplog.text
