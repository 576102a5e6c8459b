"""The file, and its directory."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import stat
from contextlib import contextmanager, nullcontext
from hashlib import shake_128
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import RateLimiter
from mantlet.core.lifecycle import Lifecycle
from mantlet.exceptions import StoreError, StoreOutage
from mantlet.ratelimit.stores.lmdb import LmdbStore
from mantlet.stores.lmdb import environment
from mantlet.stores.lmdb import environment as directory
from tests.ratelimit.stores.lmdb.processes import together, workers
from tests.ratelimit.stores.lmdb.worker import BURST, YEARLY, admitted
from tests.ratelimit.stores.model import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ratelimit.stores.model import Clock

    OpenStore = Callable[..., LmdbStore]

PAGE = 4096
NOBODY = 65534
FIRST, SECOND_BOOT = "0" * 8 + "-0000" * 3 + "-" + "0" * 12, "1" * 8 + "-1111" * 3 + "-" + "1" * 12


def file_in(path: Path) -> Path:
    """Return the file of a directory."""
    (file,) = path.glob("*.mdb")
    return file


def boot_as(monkeypatch: pytest.MonkeyPatch, boot: str | None) -> None:
    """Make this process see another boot of the system."""
    monkeypatch.setattr(directory, "boot_id", lambda: boot)


# -- who may do what ------------------------------------------------------------------------------


def test_the_directory_and_what_is_in_it_are_the_users_alone(
    path: Path, open_store: OpenStore
) -> None:
    """Whatever the process's umask would allow others."""
    before = os.umask(0)
    try:
        admitted(open_store(), range(1))
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(one.stat().st_mode) for one in path.iterdir()}
    assert (stat.S_IMODE(path.stat().st_mode), modes) == (0o700, {0o600})


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777], ids=oct)
def test_a_directory_that_others_may_write_to_is_refused(path: Path, mode: int) -> None:
    """They could put anything in place of the file."""
    path.mkdir()
    path.chmod(mode)
    with pytest.raises(StoreError, match=f"^lmdb://{path} can't be used: .* writable by nobody"):
        LmdbStore(path)
    assert not list(path.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused(path: Path) -> None:
    """Even for root: its contents could be a link to anywhere."""
    path.mkdir(0o700)
    os.chown(path, NOBODY, NOBODY)
    with pytest.raises(StoreError, match="must belong to the current user"):
        LmdbStore(path)


@contextmanager
def unprivileged() -> Iterator[Path]:
    """Drop root's privileges; yield a directory of the unprivileged user."""
    with TemporaryDirectory() as name:
        if root := os.geteuid() == 0:
            os.chown(name, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            if root:
                os.seteuid(0)
            Path(name).chmod(0o700)


@pytest.mark.parametrize("inside", [False, True], ids=["its parent", "the directory"])
def test_a_directory_that_can_not_be_written_to_is_an_error_when_the_store_is_made(
    inside: bool,
) -> None:
    """The message names the directory and the reason."""
    with unprivileged() as parent:
        path = parent / "limits"
        if inside:
            path.mkdir(0o500)
        else:
            parent.chmod(0o500)
        with pytest.raises(StoreError, match=f"^lmdb://{path} can't be used: .*denied"):
            LmdbStore(path)


def test_a_directory_whose_parent_is_missing_is_an_error(tmp_path: Path) -> None:
    """A misspelt path is not created."""
    with pytest.raises(
        StoreError, match=rf"its parent directory {tmp_path / 'a'} does not exist; "
    ):
        LmdbStore(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()


def test_a_file_in_the_place_of_the_directory_is_an_error(path: Path) -> None:
    """It is left alone."""
    path.write_text("mine")
    with pytest.raises(StoreError, match="Not a directory"):
        LmdbStore(path)
    assert path.read_text() == "mine"


def test_two_ways_to_one_directory_are_one_store(
    path: Path, open_store: OpenStore, clock: Clock
) -> None:
    """LMDB must not open a file twice in one process."""
    path.with_name("link").symlink_to(path)
    store = open_store()
    other = LmdbStore(path.parent / "x" / ".." / "link", clock=clock)
    assert admitted(store, range(1), BURST - 1) == BURST - 1
    assert admitted(other, range(1), 2) == 1


def test_a_link_in_the_place_of_the_file_is_not_followed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever put it there."""
    boot_as(monkeypatch, FIRST)
    target = path.with_name("target")
    path.mkdir(0o700)
    (path / f"limits-{FIRST}.mdb").symlink_to(target)
    with pytest.raises(StoreError, match="symbolic link"):
        LmdbStore(path)
    assert not target.exists()


# -- what survives what ---------------------------------------------------------------------------


def test_buckets_are_kept_while_no_process_has_them_open(path: Path, open_store: OpenStore) -> None:
    """All workers may be restarted at once."""
    assert together(path, ("spend", 1, 700, BURST), ("spend", 1, 100, BURST)) == [700, 100]
    assert admitted(open_store(), range(1), BURST) == BURST - 800


def test_another_boot_of_the_system_starts_with_full_buckets(
    path: Path, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clock starts anew, too. The files of the previous boot are removed, and nothing else."""
    boot_as(monkeypatch, FIRST)
    store = open_store()
    assert admitted(store, range(1), BURST) == BURST
    left = file_in(path)
    store.close()
    others = {path / "limits-x.mdb", path / "limits.mdb.old", path / f"limits-{FIRST}.mdb.old"}
    for other in others:
        other.touch()
    (link := path / f"limits-{'2' * 8}{FIRST[8:]}.mdb").symlink_to(path / "limits-x.mdb")
    store._environment._close_fd()  # as the end of the process does
    boot_as(monkeypatch, SECOND_BOOT)
    assert admitted(open_store(), range(1), BURST) == BURST
    new = path / f"limits-{SECOND_BOOT}.mdb"
    assert set(path.iterdir()) == {new, new.with_name(new.name + "-lock"), link, *others}
    assert left != new


def test_a_file_that_is_in_use_is_not_removed_by_a_process_that_sees_another_boot(
    path: Path, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two virtual machines on one directory share no buckets, but do not interfere."""
    with workers(path, ("stay_open",)) as (worker,):
        boot_as(monkeypatch, SECOND_BOOT)
        assert admitted(open_store(), range(1)) == 1
        assert len(list(path.glob("*.mdb"))) == 2
        worker.go()
        assert worker.result() == "1"


def test_where_boots_are_not_told_apart_buckets_are_kept_while_a_process_has_them(
    path: Path, open_store: OpenStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process can have had them open since before the boot."""
    boot_as(monkeypatch, None)
    store = open_store()
    assert admitted(store, range(1), BURST) == BURST
    assert file_in(path).name == "limits.mdb"
    store.close()
    assert admitted(store, range(1)) == 0
    store._environment._close_fd()  # as the end of the process does
    store.close()
    assert admitted(store, range(1)) == 1


def test_the_boot_id_is_that_of_linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If the file is missing or malformed, there is no identifier."""
    if Path("/proc/sys/kernel/random/boot_id").exists():
        assert re.fullmatch("[0-9a-f-]{36}", directory.boot_id() or "")
    for said in (None, b"", b"../../x", b"\xff", FIRST.encode() + b"0"):
        file = tmp_path / "boot_id"
        if said is not None:
            file.write_bytes(said)
        monkeypatch.setattr(directory, "Path", lambda _, file=file: file)
        assert directory.boot_id() is None
    file.write_text(FIRST + "\n")
    assert directory.boot_id() == FIRST


# -- damage ---------------------------------------------------------------------------------------


def shake(size: int) -> bytes:
    """Return this many bytes of noise, the same each time."""
    return shake_128(b"noise").digest(size)


def cut_off(data: bytes) -> bytes:
    """Return a truncated file."""
    return data[: 20 * PAGE]


def blank(data: bytes) -> bytes:
    """Return the file with all pages zeroed except for the two meta pages."""
    return data[: 2 * PAGE] + bytes(len(data) - 2 * PAGE)


def noise(data: bytes) -> bytes:
    """Return the file with noise in all pages except for the two meta pages."""
    return data[: 2 * PAGE] + shake(len(data) - 2 * PAGE)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda data: shake(len(data)),
    "another format": lambda data: b"SQLite format 3\0" + data,
    "a few bytes": lambda data: data[:10],
    "one page": lambda data: data[:PAGE],
    "only the heads": lambda data: data[: 2 * PAGE],
    "cut off": cut_off,
    "blank pages": blank,
    "noise": noise,
}


@pytest.mark.few_cases(4)
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_set_aside_and_reported_and_counting_starts_anew(
    path: Path,
    open_store: OpenStore,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[bytes], bytes],
) -> None:
    """Once, with a warning that names the file."""
    store = open_store()
    admitted(store, range(5000))
    store.close()
    file = file_in(path)
    damaged = damage(file.read_bytes())
    file.write_bytes(damaged)
    with caplog.at_level(logging.WARNING, "mantlet.ratelimit"):
        again = open_store()
        assert admitted(again, range(5000)) == 5000
        assert admitted(again, range(5000)) == 5000
    (record,) = caplog.records
    broken = path / "limits.broken"
    assert record.getMessage().endswith(f"their file was damaged and is now {broken}")
    assert broken.read_bytes()[: 2 * PAGE] == damaged[: 2 * PAGE]
    assert len(again) == 5000


def test_a_file_that_is_damaged_while_it_is_used_is_set_aside_by_all_who_use_it(
    path: Path, open_store: OpenStore
) -> None:
    """Only one of them moves it; all go on with the same new file."""
    with workers(path, ("stay_open",)) as (worker,):
        store = open_store()
        admitted(store, range(5000))
        with file_in(path).open("r+b") as file:
            file.seek(2 * PAGE)
            file.write(bytes(200 * PAGE))
        assert store.take_one("api:0", YEARLY, 1) == (BURST - 1) * YEARLY.interval
        worker.go()
        assert worker.result() == "1"
        assert store.take_one("api:0", YEARLY, 1) == (BURST - 3) * YEARLY.interval


@pytest.mark.parametrize("was_used", [True, False])
def test_an_empty_file_is_a_new_one(
    path: Path, open_store: OpenStore, caplog: pytest.LogCaptureFixture, *, was_used: bool
) -> None:
    """Somebody has emptied it, which is a reset, or a process was killed just after creating it."""
    open_store()
    file = file_in(path)
    file.write_bytes(b"")
    if not was_used:
        environment.lock_path(file).unlink()
    store = open_store()
    assert admitted(store, range(1), BURST) == BURST
    records: list[Any] = caplog.records
    expected = [f"their file {file} was emptied or removed"] if was_used else []
    assert [one.reason for one in records if one.event == "reset"] == expected
    assert len(records) == len(expected)


def test_noise_in_the_locks_of_a_file_is_not_heeded(path: Path, open_store: OpenStore) -> None:
    """The lock file is meaningless while no process has the file open."""
    open_store()
    (locks,) = path.glob("*-lock")
    locks.write_bytes(shake(locks.stat().st_size))
    assert admitted(open_store(), range(1), BURST) == BURST


@pytest.mark.parametrize("all_of_it", [False, True], ids=["the file", "the directory"])
def test_a_file_that_is_removed_while_it_is_used_is_missed_within_a_second(
    path: Path, open_store: OpenStore, clock: Clock, all_of_it: bool
) -> None:
    """None of the processes that use it goes on counting by itself."""
    with workers(path, ("stay_open",)) as (worker,):
        store = open_store()
        admitted(store, range(1))
        for one in list(path.iterdir()):
            one.unlink()
        if all_of_it:
            path.rmdir()
        clock.now += SECOND
        assert store.take_one("api:0", YEARLY, 1) == (BURST - 1) * YEARLY.interval
        worker.go()
        assert worker.result() == "1"
        assert store.take_one("api:0", YEARLY, 1) == (BURST - 3) * YEARLY.interval


# -- space ----------------------------------------------------------------------------------------


def test_where_there_is_no_space_left_new_keys_are_an_outage_and_known_ones_are_counted(
    path: Path,
) -> None:
    """Writing to a page without disk space kills a process, so space is reserved first."""
    assert together(path, ("run_out_of_space",)) == [200]


def test_where_there_is_no_space_for_a_file_there_is_no_store(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no file is left behind."""

    def allocate(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "posix_fallocate", allocate)
    with pytest.raises(StoreError, match="No space left"):
        LmdbStore(path)
    assert not list(path.iterdir())


def test_where_space_can_not_be_set_aside_it_is_taken_as_it_is_needed(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every file system can reserve space."""

    def allocate(*_: object) -> None:
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr(os, "posix_fallocate", allocate)
    monkeypatch.setattr(environment, "MIN_SIZE", 1 << 20)
    assert admitted(open_store(), range(20_000)) == 20_000


def test_what_can_not_be_opened_later_is_an_outage(path: Path, open_store: OpenStore) -> None:
    """It may be fixed while the app runs."""
    store = open_store()
    path.chmod(0o777)
    with pytest.raises(StoreOutage, match=r"can't be used: .* must belong"):
        store.take_one("api:0", YEARLY, 1)
    path.chmod(0o700)
    assert admitted(store, range(1)) == 1


# -- how it is closed -----------------------------------------------------------------------------


def test_the_file_is_closed_when_the_limiter_stops(path: Path) -> None:
    """As a server stops its app; a later request opens it again."""
    limiter = RateLimiter("100/minute", store=f"lmdb://{path}")
    shared = limiter._engine.store._environment  # type: ignore[attr-defined]  # an LmdbStore
    for _ in range(2):
        assert limiter.check("key").allowed
        assert shared.opened is not None
        asyncio.run(Lifecycle([limiter], nullcontext).stop())
        assert shared.opened is None
