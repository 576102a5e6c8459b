"""The limiter's options, compiled: the hits that a request makes on the store.

A `CompiledRule` holds the quotas of the limiter or of one rule. `RequestLimits` holds all compiled
rules and concurrency limits that apply to the requests of one kind. A `Hit` is one limit of one
request, with the tokens or the slot that it needs from the store.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from os import urandom
from typing import NamedTuple
from urllib.parse import quote

from mantlet._internal.coroutines import is_coroutine_function
from mantlet.core.policy import Close
from mantlet.core.request import Request
from mantlet.ratelimit.decision import BucketDecision
from mantlet.ratelimit.draft_headers import DraftHeaders, KnownHeaders
from mantlet.ratelimit.keys.key import KeyFunction, as_key
from mantlet.ratelimit.options import Cost, CountIf, QuotaFunction, read_static_quotas
from mantlet.ratelimit.quota import Ban, Concurrency, Quota
from mantlet.ratelimit.stores.base import SlotRequest, StoreRequest, Strikes, TokenRequest

__all__ = [
    "CompiledRule",
    "ConcurrencyLimit",
    "Hit",
    "QuotaLimit",
    "RequestLimits",
    "SimpleLimit",
    "are_report_only",
]

#: What it takes to apply the only limit of a request: the limit, its quota, its prefix and its key
#: function; what makes a decision of the room that is left; and the step and the known ones of its
#: `DraftHeaders`.
SimpleLimit = tuple[
    "QuotaLimit", Quota, str, KeyFunction, Callable[[int], BucketDecision], int, KnownHeaders
]

#: How many different results of a quota function are kept compiled.
_CACHED_QUOTAS = 1024
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


@dataclass(frozen=True, slots=True)
class QuotaLimit:
    """One quota of the limiter or of a rule.

    Attributes:
        name: its name in headers and problems.
        quota: the quota.
        prefix: the beginning of the keys of its buckets, up to the colon. It is unique to the
            limit and its numbers, whatever else is kept in the same store.
        item: the name as a String of a structured header.
        policy: its item in ``RateLimit-Policy``.
        headers: both headers of a request that has no other quota.
    """

    name: str
    quota: Quota
    prefix: str
    item: str
    policy: str
    headers: DraftHeaders


class ConcurrencyLimit(NamedTuple):
    """One concurrency limit of the limiter or of a rule.

    Attributes:
        name: its name in headers and problems.
        quota: the limit as configured.
        prefix: the beginning of the keys of its slots, as in `QuotaLimit`.
        item: the name as a String of a structured header.
        policy: its item in ``RateLimit-Policy``.
        key: returns the key whose requests are counted.
        is_report_only: whether it never refuses.
        waits: whether its key waits for something, such as the body.
    """

    name: str
    quota: Concurrency
    prefix: str
    item: str
    policy: str
    key: KeyFunction
    is_report_only: bool
    waits: bool

    @classmethod
    def compile(
        cls, concurrency: Concurrency, *, scope: str, key: KeyFunction, is_report_only: bool
    ) -> "ConcurrencyLimit":
        """Compile a concurrency limit.

        Args:
            concurrency: the limit as configured.
            scope: distinguishes it from every other limit in the same store.
            key: used if the limit has no key of its own.
            is_report_only: whether it never refuses, whatever its own mode.
        """
        item = _quoted(concurrency.name)
        own_key = as_key(concurrency.key or key)
        return cls(
            concurrency.name,
            concurrency,
            _hash(scope, "concurrency") + _hash(concurrency.name) + ":",
            item,
            f'{item};q={concurrency.limit};qu="concurrent-requests"',
            own_key.function,
            concurrency.mode == "report" or is_report_only,
            own_key.waits,
        )

    async def hits(self, request: Request) -> "Sequence[Hit]":
        """Return the hit of a request; empty if its key is None."""
        concurrency = self.quota
        key = self.key(request)
        if isinstance(key, Awaitable):
            key = await key
        if key is None:
            return ()
        lease = int(concurrency.lease * 1_000_000_000)
        slot, holder = self.prefix + key, urandom(8).hex()
        return (
            Hit(self, SlotRequest(slot, concurrency.limit, lease, holder, self.is_report_only)),
        )


class Hit(NamedTuple):
    """One limit of one request.

    Attributes:
        limit: the limit.
        store_request: the tokens or the slot that the request needs.
        count_if: as in `Rule`.
        close: as in `CompiledRule`.
        strikes: as in `CompiledRule`.
    """

    limit: QuotaLimit | ConcurrencyLimit
    store_request: StoreRequest
    count_if: CountIf | None = None
    close: Close | None = None
    strikes: Strikes | None = None

    @property
    def is_slot(self) -> bool:
        """Whether it needs a slot, not tokens."""
        return isinstance(self.store_request, SlotRequest)

    @property
    def key(self) -> str:
        """The key of the request."""
        return self.store_request.key.partition(":")[2]


def are_report_only(hits: Sequence[Hit]) -> bool:
    """Return whether none of the hits can lead to a refusal."""
    return all(hit.store_request.is_report_only for hit in hits)


class CompiledRule:
    """The quotas of the limiter or of one rule, with their key and cost.

    Args:
        scope: distinguishes it from every other compiled rule in the same store.
        name: the name of quotas without a name of their own.
        quotas: the quotas, or the function that returns them.
        key: names the buckets.
        cost: in tokens.
        count_if: as in `Rule`.
        is_report_only: whether it never refuses.
        close: how a message over the quota closes the connection; None to drop the message.
        ban: as in `Rule`.

    Attributes:
        prefix: the beginning of the keys of all its buckets.
        strikes: when refusals ban a key; None if they never do.
        limits: the compiled quotas; None if a function returns them.
        windows: its quotas that are counted in windows.
        has_buckets: whether one of the quotas has a token bucket.
        waits: whether its hits are known only once something has been waited for, such as the body.
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
        is_report_only: bool = False,
        close: Close | None = None,
        ban: Ban | None = None,
    ) -> None:
        self.prefix = _hash(*scope)
        self.strikes: Strikes | None = None
        if ban is not None and not is_report_only:
            times = (int(ban.within * 1_000_000_000), int(ban.seconds * 1_000_000_000))
            self.strikes = Strikes(ban.after, *times)
        self.name = quote(name, safe=_PRINTABLE)
        key = as_key(key)
        self.key = key.function
        self.cost = cost
        self.count_if = count_if
        self.is_report_only = is_report_only
        self.close = close
        self._quotas = quotas
        self._cache: dict[tuple[Quota, ...], tuple[QuotaLimit, ...]] = {}
        self.limits = None if callable(quotas) else self._compile(quotas)
        self.windows = frozenset(
            quota for quota in (() if callable(quotas) else quotas) if quota.window
        )
        self.has_buckets = callable(quotas) or not all(quota.window for quota in quotas)
        self.waits = key.waits or any(map(is_coroutine_function, (quotas, cost)))
        self._is_refundable = count_if is not None
        self._is_bannable = self.strikes is not None
        #: The limits and the cost, if neither depends on the request.
        self.static = None if self.limits is None or callable(cost) else (self.limits, cost)

    def _compile(self, quotas: tuple[Quota, ...]) -> tuple[QuotaLimit, ...]:
        found = self._cache.get(quotas)
        if found is None:
            names = _distinct_names(self.name, quotas)
            found = tuple(map(self._compile_one, names, quotas))
            for option, value in (("count_if", self.count_if), ("ban", self.strikes)):
                if value is not None and any(quota.window for quota in quotas):
                    raise TypeError(f"{self.name}: {option} needs a token bucket, not a window")
            if len(self._cache) < _CACHED_QUOTAS:
                self._cache[quotas] = found
        return found

    def _compile_one(self, name: str, quota: Quota) -> QuotaLimit:
        item = _quoted(name)
        numbers = (quota.amount, quota.period, quota.burst, quota.window)
        prefix = self.prefix + _hash(name, *map(str, numbers)) + ":"
        policy = f"{item};q={quota.amount};w={quota.period}"
        return QuotaLimit(name, quota, prefix, item, policy, DraftHeaders(quota, item, policy))

    async def hits(
        self, request: Request, key: str | Awaitable[str | None] | None
    ) -> Sequence[Hit]:
        """Return the hits of a request; none if its ``key`` is None."""
        if isinstance(key, Awaitable):
            key = await key
        if key is None:
            return ()
        limits = self.limits
        if limits is None:
            limits = await self._limits_for(request)
        cost = self.cost
        if callable(cost):
            result = cost(request)
            cost = self._checked_cost(await result if isinstance(result, Awaitable) else result)
        return self.hits_of_key(limits, key, cost)

    def hits_of_key(self, limits: tuple[QuotaLimit, ...], key: str, cost: int) -> Sequence[Hit]:
        """Return the hits of a key on limits of this rule."""
        hits = []
        for limit in limits:  # a comprehension would cost a call
            needed = TokenRequest(
                limit.prefix + key,
                limit.quota,
                cost,
                self.is_report_only,
                self._is_refundable,
                0,
                self._is_bannable,
            )
            hits.append(Hit(limit, needed, self.count_if, self.close, self.strikes))
        return hits

    def _checked_cost(self, cost: object) -> int:
        if isinstance(cost, bool) or not isinstance(cost, int) or cost < 0:
            raise TypeError(f"{self.name}: a cost must be a whole number, not {cost!r}")
        return cost

    async def _limits_for(self, request: Request) -> tuple[QuotaLimit, ...]:
        function = self._quotas
        assert callable(function)  # noqa: S101  # for the type checker: else limits is not None
        result = function(request)
        if isinstance(result, Awaitable):
            result = await result
        limits = () if result is None else self._compile(read_static_quotas(result))
        if any(limit.quota.window for limit in limits):
            raise TypeError(f"{self.name}: a quota function must return token buckets, not windows")
        return limits


