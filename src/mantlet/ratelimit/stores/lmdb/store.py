"""Buckets and slots as records of an LMDB file shared by all processes of a host."""

import logging
from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from os import PathLike, fspath, urandom
from pathlib import Path
from time import monotonic_ns
from typing import TypeVar

import lmdb

from mantlet._internal.options import check_int
from mantlet.exceptions import StoreError, StoreOutage
from mantlet.ratelimit import gcra
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.base import (
    LocalStore,
    Remaining,
    SlotRequest,
    StoreRequest,
    Strikes,
    TokenRequest,
)
from mantlet.ratelimit.stores.lmdb.records import (
    DIGEST_SIZE,
    MAX_WAIT,
    RECORD_SIZE,
    TICKS_SIZE,
    bucket_key,
    decode_bucket,
    decode_history,
    decode_slots,
    encode_bucket,
    encode_slots,
    is_expired,
    needed_until,
    slots_key,
)
from mantlet.ratelimit.stores.memory import FallbackStore
from mantlet.ratelimit.stores.outages import OutageLog
from mantlet.stores.lmdb.environment import (
    LmdbEnvironment,
    StoreDirectory,
    Transaction,
)

__all__ = ["LmdbStore"]

T = TypeVar("T")
log = logging.getLogger("mantlet.ratelimit")

_SECOND = 1_000_000_000
_from_bytes = int.from_bytes
#: How many existing records are checked for removal whenever a new one is added.
_SWEEP = 2
#: Of how many records in a random place one is removed if a new one finds no room, and how many are
#: removed at most for one request.
_SAMPLE, _MAX_EVICTED = 5, 16
#: How many records `LmdbStore.reset_all()` looks at in one transaction.
_BATCH = 1000
#: Nanoseconds for which an expired record is kept while there is room: reusing a record takes a
#: third of the time that adding one takes.
_GRACE = 60 * _SECOND
#: Nanoseconds without a failure after which a file that could not grow is in order again. Until
#: then most keys, but not all, find room in it.
_FULL = 60 * _SECOND
#: Nanoseconds after which a call counts as slow.
_LONG = 10_000_000
#: Bytes of the file per record, including everything else that LMDB stores.
_BYTES_PER_KEY = 256


