"""Create the record store that a URI names."""

from typing import Final

from mantlet._internal.server_settings import visible_workers
from mantlet._internal.user_warnings import warn_user
from mantlet.stores.memory import MemoryRecords
from mantlet.stores.records import RecordStore

__all__ = ["create_record_store"]

_EXAMPLES: Final = '"memory://", "lmdb:///var/lib/app/records" or "redis://localhost:6379"'


def create_record_store(
    uri: str,
    *,
    name: str,  # noqa: ARG001  # memory is of one user
) -> RecordStore:
    """Create the record store that a URI names.

    Args:
        uri: ``"memory://"``.
        name: what the records are for, such as ``"idempotency"``: it separates them from others in
            the same place.

    Raises:
        ImportError: the store's library is not installed; the message names the extra.
        ValueError: the URI is malformed, or its scheme is unknown.
    """
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
    scheme = uri.partition(":")[0][:32]
    raise ValueError(f"store must be a URI such as {_EXAMPLES}, not {scheme}://...")
