"""The limiter's options made ready: what a request of each kind has to ask of the store."""

from collections.abc import Awaitable, Iterable, Sequence
from hashlib import blake2b
from os import urandom
from typing import NamedTuple
from urllib.parse import quote

from mantlet.core.policy import Close
from mantlet.core.request import Request
from mantlet.ratelimit.concurrency import Concurrency
from mantlet.ratelimit.keys.key import KeyFunction, as_key
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.rules import Cost, CountIf, QuotaFunction, static_quotas
from mantlet.ratelimit.stores.base import SlotRequest, TokenRequest

__all__ = ["Ask", "Bound", "Charge", "Limit", "Plan", "only_tried"]

#: How many different answers of a quota function are kept at the ready.
_KNOWN_QUOTAS = 1024
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


class Limit(NamedTuple):
    """One quota of the limiter or of a rule.

    Attributes:
        prefix: what the keys of its buckets begin with, up to the colon. It tells every limit from
            every other, and from the same one with other numbers, in whatever store they meet.
        item: the quota's name as a String of a header field.
        policy: its item in ``RateLimit-Policy``.
    """

    name: str
    quota: Quota
    prefix: str
    item: str
    policy: str


class Bound(NamedTuple):
    """A bound on what is in flight, likewise."""

    name: str
    quota: Concurrency
    prefix: str
    item: str
    policy: str
    key: KeyFunction
    shadow: bool

    @classmethod
    def of(cls, concurrency: Concurrency, *, scope: str, key: KeyFunction, shadow: bool) -> "Bound":
        """Return a bound made ready.

        Args:
            concurrency: the bound.
            scope: what tells it from every other of the same store.
            key: whose requests they are, if the bound does not say so.
            shadow: whether it is only tried out, whatever it says.
        """
        item = quoted(concurrency.name)
        return cls(
            concurrency.name,
            concurrency,
            _prefix(scope, "concurrency", concurrency.name),
            item,
            f'{item};q={concurrency.limit};qu="concurrent-requests"',
            as_key(concurrency.key or key).function,
            concurrency.mode == "report" or shadow,
        )

    async def asks(self, request: Request) -> "Sequence[Ask]":
        """Return the place that a request asks for; nothing where its key is None."""
        concurrency = self.quota
        key = self.key(request)
        if isinstance(key, Awaitable):
            key = await key
        if key is None:
            return ()
        lease = int(concurrency.lease * 1_000_000_000)
        place, holder = self.prefix + key, urandom(8).hex()
        return (Ask(self, SlotRequest(place, concurrency.limit, lease, holder, self.shadow)),)


class Ask(NamedTuple):
    """What one request asks for under one limit."""

    limit: Limit | Bound
    claim: TokenRequest | SlotRequest
    count_if: CountIf | None = None
    close: Close | None = None


def only_tried(asks: Sequence[Ask]) -> bool:
    """Return whether nothing that is asked for may be refused."""
    return all(ask.claim.is_report_only for ask in asks)


