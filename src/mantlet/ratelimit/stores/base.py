"""What every store of buckets does: the protocol that a new one implements, in one file.

A store keeps two kinds of things. A **bucket** is one number: the time at which it is full again
(see `mantlet.ratelimit.bucket`); a missing one is full. The **places** of a key say who is in
flight at the moment, and until when each of them is believed.

All that a request wants is taken in one call, all of it or nothing, and so that no other caller can
come between. A store whose answer has to be waited for returns an awaitable in the place of the
answer; everything else about it is the same.
"""

import re
from abc import abstractmethod
from collections.abc import Awaitable, Sequence
from typing import NamedTuple

from mantlet.ratelimit.quota import Quota

__all__ = ["Claim", "LocalStore", "Place", "Rooms", "Store", "hidden", "taken"]

_SECRETIVE = re.compile(r"@|pass|pw|secret|token|auth", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+]{0,40}://", re.IGNORECASE)
#: For each that was wanted, in their order: what is left. Ticks of its quota for a `Claim`, places
#: for a `Place`. A negative number is what was missing, and then nothing at all was taken. None
#: where a store that refuses at once has not looked.
Rooms = list[int | None]


class Claim(NamedTuple):
    """Tokens wanted from one bucket.

    Attributes:
        key: names the bucket. The part up to the first colon is the limit's, the rest the client's.
        quota: the bucket's size and refill. A key always comes with one and the same.
        cost: how many tokens, at least 0.
        shadow: whether it is only tried out: a refusal of it keeps nothing else from being taken.
        refundable: whether the tokens may be given back, so that a refusal may not hold for long.
    """

    key: str
    quota: Quota
    cost: int = 1
    shadow: bool = False
    refundable: bool = False


class Place(NamedTuple):
    """A place wanted among those that may be in flight for a key at once.

    Attributes:
        key: names the places, as that of a `Claim` names the bucket.
        limit: how many there are.
        lease: in nanoseconds; a place that was not given back by then is free again. Only in stores
            that outlive the process that took it.
        holder: an identifier of the request, 16 hexadecimal digits.
        shadow: as that of a `Claim`.
    """

    key: str
    limit: int
    lease: int
    holder: str
    shadow: bool = False


class Store:
    """Where buckets are kept."""

    @abstractmethod
    def take(self, wanted: Sequence[Claim | Place]) -> Rooms | Awaitable[Rooms]:
        """Take all that is wanted, or nothing.

        All of those without ``shadow`` are taken if none of them is refused. Those with it are
        taken if, besides, none of themselves is refused.

        Args:
            wanted: at least one, no key twice.

        Raises:
            StoreOutage: the store can't be used at the moment.
        """
        raise NotImplementedError

    def take_one(self, key: str, quota: Quota, cost: int) -> int | Awaitable[int]:
        """Take from one bucket: `take()` for what nearly every request wants.

        Returns:
            The room left, or what is missing if negative.

        Raises:
            StoreOutage: the store can't be used at the moment.
        """
        rooms = self.take((Claim(key, quota, cost),))
        return _only(rooms) if isinstance(rooms, list) else _only_later(rooms)

    @abstractmethod
    def peek(self, wanted: Sequence[Claim | Place]) -> Rooms | Awaitable[Rooms]:
        """Return what `take()` would return, and take nothing."""
        raise NotImplementedError

    @abstractmethod
    def give(self, given: Sequence[Claim | Place]) -> Awaitable[None] | None:
        """Give tokens and places back that were taken. A bucket never holds more than its burst."""
        raise NotImplementedError

    @abstractmethod
    def hold(self, claims: Sequence[Claim], nanoseconds: int) -> Awaitable[None] | None:
        """Empty buckets so that the next token of each comes in so many ``nanoseconds``.

        One whose next token comes later than that anyway is left as it is.
        """
        raise NotImplementedError

    @abstractmethod
    def forget(self, keys: Sequence[str]) -> Awaitable[None] | None:
        """Make buckets full, and places free, again."""
        raise NotImplementedError

    def bind(self, waits: bool) -> "Store":
        """Return the store as a face uses it.

        Args:
            waits: whether it may be waited for on an event loop, as under ASGI.
        """
        return self

    def open(self) -> Awaitable[None] | None:
        """Prepare, before the first request.

        Raises:
            StoreError: it can't be opened, and waiting would not mend that.
        """

    def close(self) -> Awaitable[None] | None:
        """Let go of what it holds open."""


class LocalStore(Store):
    """A store on this host: it answers at once, and there is nothing to be opened or bound."""

    @abstractmethod
    def take(self, wanted: Sequence[Claim | Place]) -> Rooms:
        """Take all that is wanted, or nothing."""
        raise NotImplementedError

    def take_one(self, key: str, quota: Quota, cost: int) -> int:
        """Take from one bucket; return the room left, or what is missing if negative."""
        return _only(self.take((Claim(key, quota, cost),)))

    @abstractmethod
    def peek(self, wanted: Sequence[Claim | Place]) -> Rooms:
        """Return what `take()` would return, and take nothing."""
        raise NotImplementedError


def _only(rooms: Rooms) -> int:
    (room,) = rooms
    assert room is not None  # noqa: S101  # for the type checker: a single one is always looked at
    return room


async def _only_later(rooms: Awaitable[Rooms]) -> int:
    return _only(await rooms)


def hidden(uri: str | bytes) -> str:
    """Return what may be shown of a URI that nobody can read.

    Where there may be a password in it, that is its scheme alone.
    """
    text = uri if isinstance(uri, str) else uri.decode("utf-8", "replace")
    if not _SECRETIVE.search(text):
        return repr(uri)
    match = _SCHEME.match(text)
    return "***" if match is None else f"{match[0]}***"


def taken(wanted: Sequence[Claim | Place], rooms: Sequence[int | None]) -> list[bool]:
    """Return which of the wanted have been taken, by what `Store.take()` answered."""
    refused = {one.shadow for one, room in zip(wanted, rooms, strict=True) if (room or 0) < 0}
    return [False not in refused and not (refused and one.shadow) for one in wanted]
