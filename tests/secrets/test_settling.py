"""Files that have just changed: several that belong together, and changes of the same time."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest

from mantlet.secrets import DotEnv, Environment, Secret, SecretFiles, SecretLoader, SecretModel
from mantlet.secrets.resolve import SourceReader
from mantlet.secrets.sources import SecretField, SecretSource, SystemdCredentials
from mantlet.secrets.sources import read as reading
from tests.secrets.sources.test_local import mount, write

OLD, NEW = "old-kR7-vT2_qX9.mB4w", "new-kR7-vT2_qX9.mB4w"
NOTE = "only change together for certain if their directory is swapped"


class Login(SecretModel):
    user: Secret[str]
    password: Secret[str]


class Clock:
    """The clock of a loader, and the seconds that the files seem to be older than they are."""

    now = age = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(reading, "time", lambda: time.time() + clock.age)
    return clock


def separate(folder: Path) -> SecretSource:
    """Return the files of a directory."""
    return SecretFiles(folder)


def named(folder: Path) -> SecretSource:
    """Return files that variables name."""
    environ = {"USER_FILE": str(folder / "user"), "PASSWORD_FILE": str(folder / "password")}
    return Environment(environ)


SOURCES = pytest.mark.parametrize("source", [separate, named])


def put(folder: Path, name: str, value: str) -> None:
    """Replace a file."""
    write(folder / "new", value).rename(folder / name)


def pair(loader: SecretLoader[Login]) -> set[str]:
    """Return the first letters of both secrets."""
    current = loader.current
    return {one.reveal()[:3] for one in (current.user, current.password)}


@SOURCES
def test_files_that_are_replaced_one_by_one_change_together(
    source: Callable[[Path], SecretSource], tmp_path: Path, clock: Clock
) -> None:
    """Polls between the two see the old state; the new one is read once no file is fresh."""
    put(tmp_path, "user", OLD)
    put(tmp_path, "password", OLD)
    loader = SecretLoader(Login, sources=[source(tmp_path)], poll_interval=10, clock=clock)
    put(tmp_path, "user", NEW)
    clock.now = 20
    assert pair(loader) == {"old"}
    put(tmp_path, "password", NEW)
    clock.now = 21.9
    assert pair(loader) == {"old"}
    clock.now = 22
    clock.age = 2
    assert pair(loader) == {"new"}


def test_no_reader_sees_one_of_two_files(tmp_path: Path) -> None:
    """While another thread replaces both again and again, with a pause between them."""
    settling = 0.5
    gaps: dict[str, float] = {}
    done = Event()

    def rotate() -> None:
        for generation in range(5):
            value = f"v{generation}-kR7vT2qX9mB4w"
            began = time.time()
            put(tmp_path, "user", value)
            time.sleep(0.05)
            put(tmp_path, "password", value)
            gaps[value] = time.time() - began
            time.sleep(2 * settling)
        done.set()

    put(tmp_path, "user", OLD)
    put(tmp_path, "password", OLD)
    reader = SourceReader(SecretFiles(tmp_path), time.monotonic, settling)
    fields = [SecretField(name, name.upper(), name, "") for name in ("user", "password")]
    seen: list[tuple[Any, ...]] = []
    reader.read(fields, refresh=True)
    writer = Thread(target=rotate)
    writer.start()
    while not done.wait(0.002):
        if reader.has_changed():
            found: Any = reader.read(fields, refresh=False)
            seen.append(tuple(found[field.name].raw.decode() for field in fields))
    writer.join()
    # On a machine that stood still for so long, nothing can be told.
    slow = {value for value, gap in gaps.items() if gap > settling / 2}
    judged = [both for both in seen if not slow & {*both}]
    assert len(slow) < len(gaps)
    assert all(user == password for user, password in judged)
    assert len(set(judged)) > 1


def test_a_directory_that_is_swapped_is_read_at_once(tmp_path: Path, clock: Clock) -> None:
    """As Kubernetes does: its files are certain to belong together."""
    mount(tmp_path, "1", user=OLD, password=OLD)
    loader = SecretLoader(Login, sources=[SecretFiles(tmp_path)], poll_interval=10, clock=clock)
    mount(tmp_path, "2", user=NEW, password=NEW)
    clock.now = 10
    assert pair(loader) == {"new"}


def test_a_file_that_is_being_written_is_no_error(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The loader polls between the two steps of an editor, and again two seconds later."""
    file = write(tmp_path / ".env", f"USER={OLD}\nPASSWORD={OLD}\n")
    loader = SecretLoader(Login, sources=[DotEnv(file)], poll_interval=10, clock=clock)
    file.write_text(f"USER={NEW}\n")
    clock.now = 20
    assert pair(loader) == {"old"}
    file.write_text(f"USER={NEW}\nPASSWORD={NEW}\n")
    clock.now = 22
    clock.age = 2
    assert pair(loader) == {"new"}
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []


