"""Records in a file: its clock, its size, its permissions, and what is lost with it."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.exceptions import StoreError, StoreOutage
from mantlet.ratelimit.stores.lmdb import LmdbStore
from mantlet.stores.factory import create_record_store
from mantlet.stores.lmdb import LmdbRecords, environment
from mantlet.stores.lmdb.records import host_time
from tests.disks import fill, small_disk
from tests.stores.clocks import HostClock
from tests.stores.processes import Workers
from tests.stores.quick_disk import quick_directory
from tests.stores.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    OpenStore = Callable[..., Subject]

DAY = 86_400.0
MIB = 1 << 20
workers = Workers("tests.stores.worker").ready


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "MIN_SIZE", MIB)
    monkeypatch.setattr("mantlet.stores.lmdb.records.MIN_SIZE", MIB)


@pytest.fixture
def path() -> Iterator[Path]:
    """The path of a directory that does not exist yet."""
    with quick_directory() as directory:
        yield directory / "records"


@pytest.fixture
def clock() -> HostClock:
    """The clocks of the host."""
    return HostClock()


@pytest.fixture
def open_store(path: Path, clock: HostClock) -> Iterator[OpenStore]:
    """What opens a store on that directory."""
    opened: list[Subject] = []

    def open_store(**options: Any) -> Subject:
        store = LmdbRecords(path, **{"clock": clock, **options})
        store.open()
        opened.append(Subject(store, clock.advance))
        return opened[-1]

    yield open_store
    for subject in opened:
        subject.run(subject.store.close)


def file_in(path: Path) -> Path:
    """Return the file of a directory."""
    (file,) = path.glob("*.mdb")
    return file


# -- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-100 * DAY, -60, 60, 100 * DAY])
def test_a_system_time_that_is_set_changes_nothing(
    open_store: OpenStore, clock: HostClock, seconds: float
) -> None:
    """A key in flight is neither freed early nor kept for longer."""
    store = open_store()
    store.create(b"key", b"in flight", 100)
    clock.advance(30)
    clock.set_back(seconds)
    assert store.age(b"key") == 30
    clock.advance(69)
    assert store.age(b"key") == 99
    clock.advance(1)
    assert store.value(b"key") is None


def test_records_survive_a_reboot(open_store: OpenStore, clock: HostClock) -> None:
    """They go on ageing by the system time."""
    store = open_store()
    store.create(b"key", b"value", DAY)
    clock.advance(100)
    store.run(store.store.close)
    clock.reboot(3600, up=20)
    again = open_store()
    # The clock of the file was last set when the record was stored.
    assert again.age(b"key") == 100 + 3600 + 20
    clock.advance(DAY - 3721)
    assert again.value(b"key") == b"value"
    clock.advance(1)
    assert again.value(b"key") is None


@pytest.mark.parametrize("years", [1, 50])
def test_a_system_time_that_a_reboot_sets_back_does_not_keep_records_for_ever(
    open_store: OpenStore, clock: HostClock, years: int
) -> None:
    """As that of a computer without a battery, until it hears of the right one."""
    store = open_store()
    store.create(b"key", b"value", 100)
    clock.reboot(60, up=10)
    clock.set_back(years * 365 * DAY)
    again = open_store()
    assert again.age(b"key") == 10
    clock.set_back(-years * 365 * DAY)
    assert again.age(b"key") == 10
    clock.advance(90)
    assert again.value(b"key") is None


def test_a_system_time_that_is_set_between_reboots_counts_once(
    open_store: OpenStore, clock: HostClock
) -> None:
    """As the file's clock is set with each change, that of years ago does not matter."""
    store = open_store()
    clock.set_back(-50 * 365 * DAY)
    store.create(b"key", b"value", 1000)
    clock.reboot(60, up=10)
    assert open_store().age(b"key") == 70


def test_where_boots_are_not_told_apart_the_system_time_is_used(
    open_store: OpenStore, clock: HostClock
) -> None:
    """It stops while it is set back, and goes on from there."""
    clock.has_boots = False
    store = open_store()
    store.create(b"key", b"value", 100)
    clock.advance(30)
    assert store.age(b"key") == 30
    clock.set_back(1000)
    assert store.age(b"key") == 0
    store.create(b"other", b"", 10)
    clock.advance(99)
    assert store.value(b"key") == b"value"
    clock.advance(1)
    assert store.value(b"key") is None


