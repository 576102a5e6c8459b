"""What stands in the file: records of buckets and of places, and what they are called.

Each is read with the thought that it may be damaged: one that makes no sense is as good as none.
"""

from hashlib import blake2b
from struct import Struct
from typing import Final

from mantlet.ratelimit.quota import Quota

__all__ = [
    "LONGEST",
    "SIZE",
    "TICKS",
    "is_over",
    "name_of",
    "name_of_places",
    "read",
    "read_places",
    "write",
    "write_places",
]

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