class Charge:
    """What requests have to pay: the limiter's own quotas, or those of one rule.

    Args:
        scope: what tells this charge from every other of the same store.
        name: what quotas without a name of their own are called.
        quotas: or the function that tells them.
        key: whose buckets.
        cost: in tokens.
        count_if: as in `Rule`.
        shadow: as in `Rule`.
        close: as in `Rule`; None to drop messages.

    Attributes:
        limits: its quotas made ready; None where a function tells them.
        windowed: whether one of them is counted in windows.
        bucketed: whether one of them is counted in a bucket.
    """

    def __init__(
        self,
        *,
        scope: tuple[str, ...],
        name: str,
        quotas: tuple[Quota, ...] | QuotaFunction,
        key: KeyFunction,
        cost: Cost = 1,
        count_if: CountIf | None = None,
        shadow: bool = False,
        close: Close | None = None,
    ) -> None:
        self.name = quote(name, safe=_PRINTABLE)
        self.key = as_key(key).function
        self.cost = cost
        self.count_if = count_if
        self.shadow = shadow
        self.close = close
        self._scope = scope
        self._quotas = quotas
        self._known: dict[tuple[Quota, ...], tuple[Limit, ...]] = {}
        self.limits = None if callable(quotas) else self._ready(quotas)
        self.windowed = not callable(quotas) and any(quota.window for quota in quotas)
        self.bucketed = callable(quotas) or not all(quota.window for quota in quotas)

    def _ready(self, quotas: tuple[Quota, ...]) -> tuple[Limit, ...]:
        found = self._known.get(quotas)
        if found is None:
            names = _distinct(self.name, quotas)
            found = tuple(map(self._limit, names, quotas))
            if self.count_if is not None and any(quota.window for quota in quotas):
                raise TypeError(f"{self.name}: count_if needs a token bucket, not a window")
            if len(self._known) < _KNOWN_QUOTAS:
                self._known[quotas] = found
        return found

    def _limit(self, name: str, quota: Quota) -> Limit:
        item = quoted(name)
        numbers = (quota.amount, quota.period, quota.burst, quota.window)
        prefix = _prefix(*self._scope, name, *map(str, numbers))
        return Limit(name, quota, prefix, item, f"{item};q={quota.amount};w={quota.period}")

    async def asks(
        self, request: Request, key: str | Awaitable[str | None] | None
    ) -> Sequence[Ask]:
        """Return what a request asks for; nothing where its ``key`` is None."""
        if isinstance(key, Awaitable):
            key = await key
        if key is None:
            return ()
        limits = self.limits
        if limits is None:
            limits = await self._dynamic(request)
        cost = self.cost
        if callable(cost):
            told = cost(request)
            cost = self._checked(await told if isinstance(told, Awaitable) else told)
        return self.claims(limits, key, cost)

    def _checked(self, cost: object) -> int:
        if isinstance(cost, bool) or not isinstance(cost, int) or cost < 0:
            raise TypeError(f"{self.name}: a cost must be a whole number, not {cost!r}")
        return cost

    def claims(self, limits: tuple[Limit, ...], key: str, cost: int) -> Sequence[Ask]:
        """Return what a key asks for under limits of this charge."""
        return [
            Ask(
                limit,
                TokenRequest(
                    limit.prefix + key, limit.quota, cost, self.shadow, self.count_if is not None
                ),
                self.count_if,
                self.close,
            )
            for limit in limits
        ]

    async def _dynamic(self, request: Request) -> tuple[Limit, ...]:
        function = self._quotas
        assert callable(function)  # noqa: S101  # for the type checker: limits is None only then
        told = function(request)
        if isinstance(told, Awaitable):
            told = await told
        limits = () if told is None else self._ready(static_quotas(told))
        if any(limit.quota.window for limit in limits):
            raise TypeError(f"{self.name}: a quota function tells token buckets, not windows")
        return limits


class Plan:
    """All that requests of one kind have to ask for.

    Attributes:
        charges: the limiter's own, and those of the rules that apply.
        bounds: on what is in flight.
        simple: the only limit, where there is just one, known beforehand, that costs one token and
            is settled on the way in.
    """

    def __init__(self, charges: Iterable[Charge], bounds: Iterable[Bound] = ()) -> None:
        self.charges = tuple(charges)
        self.bounds = tuple(bounds)
        names = [limit.name for charge in self.charges for limit in charge.limits or ()]
        names += [bound.name for bound in self.bounds]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"quotas that hold for the same requests share the name {name!r}")
        self.simple: tuple[Limit, KeyFunction] | None = None
        if len(self.charges) == 1 and not self.bounds:
            (charge,) = self.charges
            limits = charge.limits or ()
            plain = charge.cost == 1 and charge.count_if is None and not charge.shadow
            if plain and len(limits) == 1 and not charge.windowed:
                self.simple = limits[0], charge.key

    async def asks(self, request: Request) -> list[Ask]:
        """Return what a request asks for."""
        asks: list[Ask] = []
        for charge in self.charges:
            asks += await charge.asks(request, charge.key(request))
        for bound in self.bounds:
            asks += await bound.asks(request)
        return asks


def quoted(name: str) -> str:
    """Return a name as a String of a structured field (RFC 9651, 3.3.3)."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _distinct(default: str, quotas: Sequence[Quota]) -> list[str]:
    """Return a name for each quota: its own, or that of its charge, told apart by their rates."""
    apart = "" if default == "default" else f"{default} "
    nameless = sum(quota.name in ("default", quota.rate) for quota in quotas)
    names = []
    for quota in quotas:
        name = quota.name
        if name in ("default", quota.rate):
            name = default if nameless == 1 else f"{apart}{quota.rate}"
        names.append(name)
    return names


def _prefix(*parts: str) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=6).hexdigest() + ":"
