"""What stands in the file: records of buckets and of places, and what they are called.

Each is read with the thought that it may be damaged: one that makes no sense is as good as none.
"""

from hashlib import blake2b
from struct import Struct

from mantlet.ratelimit.quota import Quota

__all__ = [
    "BUCKET",
    "LONGEST",
    "LOW",
    "is_over",
    "name_of",
    "name_of_places",
    "read",
    "read_places",
    "write",
    "write_places",
]

#: A bucket: the high and the low half of the tick at which it is full again, and how many ticks a
#: nanosecond has, so that anyone can tell whether it is full already.
BUCKET = Struct(">qQQ")
LOW = (1 << 64) - 1
#: One of the places of a key: the nanosecond until which it is believed, and its holder. Those of a
#: key stand in a row, which is never as long as a bucket.
_PLACE = Struct(">q8s")
_LATEST = (1 << 63) - 1
#: In nanoseconds: no bucket is held for a thousand years.
LONGEST = 1000 * 366 * 86_400_000_000_000


def name_of(key: str) -> bytes:
    """Return what the record of a bucket is called: 16 bytes that are spread evenly."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def name_of_places(key: str) -> bytes:
    """Return what the record of a key's places is called."""
    text = key.encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16, person=b"places").digest()


def write(full_at: int, quota: Quota) -> bytes:
    """Return the record of a bucket that is full again at a tick."""
    high = max(-_LATEST, min(full_at >> 64, _LATEST))
    return BUCKET.pack(high, full_at & LOW, quota.scale)


def read(record: bytes | None, quota: Quota, at: int) -> int:
    """Return when a bucket is full again: ``at``, which is now, where no record tells."""
    if record is None or len(record) != BUCKET.size:
        return at
    high, low, _ = BUCKET.unpack(record)
    full_at: int = high << 64 | low
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
    if len(record) != BUCKET.size:
        return not read_places(record, now)
    high, low, scale = BUCKET.unpack(record)
    return bool((high << 64 | low) <= now * scale)
