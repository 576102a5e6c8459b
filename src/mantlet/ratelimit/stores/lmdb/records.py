"""The records of an LMDB file: their keys, and buckets and slots as bytes.

Any record may be damaged: an invalid one is treated as a missing one.
"""

from hashlib import blake2b
from struct import Struct, iter_unpack, pack
from typing import Final

from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.history import NO_HISTORY, History

__all__ = [
    "DIGEST_SIZE",
    "MAX_WAIT",
    "RECORD_SIZE",
    "TICKS_SIZE",
    "bucket_key",
    "decode_bucket",
    "decode_history",
    "decode_slots",
    "encode_bucket",
    "encode_slots",
    "is_expired",
    "needed_until",
    "slots_key",
]

#: A bucket: the tick at which it is full again, in enough bytes for any quota, and the number of
#: ticks per nanosecond, so that anyone can tell whether it is already full.
TICKS_SIZE: Final = 17
RECORD_SIZE: Final = TICKS_SIZE + 8
#: One slot of a key: the nanosecond at which its lease ends, and its holder. The slots of a key are
#: concatenated, which never results in the size of a bucket.
_SLOT = Struct(">q8s")
_MAX_TIME = (1 << 63) - 1
#: In nanoseconds: a history with a time that lies further ahead is damaged.
_LONGEST = 20 * 366 * 86_400_000_000_000
#: In nanoseconds: no bucket is blocked for a thousand years.
MAX_WAIT = 1000 * 366 * 86_400_000_000_000

DIGEST_SIZE: Final = 16
_LIMIT_SIZE: Final = 12
_digest: Final = blake2b(digest_size=DIGEST_SIZE).copy


def bucket_key(key: str) -> bytes:
    """Return the key of a bucket's record: 16 evenly distributed bytes, and the limit.

    The limiter's own limits have names of 12 digits, so this shows nothing of the client.
    """
    try:
        text = key.encode()  # takes half the time of naming how
    except UnicodeEncodeError:
        text = key.encode("utf-8", "surrogatepass")
    digest = _digest()  # copying takes half the time of creating one
    digest.update(text)
    return digest.digest() + text[:_LIMIT_SIZE]


def slots_key(key: str) -> bytes:
    """Return the key of the record of a key's slots, in the same form."""
    text = key.encode("utf-8", "surrogatepass")
    digest = blake2b(text, digest_size=DIGEST_SIZE, person=b"places").digest()
    return digest + text[:_LIMIT_SIZE]


def encode_bucket(full_at: int, quota: Quota, history: History = NO_HISTORY) -> bytes:
    """Return the record of a bucket that is full again at a tick."""
    record = full_at.to_bytes(TICKS_SIZE, signed=True) + quota.scale.to_bytes(8)
    if history == NO_HISTORY:
        return record
    *times, strikes = history
    times += strikes
    return record + pack(f">{len(times)}q", *(min(time, _MAX_TIME) for time in times))


def decode_bucket(record: bytes | None, quota: Quota, at: int) -> int:
    """Return when a bucket is full again: ``at``, the current tick, without a valid record."""
    if record is None or not is_bucket(record):
        return at
    full_at = int.from_bytes(record[:TICKS_SIZE], signed=True)
    return full_at if full_at <= at + quota.capacity + MAX_WAIT * quota.scale else at


def is_bucket(record: bytes) -> bool:
    """Return whether a record is a bucket's: alone, or with its history."""
    size = len(record) - RECORD_SIZE
    return size == 0 or (size >= 4 * 8 and size % 8 == 0)


def decode_history(record: bytes | None, now: int) -> History:
    """Return the history of a bucket."""
    if record is None or len(record) <= RECORD_SIZE or not is_bucket(record):
        return NO_HISTORY
    banned, start, end, struck, *strikes = (
        time for (time,) in iter_unpack(">q", record[RECORD_SIZE:])
    )
    if max(banned, start, end, struck, *strikes) > now + _LONGEST:
        return NO_HISTORY
    return History(banned, start, end, struck, tuple(strikes))


def encode_slots(slots: dict[bytes, int]) -> bytes:
    """Return the record of a key's slots."""
    return b"".join(_SLOT.pack(min(until, _MAX_TIME), holder) for holder, until in slots.items())


def decode_slots(record: bytes | None, now: int) -> dict[bytes, int]:
    """Return the holders of a key's slots whose leases have not ended, with the end of each."""
    if record is None or len(record) % _SLOT.size:
        return {}
    return {holder: until for until, holder in _SLOT.iter_unpack(record) if until > now}


def is_expired(record: bytes, now: int) -> bool:
    """Return whether a record is equivalent to a missing one: bucket full, or all slots free."""
    until = needed_until(record, now)
    return not decode_slots(record, now) if until is None else until <= now


def needed_until(record: bytes, now: int) -> int | None:
    """Return the time from which a bucket is equivalent to a missing one; None for slots."""
    if not is_bucket(record):
        return None
    full_at = int.from_bytes(record[:TICKS_SIZE], signed=True)
    scale = int.from_bytes(record[TICKS_SIZE:RECORD_SIZE])
    until = -(-full_at // (scale or 1))
    if len(record) == RECORD_SIZE:
        return until
    return max(until, decode_history(record, now).struck_until)
