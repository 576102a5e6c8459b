"""`TokenCache`: tokens that have been verified already, by their digests."""

import sys
from collections import deque
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from mantlet._internal.locks import ForkSafeLock
from mantlet.core.identity import Identity

__all__ = ["CachedToken", "TokenCache"]

#: The memory of one entry besides the identity: the digest, the entry, and its place.
_OVERHEAD: Final = 600
#: The memory of the dict within a proxy, and of each of its members, besides keys and values.
_DICT: Final = 200
_MEMBER: Final = 64


class CachedToken(NamedTuple):
    """A verified token.

    Attributes:
        identity: who it belongs to.
        generation: the generation of the key set that it was verified with.
        until: when its verification ends to be valid, in seconds of Unix time.
        size: its memory in bytes.
    """

    identity: Identity
    generation: int
    until: float
    size: int


class TokenCache:
    """Verified tokens, bounded in number and memory; the oldest entry makes room for a new one.

    It has digests, never tokens, and only tokens that were valid: so a client can neither fill it
    with tokens of its own making nor read a token out of a dump of it. Entries are read without a
    lock: a dict's own `get()` is atomic, also without the GIL.

    Args:
        max_entries: the most tokens.
        max_memory: the most bytes that they take.

    Attributes:
        get: return the entry of a digest, which the caller has to check against the time and the
            generation; None if there is none.
    """

    def __init__(self, max_entries: int, max_memory: int) -> None:
        self._entries: dict[bytes, CachedToken] = {}
        #: The digests of all entries, the oldest first.
        self._order: deque[bytes] = deque()
        self._max_entries = max_entries
        self._max_memory = max_memory
        self._memory = 0
        self._lock = ForkSafeLock(self._clear)
        self.get = self._entries.get

    def add(self, digest: bytes, identity: Identity, generation: int, until: float) -> None:
        """Keep a verified token.

        Args:
            digest: its SHA-256 digest.
            identity: who it belongs to.
            generation: of the key set, as it was before the token was verified.
            until: as `CachedToken.until`.
        """
        size = _OVERHEAD + _size(identity.claims) + _size(identity.scopes) + _size(identity.roles)
        entries, order = self._entries, self._order
        with self._lock.plain:
            known = entries.get(digest)
            if known is None:
                order.append(digest)
            else:
                self._memory -= known.size
            entries[digest] = CachedToken(identity, generation, until, size)
            self._memory += size
            while len(entries) > self._max_entries or self._memory > self._max_memory:
                self._memory -= entries.pop(order.popleft()).size

    def _clear(self) -> None:
        self._entries.clear()
        self._order.clear()
        self._memory = 0

    def __len__(self) -> int:
        return len(self._entries)


# Any: values of JSON that are frozen (`claims.frozen()`).
def _size(value: Any) -> int:
    """Return the memory of a value and everything in it, in bytes."""
    size_of = sys.getsizeof
    total = 0
    later = [value]
    for one in later:
        total += size_of(one)
        kind = type(one)
        if kind is MappingProxyType:
            total += _DICT + _MEMBER * len(one)
            later += one
            later += one.values()
        elif kind is tuple or kind is frozenset:
            later += one
    return total
