"""`RateLimiter`: no client gets more than its share.

It keeps a token bucket for each client: a quota of 100 a minute with a burst of 20 lets 20 requests
pass at once and one more every 0.6 seconds, for ever and without losing a fraction. What exceeds it
is answered with 429, a problem (RFC 9457) and ``Retry-After``. Every answer says what is left, in
``RateLimit`` and ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers-10).

Where buckets are kept is a URI: in this process (``memory://``), exact across the workers of a host
(``lmdb:///var/lib/app/limits``), or across hosts (``redis://``, ``valkey://``, with clusters and
sentinels). In memory each of several workers counts for itself.

Who a client is, is a key: by default the address of the peer as the server says it. Behind a proxy
that is the proxy's, and all clients share its bucket: name the proxy in
``keys.client_address(trusted_proxies=...)``. No header field is believed of anyone else.

What it does not stop: a flood that exhausts the connections, the bandwidth or the processor before
a request gets here; and clients that have many addresses or many keys.
"""

from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from mantlet._internal.coroutines import start_eagerly
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import Policy, Reply
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.exceptions import ClientDisconnected, StoreOutage
from mantlet.http.headers import TextHeaders
from mantlet.ratelimit.book import Book
from mantlet.ratelimit.checks import Checks
from mantlet.ratelimit.compiled import Ask, Charge, Limit, only_tried
from mantlet.ratelimit.concurrency import Concurrency
from mantlet.ratelimit.decision import BucketDecision
from mantlet.ratelimit.engine import Outcome
from mantlet.ratelimit.factory import OutageAction, StoreOptions, create_engine
from mantlet.ratelimit.fields import HEADERS, Fields, add_fields, refuse, refuse_for_outage
from mantlet.ratelimit.keys import client_address
from mantlet.ratelimit.keys.key import KeyFunction, as_key
from mantlet.ratelimit.messages import Messages
from mantlet.ratelimit.rules import (
    Cost,
    CountIf,
    QuotaOption,
    Rule,
    check_concurrency,
    check_cost,
    check_count_if,
    read_quotas,
)
from mantlet.ratelimit.stores.base import LocalStore, Store
from mantlet.ratelimit.visit import Visit

__all__ = ["RateLimiter"]


