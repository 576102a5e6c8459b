"""Records in the memory of one process: bounded, and never dropped before their time."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from mantlet import StoreOutage
from mantlet.stores.factory import create_record_store
from mantlet.stores.memory import MemoryRecords
from mantlet.stores.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records(clock: Clock) -> MemoryRecords:
    return MemoryRecords(max_bytes=64 * 1024, clock=clock)


def test_a_record_is_created_once(records: MemoryRecords, clock: Clock) -> None:
    """Whoever comes second gets the first one, with its age."""
    assert records.create(b"key", b"first", 60) is None
    clock.now += 7
    assert records.create(b"key", b"second", 60) == Record(b"first", 7)


def test_a_record_is_replaced_by_whoever_knows_it(records: MemoryRecords, clock: Clock) -> None:
    """Its age and its time begin anew."""
    records.create(b"key", b"old", 60)
    clock.now += 50
    assert not records.replace(b"key", b"other", b"new", 60)
    assert records.replace(b"key", b"old", b"new", 60)
    clock.now += 50
    assert records.create(b"key", b"third", 60) == Record(b"new", 50)
    clock.now += 10
    assert not records.replace(b"key", b"new", b"newer", 60)


def test_a_record_is_deleted_by_whoever_knows_it(records: MemoryRecords) -> None:
    """And by nobody else."""
    records.create(b"key", b"old", 60)
    assert not records.delete(b"key", b"other")
    assert records.delete(b"key", b"old")
    assert not records.delete(b"key", b"old")
    assert records.create(b"key", b"new", 60) is None


def test_a_record_expires(records: MemoryRecords, clock: Clock) -> None:
    """At its own time, whatever the order they came in."""
    records.create(b"long", b"1", 60)
    records.create(b"short", b"1", 10)
    clock.now += 10
    assert records.create(b"short", b"2", 10) is None
    assert records.create(b"long", b"2", 60) == Record(b"1", 10)


def test_a_full_store_drops_no_record(records: MemoryRecords, clock: Clock) -> None:
    """It refuses new ones until others have expired."""
    stored = 0
    with pytest.raises(StoreOutage, match="in use"):
        while True:
            records.create(b"%d" % stored, bytes(1000), 60)
            stored += 1
    assert 30 < stored <= 64
    assert all(records.create(b"%d" % n, b"", 60) is not None for n in range(stored))
    with pytest.raises(StoreOutage):
        records.replace(b"1", bytes(1000), bytes(9000), 60)
    clock.now += 60
    assert records.create(b"new", bytes(1000), 60) is None


@pytest.mark.parametrize("change", ["delete", "replace"])
def test_what_has_gone_takes_no_memory(records: MemoryRecords, change: str) -> None:
    """However many records have been replaced or deleted before their time."""
    for _ in range(10_000):
        records.create(b"key", b"value", 3600)
        if change == "delete":
            assert records.delete(b"key", b"value")
        else:
            assert records.replace(b"key", b"value", b"value", 3600)
    assert sys.getsizeof(records._expiries) < 4096


def test_threads_create_a_record_once(records: MemoryRecords) -> None:
    """Of many at once, exactly one."""
    barrier = threading.Barrier(16)
    created = []

    def create() -> None:
        barrier.wait()
        if records.create(b"key", b"value", 60) is None:
            created.append(1)

    threads = [threading.Thread(target=create) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert created == [1]


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: MemoryRecords(max_bytes=1), ValueError),
        (lambda: MemoryRecords(max_bytes=1e6), TypeError),  # type: ignore[arg-type]
        (lambda: MemoryRecords(clock=7), TypeError),  # type: ignore[arg-type]
        (lambda: create_record_store("file:///x", name="test"), ValueError),
        (lambda: create_record_store("memory", name="test"), ValueError),
    ],
    ids=["small", "float", "clock", "scheme", "no-scheme"],
)
def test_a_wrong_option_is_an_error(make: Callable[[], object], error: type[Exception]) -> None:
    """At construction."""
    with pytest.raises(error):
        make()


def test_a_uri_shows_no_password() -> None:
    """In the error of one that is not understood."""
    with pytest.raises(ValueError, match="store must be a URI") as raised:
        create_record_store("mysql://user:hunter2@host/db", name="test")
    assert "hunter2" not in str(raised.value)


def test_workers_are_warned_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since each of them has its own."""
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    monkeypatch.setattr(sys, "argv", ["app.py"])
    with pytest.warns(UserWarning, match="each of 4 workers has records of its own"):
        create_record_store("memory://", name="test")
