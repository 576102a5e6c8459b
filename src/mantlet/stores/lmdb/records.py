"""`LmdbRecords`: records in a file shared by all processes of a host, ``lmdb:///var/lib/app/records``.

The URI names a directory. If it does not exist, it is created with access for the current user
only; its parent must exist. All stores with the same directory share one file.

Behaviour on failures:

- Each change is on the disk before the call returns (``fdatasync``), so it survives crashes of the
  process and of the system, and power failures, provided that the disk honors flushes. The flush
  takes most of the time of a call: about as long as two small writes to the disk. On an event loop,
  calls run in a thread of the loop's default executor. Finding an existing record writes nothing.
- Therefore the directory must be on a disk. A directory in memory, such as below ``/run`` or
  ``/dev/shm``, is empty after a boot.
- A worker that dies at any moment does not affect the others: its commits are kept, and nothing
  else is. For this LMDB relies on robust mutexes, which Linux has. On macOS and BSD, a worker that
  is killed during a change blocks all others.
- A damaged file is moved to ``records.broken``, replacing an earlier one, and a new file is
  created. All records are lost, so the effects that they prevented, such as a second run of a
  request, can happen. This is logged as an error, and so is the loss of a file that was removed or
  emptied. LMDB detects most damage when it reads the file, but not all.
- The file has 16 MiB at first, and doubles when three quarters are in use, up to ``max_bytes``.
  Expired records are removed when others are added. If the file or the disk is full, adding a
  record raises `StoreOutage`: no record is dropped before it expires.
- A process that is stopped during a change (``SIGSTOP``, a debugger) blocks the others.
- Network file systems are not supported, nor are directories shared by several hosts, virtual
  machines or sandboxes with a kernel of their own.

**Time.** The file has its own clock, whose time is stored with each change. While the system is up,
this clock follows ``CLOCK_BOOTTIME``, which counts from boot and cannot be set, so changes of the
system time have no effect. After a boot it advances by as much as the system time has advanced
since the last change. If the system time was set back, it advances by the uptime of the system
instead. `LmdbRecords.open()`, which runs at the start of an app, counts as a change. So a system
time that is wrong across a boot makes records expire early, or late by the downtime of the system.
This cannot affect the record of a request in progress, since the request ended with the system.

On systems other than Linux, boots can't be told apart. There the clock follows the system time, and
stops while that is set back.

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
#: Nanoseconds: the longest time to keep a record, a century.
_LONGEST: Final = 36_525 * 86_400 * _SECOND
#: The keys of the file: one for its state, then the expiry times of records with their digests,
#: then the records by their digests.
_STATE_KEY: Final = b"a"
_ENDS, _RECORDS = b"e", b"r"
#: A record: when its value was stored, when it expires, and its value.
_HEAD = Struct(">QQ")
_END = Struct(">Q")
#: Maximum number of expired records removed when one is stored, if there is room for it.
_SWEEP: Final = 4
#: Overhead of a record in the file, in bytes: keys, and pages that are half full.
_OVERHEAD: Final = 512


class HostTime(NamedTuple):
    """A moment, by the clocks of the host.

    Attributes:
        boot: the id of the current boot; empty if boots can't be told apart.
        since_boot: nanoseconds since the boot.
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
    """Return the id of the current boot of the system; empty if it has no id."""
    return bytes.fromhex((boot_id() or "").replace("-", ""))


class _State(NamedTuple):
    """The state of the file.

    Attributes:
        now: the time of its clock in nanoseconds.
        used: the size of its records in bytes.
        since_boot: `HostTime.since_boot` at the same moment.
        system: `HostTime.system` at the same moment.
        boot: `HostTime.boot` at the same moment.
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
        name: the purpose of the records. It separates them from other records in the file.
        max_bytes: maximum size of the file in bytes.
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
        """Return the store for calls by threads, or for calls on an event loop."""
        bound = copy(self)
        bound._is_async = is_async
        return bound

    def open(self) -> Awaitable[None] | None:
        """Set the clock of the file. This ignores a file that can't be written to."""
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
        """Do work that may wait for the disk or another process; on an event loop, in a thread."""
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
        """Store a record, replacing an existing one."""
        state = _remove(transaction, state, digest)
        state = self._make_room(transaction, state, _cost(len(value)))
        end = state.now + min(max(1, int(seconds * _SECOND)), _LONGEST)
        transaction.put(_RECORDS + digest, _HEAD.pack(state.now, end) + value)
        transaction.put(_ENDS + _END.pack(end) + digest, b"")
        self._save(transaction, state._replace(used=state.used + _cost(len(value))))

    def _make_room(self, transaction: Transaction, state: _State, needed: int) -> _State:
        """Remove expired records: a few, or as many as necessary.

        Raises:
            lmdb.MapFullError: the file is full.
        """
        opened = self._environment.opened
        assert opened is not None  # noqa: S101  # for the type checker: there is a transaction
        # The rest is for LMDB's own data, and for free pages that are scattered.
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
    """Return the record, unless it has expired."""
    if stored is None:
        return None
    if len(stored) < _HEAD.size:
        raise lmdb.CorruptedError("a record is damaged")
    since, end = _HEAD.unpack_from(stored)
    return Record(stored[_HEAD.size :], max(now - since, 0) / _SECOND) if now < end else None


def _remove(transaction: Transaction, state: _State, digest: bytes) -> _State:
    """Remove a record if it exists; return the state without it."""
    stored = transaction.pop(_RECORDS + digest)
    if stored is None:
        return state
    if len(stored) < _HEAD.size:
        raise lmdb.CorruptedError("a record is damaged")
    _, end = _HEAD.unpack_from(stored)
    transaction.delete(_ENDS + _END.pack(end) + digest)
    return state._replace(used=max(state.used - _cost(len(stored) - _HEAD.size), 0))


def _cost(size: int) -> int:
    """Return the maximum size in the file of a record with a value of this size, in bytes.

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
