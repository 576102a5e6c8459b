"""The protocol of record stores, which share small records among all workers.

A record has a key, a value and an expiry time. A caller that changes a record passes the value that
it has read, so only one of several workers succeeds. A store on the network returns an awaitable
where a local store returns the result itself.
"""

import re
from abc import abstractmethod
from collections.abc import Awaitable
from hashlib import blake2b
from typing import Any, Final, NamedTuple

__all__ = ["DIGEST_SIZE", "BoundStores", "Record", "RecordStore", "check_record_name", "key_digest"]

DIGEST_SIZE: Final = 24
_NAME = re.compile(r"[a-z][a-z0-9-]{0,15}")


class Record(NamedTuple):
    """A record in a store.

    Attributes:
        value: its value.
        age: seconds since the value was stored, by the clock of the store. Workers agree on it even
            if their clocks differ.
    """

    value: bytes
    age: float


class RecordStore:
    """A store of records.

    Attributes:
        is_transactional: whether a record can be replaced in a transaction of the app; see
            `replace_in()`.
    """

    is_transactional: bool = False

    @abstractmethod
    def create(
        self, key: bytes, value: bytes, seconds: float
    ) -> Record | Awaitable[Record | None] | None:
        """Store a record, unless the key already has one.

        Args:
            key: 1 to 64 bytes.
            value: its value.
            seconds: how long to keep it.

        Returns:
            The existing record, or None if the new one was stored.

        Raises:
            StoreOutage: the store is unavailable, or full.
        """
        raise NotImplementedError

    @abstractmethod
    def replace(
        self, key: bytes, old: bytes, value: bytes, seconds: float
    ) -> bool | Awaitable[bool]:
        """Replace a record's value if it is still the old one.

        Args:
            key: as in `create()`.
            old: the value that it must have.
            value: the new value.
            seconds: how long to keep it, from now on.

        Returns:
            Whether it has been replaced.

        Raises:
            StoreOutage: the store is unavailable, or full.
        """
        raise NotImplementedError

    # Any: a session of the store's own kind.
    def replace_in(
        self, session: Any, key: bytes, old: bytes, value: bytes, seconds: float
    ) -> bool | Awaitable[bool]:
        """Replace a record's value in a transaction of the app, if the store `is_transactional`.

        The change is then committed or rolled back together with the app's own changes.

        Args:
            session: the transaction.
            key: as in `replace()`; the other arguments too.
            old: the value that it must have.
            value: the new value.
            seconds: how long to keep it, from now on.

        Returns:
            Whether it has been replaced; if not, the transaction must not be committed.
        """
        raise NotImplementedError

    @abstractmethod
    def delete(self, key: bytes, old: bytes) -> bool | Awaitable[bool]:
        """Delete a record if its value is still the old one; return whether it was.

        Raises:
            StoreOutage: the store is unavailable.
        """
        raise NotImplementedError

    def bind(self, is_async: bool) -> "RecordStore":
        """Return the store as a protocol adapter uses it.

        Args:
            is_async: whether it is called on an event loop, as under ASGI.
        """
        return self

    def open(self) -> Awaitable[None] | None:
        """Prepare the store for the first request.

        Raises:
            StoreError: the store can't be used, and retrying would not help.
        """

    def close(self) -> Awaitable[None] | None:
        """Release the resources that the store holds."""


class BoundStores(dict[bool, RecordStore]):
    """A store for each protocol adapter, bound when that adapter first uses it.

    So an option can be a store that only one adapter can use, such as one that needs an event loop.

    Args:
        store: the store.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def __missing__(self, is_async: bool) -> RecordStore:
        return self.setdefault(is_async, self._store.bind(is_async))


def check_record_name(name: str) -> str:
    """Return a valid name for the purpose of records.

    Raises:
        TypeError: the name is not a string.
        ValueError: the name is not 1 to 16 lower-case letters, digits and hyphens.
    """
    if not isinstance(name, str):
        raise TypeError(f'name must be a string such as "idempotency", not {name!r}')
    if not _NAME.fullmatch(name):
        raise ValueError(
            f'name must be 1 to 16 of a-z, 0-9 and -, such as "idempotency", not {name!r}'
        )
    return name


def key_digest(name: str, key: bytes) -> bytes:
    """Return 24 evenly distributed bytes that identify a key among those of all names."""
    return blake2b(key, digest_size=DIGEST_SIZE, person=name.encode()).digest()
