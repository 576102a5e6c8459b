"""`LmdbRecords`: records in a file shared by all processes of a host, ``lmdb:///var/lib/app/records``.

The URI names a directory, created with access for the current user only if it does not exist; its
parent must exist. The records of all stores of a directory are in one file.

Behaviour on failures:

- Each change is on the disk before the call returns (``fdatasync``), so it survives the end of the
  process, of the system, and of the power, if the disk keeps its promises. That takes most of the
  time of a call: about as long as the disk takes for two small writes. On an event loop, calls wait
  in a thread of the loop's own pool. Looking at a record that exists writes nothing.
- So the directory must be on a disk: one in memory, such as below ``/run`` or ``/dev/shm``, is
  empty after a boot.
- A worker that dies at any moment does not affect the others: what it had committed stands, and
  nothing else does. LMDB relies on robust mutexes for this, which Linux has. On macOS and BSD, a
  worker that is killed during a change stops all others.
- A file found to be damaged is moved to ``records.broken``, replacing an earlier one, and a new one
  is begun: all records are forgotten, so what they were to prevent can happen once more. This is
  logged as an error, as is a file that was removed or emptied. LMDB detects most damage when it
  reads it, but not all.
- The file begins with 16 MiB, and doubles when three quarters are in use, as long as it has at most
  ``max_bytes``. Records that have expired are removed as others are added. If there is no room, or
  the disk is full, adding one is a `StoreOutage`: no record is dropped before its time.
- A process that is stopped during a change (``SIGSTOP``, a debugger) blocks the others.
- Network file systems are not supported, nor are directories shared by several hosts, virtual
  machines or sandboxes with a kernel of their own.

**Time.** The file has a clock of its own, whose time is stored with each change. While the system
is up, it goes as the clock that counts from boot (``CLOCK_BOOTTIME``), which nobody can set, so
changes of the system time have no effect. After a boot it goes on by as much as the system time
has since the last change, or, if that has been set back, by the time that the system has been up.
`LmdbRecords.open()`, which the start of an app calls, is such a change. So a system time that is
wrong across a boot makes records expire early, or late by the time that the system was down; no
record of a request that is still in progress can be concerned, since the request has ended with the
system.

Outside of Linux, where boots can't be told apart, the clock goes as the system time, and stops when
that is set back.

Keys are stored as hashes, and other users of the host cannot read or write the file.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import copy
from functools import cache
from mmap import PAGESIZE
from os import PathLike, fspath
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple, TypeVar

import lmdb

from mantlet._internal.event_loop import run_in_thread
from mantlet._internal.options import check_int
from mantlet.exceptions import StoreError, StoreOutage
from mantlet.stores.lmdb.environment import (
    MIN_SIZE,
    LmdbEnvironment,
    StoreDirectory,
    Transaction,
    boot_id,
)
from mantlet.stores.records import (
    DIGEST_SIZE,
    Record,
    RecordStore,
    check_record_name,
    key_digest,
)
from mantlet.stores.store_log import StoreLog

__all__ = ["HostTime", "LmdbRecords", "host_time"]

log = logging.getLogger("mantlet.stores")

T = TypeVar("T")

_SECOND: Final = 1_000_000_000
#: Nanoseconds: no record is kept for longer than a century.
_LONGEST: Final = 36_525 * 86_400 * _SECOND
#: The keys of the file: one for its state, then when each record ends, with its digest, and then
#: the records, by their digests.
_STATE_KEY: Final = b"a"
_ENDS, _RECORDS = b"e", b"r"
#: A record: when its value was stored, when it ends, and its value.
_HEAD = Struct(">QQ")
_END = Struct(">Q")
#: The most expired records that are removed whenever one is stored, if there is room for it.
_SWEEP: Final = 4
#: Bytes of the file that a record takes beside its value: keys, and pages that are half full.
_OVERHEAD: Final = 512


class HostTime(NamedTuple):
    """A moment, by the clocks of the host.

    Attributes:
        boot: the id of the current boot; empty if boots can't be told apart.
        since_boot: nanoseconds since then.
        system: the system time in nanoseconds, which can be set.
    """

    boot: bytes
    since_boot: int
    system: int


def host_time() -> HostTime:
    """Return the current moment."""
    boot = _boot()
    since_boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME) if boot else 0
    return HostTime(boot, since_boot, time.time_ns())


@cache
def _boot() -> bytes:
    """Return the id of this boot, which a process does not outlive; empty if there is none."""
    return bytes.fromhex((boot_id() or "").replace("-", ""))


class _State(NamedTuple):
    """The state of the file.

    Attributes:
        now: the time of its clock in nanoseconds.
        used: the bytes that its records take.
        since_boot: the host's clock, at the same time.
        system: likewise.
        boot: likewise.
    """

    now: int
    used: int
    since_boot: int
    system: int
    boot: bytes

    def at(self, host: HostTime) -> "_State":
        """Return the state at a later moment."""
        if host.boot and host.boot == self.boot:
            passed = host.since_boot - self.since_boot
        else:
            passed = host.system - self.system
            if passed < 0 and host.boot:
                passed = host.since_boot
        now = self.now + max(passed, 0)
        return _State(now, self.used, host.since_boot, host.system, host.boot)


_STATE = Struct(">QQQQ16s")


class LmdbRecords(RecordStore):
    """Keep records in a file, exact across the threads and processes of a host.

    Args:
        path: absolute path of a directory that no other program uses; created if missing.
        name: what the records are for: it separates them from others in the file.
        max_bytes: the most bytes that the file may take.
        clock: returns the current moment, the same in every process.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: an option has an invalid value.
        StoreError: the file can't be used.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        name: str = "records",
        max_bytes: int = 1 << 30,
        clock: Callable[[], HostTime] = host_time,
    ) -> None:
        if not Path(path).is_absolute():
            raise ValueError(
                f'path must be absolute, such as "/var/lib/app/records", not {fspath(path)!r}'
            )
        check_int("max_bytes", max_bytes, least=MIN_SIZE, unit="bytes")
        self._name = check_record_name(name)
        self._clock = clock
        self._is_async = False
        self._outages = StoreLog(log, name)
        try:
            directory = StoreDirectory(path, "records", _on_reset, is_durable=True)
            self._environment = LmdbEnvironment.of(directory)
            # It doubles until it has reached this size.
            self._environment.verify(max_bytes // 2 + 1)
        except (lmdb.Error, OSError) as error:
            raise StoreError(f"lmdb://{fspath(path)} can't be used: {error}") from error
        self._uri = f"lmdb://{self._environment.path}"

    def __repr__(self) -> str:
        return f"LmdbRecords({str(self._environment.path)!r}, name={self._name!r})"

    def bind(self, is_async: bool) -> "LmdbRecords":
        """Return the store as it is called by threads, or on an event loop."""
        bound = copy(self)
        bound._is_async = is_async
        return bound

    def open(self) -> Awaitable[None] | None:
        """Set the clock of the file. A file that can't be written to is not an error yet."""
        return self._do(self._open)

    def close(self) -> Awaitable[None] | None:
        """Close the file until it is used again."""
        return self._do(self._close)

    def create(
        self, key: bytes, value: bytes, seconds: float
    ) -> Record | Awaitable[Record | None] | None:
        """Store a record, unless there is one; see `RecordStore.create()`."""
        return self._do(self._create, key_digest(self._name, key), value, seconds)

    def replace(
        self, key: bytes, old: bytes, value: bytes, seconds: float
    ) -> bool | Awaitable[bool]:
        """Replace a record's value if it is still the old one; see `RecordStore.replace()`."""
        return self._do(self._change, key_digest(self._name, key), old, value, seconds)

    def delete(self, key: bytes, old: bytes) -> bool | Awaitable[bool]:
        """Delete a record if its value is still the old one."""
        return self._do(self._change, key_digest(self._name, key), old, None, 0.0)

    def _do(self, work: Callable[..., T], *args: object) -> T | Awaitable[T]:
        """Do what may wait for the disk, or for another process: in a thread if on a loop."""
        return run_in_thread(work, *args) if self._is_async else work(*args)

    def _open(self) -> None:
        def work(transaction: Transaction) -> None:
            self._save(transaction, self._state(transaction))
            transaction.commit()

        with suppress(StoreOutage):
            self._run(work)

    def _close(self) -> None:
        with self._environment.lock:
            self._environment.close()

    def _create(self, digest: bytes, value: bytes, seconds: float) -> Record | None:
        def find(transaction: Transaction) -> Record | None:
            return _live(transaction.get(_RECORDS + digest), self._state(transaction).now)

        def work(transaction: Transaction) -> Record | None:
            state = self._state(transaction)
            found = _live(transaction.get(_RECORDS + digest), state.now)
            if found is None:
                self._put(transaction, state, digest, value, seconds)
                transaction.commit()
            return found

        return self._run(find, write=False) or self._run(work)

    def _change(self, digest: bytes, old: bytes, value: bytes | None, seconds: float) -> bool:
        def work(transaction: Transaction) -> bool:
            state = self._state(transaction)
            found = _live(transaction.get(_RECORDS + digest), state.now)
            if found is None or found.value != old:
                return False
            if value is None:
                self._save(transaction, _remove(transaction, state, digest))
            else:
                self._put(transaction, state, digest, value, seconds)
            transaction.commit()
            return True

        return self._run(work)

    def _put(
        self, transaction: Transaction, state: _State, digest: bytes, value: bytes, seconds: float
    ) -> None:
        """Store a record, in place of the one that there is."""
        state = _remove(transaction, state, digest)
        state = self._make_room(transaction, state, _cost(len(value)))
        end = state.now + min(max(1, int(seconds * _SECOND)), _LONGEST)
        transaction.put(_RECORDS + digest, _HEAD.pack(state.now, end) + value)
        transaction.put(_ENDS + _END.pack(end) + digest, b"")
        self._save(transaction, state._replace(used=state.used + _cost(len(value))))

    def _make_room(self, transaction: Transaction, state: _State, needed: int) -> _State:
        """Remove records that have expired: a few, or as many as it takes.

        Raises:
            lmdb.MapFullError: there is no room.
        """
        opened = self._environment.opened
        assert opened is not None  # noqa: S101  # for the type checker: there is a transaction
        # The rest is for what LMDB itself needs, and for pages that are free but scattered.
        room = opened.info()["map_size"] * 3 // 4 - needed
        cursor = transaction.cursor()
        removed = 0
        while removed < _SWEEP or state.used > room:
            if not cursor.set_range(_ENDS):
                break
            key = cursor.key()
            if key[:1] != _ENDS or _END.unpack_from(key, 1)[0] > state.now:
                break
            state = _remove(transaction, state, key[-DIGEST_SIZE:])
            removed += 1
        if state.used > room:
            raise lmdb.MapFullError("all of it is in use")
        return state

    def _state(self, transaction: Transaction) -> _State:
        """Return the current state of the file."""
        host = self._clock()
        stored = transaction.get(_STATE_KEY)
        if stored is None:
            return _State(host.system, 0, host.since_boot, host.system, host.boot)
        if len(stored) != _STATE.size:
            raise lmdb.CorruptedError("its state is damaged")
        now, used, since_boot, system, boot = _STATE.unpack(stored)
        return _State(now, used, since_boot, system, boot if any(boot) else b"").at(host)

    @staticmethod
    def _save(transaction: Transaction, state: _State) -> None:
        transaction.put(_STATE_KEY, _STATE.pack(*state))

    def _run(self, work: Callable[[Transaction], T], *, write: bool = True) -> T:
        try:
            self._environment.close_if_replaced()
            result = self._environment.run(work, write=write)
        except (StoreOutage, OSError) as error:
            self._outages.failed(self._uri, error)
            if isinstance(error, StoreOutage):
                raise
            raise StoreOutage(f"{self._uri} can't be used: {error}") from error
        if self._outages.is_lost:
            self._outages.responded(self._uri)
        return result


def _live(stored: bytes | None, now: int) -> Record | None:
    """Return a record that has not expired."""
    if stored is None:
        return None
    if len(stored) < _HEAD.size:
        raise lmdb.CorruptedError("a record is damaged")
    since, end = _HEAD.unpack_from(stored)
    return Record(stored[_HEAD.size :], max(now - since, 0) / _SECOND) if now < end else None


def _remove(transaction: Transaction, state: _State, digest: bytes) -> _State:
    """Remove a record, if there is one; return the state without it."""
    stored = transaction.pop(_RECORDS + digest)
    if stored is None:
        return state
    if len(stored) < _HEAD.size:
        raise lmdb.CorruptedError("a record is damaged")
    _, end = _HEAD.unpack_from(stored)
    transaction.delete(_ENDS + _END.pack(end) + digest)
    return state._replace(used=max(state.used - _cost(len(stored) - _HEAD.size), 0))


def _cost(size: int) -> int:
    """Return how many bytes of the file a record with a value of this size takes at most.

    LMDB splits pages in half, and gives whole pages to a value that is larger than half of one.
    """
    if size < PAGESIZE // 2 - 128:
        return 2 * size + _OVERHEAD
    return -(-(size + 64) // PAGESIZE) * PAGESIZE + _OVERHEAD


def _on_reset(path: Path, reason: str) -> None:
    extra = {
        "policy": "records",
        "event": "reset",
        "store": f"lmdb://{path}",
        "reason": reason,
    }
    log.error(
        "All records were lost: %s; what they were to prevent, such as a second run of a request, "
        "can happen once more",
        reason,
        extra=extra,
    )
