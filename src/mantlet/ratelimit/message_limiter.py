"""Limits for the messages that clients send over WebSockets."""

from typing import Final

from mantlet.core.policy import Close, Message
from mantlet.core.request import Request
from mantlet.core.request_view import RequestView
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.engine import LimitEngine
from mantlet.ratelimit.refusals import RefusalReporter
from mantlet.ratelimit.rules import RuleTable

__all__ = ["MessageLimiter"]

#: The service is temporarily overloaded (IANA, WebSocket Close Code Number Registry).
_TRY_AGAIN_LATER: Final = 1013


class MessageLimiter:
    """Takes the tokens that messages need, and refuses those that exceed a quota.

    Args:
        engine: decides.
        table: finds the limits of a connection, once.
        reporter: reports the refusals.
    """

    def __init__(self, engine: LimitEngine, table: RuleTable, reporter: RefusalReporter) -> None:
        self._engine = engine
        self._table = table
        self._reporter = reporter

    def exempt(self, request: Request) -> None:
        """Let all messages of a connection pass."""
        if self._table.has_messages:
            request.local(self)["hits"] = ()

    async def decide(self, request: Request, message: Message) -> Message | Close | None:
        """Return the message if it may pass; else how to close the connection, or None to drop it.

        The first message determines the limits of all of them.
        """
        own = request.local(self)
        hits = own.get("hits")
        if hits is None:
            limits = self._table.find_for_messages(request)
            hits = own["hits"] = () if limits is None else await limits.hits(request)
        if not hits:
            return message
        try:
            bans = not isinstance(request, RequestView)
            result = await self._engine.take(hits, request.is_async, strikes=bans)
        except StoreOutage:
            return message if self._engine.passes_uncounted(hits) else Close(_TRY_AGAIN_LATER)
        if self._table.has_report_only:
            self._reporter.passed(request, result, per="message")
        if result.decision.allowed:
            return message
        self._reporter.refused(request, result.decision, result.refusing_key, per="message")
        pairs = zip(result.hits, result.decision.parts, strict=True)
        closes = (hit.close for hit, one in pairs if not one.allowed)
        return next(filter(None, closes), None)
