"""Many processes on one store: each record is created once, whoever is killed, and when."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from mantlet.stores.factory import create_record_store
from tests.stores.processes import Worker, Workers
from tests.stores.redis.servers import Valkey
from tests.stores.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_workers = Workers("tests.stores.worker")
workers, together = _workers.ready, _workers.together


@pytest.fixture(params=["lmdb", "valkey"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Each store that processes share, empty."""
    if request.param == "lmdb":
        yield f"lmdb://{tmp_path}/records"
    else:
        with Valkey(tmp_path) as server:
            yield f"redis://{server.place}"


@pytest.fixture
def subject(uri: str) -> Iterator[Subject]:
    """The store, in this process."""
    with ExitStack() as stack:
        subject = Subject(create_record_store(uri, name="test"), lambda _: None)
        stack.callback(subject.run, subject.store.close)
        yield subject


@pytest.mark.parametrize("command", ["create", "create_on_a_loop"])
def test_each_record_is_created_by_one_process(uri: str, subject: Subject, command: str) -> None:
    """And all see the same one afterwards."""
    created = together(uri, *((command, 200, name) for name in "abcd"))
    assert sum(created) == 200
    values = [subject.value(b"%d" % number) for number in range(200)]
    assert [values.count(name.encode()) for name in "abcd"] == created


def test_processes_count_exactly(uri: str, subject: Subject) -> None:
    """By comparing and exchanging: no increment is lost, and none happens twice."""
    subject.create(b"count", b"0")
    together(uri, *(("count", 100),) * 4)
    assert subject.value(b"count") == b"400"


def test_a_process_may_fork(uri: str, subject: Subject) -> None:
    """With the file, or the connections, open."""
    assert together(uri, ("fork", 3, 100)) == [100]
    assert {subject.value(b"%d" % number) for number in range(100)} <= {b"child", b"parent"}


def said(worker: Worker, times: int) -> None:
    """Read some of the numbers that a worker says."""
    assert worker.process.stdout is not None
    for _ in range(times):
        assert worker.process.stdout.readline()


@pytest.mark.parametrize("after", [1, 30])
def test_a_process_that_is_killed_leaves_the_store_as_it_was_before_or_after_a_change(
    uri: str, subject: Subject, after: int
) -> None:
    """What it has said to be stored is there, and at most one change more."""
    for turn in range(3):
        with workers(uri, *(("write_forever", f"{turn} {name}") for name in "ab")) as (one, two):
            one.go()
            two.go()
            said(two, after)
            said(one, after)
            assert one.process.stdout is not None
            one.process.kill()
            rest = one.process.stdout.read().split()
            one.process.wait()
            last = int(rest[-1]) if rest else after - 1
            said(two, 5)  # the other goes on
        for number in range(last + 1):
            assert subject.value(b"%d a %d" % (turn, number)) == (b"%d" % number) * 100
        begun = subject.value(b"%d a %d" % (turn, last + 1))
        assert begun in (None, b"begun", (b"%d" % (last + 1)) * 100)
        assert subject.value(b"%d a %d" % (turn, last + 2)) is None
