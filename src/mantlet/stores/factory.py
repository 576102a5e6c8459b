"""Create the record store that a URI names."""

from typing import Final

from mantlet._internal.server_settings import visible_workers
from mantlet._internal.user_warnings import warn_user
from mantlet.stores.memory import MemoryRecords
from mantlet.stores.records import RecordStore, check_record_name

__all__ = ["create_record_store"]

#: The schemes of Redis and Valkey, without suffixes such as ``+unix`` or ``+cluster``.
_NETWORK_SCHEMES: Final = ("redis", "rediss", "valkey", "valkeys", "unix")
_EXAMPLES: Final = '"memory://", "lmdb:///var/lib/app/records" or "redis://localhost:6379"'


def create_record_store(uri: str, *, name: str) -> RecordStore:
    """Create the record store that a URI names.

    Args:
        uri: ``"memory://"``, ``"lmdb://"`` and the absolute path of a directory (see
            `mantlet.stores.lmdb.records`), or the URI of a server (see
            `mantlet.stores.redis.records`).
        name: the purpose of the records, such as ``"idempotency"``. It separates them from other
            records in the same store.

    Raises:
        ImportError: the store's library is not installed; the message names the extra.
        StoreError: the LMDB file can't be used.
        TypeError: an argument is not a string.
        ValueError: the URI or the name is malformed, or the scheme is unknown.
    """
    check_record_name(name)
    if not isinstance(uri, str):
        raise TypeError(f"store must be a URI such as {_EXAMPLES}, not {type(uri).__name__}")
    scheme = uri.partition(":")[0]
    if scheme.partition("+")[0] in _NETWORK_SCHEMES:
        from mantlet.stores.redis.records import RedisRecords  # an extra

        return RedisRecords(uri, name=name)
    if scheme == "lmdb":
        from mantlet.stores.lmdb import LmdbRecords, parse_path  # an extra

        return LmdbRecords(parse_path(uri, "lmdb:///var/lib/app/records"), name=name)
    if uri == "memory://":
        workers = visible_workers() or 1
        if workers > 1:
            warn_user(
                f'each of {workers} workers has records of its own with store="memory://"; share '
                f'them, such as with store="lmdb:///var/lib/app/records" or '
                f'store="redis://localhost:6379"'
            )
        return MemoryRecords()
    # The rest of it may be a password.
    raise ValueError(f"store must be a URI such as {_EXAMPLES}, not {scheme[:32]}://...")
