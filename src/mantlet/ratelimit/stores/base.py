"""The protocol that every store implements: requests for tokens and slots, and their results.

A store keeps two kinds of state. A **bucket** is one number: the time at which it will be full
again (see `mantlet.ratelimit.gcra`). A missing bucket is full. The **slots** of a key record
which requests are in flight, and for how long each of them is trusted to be.

Everything an HTTP request needs is taken in one atomic call: all of it or nothing. A store on the
network returns an awaitable wherever a local store returns the result itself.
"""

import re
from abc import abstractmethod
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mantlet.ratelimit.quota import Quota

if TYPE_CHECKING:
    from mantlet.ratelimit.stores.memory import FallbackStore
    from mantlet.ratelimit.stores.outages import OutageLog

__all__ = [
    "LocalStore",
    "Remaining",
    "SlotRequest",
    "Store",
    "StoreRequest",
    "Strikes",
    "TokenRequest",
    "aged",
    "granted",
    "redact_uri",
]

_SENSITIVE = re.compile(r"@|pass|pw|secret|token|auth", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+]{0,40}://", re.IGNORECASE)


class TokenRequest(NamedTuple):
    """A request for tokens from one bucket.

    Attributes:
        key: identifies the bucket: the limit before the first colon, the client after it.
        quota: the bucket's size and refill rate. A key is always used with the same quota.
        cost: number of tokens, at least 0.
        is_report_only: whether a denial leaves the other requests of the same call unaffected.
        is_refundable: whether the tokens may be given back later, so that a denial may not hold for
            long.
        age: only to give tokens back: nanoseconds since they were taken. The tokens that time has
            refilled since then are not given back as well; see `mantlet.ratelimit.stores.history`.
        is_bannable: whether a denial may ban the key, so that tokens may not be taken in advance.
    """

    key: str
    quota: Quota
    cost: int = 1
    is_report_only: bool = False
    is_refundable: bool = False
    age: int = 0
    is_bannable: bool = False


class Strikes(NamedTuple):
    """When refusals ban a key.

    Attributes:
        after: the number of refusals that bans.
        within: nanoseconds within which they have to be.
        duration: of the ban, in nanoseconds.
    """

    after: int
    within: int
    duration: int


class SlotRequest(NamedTuple):
    """A request for one of the slots that bound how many requests of a key may be in flight.

    Attributes:
        key: identifies the set of slots, in the same form as `TokenRequest.key`.
        limit: number of slots.
        lease: in nanoseconds; a slot that has not been given back by then is free again. Only used
            by stores that outlive the process.
        holder: an identifier of the HTTP request: 16 hexadecimal digits.
        is_report_only: see `TokenRequest`.
    """

    key: str
    limit: int
    lease: int
    holder: str
    is_report_only: bool = False


StoreRequest: TypeAlias = TokenRequest | SlotRequest

#: The remaining amount for each request, in order: ticks of its quota for a `TokenRequest`, slots
#: for a `SlotRequest`. A negative number is the amount that was missing. None if the store denied
#: another request of the call without looking at this one.
Remaining: TypeAlias = list[int | None]