@given(steps=st.lists(st.tuples(st.sampled_from(["pass", "set", "boot"]), st.integers(0, 10**6))))
def test_the_clock_of_the_file_never_goes_back(steps: list[tuple[str, int]]) -> None:
    """While the system is up it goes as time does; a boot takes as long as the system time says."""
    host = HostClock()
    with quick_directory() as directory:
        records = LmdbRecords(directory / "records", clock=host)
        store = Subject(records, host.advance)
        store.create(b"key", b"value", 10**9)
        age = 0.0
        for action, seconds in steps:
            if action == "pass":
                host.advance(seconds)
                age += seconds
            elif action == "set":
                host.set_back(seconds - 500_000)
            else:
                # A change sets the file's clock, and so does the start of an app.
                records.open()
                host.reboot(seconds, up=7)
                records.open()
                age += seconds + 7
            assert store.age(b"key") == pytest.approx(age, abs=1e-6)
        records.close()


def test_the_moment_is_that_of_the_host() -> None:
    """Its boot has an id on Linux, and its clocks go forward."""
    first, second = host_time(), host_time()
    assert first.boot == second.boot
    assert len(first.boot) in (0, 16)
    assert first.since_boot <= second.since_boot
    assert second.system > 1_700_000_000 * 10**9


# -- size -----------------------------------------------------------------------------------------


def filled(store: Subject, size: int, seconds: float, first: int = 0) -> int:
    """Create records until there is no room; return how many."""
    for number in range(first, first + 100_000):
        try:
            store.create(b"%d" % number, bytes(size), seconds)
        except StoreOutage:
            return number - first
    raise AssertionError("it has no bound")


@pytest.mark.parametrize("size", [10, 1000, 3000, 50_000])
def test_a_full_store_is_an_outage_and_drops_no_record(
    path: Path, open_store: OpenStore, size: int
) -> None:
    """The file has at most as many bytes as allowed, and those that exist are still found."""
    store = open_store(max_bytes=3 * MIB)
    count = filled(store, size, 1000)
    assert file_in(path).stat().st_size == 2 * MIB
    assert count * size > (0.5 if size >= 1000 else 0.01) * MIB
    for number in range(count):
        found = store.create(b"%d" % number, b"", 1)
        assert found is not None
        assert found.value == bytes(size)
    with pytest.raises(StoreOutage, match="reached its maximum size"):
        store.replace(b"0", bytes(size), bytes(2 * MIB))
    assert store.value(b"0") == bytes(size)
    assert store.delete(b"0", bytes(size))
    assert store.create(b"0", bytes(size)) is None


def test_a_full_store_changes_records_that_need_no_more(open_store: OpenStore) -> None:
    """All of them, so the ends of requests are stored."""
    store = open_store(max_bytes=MIB)
    count = filled(store, 50, 1000)
    for number in range(count):
        assert store.replace(b"%d" % number, bytes(50), b"x" * 50)
    assert store.delete(b"0", b"x" * 50)


@pytest.mark.parametrize("size", [10, 3000, 50_000])
def test_records_that_have_expired_make_room_for_others(
    path: Path, open_store: OpenStore, clock: HostClock, size: int
) -> None:
    """As much as they took, again and again."""
    store = open_store(max_bytes=MIB)
    count = filled(store, size, 100)
    for turn in range(1, 4):
        clock.advance(100)
        assert filled(store, size, 100, turn * 100_000) >= count * 0.9 - 1
    assert file_in(path).stat().st_size == MIB


def test_expired_records_are_removed_as_others_are_added(
    path: Path, open_store: OpenStore, clock: HostClock
) -> None:
    """So a file does not grow because of keys that nobody uses any more."""
    store = open_store()
    for number in range(3000):
        clock.advance(1)
        store.create(b"%d" % number, bytes(1000), 100)
    assert file_in(path).stat().st_size == MIB


def test_what_is_removed_is_accounted_for(
    open_store: OpenStore, clock: HostClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever has become of it."""
    store = open_store()
    records: Any = store.store
    for number in range(50):
        key = b"%d" % number
        store.create(key, bytes(number * 100), 10)
        if number % 3:
            store.replace(key, bytes(number * 100), bytes(5000 - number), 20)
        if number % 5 == 0:
            store.delete(key, bytes(5000 - number) if number % 3 else bytes(number * 100))
    clock.advance(30)
    for number in range(50, 70):
        store.create(b"%d" % number, b"", 5)
        clock.advance(5)
    store.create(b"last", b"", 5)
    state, keys = records._run(
        lambda transaction: (records._state(transaction), len(list(transaction.cursor()))),
        write=False,
    )
    assert keys == 3, "the state, and one record with its end"
    assert state.used == 512


def test_a_full_disk_is_an_outage(tmp_path: Path, clock: HostClock) -> None:
    """Records that exist are found, and new ones stored once there is space."""
    with small_disk(tmp_path / "disk", 3 * MIB) as disk:
        store = Subject(LmdbRecords(disk / "records", clock=clock), clock.advance)
        ballast = fill(disk)
        count = filled(store, 1000, 100)
        assert count > 100
        assert store.value(b"0") == bytes(1000)
        with pytest.raises(StoreOutage, match="No space left"):
            store.create(b"new", bytes(1000))
        clock.advance(100)
        assert store.create(b"expired others", bytes(1000)) is None
        filled(store, 1000, 100, 100_000)
        ballast.unlink()
        assert store.create(b"new", bytes(1000)) is None
        store.run(store.store.close)


# -- who may do what ------------------------------------------------------------------------------


def test_the_file_is_the_users_alone(path: Path, open_store: OpenStore) -> None:
    """Whatever the process's umask would allow others."""
    before = os.umask(0)
    try:
        open_store()
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(one.stat().st_mode) for one in path.iterdir()}
    assert (stat.S_IMODE(path.stat().st_mode), modes) == (0o700, {0o600})


