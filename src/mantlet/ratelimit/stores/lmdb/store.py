"""Buckets and places as records of a file that all processes of a host share."""

from collections.abc import Callable, Sequence
from os import PathLike, fspath
from pathlib import Path
from time import monotonic_ns
from typing import TypeVar

import lmdb

from mantlet._internal.options import check_int
from mantlet.exceptions import StoreError
from mantlet.ratelimit import gcra
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.lmdb.directory import Directory
from mantlet.ratelimit.stores.lmdb.environment import LOCK, Environment, Transaction
from mantlet.ratelimit.stores.lmdb.records import (
    LONGEST,
    TICKS,
    is_over,
    name_of,
    name_of_places,
    read,
    read_places,
    write,
    write_places,
)
from mantlet.ratelimit.stores.store import Claim, LocalStore, Place, Rooms

__all__ = ["LmdbStore"]

T = TypeVar("T")

_SECOND = 1_000_000_000
_from_bytes = int.from_bytes
#: How many records each new one looks at for such as may leave.
_SWEEP = 2
#: For so long a record that says the same as none may stay while there is room: to come back to
#: one takes a third of the time that a new one takes.
_GRACE = 60 * _SECOND
#: What the file may take for each record, in bytes, with all that LMDB needs besides.
_BYTES = 256


