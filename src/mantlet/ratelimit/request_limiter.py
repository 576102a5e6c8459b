"""The decision about a request, whatever its limits: in one step or in two, now or later.

Limits whose keys wait for something, such as the body, are settled in a second step. A request over
a quota may wait for its tokens, and one that its response does not count gets them back.
"""

from collections.abc import Awaitable, Coroutine, Sequence
from functools import partial
from typing import Any

from mantlet._internal.coroutines import start_eagerly
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.request_view import RequestView
from mantlet.core.response import Reply, Response
from mantlet.exceptions import ClientDisconnected, StoreOutage
from mantlet.http.headers import TextHeaders
from mantlet.ratelimit.compiled import ConcurrencyLimit, Hit, QuotaLimit, RequestLimits
from mantlet.ratelimit.decision import Decision
from mantlet.ratelimit.delay import Queue
from mantlet.ratelimit.engine import LimitEngine, LimitResult
from mantlet.ratelimit.refusals import RefusalReporter
from mantlet.ratelimit.reservation import Reservation
from mantlet.ratelimit.responses import HeaderStyle, add_headers, exceeded, outage_problem
from mantlet.ratelimit.rules import RuleTable
from mantlet.ratelimit.stores.base import TokenRequest

__all__ = ["RequestLimiter"]


class RequestLimiter:
    """Admits requests, refuses them, and gives their tokens back.

    Args:
        engine: takes their tokens and slots.
        table: which kinds of limits there are.
        reporter: reports the refusals.
        queue: where requests over a quota wait; None if they are refused at once.
        headers: which headers show the decision.

    Attributes:
        delays: whether a request over a quota may wait.
    """

    def __init__(
        self,
        engine: LimitEngine,
        table: RuleTable,
        reporter: RefusalReporter,
        queue: Queue | None,
        headers: HeaderStyle | None,
    ) -> None:
        self._engine = engine
        self._reporter = reporter
        self._queue = queue
        self.delays = queue is not None
        self._headers = headers
        self._reserves = table.has_count_if or table.has_concurrency
        self._has_report_only = table.has_report_only

    async def decide(  # noqa: C901  # each further call costs every request more
        self,
        request: Request,
        finding: Coroutine[Any, Any, Sequence[Hit]],
        late: RequestLimits | None = None,
    ) -> Reply | None:
        """Take the tokens and slots of a request, or refuse it.

        Args:
            request: the request.
            finding: returns its hits.
            late: the limits of the second step; None if there is only one.
        """
        hits = await finding
        if not hits and late is None:
            return None
        reservation = None
        if self._reserves or late is not None:
            reservation = Reservation(hits, self._engine.clock)
            if self._reserves:
                self._reservations(request).append(reservation)  # a wait may be cancelled
        try:
            result = await self._take(request, hits) if hits else None
        except StoreOutage:
            if reservation is not None:
                reservation.forget()
            if self._engine.passes_uncounted(hits):
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
            return self.refuse(request, result.limits, decision, result.refusing_key)
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
            committing = self.fail(request, error)
            if committing is not None:
                await committing
            raise
        if not hits:
            return early
        reservation.expect(hits)
        try:
            rest = await self._take(request, hits)
        except StoreOutage:
            reservation.forget()
            if self._engine.passes_uncounted(hits):
                return early
            await reservation.give_back()
            raise outage_problem() from None
        if not rest.decision.allowed:
            await reservation.give_back()
        reservation.record(rest)
        return rest if early is None else early.before(rest)

    def _take(self, request: Request, hits: Sequence[Hit]) -> Awaitable[LimitResult]:
        strikes = not isinstance(request, RequestView)  # report mode bans nobody
        if self._queue is None:
            return self._engine.take(hits, request.is_async, strikes=strikes)
        return self._take_delayed(self._queue, request, hits, strikes=strikes)

    async def _take_delayed(
        self, queue: Queue, request: Request, hits: Sequence[Hit], *, strikes: bool
    ) -> LimitResult:
        """Take everything that a request needs, which may wait for its tokens."""
        take = partial(self._engine.take, hits, request.is_async, strikes=False)
        result = await take()
        if not result.decision.allowed:
            result = await queue.take(request, result, take)
        return await self._engine.strike(result) if strikes else result

    # -- refusals ---------------------------------------------------------------------------------

    def delay_by_one(
        self, request: Request, limit: QuotaLimit, bucket: str
    ) -> Reply | Awaitable[Reply | None] | None:
        """Have a request that exceeds its only limit wait for its token, else refuse it."""
        return start_eagerly(self.decide(request, _hits_of_one(limit, bucket)))

    def refuse(
        self,
        request: Request,
        limits: Sequence[QuotaLimit | ConcurrencyLimit],
        decision: Decision,
        key: str,
    ) -> Reply:
        """Report a refusal, and return the response to it."""
        request.state.rate_limit = decision
        add_headers(request, self._headers, limits, decision, decision.whole_seconds)
        self._reporter.refused(request, decision, key)
        return exceeded(decision).reply(request)

    # -- after the decision -----------------------------------------------------------------------

    def commit(self, request: Request, response: Response) -> Awaitable[None] | None:
        """Give back the tokens of a request whose response does not count."""
        for reservation in reversed(self._reservations(request)):
            if reservation.awaits_response:
                reservation.awaits_response = False
                return start_eagerly(self._commit(request, reservation, response))
        return None

    async def _commit(self, request: Request, reservation: Reservation, response: Response) -> None:
        decision = await reservation.commit(response)
        add_headers(request, self._headers, reservation.limits, decision)

    def fail(self, request: Request, error: BaseException) -> Awaitable[None] | None:
        """Give back the tokens of an error that does not count, by its status, or as 500.

        If the client disconnects before the response, nothing is given back.
        """
        if not isinstance(error, Exception) or isinstance(error, ClientDisconnected):
            return None
        status = error.status if isinstance(error, Problem) else 500
        return self.commit(request, Response(status, (), TextHeaders))

    def release(self, request: Request) -> Awaitable[None] | None:
        """Free the slots that a request held."""
        reservations = self._reservations(request)
        if not reservations:
            return None
        store = self._engine.bound_stores[request.is_async]
        return start_eagerly(reservations.pop().release(store))

    def _reservations(self, request: Request) -> list[Reservation]:
        """Return the reservations of a request: several if this limiter wraps the app twice."""
        reservations: list[Reservation] = request.local(self).setdefault("reservations", [])
        return reservations


async def _hits_of_one(limit: QuotaLimit, bucket: str) -> Sequence[Hit]:
    return (Hit(limit, TokenRequest(bucket, limit.quota, 1)),)
