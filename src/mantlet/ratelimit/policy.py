"""`RateLimiter`: no client gets more than its share.

It keeps a token bucket for each client: a quota of 100 a minute with a burst of 20 admits 20
requests at once and one more every 0.6 seconds, without ever losing a fraction. A request over the
quota is refused with 429, a problem (RFC 9457) and ``Retry-After``. Every response shows the
remaining requests in ``RateLimit`` and ``RateLimit-Policy``
(draft-ietf-httpapi-ratelimit-headers-10).

Buckets are kept in a store, given as a URI: in this process (``memory://``), exact across the
workers of a host (``lmdb:///var/lib/app/limits``), or across hosts (``redis://``, ``valkey://``,
also with clusters and sentinels). In memory, each of several workers counts for itself.

Clients are told apart by a key: by default the peer's address, as the server reports it. Behind a
proxy that is the proxy's own address, and all clients share one bucket: name the proxy in
``keys.client_address(trusted_proxies=...)``. No other peer's forwarding headers are trusted.

CORS preflights take no tokens: one without credentials and without a body can't act for anyone, and
it is answered before any view runs. An app that has no such answer, and whose views run for every
method, should have them counted by ``count_preflights=True`` or by a rule for ``OPTIONS``.

It does not stop a flood that exhausts connections, bandwidth or CPU before a request gets here, nor
clients that have many addresses or many keys.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from time import monotonic_ns
from typing import Any, Final

from mantlet._internal.coroutines import start_eagerly
from mantlet._internal.options import check_int
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import Close, HealthState, Message
from mantlet.core.preflight import has_body, is_preflight
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.request_view import RequestView
from mantlet.core.response import Reply, Response
from mantlet.exceptions import ClientDisconnected, StoreOutage
from mantlet.http.headers import TextHeaders
from mantlet.ratelimit.compiled import (
    CompiledRule,
    ConcurrencyLimit,
    Hit,
    QuotaLimit,
    RequestLimits,
    are_report_only,
)
from mantlet.ratelimit.decision import (
    HEADER_STYLES,
    BucketDecision,
    Decision,
    DeniedDecision,
    HeaderStyle,
    add_headers,
    denial,
    outage_problem,
    refusal,
)
from mantlet.ratelimit.delay import Queue
from mantlet.ratelimit.engine import LimitResult, Reservation
from mantlet.ratelimit.factory import OutageAction, StoreOptions, create_engine
from mantlet.ratelimit.keyed import KeyedLimiter
from mantlet.ratelimit.keys import client_address
from mantlet.ratelimit.keys.key import KeyFunction, as_key
from mantlet.ratelimit.networks import NetworkEntry, NetworkLists, Verdict
from mantlet.ratelimit.options import (
    Cost,
    CountIf,
    QuotaOption,
    check_concurrency,
    check_cost,
    check_count_if,
    read_quotas,
)
from mantlet.ratelimit.quota import Concurrency
from mantlet.ratelimit.refusals import OnRefuse, RefusalReporter, check_on_refuse
from mantlet.ratelimit.rules import Rule, RuleTable
from mantlet.ratelimit.stores.base import LocalStore, Store, TokenRequest

__all__ = ["RateLimiter"]

#: The service is temporarily overloaded (IANA, WebSocket Close Code Number Registry).
_TRY_AGAIN_LATER: Final = 1013


class RateLimiter(KeyedLimiter):
    """Refuse requests of a client that exceed its quota, with 429 and a ``Retry-After``.

    The app finds the `Decision` in ``mantlet.state(...).rate_limit``. Outside of HTTP, `check()`,
    `peek()`, `refund()`, `reset()` and `ban()` use the same buckets, by the key that the limiter's
    key function returns for a request: ``"192.0.2.1"`` or ``"2001:db8::/64"`` for the client
    address; `reset_all()` is for all keys. Each has an asyncio form, such as `acheck()`. With a
    store on the network the plain forms block.

    Args:
        quota: a rate such as ``"100/minute"``, several joined by ``;``, a `Quota`, a sequence of
            these, or a function of the request that returns one; None if only ``rules``,
            ``concurrency`` or ``deny`` limit requests. Of several, all are taken or none.
        key: names the bucket of a request: a function (``def`` or ``async def``) of the request
            that returns text, or None for a request that is not limited; see `mantlet.keys`. By
            default the client address.
        store: where buckets are kept: a URI (``"memory://"``, ``"lmdb:///var/lib/app/limits"``,
            ``"redis://..."``, ``"valkey://..."``, also ``+cluster`` and ``+sentinel``), or a
            `Store`.
        rules: limits that apply to some requests only.
        concurrency: how many requests may be in flight at once.
        cost: the number of tokens that a request takes, or a function of the request that returns
            it. See `Rule`.
        count_if: a predicate on the response: whether the request counts. See `Rule`.
        allow: networks and addresses of clients that are never limited, and paths of files of
            these. See `mantlet.ratelimit.networks`.
        deny: the same of clients whose requests are refused with 403. Where both lists contain an
            address, the longer prefix decides, and of two equal ones ``deny``.
        address: the `keys.client_address()` that finds the address for ``allow`` and ``deny``; by
            default the limiter's key, which must then be one or contain one.
        delay: under ASGI, how many seconds a request over a quota may wait for its tokens, instead
            of being refused; at most 60. Under WSGI it would occupy a worker thread, so the request
            is refused at once, and there is a warning when the app is wrapped.
        max_delayed: how many requests may wait at once.
        on_refuse: called with the `Decision` and the request for each refused request or message,
            before the response. Its exceptions are logged. It must not block.
        count_preflights: whether CORS preflights take tokens.
        mode: ``"enforce"``; ``"report"`` to decide, count and log without ever refusing, for the
            rules as well; ``"off"``; or a mapping of route patterns to these.
        headers: ``"draft"`` for ``RateLimit`` and ``RateLimit-Policy``, ``"legacy"`` for
            ``X-RateLimit-*``, ``"both"``, or None.
        burst: how many requests may come at once; by default the number of requests per period. For
            a single rate.
        namespace: separates this limiter's buckets from those of others in the same store.
        max_keys: how many buckets are kept in memory or in LMDB; by default 100,000 and 1,000,000.
            See the store for their size, and for the behavior of a full store.
        on_outage: what happens while a store on the network is unavailable: with ``"local"``, each
            process enforces its share in its own memory; ``"allow"`` admits every request;
            ``"refuse"`` responds with 503.
        timeout: in seconds; no request waits longer than this for a store on the network.
        prefetch: how many tokens a process may take ahead of need from a store on the network, for
            busy keys. A key may then exceed its burst by up to ``prefetch`` per process.
        workers: the number of processes, on all hosts, that share a quota during an outage; by
            default the value of ``WEB_CONCURRENCY``, or as given on the server's command line. If
            neither has it, 1 is assumed, with a warning if the store is on the network. There is
            a warning about ``memory://`` with several workers, unless this is given.
        clock: a monotonic clock in nanoseconds, for the stores on this host.

    Raises:
        TypeError: an option is of the wrong type, or can't be combined with another.
        ValueError: an option has an invalid value; the message names it and says what is valid.
        ImportError: the store's client library is not installed; the message names the extra.
        StoreError: the store can't be opened.
    """

    position = 90

    def __init__(
        self,
        quota: QuotaOption | None = None,
        *,
        key: KeyFunction | None = None,
        store: str | Store = "memory://",
        rules: Sequence[Rule] = (),
        concurrency: Concurrency | None = None,
        cost: Cost = 1,
        count_if: CountIf | None = None,
        allow: Iterable[NetworkEntry] = (),
        deny: Iterable[NetworkEntry] = (),
        address: KeyFunction | None = None,
        delay: float | None = None,
        max_delayed: int = 1000,
        on_refuse: OnRefuse | None = None,
        count_preflights: bool = False,
        mode: ModeOption = "enforce",
        headers: HeaderStyle | None = "draft",
        burst: int | None = None,
        namespace: str = "mantlet",
        max_keys: int | None = None,
        on_outage: OutageAction = "local",
        timeout: float = 0.05,
        prefetch: int | None = None,
        workers: int | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        if quota is None and concurrency is None and not rules and not deny:
            raise TypeError(
                'a RateLimiter needs a quota such as "100/minute", rules, concurrency or deny'
            )
        if headers is not None and headers not in HEADER_STYLES:
            raise ValueError(f'headers must be "draft", "legacy", "both" or None, not {headers!r}')
        self.mode = check_mode(mode)
        is_report_only = self.mode == "report"
        key = as_key(key or client_address())
        own = None
        if quota is not None:
            quotas = read_quotas(quota, burst)
            own = CompiledRule(
                scope=(namespace,),
                name="default",
                quotas=quotas,
                key=key,
                cost=check_cost(cost, quotas),
                count_if=check_count_if(count_if),
                is_report_only=is_report_only,
            )
        elif burst is not None or count_if is not None or check_cost(cost, ()) != 1:
            raise TypeError("burst, cost and count_if apply to a quota, but the limiter has none")
        self._table = table = RuleTable(
            own,
            check_concurrency(concurrency),
            rules,
            namespace=namespace,
            key=key,
            is_report_only=is_report_only,
        )
        options = StoreOptions(max_keys, clock, on_outage, timeout, prefetch, workers)
        self._engine = create_engine(store, table, options)
        self._stores = self._engine.bound_stores
        finder = key if address is None else as_key(address)
        self._lists = None
        if allow or deny:
            self._lists = NetworkLists(allow, deny, finder, clock or monotonic_ns)
        elif address is not None:
            raise TypeError("address applies to allow and deny, but the limiter has neither")
        check_int("max_delayed", max_delayed, unit="requests")
        self._queue = None if delay is None else Queue(delay, max_delayed)
        if self._queue is not None:
            self.wsgi_reason = self._queue.wsgi_reason
        self._reporter = RefusalReporter(check_on_refuse(on_refuse), table)
        self._counts_preflights = count_preflights
        self._headers = headers
        self._is_draft = headers == "draft"
        self._on_outage = on_outage
        self._is_routed = table.is_routed
        #: The limits of all requests, where neither a rule nor a list decides.
        self._default = None if table.is_routed or self._lists else table.default
        self._has_report_only = table.has_report_only
        self.trusted_headers = table.trusted_headers | finder.trusted_headers
        self._reserves = table.has_count_if or table.has_concurrency
        self.disabled_hooks = _disabled_hooks(table, self._engine.store)

    # -- requests ---------------------------------------------------------------------------------

    def on_request(  # noqa: PLR0911  # each further call costs every request more
        self, request: Request
    ) -> Reply | Awaitable[Reply | None] | None:
        """Take the tokens and slots that a request needs, or refuse it."""
        limits = self._default
        if limits is None:
            if self._lists is not None and (verdict := self._lists.find(request)) is not None:
                return self._decide_by_list(request, verdict)
            limits = self._table.find(request) if self._is_routed else self._table.default
        if request.raw.get(request.method_key) == "OPTIONS" and self._passes_preflight(request):
            return start_eagerly(self._decide_preflight(request, limits))
        simple = limits.simple
        if simple is None:
            finding = limits.early.hits(request)
            return start_eagerly(self._decide(request, finding, limits.late))
        # The most common case, without the steps that only the others need.
        limit, key_of = simple
        key = key_of(request)
        if key.__class__ is not str:
            return start_eagerly(self._decide(request, limits.rules[0].hits(request, key)))
        bucket = limit.prefix + key
        try:
            remaining = self._stores[request.is_async].take_one(bucket, limit.quota, 1)
        except StoreOutage:
            return self._apply_in_outage(request, limit, bucket)
        if isinstance(remaining, int):
            return self._apply(request, limit, bucket, remaining)
        return start_eagerly(self._apply_later(request, limit, bucket, remaining))

    def _decide_by_list(self, request: Request, verdict: Verdict) -> Reply | None:
        """Refuse a client of a denied network; let one of an allowed network pass, unlimited."""
        if verdict.denied:
            decision = request.state.rate_limit = DeniedDecision()
            self._reporter.refused(request, decision, str(verdict.address))
            return denial(request)
        if self._table.has_messages:
            request.local(self)["message_hits"] = ()
        return None

    def _passes_preflight(self, request: Request) -> bool:
        """Return whether an OPTIONS request is a CORS preflight that takes no tokens."""
        return (
            not self._counts_preflights
            and is_preflight(request)
            and not self._table.names_options(request)
        )

    async def _decide_preflight(self, request: Request, limits: RequestLimits) -> Reply | None:
        """Let a preflight pass, unless it turns out to have a body."""
        if not await has_body(request):
            return None
        return await self._decide(request, limits.early.hits(request), limits.late)

    def _apply(
        self, request: Request, limit: QuotaLimit, bucket: str, remaining: int
    ) -> Reply | Awaitable[Reply | None] | None:
        """Show the decision of the only limit; refuse or delay the request if it exceeds that."""
        decision = BucketDecision(limit.name, limit.quota, remaining)
        if remaining < 0:
            if self._queue is not None:
                return start_eagerly(self._apply_delayed(request, limit, bucket, decision))
            return self._refuse(request, (limit,), decision, bucket.partition(":")[2])
        request.state.rate_limit = decision
        if self._is_draft:
            request.add_response_header("RateLimit-Policy", limit.policy)
            request.add_response_header("RateLimit", limit.item + decision.parameters())
        elif self._headers is not None:
            add_headers(request, self._headers, (limit,), decision)
        return None

    async def _apply_delayed(
        self, request: Request, limit: QuotaLimit, bucket: str, decision: BucketDecision
    ) -> Reply | None:
        """Admit a request that exceeds the only limit once it has its token, or refuse it."""
        hits = [Hit(limit, TokenRequest(bucket, limit.quota, 1))]
        result = LimitResult(hits, decision, self._stores[request.is_async])
        try:
            result = await self._delay(request, result, hits)
        except StoreOutage:
            return self._admit_uncounted()
        if not result.decision.allowed:
            return self._refuse(request, (limit,), result.decision, result.refusing_key)
        request.state.rate_limit = result.decision
        add_headers(request, self._headers, (limit,), result.decision)
        return None

    async def _take_delayed(
        self, request: Request, hits: Sequence[Hit], *, strikes: bool
    ) -> LimitResult:
        """Take everything that a request needs, which may wait for its tokens."""
        result = await self._engine.take(hits, request.is_async, strikes=False)
        result = await self._delay(request, result, hits)
        return await self._engine.strike(result) if strikes else result

    async def _delay(
        self, request: Request, result: LimitResult, hits: Sequence[Hit]
    ) -> LimitResult:
        """Return the result of a request after it may have waited for its tokens."""
        if self._queue is None or result.decision.allowed:
            return result
        take = partial(self._engine.take, hits, request.is_async, strikes=False)
        return await self._queue.take(request, result, take)

    def _refuse(
        self,
        request: Request,
        limits: Sequence[QuotaLimit | ConcurrencyLimit],
        decision: Decision,
        key: str,
    ) -> Reply:
        """Report a refusal, and return the response to it."""
        request.state.rate_limit = decision
        add_headers(request, self._headers, limits, decision)
        self._reporter.refused(request, decision, key)
        return refusal(request, decision)

    async def _apply_later(
        self, request: Request, limit: QuotaLimit, bucket: str, waiting: Awaitable[int]
    ) -> Reply | None:
        try:
            remaining = await waiting
        except StoreOutage:
            applied = self._apply_in_outage(request, limit, bucket)
        else:
            applied = self._apply(request, limit, bucket, remaining)
        return applied if applied is None or isinstance(applied, Reply) else await applied

    def _apply_in_outage(
        self, request: Request, limit: QuotaLimit, bucket: str
    ) -> Reply | Awaitable[Reply | None] | None:
        remaining = self._engine.take_one_from_fallback(bucket, limit.quota)
        if remaining is None:
            return self._admit_uncounted()
        return self._apply(request, limit, bucket, remaining)

    def _admit_uncounted(self) -> Reply | None:
        """Admit a request that can't be counted during an outage, or raise a problem."""
        if self._passes_uncounted(()):
            return None
        raise outage_problem() from None

    def _passes_uncounted(self, hits: Sequence[Hit]) -> bool:
        """Count a decision during an outage; return whether the request or message passes."""
        if self._on_outage == "allow" or (hits and are_report_only(hits)):
            self._engine.outages.passed_uncounted()
            return True
        self._engine.outages.refused()
        return False

    async def _decide(  # noqa: C901, PLR0912  # each further call costs every request more
        self,
        request: Request,
        finding: Coroutine[Any, Any, Sequence[Hit]],
        late: RequestLimits | None = None,
    ) -> Reply | None:
        hits = await finding
        if not hits and late is None:
            return None
        reservation = None
        if self._reserves or late is not None:
            reservation = Reservation(hits, self._engine.clock)
            if self._reserves:
                self._reservations(request).append(reservation)  # a wait may be cancelled
        strikes = not isinstance(request, RequestView)  # report mode bans nobody
        try:
            if not hits:
                result = None
            elif self._queue is None:
                result = await self._engine.take(hits, request.is_async, strikes=strikes)
            else:
                result = await self._take_delayed(request, hits, strikes=strikes)
        except StoreOutage:
            if reservation is not None:
                reservation.forget()
            if self._passes_uncounted(hits):
                return None
            raise outage_problem() from None
        if reservation is not None:
            reservation.record(result)
            if late is not None and (result is None or result.decision.allowed):
                result = await self._take_late(request, reservation, late, result)
        if result is None:
            return None
        decision = request.state.rate_limit = result.decision
        if self._has_report_only:
            self._reporter.passed(request, result)
        if not decision.allowed:
            return self._refuse(request, result.limits, decision, result.refusing_key)
        if reservation is None or not reservation.awaits_response:
            add_headers(request, self._headers, result.limits, decision)
        return None

    async def _take_late(
        self,
        request: Request,
        reservation: Reservation,
        late: RequestLimits,
        early: LimitResult | None,
    ) -> LimitResult | None:
        """Take the tokens whose keys are in the body, or give back those that were taken before."""
        try:
            hits = await late.hits(request)
        except Exception as error:  # the body is too large, say
            committing = self.on_error(request, error)
            if committing is not None:
                await committing
            raise
        if not hits:
            return early
        reservation.expect(hits)
        strikes = not isinstance(request, RequestView)  # report mode bans nobody
        try:
            if self._queue is None:
                rest = await self._engine.take(hits, request.is_async, strikes=strikes)
            else:
                rest = await self._take_delayed(request, hits, strikes=strikes)
        except StoreOutage:
            reservation.forget()
            if not self._passes_uncounted(hits):
                await reservation.give_back()
                raise outage_problem() from None
            return early
        if not rest.decision.allowed:
            await reservation.give_back()
        reservation.record(rest)
        return rest if early is None else early.before(rest)

    def on_response(self, request: Request, response: Response) -> Awaitable[None] | None:
        """Give back the tokens of a request whose response does not count."""
        for reservation in reversed(self._reservations(request)):
            if reservation.awaits_response:
                reservation.awaits_response = False
                return start_eagerly(self._commit(request, reservation, response))
        return None

    def on_error(self, request: Request, error: BaseException) -> Awaitable[None] | None:
        """Give back the tokens of an error that does not count, by its status, or as 500.

        If the client disconnects before the response, nothing is given back.
        """
        if not isinstance(error, Exception) or isinstance(error, ClientDisconnected):
            return None
        status = error.status if isinstance(error, Problem) else 500
        return self.on_response(request, Response(status, (), TextHeaders))

    async def _commit(self, request: Request, reservation: Reservation, response: Response) -> None:
        decision = await reservation.commit(response)
        add_headers(request, self._headers, reservation.limits, decision)

    def on_finish(self, request: Request) -> Awaitable[None] | None:
        """Free the slots that the request held."""
        reservations = self._reservations(request)
        if not reservations:
            return None
        return start_eagerly(reservations.pop().release(self._stores[request.is_async]))

    def _reservations(self, request: Request) -> list[Reservation]:
        """Return the reservations of a request: several if this limiter wraps the app twice."""
        reservations: list[Reservation] = request.local(self).setdefault("reservations", [])
        return reservations

    def startup(self) -> Awaitable[None] | None:
        """Open the store."""
        return self._engine.open()

    def needs_startup(self, request: Request) -> bool:
        """Return whether a request needs the store: no exemption and no list decides it."""
        if self._lists is not None and self._lists.find(request) is not None:
            return False
        if request.raw.get(request.method_key) == "OPTIONS" and self._passes_preflight(request):
            return False
        limits = self._table.find(request)
        return bool(limits.rules or limits.concurrency)

    def shutdown(self) -> Awaitable[None] | None:
        """Close the store."""
        return self._engine.close()

    async def health(self) -> Mapping[str, HealthState]:
        """Return whether the store responds; ``"stale"`` if requests are decided without it."""
        if await self._engine.responds():
            return {"store": "ok"}
        return {"store": "down" if self._on_outage == "refuse" else "stale"}

    # -- WebSocket messages -----------------------------------------------------------------------

    def on_message(
        self, request: Request, message: Message
    ) -> Message | Close | Awaitable[Message | Close | None] | None:
        """Take the tokens that a client's message needs; else close the connection, or drop it."""
        if message.direction == "out":
            return message
        return start_eagerly(self._decide_message(request, message))

    async def _decide_message(self, request: Request, message: Message) -> Message | Close | None:
        # The first message determines the limits of all of them.
        own = request.local(self)
        hits: Sequence[Hit] | None = own.get("message_hits")
        if hits is None:
            limits = self._table.find_for_messages(request)
            hits = () if limits is None else await limits.hits(request)
            own["message_hits"] = hits
        if not hits:
            return message
        try:
            bans = not isinstance(request, RequestView)
            result = await self._engine.take(hits, request.is_async, strikes=bans)
        except StoreOutage:
            return message if self._passes_uncounted(hits) else Close(_TRY_AGAIN_LATER)
        if self._has_report_only:
            self._reporter.passed(request, result, per="message")
        if result.decision.allowed:
            return message
        self._reporter.refused(request, result.decision, result.refusing_key, per="message")
        pairs = zip(result.hits, result.decision.parts, strict=True)
        closes = (hit.close for hit, one in pairs if not one.allowed)
        return next(filter(None, closes), None)


def _disabled_hooks(table: RuleTable, store: Store) -> frozenset[str]:
    """Return the hooks that have nothing to do, given the rules and the store."""
    disabled: set[str] = set()
    if not table.has_count_if:
        disabled |= {"on_response", "on_error"}
    if not table.has_concurrency:
        disabled.add("on_finish")
    if not table.has_messages:
        disabled.add("on_message")
    if isinstance(store, LocalStore):
        disabled.add("startup")
    if type(store).close is Store.close:
        disabled.add("shutdown")
    return frozenset(disabled)
