"""What a guard does once a request has passed: it looks at the answer, and at messages."""

import logging
from collections.abc import Awaitable

from mantlet.core.policy import Close, Message, Policy, Reply
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.guard.errors import Fault, Invalid
from mantlet.guard.operation_validator import Entry
from mantlet.guard.reports import Reports
from mantlet.guard.responses import UNCHECKED
from mantlet.guard.websocket import closing

__all__ = ["Watching"]


class Watching(Policy):
    """The hooks behind ``on_request``, which has left the entry in the request's notes.

    Attributes:
        reports: told of what is wrong.
    """

    reports: Reports

    def on_response(
        self, request: Request, response: Response
    ) -> Reply | Awaitable[Reply | None] | None:
        """Look at an answer of the app's, where that is wanted."""
        entry: Entry | None = request.local(self).get("entry")
        if entry is None or entry.responses is None or response.status >= 500:
            return None
        # What a policy further in answers is not the app's.
        if response.reply or request.state._replied:
            return None
        found = entry.responses.judge(response)
        if isinstance(found, list):
            return self._answer(request, entry, found)
        return self._answer_later(request, entry, found)

    async def _answer_later(
        self, request: Request, entry: Entry, judging: Awaitable[list[Fault]]
    ) -> Reply | None:
        return self._answer(request, entry, await judging)

    def _answer(self, request: Request, entry: Entry, faults: list[Fault]) -> Reply | None:
        """Let an answer pass, or put a clean one in its place; what is wrong is in the log only."""
        if not faults:
            return None
        enforced = entry.settings.responses == "enforce" and any(
            fault.code != UNCHECKED for fault in faults
        )
        self.reports.tell(
            request,
            entry.operation.name,
            "an answer is not as declared",
            tuple(faults),
            level=logging.ERROR if enforced else logging.WARNING,
        )
        return Problem(500).reply(request) if enforced else None

    def on_message(self, request: Request, message: Message) -> Message | Close:
        """Judge a WebSocket message."""
        entry: Entry | None = request.local(self).get("entry")
        if entry is None or entry.messages is None:
            return message  # of a connection that was let through undeclared
        try:
            return entry.messages.judge(message)
        except Invalid as invalid:
            return self._close(request, entry, message, invalid)

    def _close(
        self, request: Request, entry: Entry, message: Message, invalid: Invalid
    ) -> Message | Close:
        """End a connection for a message that may not pass, or report it."""
        reported = entry.settings.mode == "report"
        if reported or message.direction == "out":
            self.reports.tell(
                request,
                entry.operation.name,
                f"a message {message.direction} is not as declared",
                invalid.faults,
                level=logging.WARNING if reported else logging.ERROR,
            )
        return message if reported else closing(message, invalid)
