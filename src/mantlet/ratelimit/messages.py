"""The limiter on WebSockets: what each message of a client costs, and what becomes of it."""

from collections.abc import Awaitable, Sequence
from typing import Final

from mantlet._internal.coroutines import start_eagerly
from mantlet.core.policy import Close, Message
from mantlet.core.request import Request
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.book import Book
from mantlet.ratelimit.compiled import Ask, only_tried
from mantlet.ratelimit.engine import Counter

__all__ = ["Messages"]

#: The service is overloaded for a while (IANA, WebSocket Close Code Number Registry).
_TRY_AGAIN_LATER: Final = 1013


class Messages:
    """The hook that sees messages, of rules that are ``per="message"``."""

    _book: Book
    _counter: Counter
    _on_outage: str

    def on_message(
        self, request: Request, message: Message
    ) -> Message | Close | Awaitable[Message | Close | None] | None:
        """Take what a client's message asks for; else close the connection, or drop it."""
        return (
            message if message.direction == "out" else start_eagerly(self._weigh(request, message))
        )

    async def _weigh(self, request: Request, message: Message) -> Message | Close | None:
        # What it asks for is found out by the first one.
        own = request.local(self)
        asks: Sequence[Ask] | None = own.get("messages")
        if asks is None:
            plan = self._book.find_messages(request)
            asks = () if plan is None else await plan.asks(request)
            own["messages"] = asks
        if not asks:
            return message
        try:
            outcome = await self._counter.take(asks, request.is_async)
        except StoreOutage:
            passes = self._on_outage == "allow" or only_tried(asks)
            return message if passes else Close(_TRY_AGAIN_LATER)
        outcome.report()
        if outcome.decision.allowed:
            return message
        pairs = zip(outcome.asks, outcome.decision.parts, strict=True)
        closes = (ask.close for ask, one in pairs if not one.allowed)
        return next(filter(None, closes), None)