class LmdbStore(LocalStore):
    """Buckets in a file, exact across the threads and processes of a host.

    The manual of `mantlet.ratelimit.stores.lmdb` says what holds when something fails.

    Args:
        path: of a directory that is this store's own, absolute. It is made if it is missing.
        max_keys: how many buckets are kept, at about 75 bytes each. When there are as many that are
            not full, all further ones of a limit share one, as in `MemoryStore`.
        clock: nanoseconds that never go back, the same in every process.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: an option's value is wrong; the message names it and what would be right.
        StoreError: the file can't be used.
    """

    __slots__ = ("_clock", "_environment", "_look_at", "max_keys")

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        max_keys: int = 1_000_000,
        clock: Callable[[], int] | None = None,
    ) -> None:
        if not Path(path).is_absolute():
            raise ValueError(
                f'path must be absolute, such as "/var/lib/app/limits", not {fspath(path)!r}'
            )
        self.max_keys = check_int("max_keys", max_keys, unit="clients")
        self._clock = clock or monotonic_ns
        #: When to make sure that the file is still in its place.
        self._look_at = self._clock()
        try:
            self._environment = Environment.of(Directory(path))
            self._environment.prove(max_keys * _BYTES)
        except (lmdb.Error, OSError) as error:
            raise StoreError(f"lmdb://{fspath(path)} can't be used: {error}") from error

    def take_one(self, key: str, quota: Quota, cost: int) -> int:
        """Take from one bucket; return the room left, see `gcra.consume()`."""
        name = name_of(key)
        with LOCK:
            opened = self._environment.opened
            if opened is not None:
                try:
                    transaction = lmdb.Transaction(opened, write=True)
                    try:
                        record = transaction.get(name)
                        now = self._clock()
                        if now < self._look_at:
                            if record is None:
                                name, record = self._settle(transaction, name, key, now)
                            # As read(), consume() and write(), whose calls would take a quarter more.
                            scale = quota.scale
                            at = full_at = now * scale
                            if record is not None:
                                full_at = _from_bytes(record[:TICKS], "big", signed=True)
                                if full_at < at:  # noqa: PLR1730  # max() takes twice as long
                                    full_at = at
                            taken = full_at + quota.interval * cost
                            room = quota.capacity + at - taken
                            if room >= 0:
                                record = taken.to_bytes(TICKS, "big", signed=True)
                                transaction.put(name, record + scale.to_bytes(8, "big"))
                                transaction.commit()
                                return room
                            if room > -LONGEST:
                                return room
                    finally:
                        transaction.abort()  # unless it was committed
                except lmdb.Error:
                    opened = None  # what follows finds out more
        (left,) = self.take((Claim(key, quota, cost),))
        assert left is not None  # noqa: S101  # for the type checker: all are looked at here
        return left

    def take(self, wanted: Sequence[Claim | Place]) -> Rooms:
        """Take all that is wanted, or nothing."""

        def work(transaction: Transaction) -> Rooms:
            rooms, looked = self._look(transaction, wanted)
            refused = [one for one, room in zip(wanted, rooms, strict=True) if room < 0]
            if all(one.shadow for one in refused):
                for one, name, record in looked:
                    if not (refused and one.shadow):
                        transaction.put(name, record)
                transaction.commit()
            return list(rooms)

        return self._run(work)

    def peek(self, wanted: Sequence[Claim | Place]) -> Rooms:
        """Return what `take()` would return, and take nothing."""
        return self._run(lambda transaction: list(self._look(transaction, wanted)[0]))

    def give(self, given: Sequence[Claim | Place]) -> None:
        """Give tokens and places back that were taken."""

        def work(transaction: Transaction) -> None:
            now = self._clock()
            for one in given:
                if isinstance(one, Place):
                    name = name_of_places(one.key)
                    held = read_places(transaction.get(name), now)
                    held.pop(bytes.fromhex(one.holder), None)
                    if held:
                        transaction.put(name, write_places(held))
                    else:
                        transaction.delete(name)
                else:
                    name, quota = name_of(one.key), one.quota
                    record = transaction.get(name)
                    if record is not None:
                        full_at = read(record, quota, now * quota.scale)
                        transaction.put(name, write(gcra.refund(quota, full_at, one.cost), quota))
            transaction.commit()

        self._run(work)

    def hold(self, claims: Sequence[Claim], nanoseconds: int) -> None:
        """Empty buckets so that the next token of each comes in so many ``nanoseconds``."""

        def work(transaction: Transaction) -> None:
            now = self._clock()
            for claim in claims:
                quota = claim.quota
                at, wait = now * quota.scale, min(nanoseconds, LONGEST) * quota.scale
                name, full_at = self._find(transaction, claim, now)
                transaction.put(name, write(gcra.block(quota, full_at, at, wait), quota))
            transaction.commit()

        self._run(work)

    def forget(self, keys: Sequence[str]) -> None:
        """Make buckets full, and places free, again."""

        def work(transaction: Transaction) -> None:
            for key in keys:
                transaction.delete(name_of(key))
                transaction.delete(name_of_places(key))
            transaction.commit()

        self._run(work)

    def close(self) -> None:
        """Close the file until it is used again."""
        with LOCK:
            self._environment.rest()

    def _run(self, work: Callable[[Transaction], T]) -> T:
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + _SECOND
            self._environment.look()
        return self._environment.run(work)

    def _look(
        self, transaction: Transaction, wanted: Sequence[Claim | Place]
    ) -> tuple[list[int], list[tuple[Claim | Place, bytes, bytes]]]:
        """Return the rooms, and for each of the wanted its record as it is once that is taken."""
        now = self._clock()
        rooms = []
        looked: list[tuple[Claim | Place, bytes, bytes]] = []
        for one in wanted:
            if isinstance(one, Place):
                name = name_of_places(one.key)
                held = read_places(transaction.get(name), now)
                room = one.limit - len(held) - 1
                held[bytes.fromhex(one.holder)] = now + one.lease
                looked.append((one, name, write_places(held)))
            else:
                name, full_at = self._find(transaction, one, now, len(wanted))
                quota = one.quota
                full_at, room = gcra.consume(quota, full_at, now * quota.scale, one.cost)
                looked.append((one, name, write(full_at, quota)))
            rooms.append(room)
        return rooms, looked

    def _find(
        self, transaction: Transaction, claim: Claim, now: int, wanted: int = 1
    ) -> tuple[bytes, int]:
        """Return what a bucket's record is called, and when the bucket is full again."""
        name, quota = name_of(claim.key), claim.quota
        record = transaction.get(name)
        if record is None:
            name, record = self._settle(transaction, name, claim.key, now, wanted)
        return name, read(record, quota, now * quota.scale)

    def _settle(
        self, transaction: Transaction, name: bytes, key: str, now: int, wanted: int = 1
    ) -> tuple[bytes, bytes | None]:
        """Return what a new bucket's record is called, and the record.

        It is that of all further buckets of the limit if there is no room for ``wanted`` more.

        The records that follow the new one are looked at, and those that say the same as none are
        dropped. Names are spread evenly: in the long run all are looked at equally often.
        """
        excess = transaction.stat()["entries"] + wanted - self.max_keys
        end = now if excess > 0 else now - _GRACE
        cursor = transaction.cursor()
        there = cursor.set_range(name) or cursor.first()
        for _ in range(_SWEEP):
            if there and is_over(cursor.value(), end):
                cursor.delete()
                excess -= 1
                there = cursor.key() != b"" or cursor.first()
            else:
                there = cursor.next() or cursor.first()
        if excess <= 0:
            return name, None
        name = name_of(key.partition(":")[0])
        return name, transaction.get(name)

    def __len__(self) -> int:
        return self._run(lambda transaction: transaction.stat()["entries"])