def test_a_directory_that_others_may_write_to_is_refused(path: Path) -> None:
    """They could put anything in place of the file."""
    path.mkdir()
    path.chmod(0o777)
    with pytest.raises(StoreError, match=f"^lmdb://{path} can't be used: .* writable by nobody"):
        LmdbRecords(path)


def test_nobody_sees_keys_in_the_file(path: Path, open_store: OpenStore) -> None:
    """They are hashed."""
    open_store().create(b"a key that is secret", b"a value that is not")
    content = file_in(path).read_bytes()
    assert b"secret" not in content
    assert b"a value that is not" in content


def test_limits_and_records_may_share_a_directory(path: Path, open_store: OpenStore) -> None:
    """Each has a file of its own, and a lock of its own."""
    store, limits = open_store(), LmdbStore(path)
    records: Any = store.store
    assert limits._environment is not records._environment
    assert len(list(path.glob("*.mdb"))) == 2
    with limits._environment.lock:
        assert store.create(b"key", b"value") is None
    limits.close()


def test_names_are_apart_in_one_file(path: Path, open_store: OpenStore) -> None:
    """Stores of one directory share its file."""
    one, two = open_store(name="one"), open_store(name="two")
    assert one.create(b"key", b"1") is None
    assert two.create(b"key", b"2") is None
    assert (one.value(b"key"), two.value(b"key")) == (b"1", b"2")
    assert len(list(path.glob("*.mdb"))) == 1


# -- deaths and damage ----------------------------------------------------------------------------


def test_what_a_process_had_not_committed_when_it_was_killed_is_not_there(
    path: Path, open_store: OpenStore
) -> None:
    """Others wait for it while it lives, and go on when it does not."""
    store = open_store(clock=host_time)
    with workers(f"lmdb://{path}", ("stay_inside",)) as (worker,):
        waiting = threading.Thread(target=store.create, args=(b"key", b"value"))
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive(), "two were in a transaction at once"
        worker.kill()
        waiting.join(120)
        assert not waiting.is_alive()
    assert store.value(b"key") == b"value"
    assert store.store._run(lambda one: one.get(b"r" + bytes(24)), write=False) is None  # type: ignore[attr-defined]


def test_looking_at_a_record_does_not_wait_for_a_process_that_writes(
    path: Path, open_store: OpenStore
) -> None:
    """Nor write anything."""
    store = open_store(clock=host_time)
    store.create(b"key", b"value")
    with workers(f"lmdb://{path}", ("stay_inside",)):
        before = file_in(path).read_bytes()
        found = store.create(b"key", b"other")
        assert found is not None
        assert found.value == b"value"
        assert file_in(path).read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: os.urandom(len(data)),
        lambda data: data[:10],
        lambda data: data[: 2 * 4096] + bytes(len(data) - 2 * 4096),
    ],
    ids=["garbage", "cut", "blank"],
)
def test_a_damaged_file_is_set_aside_and_that_is_said_loudly(
    path: Path,
    open_store: OpenStore,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[bytes], bytes],
) -> None:
    """As an error, since what the records were to prevent can happen again."""
    store = open_store()
    for number in range(100):
        store.create(b"%d" % number, bytes(1000))
    store.run(store.store.close)
    file = file_in(path)
    file.write_bytes(damaged := damage(file.read_bytes()))
    again = open_store()
    assert again.create(b"0", b"new") is None
    (record,) = caplog.records
    assert (record.levelno, record.name) == (logging.ERROR, "mantlet.stores")
    assert record.getMessage() == (
        f"All records were lost: their file was damaged and is now {path / 'records.broken'}; what "
        "they were to prevent, such as a second run of a request, can happen once more"
    )
    assert (path / "records.broken").read_bytes()[:10] == damaged[:10]
    assert stat.S_IMODE((path / "records.broken").stat().st_mode) == 0o600