def test_files_that_never_settle_are_read_nevertheless(tmp_path: Path, clock: Clock) -> None:
    """After ten seconds, such as in a directory where others create files all the time."""
    put(tmp_path, "user", OLD)
    put(tmp_path, "password", OLD)
    loader = SecretLoader(Login, sources=[SecretFiles(tmp_path)], poll_interval=10, clock=clock)
    found = []
    for name in ("user", "password"):
        put(tmp_path, name, NEW)
    for clock.now in range(20, 33, 2):
        (tmp_path / "heartbeat").write_text(str(clock.now))
        found.append(pair(loader) == {"new"})
    assert found == [False] * 5 + [True] * 2


def test_reload_does_not_wait(tmp_path: Path) -> None:
    """Whoever calls it has replaced the files."""
    put(tmp_path, "user", OLD)
    put(tmp_path, "password", OLD)
    loader = SecretLoader(Login, sources=[SecretFiles(tmp_path)])
    put(tmp_path, "user", NEW)
    put(tmp_path, "password", NEW)
    assert loader.reload() == {"user", "password"}
    assert pair(loader) == {"new"}


@SOURCES
def test_a_change_with_the_time_of_the_one_before_is_seen(
    source: Callable[[Path], SecretSource],
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same file of the same size, in a file system whose clock has not advanced."""
    stands_still = 1_800_000_000
    real = os.fstat

    def fstat(file: int) -> Any:
        status = real(file)
        names = ("st_dev", "st_ino", "st_mode", "st_nlink", "st_uid", "st_gid", "st_size")
        times = dict.fromkeys(("st_mtime", "st_ctime"), stands_still)
        in_nanoseconds = dict.fromkeys(("st_mtime_ns", "st_ctime_ns"), stands_still * 10**9)
        kept = {name: getattr(status, name) for name in names}
        return SimpleNamespace(**kept, **times, **in_nanoseconds)

    put(tmp_path, "user", OLD)
    put(tmp_path, "password", OLD)
    monkeypatch.setattr(os, "fstat", fstat)
    monkeypatch.setattr(reading, "time", lambda: stands_still + clock.age)
    clock.age = 1
    loader = SecretLoader(Login, sources=[source(tmp_path)], poll_interval=10, clock=clock)
    for name in ("user", "password"):
        (tmp_path / name).write_text(NEW)
    clock.now = clock.age = 2
    assert pair(loader) == {"new"}


def test_files_that_have_settled_are_not_read_again(tmp_path: Path, clock: Clock) -> None:
    """Two seconds after a change they are read once more, and then no more."""
    readings = []

    class Counted(SecretFiles):
        def read(self, fields: Any) -> Any:
            """Count the calls."""
            readings.append(clock.now)
            return super().read(fields)

    put(tmp_path, "user", OLD)
    put(tmp_path, "password", OLD)
    loader = SecretLoader(Login, sources=[Counted(tmp_path)], poll_interval=10, clock=clock)
    for now in range(1, 60):
        clock.now = clock.age = now
        assert pair(loader) == {"old"}
    assert readings == [0, 2]


def test_the_report_says_which_files_may_not_change_together(tmp_path: Path) -> None:
    """Several plain files; but not one alone, nor those that are swapped together."""

    def notes(source: SecretSource) -> list[bool]:
        loader = SecretLoader(Login, sources=[source, Environment({"PASSWORD": OLD})])
        return [NOTE in (status.note or "") for status in loader.report]

    put(tmp_path / "one", "user", OLD)
    assert notes(SecretFiles(tmp_path / "one")) == [False, False]
    put(tmp_path / "two", "user", OLD)
    put(tmp_path / "two", "password", OLD)
    assert notes(SecretFiles(tmp_path / "two")) == [True, True]
    assert notes(named(tmp_path / "two")) == [True, True]
    assert notes(SystemdCredentials(tmp_path / "two")) == [False, False]
    mount(tmp_path / "swapped", "1", user=OLD, password=OLD)
    assert notes(SecretFiles(tmp_path / "swapped")) == [False, False]