class LmdbStore(LocalStore):
    """A store in a file, exact across the threads and processes of a host.

    See `mantlet.ratelimit.stores.lmdb` for its behaviour on failures.

    Args:
        path: absolute path of a directory that belongs to this store alone; created if missing.
        max_keys: maximum number of buckets, at up to 130 bytes each. When that many are not full, a
            new key takes the place of one of five that follow each other at a random place of
            the file, as in `MemoryStore`.
        clock: monotonic clock in nanoseconds, the same in every process.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: an option has an invalid value.
        StoreError: the file can't be used.
    """

    __slots__ = (
        "_check_at",
        "_clock",
        "_environment",
        "_failed_at",
        "_outages",
        "_slow",
        "max_keys",
    )

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
        #: When to check next that the file has not been replaced.
        self._check_at = self._failed_at = self._clock()
        self._outages = OutageLog()
        #: How many calls took longer than `_LONG`.
        self._slow = 0
        try:
            self._environment = LmdbEnvironment.of(StoreDirectory(path, "limits", _on_reset))
            self._environment.verify(max_keys * _BYTES_PER_KEY)
        except (lmdb.Error, OSError) as error:
            raise StoreError(f"lmdb://{fspath(path)} can't be used: {error}") from error

    def observed(self, outages: OutageLog, fallback: FallbackStore | None) -> "LmdbStore":
        """Return the store as a limiter uses it; see `Store.observed()`.

        The fallback learns nothing: known keys are counted in the file as long as that can be read.
        """
        observed = copy(self)
        observed._outages = outages
        return observed

    def counts(self) -> dict[str, int]:
        """Return how many calls were slow."""
        return {"slow": self._slow}

    def take_one(self, key: str, quota: Quota, cost: int) -> int:
        """Take from one bucket; return the remaining ticks, see `gcra.consume()`."""
        began = self._clock()
        name = bucket_key(key)
        with self._environment.lock:
            opened = self._environment.opened
            if opened is not None:
                try:
                    transaction = lmdb.Transaction(opened, write=True)
                    try:
                        record = transaction.get(name)
                        now = self._clock()
                        if now - began > _LONG:
                            self._slow += 1
                        if now < self._check_at:
                            if record is None:
                                self._make_room(transaction, name, now)
                            # Inlined from decode_bucket(), gcra.consume() and encode_bucket(): the
                            # calls would take a quarter more time.
                            scale = quota.scale
                            at = full_at = now * scale
                            if record is not None:
                                full_at = _from_bytes(record[:TICKS_SIZE], "big", signed=True)
                                if full_at < at:  # noqa: PLR1730  # max() takes twice as long
                                    full_at = at
                            taken = full_at + quota.interval * cost
                            remaining = quota.capacity + at - taken
                            if remaining >= 0:
                                record = taken.to_bytes(TICKS_SIZE, "big", signed=True)
                                transaction.put(name, record + scale.to_bytes(8, "big"))
                                transaction.commit()
                                return remaining
                            if remaining > -MAX_WAIT:
                                return remaining
                    finally:
                        transaction.abort()  # does nothing after a commit
                except lmdb.Error:
                    opened = None  # the general path below finds out more
        (left,) = self.take((TokenRequest(key, quota, cost),))
        assert left is not None  # noqa: S101  # for the type checker: this store looks at all
        return left

    def take(self, requests: Sequence[StoreRequest]) -> Remaining:
        """Take everything that is requested, or nothing."""

        def work(transaction: Transaction) -> Remaining:
            remaining, found = self._evaluate(transaction, requests)
            denied = [
                request for request, left in zip(requests, remaining, strict=True) if left < 0
            ]
            if all(request.is_report_only for request in denied):
                for request, name, record in found:
                    if not (denied and request.is_report_only):
                        transaction.put(name, record)
                transaction.commit()
            return list(remaining)

        return self._run(work)

    def peek(self, requests: Sequence[StoreRequest]) -> Remaining:
        """Return the result that `take()` would have, without taking anything."""
        return self._run(lambda transaction: list(self._evaluate(transaction, requests)[0]))

    def give_back(self, requests: Sequence[StoreRequest]) -> None:
        """Give back tokens and slots that were taken."""

        def work(transaction: Transaction) -> None:
            now = self._clock()
            for request in requests:
                if isinstance(request, SlotRequest):
                    name = slots_key(request.key)
                    slots = decode_slots(transaction.get(name), now)
                    slots.pop(bytes.fromhex(request.holder), None)
                    if slots:
                        transaction.put(name, encode_slots(slots))
                    else:
                        transaction.delete(name)
                else:
                    name, quota = bucket_key(request.key), request.quota
                    record = transaction.get(name)
                    if record is not None:
                        full_at = decode_bucket(record, quota, now * quota.scale)
                        history = decode_history(record, now)
                        full_at, history = history.refund(request, full_at, now)
                        transaction.put(name, encode_bucket(full_at, quota, history))
            transaction.commit()

        self._run(work)

    def block(self, requests: Sequence[TokenRequest], nanoseconds: int) -> None:
        """Empty buckets so that each gets its next token after ``nanoseconds``."""

        def work(transaction: Transaction) -> None:
            now = self._clock()
            for request in requests:
                quota = request.quota
                name, record = self._find(transaction, request, now)
                full_at = decode_bucket(record, quota, now * quota.scale)
                history = decode_history(record, now)
                full_at, history = history.ban(quota, full_at, now, min(nanoseconds, MAX_WAIT))
                transaction.put(name, encode_bucket(full_at, quota, history))
            transaction.commit()

        self._run(work)

    def strike(self, request: TokenRequest, strikes: Strikes) -> bool:
        """Record that a request was denied; block its bucket if it was denied too often."""

        def work(transaction: Transaction) -> bool:
            now, quota = self._clock(), request.quota
            name, record = self._find(transaction, request, now)
            full_at = decode_bucket(record, quota, now * quota.scale)
            history = decode_history(record, now)
            full_at, history, is_banned = history.strike(request, strikes, full_at, now)
            transaction.put(name, encode_bucket(full_at, quota, history))
            transaction.commit()
            return is_banned

        return self._run(work)

    def reset(self, keys: Sequence[str]) -> None:
        """Refill the buckets, and free the slots, of these keys."""

        def work(transaction: Transaction) -> None:
            for key in keys:
                transaction.delete(bucket_key(key))
                transaction.delete(slots_key(key))
            transaction.commit()

        self._run(work)

    def reset_all(self, prefixes: Sequence[str]) -> None:
        """Refill buckets and free slots, in many short transactions."""
        beginnings = tuple(prefix.encode() for prefix in prefixes)
        start: bytes | None = b""
        while start is not None:
            start = self._run(partial(self._reset_some, beginnings, start))

    @staticmethod
    def _reset_some(
        beginnings: tuple[bytes, ...], start: bytes, transaction: Transaction
    ) -> bytes | None:
        """Reset some of the records from a key on; return the key to go on with, or None."""
        cursor = transaction.cursor()
        exists = cursor.set_range(start) if start else cursor.first()
        for _ in range(_BATCH):
            if not exists:
                break
            if cursor.key()[DIGEST_SIZE:].startswith(beginnings):
                cursor.delete()
                exists = cursor.key() != b""
            else:
                exists = cursor.next()
        following = cursor.key() if exists else None
        transaction.commit()
        return following

    def close(self) -> None:
        """Close the file until it is used again."""
        with self._environment.lock:
            self._environment.close()

    def _run(self, work: Callable[[Transaction], T]) -> T:
        now = self._clock()
        if now >= self._check_at:
            self._check_at = now + _SECOND
            self._environment.close_if_replaced()
        try:
            result = self._environment.run(work)
        except StoreOutage as error:
            self._check_at = self._failed_at = now  # so that the next call comes here as well
            self._outages.failed(f"lmdb://{self._environment.path}", error)
            raise
        if self._outages.is_lost:
            self._check_at = now
            if not self._environment.is_full or now - self._failed_at > _FULL:
                self._outages.responded(f"lmdb://{self._environment.path}")
        if self._clock() - now > _LONG:
            self._slow += 1
        return result

    def _evaluate(
        self, transaction: Transaction, requests: Sequence[StoreRequest]
    ) -> tuple[list[int], list[tuple[StoreRequest, bytes, bytes]]]:
        """Return the remaining amount for each request, and its record if it is granted."""
        now = self._clock()
        remaining = []
        found: list[tuple[StoreRequest, bytes, bytes]] = []
        for request in requests:
            if isinstance(request, SlotRequest):
                name = slots_key(request.key)
                slots = decode_slots(transaction.get(name), now)
                left = request.limit - len(slots) - 1
                slots[bytes.fromhex(request.holder)] = now + request.lease
                found.append((request, name, encode_slots(slots)))
            else:
                name, record = self._find(transaction, request, now, len(requests))
                quota = request.quota
                full_at = decode_bucket(record, quota, now * quota.scale)
                full_at, left = gcra.consume(quota, full_at, now * quota.scale, request.cost)
                new = encode_bucket(full_at, quota)
                if record is not None and len(record) > RECORD_SIZE:
                    new += record[RECORD_SIZE:]
                found.append((request, name, new))
            remaining.append(left)
        return remaining, found

    def _find(
        self, transaction: Transaction, request: TokenRequest, now: int, count: int = 1
    ) -> tuple[bytes, bytes | None]:
        """Return the key of a bucket's record, and the record; make room if it is missing."""
        name = bucket_key(request.key)
        record = transaction.get(name)
        if record is None:
            self._make_room(transaction, name, now, count)
        return name, record

    def _make_room(self, transaction: Transaction, name: bytes, now: int, count: int = 1) -> None:
        """Remove expired records, and other buckets if ``count`` more do not fit.

        The records that follow the new one are checked, and removed if they have expired. Keys are
        evenly distributed, so in the long run all records are checked equally often.
        """
        excess = transaction.stat()["entries"] + count - self.max_keys
        end = now if excess > 0 else now - _GRACE
        cursor = transaction.cursor()
        exists = cursor.set_range(name) or cursor.first()
        for _ in range(_SWEEP):
            if exists and is_expired(cursor.value(), end):
                cursor.delete()
                excess -= 1
                exists = cursor.key() != b"" or cursor.first()
            else:
                exists = cursor.next() or cursor.first()
        for _ in range(min(excess, _MAX_EVICTED)):
            _evict(cursor, now)

    def __len__(self) -> int:
        return self._run(lambda transaction: transaction.stat()["entries"])


def _on_reset(path: Path, reason: str) -> None:
    extra = {
        "policy": "RateLimiter",
        "event": "reset",
        "store": f"lmdb://{path}",
        "reason": reason,
    }
    log.warning("Rate limits were reset: %s", reason, extra=extra)


def _evict(cursor: "lmdb.Cursor[bytes]", now: int) -> None:
    """Remove one of the buckets at a random place: the one that would be full soonest."""
    sample: list[tuple[int, bytes]] = []
    exists = cursor.set_range(urandom(DIGEST_SIZE)) or cursor.first()
    for _ in range(_SAMPLE):
        if not exists:
            break
        until = needed_until(bytes(cursor.value()), now)
        if until is not None:
            sample.append((until, bytes(cursor.key())))
        exists = cursor.next() or cursor.first()
    if sample and cursor.set_key(min(sample)[1]):
        cursor.delete()