class RateLimiter(Checks, Messages, Policy):
    """Refuse requests of a client that exceed its quota, with 429 and a ``Retry-After``.

    The decision is in ``mantlet.state(...).rate_limit``, a `Decision`. Outside of HTTP the same
    buckets are asked by `check()`, `peek()`, `refund()`, `reset()` and `ban()`; each has an asyncio
    form, such as `acheck()`. Where the store is in this process they are the same; with one on the
    network the plain form blocks.

    Args:
        quota: a rate such as ``"100/minute"``, several joined by ``;``, a `Quota`, a sequence of
            these, or a function of the request that returns one; None where only ``rules`` or
            ``concurrency`` limit. Several are taken all or nothing.
        key: whose bucket: a function (``def`` or ``async def``) of the request that returns text,
            or None for whom nothing is limited; see `mantlet.keys`. By default the client address.
        store: where buckets are kept: a URI (``"memory://"``, ``"lmdb:///var/lib/app/limits"``,
            ``"redis://..."``, ``"valkey://..."``, also ``+cluster`` and ``+sentinel``), or a
            `Store`.
        rules: limits that hold for some requests only.
        concurrency: how many requests may be in flight at once.
        cost: tokens a request takes, or a function of the request that tells. See `Rule`.
        count_if: a predicate on the response: whether the request counts after all. See `Rule`.
        mode: ``"enforce"``; ``"report"`` to decide, count and log without ever refusing, by any of
            the rules either; ``"off"``; or a mapping of route patterns to these.
        headers: ``"draft"`` for ``RateLimit`` and ``RateLimit-Policy``, ``"legacy"`` for
            ``X-RateLimit-*``, ``"both"``, or None.
        burst: how many requests may come at once; by default as many as the rate's amount. For a
            single rate.
        namespace: tells this limiter's buckets from those of others in the same store.
        max_keys: how many buckets are kept in memory or in LMDB; by default 100,000 and 1,000,000.
            See the store for what they take, and for what happens when it is full.
        on_outage: what holds while a store on the network can't be used: ``"local"``, each process
            counts its share in its own memory; ``"allow"``, everything passes; ``"refuse"``, 503.
        timeout: in seconds; no request waits longer than this for a store on the network.
        prefetch: how many tokens a process may take ahead of need from a store on the network, for
            busy keys. A key may then exceed its burst by up to ``prefetch`` per process.
        workers: processes that share a quota, for their shares in an outage; by default what
            ``WEB_CONCURRENCY`` says, else 1.
        clock: nanoseconds that never go back, for the stores of this host.

    Raises:
        TypeError: an option is of the wrong type, or does not go with another.
        ValueError: an option's value is wrong; the message names it and what would be right.
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
        mode: ModeOption = "enforce",
        headers: Fields | None = "draft",
        burst: int | None = None,
        namespace: str = "mantlet",
        max_keys: int | None = None,
        on_outage: OutageAction = "local",
        timeout: float = 0.05,
        prefetch: int | None = None,
        workers: int | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        if quota is None and concurrency is None and not rules:
            raise TypeError(
                'a RateLimiter needs a quota such as "100/minute", rules or concurrency'
            )
        if headers is not None and headers not in HEADERS:
            raise ValueError(f'headers must be "draft", "legacy", "both" or None, not {headers!r}')
        self.mode = check_mode(mode)
        shadow = self.mode == "report"
        key = as_key(key or client_address())
        own = None
        if quota is not None:
            quotas = read_quotas(quota, burst)
            own = Charge(
                scope=(namespace,),
                name="default",
                quotas=quotas,
                key=key,
                cost=check_cost(cost, quotas),
                count_if=check_count_if(count_if),
                shadow=shadow,
            )
        elif burst is not None or count_if is not None or check_cost(cost, ()) != 1:
            raise TypeError("burst, cost and count_if apply to a quota, but the limiter has none")
        self._book = book = Book(
            own,
            check_concurrency(concurrency),
            rules,
            namespace=namespace,
            key=key,
            shadow=shadow,
        )
        options = StoreOptions(max_keys, clock, on_outage, timeout, prefetch, workers)
        self._counter = create_engine(store, book, options)
        self._headers = headers
        self._on_outage = on_outage
        self._routed = book.routed
        self._settles = book.counts or book.bounds
        idle = set()
        if not book.counts:
            idle |= {"on_response", "on_error"}
        if not book.bounds:
            idle.add("on_finish")
        if not book.messages:
            idle.add("on_message")
        if isinstance(self._counter.store, LocalStore):
            idle |= {"startup", "shutdown"}
        self.disabled_hooks = frozenset(idle)

    # -- the hooks --------------------------------------------------------------------------------

    def on_request(self, request: Request) -> Reply | Awaitable[Reply | None] | None:
        """Take what the request asks for, or refuse; say what is left in either case."""
        plan = self._book.find(request) if self._routed else self._book.plan
        simple = plan.simple
        if simple is None:
            return start_eagerly(self._judge(request, plan.asks(request)))
        # What nearly all limiters do, without the general way.
        limit, key_of = simple
        key = key_of(request)
        if key.__class__ is not str:
            return start_eagerly(self._judge(request, plan.charges[0].asks(request, key)))
        try:
            room = self._counter.take_one(limit.prefix + key, limit.quota, request.is_async)
        except StoreOutage:
            return self._pass_unasked()
        if isinstance(room, int):
            return self._tell(request, limit, room)
        return start_eagerly(self._tell_later(request, limit, room))

    def _tell(self, request: Request, limit: Limit, room: int) -> Reply | None:
        """Say what is left of the only limit; refuse where nothing is."""
        decision = BucketDecision(limit.name, limit.quota, room)
        request.state.rate_limit = decision
        if self._headers == "draft":
            request.add_response_header("RateLimit-Policy", limit.policy)
            request.add_response_header("RateLimit", limit.item + decision.parameters())
        elif self._headers is not None:
            add_fields(request, self._headers, (limit,), decision)
        return None if room >= 0 else refuse(request, decision)

    async def _tell_later(
        self, request: Request, limit: Limit, room: Awaitable[int]
    ) -> Reply | None:
        try:
            told = await room
        except StoreOutage:
            return self._pass_unasked()
        return self._tell(request, limit, told)

    def _pass_unasked(self) -> Reply | None:
        """Let a request pass for which the store can't be asked, or raise what answers it."""
        if self._on_outage == "allow":
            return None
        raise refuse_for_outage() from None

    async def _judge(
        self, request: Request, asking: Coroutine[Any, Any, Sequence[Ask]]
    ) -> Reply | None:
        asks = await asking
        if not asks:
            return None
        visit = None
        if self._settles:
            visit = Visit(asks)
            self._visits(request).append(visit)  # before waiting: it may be cancelled
        try:
            outcome = await self._counter.take(asks, request.is_async)
        except StoreOutage:
            if visit is not None:
                self._visits(request).remove(visit)
            return None if only_tried(asks) else self._pass_unasked()
        decision = request.state.rate_limit = outcome.decision
        if visit is not None:
            visit.outcome = outcome
        outcome.report()
        if not decision.allowed or visit is None or not visit.counts:
            add_fields(request, self._headers, outcome.limits, decision)
        return None if decision.allowed else refuse(request, decision)

    def on_response(self, request: Request, response: Response) -> Awaitable[None] | None:
        """Give back what the answer says does not count."""
        for visit in reversed(self._visits(request)):
            if visit.counts and visit.outcome is not None:
                visit.counts = False
                return start_eagerly(self._settle(request, visit, visit.outcome, response))
        return None

    def on_error(self, request: Request, error: BaseException) -> Awaitable[None] | None:
        """Give back what does not count, by the status that the error states, or 500.

        A client that goes away before its answer gets nothing back.
        """
        if not isinstance(error, Exception) or isinstance(error, ClientDisconnected):
            return None
        status = error.status if isinstance(error, Problem) else 500
        return self.on_response(request, Response(status, (), TextHeaders))

    async def _settle(
        self, request: Request, visit: Visit, outcome: Outcome, response: Response
    ) -> None:
        decision = await visit.settle(outcome, response)
        add_fields(request, self._headers, outcome.limits, decision)

    def on_finish(self, request: Request) -> Awaitable[None] | None:
        """Free the places that the request held."""
        visits = self._visits(request)
        return (
            start_eagerly(visits.pop().leave(self._counter, request.is_async)) if visits else None
        )

    def _visits(self, request: Request) -> list[Visit]:
        """Return the visits of a request: more than one where this is around the app twice."""
        visits: list[Visit] = request.local(self).setdefault("visits", [])
        return visits

    def startup(self) -> Awaitable[None] | None:
        """Open the store."""
        return self._counter.bound(_on_event_loop()).open()

    def shutdown(self) -> Awaitable[None] | None:
        """Close the store."""
        return self._counter.bound(_on_event_loop()).close()


def _on_event_loop() -> bool:
    try:
        get_running_loop()
    except RuntimeError:
        return False
    return True
