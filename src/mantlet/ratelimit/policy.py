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

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import monotonic_ns

from mantlet._internal.coroutines import start_eagerly
from mantlet._internal.options import check_int
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import Close, HealthState, Message
from mantlet.core.preflight import has_body, is_preflight
from mantlet.core.request import Request
from mantlet.core.response import Reply, Response
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.compiled import CompiledRule, QuotaLimit, RequestLimits
from mantlet.ratelimit.decision import BucketDecision, DeniedDecision
from mantlet.ratelimit.delay import Queue
from mantlet.ratelimit.engine import OutageAction
from mantlet.ratelimit.factory import StoreOptions, create_engine
from mantlet.ratelimit.keyed import KeyedLimiter
from mantlet.ratelimit.keys import client_address
from mantlet.ratelimit.keys.key import KeyFunction, as_key
from mantlet.ratelimit.message_limiter import MessageLimiter
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
from mantlet.ratelimit.request_limiter import RequestLimiter
from mantlet.ratelimit.responses import (
    HEADER_STYLES,
    HeaderStyle,
    add_headers,
    denial,
    exceeded,
    outage_problem,
)
from mantlet.ratelimit.rules import Rule, RuleTable
from mantlet.ratelimit.stores.base import LocalStore, Store

__all__ = ["RateLimiter"]


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
        queue = None if delay is None else Queue(delay, max_delayed)
        if queue is not None:
            self.wsgi_reason = queue.wsgi_reason
        self._reporter = RefusalReporter(check_on_refuse(on_refuse), table)
        self._requests = RequestLimiter(self._engine, table, self._reporter, queue, headers)
        self._messages = MessageLimiter(self._engine, table, self._reporter)
        self._counts_preflights = count_preflights
        self._headers = headers
        self._is_routed = table.is_routed
        #: The limits of all requests, where neither a rule nor a list decides.
        self._default = None if table.is_routed or self._lists else table.default
        self.trusted_headers = table.trusted_headers | finder.trusted_headers
        self.needs_identity = table.reads_identity
        self.disabled_hooks = _disabled_hooks(table, self._engine.store)

    # -- requests ---------------------------------------------------------------------------------

    def on_request(  # noqa: C901, PLR0911  # each further call costs every request more
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
            return start_eagerly(self._requests.decide(request, finding, limits.late))
        # The most common case, without the steps that only the others need.
        is_async = request.is_async
        limit, quota, prefix, key_of, decide, step, known = simple[is_async]
        key = key_of(request)
        if type(key) is not str:
            return start_eagerly(self._requests.decide(request, limits.rules[0].hits(request, key)))
        bucket = prefix + key
        try:
            room = self._stores[is_async].take_one(bucket, quota, 1)
        except StoreOutage:
            return self._apply_in_outage(request, limit, bucket)
        if not isinstance(room, int):
            return start_eagerly(self._apply_later(request, limit, bucket, room))
        headers = known.get(room // step)
        if headers is None:
            return self._apply(request, limit, bucket, room)
        request.state._rate_limit = decide, room
        (policy_name, policy), (limit_name, shown), problem = headers
        added = request._response_headers
        if (
            added.setdefault(policy_name, policy) is not policy
            or added.setdefault(limit_name, shown) is not shown
        ):  # another limiter has added its own
            add_headers(request, self._headers, (limit,), decide(room))
        if problem is None:
            return None
        self._reporter.refused(request, decide(room), key)
        return problem.reply(request)

    def _decide_by_list(self, request: Request, verdict: Verdict) -> Reply | None:
        """Refuse a client of a denied network; let one of an allowed network pass, unlimited."""
        if verdict.denied:
            decision = request.state.rate_limit = DeniedDecision()
            self._reporter.refused(request, decision, str(verdict.address))
            return denial(request)
        self._messages.exempt(request)
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
        return await self._requests.decide(request, limits.early.hits(request), limits.late)

    def _apply(
        self, request: Request, limit: QuotaLimit, bucket: str, room: int
    ) -> Reply | Awaitable[Reply | None] | None:
        """Show the decision of the only limit; refuse or delay the request if it exceeds that."""
        decision = BucketDecision(limit.name, limit.quota, room)
        if room >= 0:
            request.state.rate_limit = decision
            add_headers(request, self._headers, (limit,), decision)
            if self._headers == "draft":
                limit.headers.keep(room, decision, None, is_async=request.is_async)
            return None
        if self._requests.delays:
            return self._requests.delay_by_one(request, limit, bucket)
        if self._headers == "draft":
            limit.headers.keep(room, decision, exceeded(decision), is_async=request.is_async)
        return self._requests.refuse(request, (limit,), decision, bucket.partition(":")[2])

    async def _apply_later(
        self, request: Request, limit: QuotaLimit, bucket: str, waiting: Awaitable[int]
    ) -> Reply | None:
        try:
            room = await waiting
        except StoreOutage:
            applied = self._apply_in_outage(request, limit, bucket)
        else:
            applied = self._apply(request, limit, bucket, room)
        return applied if applied is None or isinstance(applied, Reply) else await applied

    def _apply_in_outage(
        self, request: Request, limit: QuotaLimit, bucket: str
    ) -> Reply | Awaitable[Reply | None] | None:
        room = self._engine.take_one_from_fallback(bucket, limit.quota)
        if room is not None:
            return self._apply(request, limit, bucket, room)
        if self._engine.passes_uncounted():
            return None
        raise outage_problem() from None

    def on_response(self, request: Request, response: Response) -> Awaitable[None] | None:
        """Give back the tokens of a request whose response does not count."""
        return self._requests.commit(request, response)

    def on_error(self, request: Request, error: BaseException) -> Awaitable[None] | None:
        """Give back the tokens of an error that does not count, by its status, or as 500."""
        return self._requests.fail(request, error)

    def on_finish(self, request: Request) -> Awaitable[None] | None:
        """Free the slots that the request held."""
        return self._requests.release(request)

    def on_message(
        self, request: Request, message: Message
    ) -> Message | Close | Awaitable[Message | Close | None] | None:
        """Take the tokens that a client's message needs; else close the connection, or drop it."""
        if message.direction == "out":
            return message
        return start_eagerly(self._messages.decide(request, message))

    # -- outside of exchanges ---------------------------------------------------------------------

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
        return {"store": "down" if self._engine.on_outage == "refuse" else "stale"}


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
