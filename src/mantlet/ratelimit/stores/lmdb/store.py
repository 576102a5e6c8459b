"""Buckets and places as records of a file that all processes of a host share."""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from os import PathLike, fspath
from pathlib import Path
from struct import Struct
from time import monotonic_ns
from typing import Final, TypeVar

import lmdb

from mantlet._internal.options import check_int
from mantlet.exceptions import StoreError
from mantlet.ratelimit import bucket
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.base import Claim, LocalStore, Place, Rooms
from mantlet.ratelimit.stores.lmdb.environment import LOCK, Directory, Environment, Transaction

__all__ = [
    "LONGEST",
    "SIZE",
    "TICKS",
    "LmdbStore",
    "is_over",
    "name_of",
    "name_of_places",
    "read",
    "read_places",
    "write",
    "write_places",
]

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
        """Take from one bucket; return the room left, see `bucket.take()`."""
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
                            # As read(), take() and write(), whose calls would take a quarter more.
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
                        transaction.put(name, write(bucket.give(quota, full_at, one.cost), quota))
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
                transaction.put(name, write(bucket.hold(quota, full_at, at, wait), quota))
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
                full_at, room = bucket.take(quota, full_at, now * quota.scale, one.cost)
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


#: A bucket: the tick at which it is full again, in so many bytes that no quota's is longer, and how
#: many ticks a nanosecond has, so that anyone can tell whether it is full already.
TICKS: Final = 17
SIZE: Final = TICKS + 8
#: One of the places of a key: the nanosecond until which it is believed, and its holder. Those of a
#: key stand in a row, which is never as long as a bucket.
_PLACE = Struct(">q8s")
_LATEST = (1 << 63) - 1
#: In nanoseconds: no bucket is held for a thousand years.
LONGEST = 1000 * 366 * 86_400_000_000_000


_digest: Final = blake2b(digest_size=16).copy


def name_of(key: str) -> bytes:
    """Return what the record of a bucket is called: 16 bytes that are spread evenly."""
    digest = _digest()  # a copy is made in half the time of a new one
    digest.update(key.encode("utf-8", "surrogatepass"))
    return digest.digest()


def name_of_places(key: str) -> bytes:
    """Return what the record of a key's places is called."""
    text = key.encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16, person=b"places").digest()


def write(full_at: int, quota: Quota) -> bytes:
    """Return the record of a bucket that is full again at a tick."""
    return full_at.to_bytes(TICKS, signed=True) + quota.scale.to_bytes(8)


def read(record: bytes | None, quota: Quota, at: int) -> int:
    """Return when a bucket is full again: ``at``, which is now, where no record tells."""
    if record is None or len(record) != SIZE:
        return at
    full_at = int.from_bytes(record[:TICKS], signed=True)
    return full_at if full_at <= at + quota.capacity + LONGEST * quota.scale else at


def write_places(held: dict[bytes, int]) -> bytes:
    """Return the record of a key's places."""
    return b"".join(_PLACE.pack(min(until, _LATEST), holder) for holder, until in held.items())


def read_places(record: bytes | None, now: int) -> dict[bytes, int]:
    """Return who holds a key's places by now, and until when."""
    if record is None or len(record) % _PLACE.size:
        return {}
    return {holder: until for until, holder in _PLACE.iter_unpack(record) if until > now}


def is_over(record: bytes, now: int) -> bool:
    """Return whether a record says the same as none: that a bucket is full, or places are free."""
    if len(record) != SIZE:
        return not read_places(record, now)
    full_at, scale = int.from_bytes(record[:TICKS], signed=True), int.from_bytes(record[TICKS:])
    return full_at <= now * scale
