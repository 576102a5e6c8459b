"""`MemoryRecords`: records in the memory of one process, exact across its threads."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from time import monotonic
from typing import Final

from mantlet._internal.locks import ForkSafeLock
from mantlet._internal.options import check_int
from mantlet.exceptions import StoreOutage
from mantlet.stores.records import Record, RecordStore

__all__ = ["MemoryRecords"]

#: Maximum overhead of a record, without its key and its value, in bytes.
_OVERHEAD: Final = 512
_MAX_BYTES: Final = 64 * 1024 * 1024

#: A record: its value, when that was stored, and when it expires.
_Entry = tuple[bytes, float, float]


class MemoryRecords(RecordStore):
    """Keep records in a dict, for tests and apps with one process: they are lost when it ends.

    Expired records are removed when others are added. While the store is full, adding a record
    raises `StoreOutage`: no record is dropped before it expires.

    Args:
        max_bytes: maximum size of all records in bytes, counted as their keys and values plus 512
            bytes for each record.
        clock: a monotonic clock in seconds.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: ``max_bytes`` is less than 64 KiB.
    """

    def __init__(
        self, *, max_bytes: int = _MAX_BYTES, clock: Callable[[], float] = monotonic
    ) -> None:
        self._max_bytes = check_int("max_bytes", max_bytes, least=64 * 1024, unit="bytes")
        if not callable(clock):
            raise TypeError(f"clock must be a function that returns seconds, not {clock!r}")
        self._clock = clock
        self._lock = ForkSafeLock(self._forget)
        self._forget()

    def _forget(self) -> None:
        """Start empty, also in a child process whose parent was changing the records."""
        self._entries: dict[bytes, _Entry] = {}
        #: Expiry times, the earliest first, including those of some replaced or deleted records.
        self._expiries: list[tuple[float, bytes]] = []
        self._size = 0

    def create(self, key: bytes, value: bytes, seconds: float) -> Record | None:
        """Store a record, unless there is one; see `RecordStore.create()`."""
        now = self._clock()
        with self._lock.plain:
            entry = self._live(key, now)
            if entry is not None:
                return Record(entry[0], now - entry[1])
            self._put(key, value, seconds, now)
        return None

    def replace(self, key: bytes, old: bytes, value: bytes, seconds: float) -> bool:
        """Replace a record's value if it is still the old one; see `RecordStore.replace()`."""
        now = self._clock()
        with self._lock.plain:
            entry = self._live(key, now)
            if entry is None or entry[0] != old:
                return False
            self._put(key, value, seconds, now)
        return True

    def delete(self, key: bytes, old: bytes) -> bool:
        """Delete a record if its value is still the old one."""
        with self._lock.plain:
            entry = self._live(key, self._clock())
            if entry is None or entry[0] != old:
                return False
            self._remove(key)
        return True

    def _live(self, key: bytes, now: float) -> _Entry | None:
        """Remove expired records, and return the record of this key if it is still there."""
        expiries, entries = self._expiries, self._entries
        while expiries and expiries[0][0] <= now:
            expires, expired = heappop(expiries)
            entry = entries.get(expired)
            if entry is not None and entry[2] == expires:
                self._remove(expired)
        return entries.get(key)

    def _put(self, key: bytes, value: bytes, seconds: float, now: float) -> None:
        old = self._entries.get(key)
        added = len(value) - len(old[0]) if old else len(key) + len(value) + _OVERHEAD
        if self._size + added > self._max_bytes:
            raise StoreOutage(f"the {self._max_bytes} bytes for records are in use")
        self._size += added
        expires = now + seconds
        self._entries[key] = value, now, expires
        heappush(self._expiries, (expires, key))
        if len(self._expiries) > 2 * len(self._entries) + 64:
            self._expiries = [(entry[2], one) for one, entry in self._entries.items()]
            heapify(self._expiries)

    def _remove(self, key: bytes) -> None:
        value, _, _ = self._entries.pop(key)
        self._size -= len(key) + len(value) + _OVERHEAD