class Store:
    """A place where buckets and slots are kept."""

    @abstractmethod
    def take(self, requests: Sequence[StoreRequest]) -> Remaining | Awaitable[Remaining]:
        """Take everything that is requested, or nothing.

        The enforced requests are granted unless one of them is denied. The report-only requests are
        granted unless any request is denied.

        Args:
            requests: at least one; no key twice.

        Raises:
            StoreOutage: the store is unavailable.
        """
        raise NotImplementedError

    def take_one(self, key: str, quota: Quota, cost: int) -> int | Awaitable[int]:
        """Take from one bucket: `take()` for the most common case.

        Returns:
            The remaining ticks; if negative, the ticks that were missing.

        Raises:
            StoreOutage: the store is unavailable.
        """
        remaining = self.take((TokenRequest(key, quota, cost),))
        return _only(remaining) if isinstance(remaining, list) else _await_only(remaining)

    @abstractmethod
    def peek(self, requests: Sequence[StoreRequest]) -> Remaining | Awaitable[Remaining]:
        """Return the result that `take()` would have, without taking anything."""
        raise NotImplementedError

    @abstractmethod
    def give_back(self, requests: Sequence[StoreRequest]) -> Awaitable[None] | None:
        """Give back tokens and slots that were taken. A bucket never holds more than its burst.

        A bucket that is blocked gets nothing back.
        """
        raise NotImplementedError

    @abstractmethod
    def block(self, requests: Sequence[TokenRequest], nanoseconds: int) -> Awaitable[None] | None:
        """Empty buckets so that each gets its next token after ``nanoseconds``.

        A bucket whose next token would come even later is left as it is.
        """
        raise NotImplementedError

    def strike(self, request: TokenRequest, strikes: Strikes) -> bool | Awaitable[bool]:
        """Record that a request was denied; block its bucket if it was denied too often.

        Denials while the bucket is blocked do not count.

        Returns:
            Whether this denial has blocked the bucket.

        Raises:
            TypeError: the store does not support bans by rules.
            StoreOutage: the store is unavailable.
        """
        raise TypeError(f"{type(self).__name__} has no strike() method, which Ban needs")

    def reset_all(self, prefixes: Sequence[str]) -> Awaitable[None] | None:
        """Refill all buckets, and free all slots, whose keys begin with one of some prefixes.

        Args:
            prefixes: each a beginning of the part before the first colon, or that part and the
                colon; at most 12 ASCII characters.

        Raises:
            TypeError: the store does not support this.
            StoreOutage: the store is unavailable.
        """
        raise TypeError(f"{type(self).__name__} has no reset_all() method")

    @abstractmethod
    def reset(self, keys: Sequence[str]) -> Awaitable[None] | None:
        """Refill the buckets, and free the slots, of these keys."""
        raise NotImplementedError

    def bind(self, is_async: bool) -> "Store":
        """Return the store as a protocol adapter uses it.

        Args:
            is_async: whether it is called on an event loop, as under ASGI.
        """
        return self

    def observed(self, outages: "OutageLog", fallback: "FallbackStore | None") -> "Store":
        """Return the store as a limiter uses it: one that reports its outages and its results.

        Args:
            outages: gets the calls that fail, and those that succeed again.
            fallback: learns the results, so that it can go on from there in an outage; None if
                there is no fallback.
        """
        from mantlet.ratelimit.stores.observed import ObservedStore  # seldom used

        return ObservedStore(self, outages, fallback)

    def counts(self) -> dict[str, int]:
        """Return the store's own counts for `LimiterStats`, by their names there."""
        return {}

    def open(self) -> Awaitable[None] | None:
        """Prepare the store before the first request.

        Raises:
            StoreError: it can't be opened, and retrying would not help.
        """

    def close(self) -> Awaitable[None] | None:
        """Release the resources that the store holds."""


class LocalStore(Store):
    """A store on this host: it returns results at once and needs no opening or binding."""

    @abstractmethod
    def take(self, requests: Sequence[StoreRequest]) -> Remaining:
        """Take everything that is requested, or nothing."""
        raise NotImplementedError

    def take_one(self, key: str, quota: Quota, cost: int) -> int:
        """Take from one bucket; return the remaining ticks; if negative, the missing ones."""
        return _only(self.take((TokenRequest(key, quota, cost),)))

    @abstractmethod
    def peek(self, requests: Sequence[StoreRequest]) -> Remaining:
        """Return the result that `take()` would have, without taking anything."""
        raise NotImplementedError


def _only(remaining: Remaining) -> int:
    (value,) = remaining
    assert value is not None  # noqa: S101  # for the type checker: a single one is always looked at
    return value


async def _await_only(remaining: Awaitable[Remaining]) -> int:
    return _only(await remaining)


def redact_uri(uri: str | bytes) -> str:
    """Return a printable form of a URI that could not be parsed.

    If the URI may contain a password, only its scheme is shown.
    """
    text = uri if isinstance(uri, str) else uri.decode("utf-8", "replace")
    if not _SENSITIVE.search(text):
        return repr(uri)
    match = _SCHEME.match(text)
    return "***" if match is None else f"{match[0]}***"


def granted(requests: Sequence[StoreRequest], remaining: Sequence[int | None]) -> list[bool]:
    """Return for each request whether it was granted, given the result of `Store.take()`."""
    denied = {
        request.is_report_only
        for request, left in zip(requests, remaining, strict=True)
        if (left or 0) < 0
    }
    return [False not in denied and not (denied and request.is_report_only) for request in requests]


def aged(requests: Sequence[StoreRequest], nanoseconds: int) -> list[StoreRequest]:
    """Return requests that were taken some nanoseconds ago, to be given back."""
    return [
        # `_replace()` takes three times as long.
        TokenRequest(*request[:5], nanoseconds, request.is_bannable)
        if isinstance(request, TokenRequest)
        else request
        for request in requests
    ]