@pytest.mark.parametrize("key", [b"a", b"r"], ids=["state", "record"])
def test_a_damaged_record_is_a_damaged_file(
    open_store: OpenStore, caplog: pytest.LogCaptureFixture, key: bytes
) -> None:
    """What is too short for what it must be is not read as something else."""
    store = open_store()
    store.create(b"key", b"value")
    records: Any = store.store

    def work(transaction: Any) -> None:
        cursor = transaction.cursor()
        assert cursor.set_range(key)
        transaction.put(bytes(cursor.key()), b"short")
        transaction.commit()

    records._run(work)
    assert store.create(b"key", b"new") is None
    assert "All records were lost" in caplog.text


def test_a_file_that_is_removed_is_missed_at_once(
    path: Path, open_store: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    """And all processes go on with the same new one."""
    store = open_store()
    store.create(b"key", b"value")
    for file in list(path.iterdir()):
        file.unlink()
    assert store.create(b"key", b"new") is None
    assert f"All records were lost: their file {path / 'records.mdb'} was removed" in caplog.text


def test_a_file_that_cannot_be_used_is_one_outage(
    path: Path, open_store: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Logged when it begins, and when it has ended."""
    store = open_store(name="test")
    store.create(b"key", b"value")
    records: Any = store.store
    records._environment.close()
    path.chmod(0o777)
    for _ in range(5):
        with pytest.raises(StoreOutage, match="must belong to the current user"):
            store.create(b"key", b"value")
    path.chmod(0o700)
    records._outages._parts[f"lmdb://{path}"].failed_at -= 1
    assert store.value(b"key") == b"value"
    logged: list[Any] = caplog.records
    assert [(one.event, one.policy, one.store) for one in logged] == [
        ("lost", "test", f"lmdb://{path}"),
        ("recovered", "test", f"lmdb://{path}"),
    ]


def test_an_error_of_the_disk_is_an_outage(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not an exception that nobody expects."""
    store = open_store()
    records: Any = store.store

    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(records._environment, "close_if_replaced", fail)
        with pytest.raises(StoreOutage, match="Permission denied"):
            store.create(b"key", b"value")
    assert store.create(b"key", b"value") is None


# -- how it is called -----------------------------------------------------------------------------


def test_a_loop_goes_on_while_a_call_waits_for_the_disk(path: Path, open_store: OpenStore) -> None:
    """Or for another process: calls wait in the loop's own threads."""
    store = open_store(clock=host_time).store.bind(is_async=True)

    async def main() -> None:
        with workers(f"lmdb://{path}", ("stay_inside",)) as (worker,):
            creating: Any = asyncio.ensure_future(store.create(b"key", b"value", 60))  # type: ignore[arg-type]
            for _ in range(10):
                await asyncio.sleep(0)
            assert not creating.done()
            worker.go()
            assert await creating is None

    asyncio.run(main())


def test_changes_are_on_the_disk_when_a_call_returns(path: Path, open_store: OpenStore) -> None:
    """The environment is opened so that LMDB syncs with each commit, and not by a map."""
    store = open_store()
    store.create(b"key", b"value")
    records: Any = store.store
    flags = records._environment.opened.flags()
    assert flags["sync"]
    assert flags["metasync"]
    assert not flags["writemap"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"path": "records"}, ValueError, "path must be absolute"),
        ({"max_bytes": 1}, ValueError, "max_bytes must be at least"),
        ({"max_bytes": 1e9}, TypeError, "max_bytes must be a whole number of bytes"),
        ({"name": "A"}, ValueError, "name must be 1 to 16 of a-z"),
        ({"name": b"a"}, TypeError, "name must be a string"),
    ],
    ids=["path", "small", "float", "name", "type"],
)
def test_a_wrong_option_is_an_error(
    path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """The message names it, and no file is made."""
    with pytest.raises(error, match=message):
        LmdbRecords(**{"path": path, **options})
    assert not path.exists()


@pytest.mark.parametrize(
    "uri", ["lmdb:///", "lmdb://records", "lmdb:///a?b", "lmdb:///a#b", "lmdb://u:p@h/a"]
)
def test_a_wrong_uri_is_an_error(uri: str) -> None:
    """With an example, and without a password."""
    with pytest.raises(ValueError, match='such as "lmdb:///var/lib/app/records"') as raised:
        create_record_store(uri, name="test")
    assert "u:p" not in str(raised.value)


def test_a_missing_library_is_an_error_that_names_it() -> None:
    """And the extra that installs it."""
    code = (
        "import sys; sys.modules['lmdb'] = None\n"
        "from mantlet.stores.factory import create_record_store\n"
        "create_record_store('lmdb:///tmp/x', name='test')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.stderr.splitlines()[-1] == (
        'ImportError: lmdb:// needs a library: pip install "mantlet[lmdb]"'
    )
