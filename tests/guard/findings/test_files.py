"""The files of findings: each worker's own, whole at any time, and never in a request's way."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import stat
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import SchemaGuard
from mantlet.guard.findings import files
from mantlet.guard.findings.files import read_findings
from tests.disks import fill, small_disk
from tests.drive import WsgiAdapter, both_adapters
from tests.guard.asking import Guarded
from tests.guard.findings.test_findings import CONTRACTS, finding

if TYPE_CHECKING:
    from tests.drive import Adapter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock of one entry, for the interval between two writes."""
    now = [1000.0]
    monkeypatch.setattr(files, "monotonic", lambda: now[0])
    return now


def written(directory: Path) -> list[tuple[str, int]]:
    """Return the routes and counts in all files."""
    found = []
    for _, content in read_findings(directory):
        assert not isinstance(content, str), content
        found += [(one.operation, one.count) for one in content]
    return found


@both_adapters
def test_a_worker_writes_every_few_seconds(
    adapter: Adapter, tmp_path: Path, clock: list[float]
) -> None:
    """Once the exchange has ended; a request without a finding has those before it written."""
    app = Guarded(adapter, CONTRACTS, mode="report", findings=tmp_path)
    app.ask("GET", "/orders/7")
    assert written(tmp_path) == []
    app.ask("GET", "/none")
    assert written(tmp_path) == [("GET /none", 1)]
    app.ask("GET", "/none")
    assert written(tmp_path) == [("GET /none", 1)]
    clock[0] += 6
    app.ask("GET", "/orders/7")
    assert written(tmp_path) == [("GET /none", 2)]
    assert len(list(tmp_path.iterdir())) == 1


@both_adapters
def test_refusals_are_written_too(adapter: Adapter, tmp_path: Path) -> None:
    """With the baseline's envelope outside."""
    app = Guarded(adapter, CONTRACTS, findings=str(tmp_path), policies=[mantlet.ErrorEnvelope()])
    assert app.ask("GET", "/none").status == 404
    assert written(tmp_path) == [("GET /none", 1)]


def test_the_last_findings_are_written_at_the_end_of_the_lifespan(
    tmp_path: Path, clock: list[float]
) -> None:
    """Of an ASGI server."""
    guard = SchemaGuard(CONTRACTS, mode="report", findings=tmp_path)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while scope["type"] == "lifespan":
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def run() -> None:
        stack = mantlet.asgi.Stack(app, [guard])
        events: asyncio.Queue[Any] = asyncio.Queue()
        sent: asyncio.Queue[Any] = asyncio.Queue()
        lifespan = asyncio.create_task(stack({"type": "lifespan"}, events.get, sent.put))
        await events.put({"type": "lifespan.startup"})
        await sent.get()
        scope: Any = {"type": "http", "method": "GET", "raw_path": b"/none", "path": "/none"}
        scope |= {"query_string": b"", "headers": [], "http_version": "1.1", "root_path": ""}
        for _ in range(2):
            await stack(scope, events.get, sent.put)
        assert written(tmp_path) == [("GET /none", 1)]
        await events.put({"type": "lifespan.shutdown"})
        await lifespan

    asyncio.run(run())
    assert written(tmp_path) == [("GET /none", 2)]


PROGRAM = """
import sys, tests.drive
from tests.guard.asking import Guarded
from tests.guard.findings.test_findings import CONTRACTS
app = Guarded(tests.drive.WsgiAdapter(), CONTRACTS, mode="report", findings=sys.argv[1])
for _ in range(5):
    app.ask("GET", "/none")
"""


def test_the_last_findings_are_written_at_the_end_of_the_process(tmp_path: Path) -> None:
    """Where there is no lifespan."""
    subprocess.run([sys.executable, "-c", PROGRAM, tmp_path], check=True, timeout=60)
    assert written(tmp_path) == [("GET /none", 5)]


def test_the_last_findings_are_written_with_the_last_of_the_guard(
    tmp_path: Path, clock: list[float]
) -> None:
    """A guard that is dropped."""
    app = Guarded(WsgiAdapter(), CONTRACTS, mode="report", findings=tmp_path)
    app.ask("GET", "/none")
    app.ask("GET", "/none")
    del app
    gc.collect()
    assert written(tmp_path) == [("GET /none", 2)]