class RequestLimits:
    """All limits that apply to the requests of one kind.

    Args:
        rules: the limiter's own compiled rule, and those of the matching rules.
        concurrency: the concurrency limits.
        check_names: whether to reject limits that share a name.

    Attributes:
        rules: see above.
        concurrency: see above.
        simple: the limit and what it takes to apply it, if there is just one, which is static,
            costs one token and is settled before the app runs: under WSGI (index 0) and under ASGI
            (index 1). See `SimpleLimit`.
        early: the limits to take at once: these, unless some of them have to wait for something,
            such as the body, and others don't. A client that stalls its body then holds its tokens
            and slots.
        late: the others, or None. Windows are among them, since they can't be given back.
    """

    def __init__(
        self,
        rules: Iterable[CompiledRule],
        concurrency: Iterable[ConcurrencyLimit] = (),
        *,
        check_names: bool = True,
    ) -> None:
        self.rules = tuple(rules)
        self.concurrency = tuple(concurrency)
        names = [limit.name for rule in self.rules for limit in rule.limits or ()]
        names += [limit.name for limit in self.concurrency]
        for name in names if check_names else ():
            if names.count(name) > 1:
                raise ValueError(
                    f"quotas that apply to the same requests share the name {name!r}; "
                    f"give them different names"
                )
        self.simple: tuple[SimpleLimit, SimpleLimit] | None = None
        if len(self.rules) == 1 and not self.concurrency:
            (rule,) = self.rules
            limits = rule.limits or ()
            plain = rule.cost == 1 and rule.count_if is None and not rule.is_report_only
            plain = plain and rule.strikes is None
            if plain and len(limits) == 1 and not rule.windows:
                self.simple = _simple(limits[0], rule.key)
        self.early, self.late = self._in_steps()

    def _in_steps(self) -> "tuple[RequestLimits, RequestLimits | None]":
        waits = any(rule.waits for rule in self.rules)
        waits = waits or any(limit.waits for limit in self.concurrency)
        rules = [rule for rule in self.rules if not (rule.waits or rule.windows)]
        concurrency = [limit for limit in self.concurrency if not limit.waits]
        if not waits or not (rules or concurrency):
            return self, None
        late_rules = [rule for rule in self.rules if rule not in rules]
        late_concurrency = [limit for limit in self.concurrency if limit.waits]
        return (
            RequestLimits(rules, concurrency, check_names=False),
            RequestLimits(late_rules, late_concurrency, check_names=False),
        )

    async def hits(self, request: Request) -> list[Hit]:
        """Return the hits of a request."""
        hits: list[Hit] = []
        key_of: KeyFunction | None = None
        key: str | None = None
        for rule in self.rules:
            if rule.key is not key_of:  # most rules have the limiter's own key
                key_of = rule.key
                text = key_of(request)
                key = text if isinstance(text, str) or text is None else await text
            if key is not None and rule.static is not None:
                hits += rule.hits_of_key(rule.static[0], key, rule.static[1])
            else:
                hits += await rule.hits(request, key)
        for limit in self.concurrency:
            hits += await limit.hits(request)
        return hits


def _simple(limit: QuotaLimit, key: KeyFunction) -> tuple[SimpleLimit, SimpleLimit]:
    decide = partial(BucketDecision, limit.name, limit.quota)
    headers = limit.headers
    wsgi, asgi = headers.known
    start = (limit, limit.quota, limit.prefix, key, decide, headers.step)
    return (*start, wsgi), (*start, asgi)


def _quoted(name: str) -> str:
    """Return a name as a String of a structured header (RFC 9651, 3.3.3)."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _distinct_names(default: str, quotas: Sequence[Quota]) -> list[str]:
    """Return a name for each quota: its own, or its rule's name with its rate."""
    qualifier = "" if default == "default" else f"{default} "
    nameless = sum(quota.name in ("default", quota.rate) for quota in quotas)
    names = []
    for quota in quotas:
        name = quota.name
        if name in ("default", quota.rate):
            name = default if nameless == 1 else f"{qualifier}{quota.rate}"
        names.append(name)
    return names


def _hash(*parts: str) -> str:
    """Return half of the first part of a key: 6 hexadecimal digits."""
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=3).hexdigest()