def test_forked_workers_write_files_of_their_own(tmp_path: Path) -> None:
    """Of what each has seen itself."""
    app = Guarded(WsgiAdapter(), CONTRACTS, mode="report", findings=tmp_path)
    app.ask("GET", "/before")
    for _ in range(3):
        pid = os.fork()
        if not pid:
            app.ask("GET", "/after")
            os._exit(0)
        os.waitpid(pid, 0)
    assert sorted(written(tmp_path)) == [("GET /after", 1)] * 3 + [("GET /before", 1)]
    names = {path.name.split("-")[1] for path in tmp_path.iterdir()}
    assert len(names) == 4


def test_only_the_owner_can_read_a_file(tmp_path: Path) -> None:
    """Nor can others list a directory that is made."""
    app = Guarded(WsgiAdapter(), CONTRACTS, mode="report", findings=tmp_path / "new")
    app.ask("GET", "/none")
    (path,) = (tmp_path / "new").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@both_adapters
def test_a_failure_is_logged_once_and_fails_no_request(
    adapter: Adapter, tmp_path: Path, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """The findings stay in memory, and are written once that is possible."""
    directory = tmp_path / "gone"
    app = Guarded(adapter, CONTRACTS, mode="report", findings=directory)
    directory.rmdir()
    with caplog.at_level(logging.ERROR, "mantlet.guard"):
        for _ in range(3):
            clock[0] += 6
            assert app.ask("GET", "/none").status == 200
    (record,) = caplog.records
    assert "can't be written to" in record.getMessage()
    assert app.guard.findings()[0].count == 3
    directory.mkdir()
    clock[0] += 6
    app.ask("GET", "/orders/7")
    assert written(directory) == [("GET /none", 3)]


@both_adapters
def test_a_full_disk_is_logged_once_and_so_is_its_end(
    adapter: Adapter, tmp_path: Path, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """The last file that was complete stays as it is."""
    with small_disk(tmp_path / "disk", 64 * 1024) as disk:
        app = Guarded(adapter, CONTRACTS, mode="report", findings=disk / "findings")
        app.ask("GET", "/none")
        for _ in range(2):
            ballast = fill(disk)
            for _ in range(3):
                clock[0] += 6
                assert app.ask("GET", "/none").status == 200
            (path,) = (disk / "findings").iterdir()
            assert json.loads(path.read_bytes())["version"] == 1
            ballast.unlink()
            clock[0] += 6
            app.ask("GET", "/none")
        assert written(disk / "findings") == [("GET /none", 9)]
    records = [one for one in caplog.records if "findings" in one.getMessage()]
    assert [one.levelno for one in records] == [logging.ERROR, logging.WARNING] * 2
    assert "No space left on device" in records[0].getMessage()


@pytest.mark.parametrize("content", ["file", "missing"])
def test_a_directory_that_can_not_be_is_an_error_at_once(tmp_path: Path, content: str) -> None:
    """Before any request."""
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" if content == "file" else tmp_path / "missing" / "inner"
    with pytest.raises(ValueError, match="findings must be a directory that the app can write to"):
        SchemaGuard(CONTRACTS, findings=path)


def test_something_else_is_not_a_directory() -> None:
    """It is a TypeError."""
    wrong: Any = 5
    with pytest.raises(TypeError, match="findings must be the path of a directory, not 5"):
        SchemaGuard(CONTRACTS, findings=wrong)


def test_other_files_are_told_and_skipped(tmp_path: Path) -> None:
    """Also those that are too deep for a parser."""
    good = {"version": 1, "findings": [finding().as_json()]}
    contents = {
        "guard-1-a.json": json.dumps(good),
        "guard-2-b.json": "{",
        "guard-3-c.json": "[" * 100_000,
        "guard-4-d.json": json.dumps({"version": 2, "findings": []}),
        "guard-5-e.json": json.dumps({"version": 1, "findings": [1]}),
        "guard-6-f.json": json.dumps({"version": 1}),
        "guard-7-g.json": json.dumps({"version": 1, "findings": 7}),
        "guard-8-h.json": "\udcff",
        "other.json": "{",
        ".guard-9-i.json.new": "{",
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content, errors="surrogateescape")
    (tmp_path / "guard-x.json").mkdir()
    found = {path.name: content for path, content in read_findings(tmp_path)}
    assert found.pop("guard-1-a.json") == [finding()]
    assert found.pop("guard-x.json") == "Is a directory"
    assert set(found.values()) == {"not a file of findings"}
    assert len(found) == 7


# -- many workers, one after the other ------------------------------------------------------------


def ended_workers(directory: Path, count: int, target: str = "/after") -> None:
    """Run workers that end, each with one finding."""
    app = Guarded(WsgiAdapter(), CONTRACTS, mode="report", findings=directory)
    for _ in range(count):
        pid = os.fork()
        if not pid:
            # The first request of a worker writes its file.
            app.ask("GET", target)
            os._exit(0)
        os.waitpid(pid, 0)


@pytest.mark.exhaustive
def test_files_of_ended_workers_are_added_up(tmp_path: Path) -> None:
    """However many workers a server starts; nothing is lost, or counted twice."""
    ended_workers(tmp_path, 40)
    assert len(list(tmp_path.iterdir())) <= files._MAX_ENDED + 2
    assert sum(count for _, count in written(tmp_path)) == 40
    ended_workers(tmp_path, 20, "/later")
    assert len(list(tmp_path.iterdir())) <= files._MAX_ENDED + 2
    counts: Counter[str] = Counter()
    for name, count in written(tmp_path):
        counts[name] += count
    assert counts == {"GET /after": 40, "GET /later": 20}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_the_next_worker_adds_up_the_files_of_ended_ones(tmp_path: Path) -> None:
    """Of as many as have ended, and its own file stays beside the sum."""
    ended_workers(tmp_path, 1)
    (first,) = tmp_path.iterdir()
    pid = first.name.split("-")[1]
    for number in range(files._MAX_ENDED):
        (tmp_path / f"guard-{pid}-{number:08x}.json").write_bytes(first.read_bytes())
    Guarded(WsgiAdapter(), CONTRACTS, mode="report", findings=tmp_path).ask("GET", "/later")
    assert sorted(written(tmp_path)) == [
        ("GET /after", files._MAX_ENDED + 1),
        ("GET /later", 1),
    ]
    assert {path.name.split("-")[1] for path in tmp_path.iterdir()} == {"ended", str(os.getpid())}


@pytest.mark.exhaustive
def test_a_worker_that_is_killed_while_it_adds_up_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has written the whole, and not removed the parts."""
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda *_args, **_options: None)
        ended_workers(tmp_path, 20)
        assert len(list(tmp_path.iterdir())) == 21
        assert sum(count for _, count in written(tmp_path)) == 20
    ended_workers(tmp_path, 20)
    assert len(list(tmp_path.iterdir())) <= files._MAX_ENDED + 2
    assert sum(count for _, count in written(tmp_path)) == 40


def test_files_of_other_systems_and_of_living_workers_stay(tmp_path: Path) -> None:
    """Only their own system knows whether they have ended."""
    content = {"version": 1, "findings": [finding().as_json()]}
    names = [f"guard-{os.getpid()}-0000000{number}.json" for number in range(9)]
    for name in names:
        (tmp_path / name).write_text(json.dumps({**content, "host": files._host()}))
    foreign = [f"guard-999999999{number}-00000000.json" for number in range(9)]
    for name in foreign:
        (tmp_path / name).write_text(json.dumps({**content, "host": "elsewhere"}))
    ended_workers(tmp_path, 20)
    assert {*names, *foreign} < {path.name for path in tmp_path.iterdir()}


def test_files_that_a_killed_worker_left_are_removed(tmp_path: Path) -> None:
    """Once they are old enough that nobody writes them."""
    old, new = tmp_path / ".guard-1-00000000.json.new", tmp_path / ".guard-2-00000000.json.new"
    for path in (old, new):
        path.write_text("{")
    os.utime(old, (0, 0))
    ended_workers(tmp_path, 20)
    assert not old.exists()
    assert new.exists()


def test_the_sum_is_bounded_like_the_findings_of_a_worker(tmp_path: Path) -> None:
    """Clients choose the names of undeclared paths."""
    for worker in range(20):
        found = [
            replace(finding(), operation=f"GET /{worker}-{number}", declared=False, count=3)
            for number in range(200)
        ]
        path = tmp_path / f"guard-999999999{worker:02}-00000000.json"
        content = {
            "version": 1,
            "host": files._host(),
            "findings": [one.as_json() for one in found],
        }
        path.write_text(json.dumps(content))
    ended_workers(tmp_path, 1)
    counts = written(tmp_path)
    assert len(counts) <= 303  # those of one worker, and of the last one
    assert sum(count for _, count in counts) == 20 * 200 * 3 + 1
