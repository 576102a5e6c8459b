"""Refuse and record invalid requests, responses and messages, or only report them."""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from mantlet.core.modes import Mode, RouteModes
from mantlet.core.policy import Close, Message
from mantlet.core.problem import BodyTooLarge, Problem
from mantlet.core.request import Request
from mantlet.core.response import Reply, Response
from mantlet.core.temporary_files import NoSpace
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.findings.reports import ViolationReports
from mantlet.guard.operation_validator import OperationValidator, is_method_replaced
from mantlet.guard.options import OperationSettings
from mantlet.guard.refusals import Refusals, name_limits, to_failure
from mantlet.guard.responses import UNCHECKED
from mantlet.guard.websocket import close_for

__all__ = ["Violations", "mode_of"]

#: The beginnings of the headers that stay where a response is replaced: a browser needs them to
#: read the problem, and to stay logged in.
_KEPT_HEADERS: Final = ("access-control-", "set-cookie", "vary")


class Violations:
    """Refuses or reports invalid requests, responses and messages, by the mode of their operation.

    Args:
        settings: the guard's settings, for requests without an operation.
        refusals: makes the responses to invalid requests.
        reports: records violations.
    """

    __slots__ = ("_refusals", "_reports", "_settings")

    def __init__(
        self, settings: OperationSettings, refusals: Refusals, reports: ViolationReports
    ) -> None:
        self._settings = settings
        self._refusals = refusals
        self._reports = reports

    def reject_request(
        self,
        request: Request,
        validator: OperationValidator | None,
        error: ValidationFailed | Problem,
        replaced: Callable[[Request], Iterable[OperationValidator]],
    ) -> Reply | None:
        """Return the reply to an invalid request, or report it.

        Args:
            request: the request.
            validator: that of its operation, or None if there is none.
            error: the error.
            replaced: returns the validators of the operations that headers put in place of the
                request's.
        """
        settings = self._settings if validator is None else validator.settings
        mode = mode_of(settings, request)
        if mode != "enforce" and validator is not None and is_method_replaced(error):
            # The mode of one operation must not open another one.
            modes = {mode_of(other.settings, request) for other in replaced(request)}
            mode = "enforce" if "enforce" in modes else mode
        if mode == "off":
            return None
        if isinstance(error, NoSpace):  # nothing that the client did; it is logged where it arose
            return (
                self._refusals.reply(error, request, settings.limits) if mode == "enforce" else None
            )
        failure = name_limits(to_failure(error), settings.limits)
        refused = mode == "enforce"
        self._reports.record(
            request,
            None if validator is None else validator.name,
            "request",
            failure,
            self._refusals.status(failure),
            refused=refused,
            level=None if refused else logging.WARNING,
        )
        if not refused:
            return None
        # A credential check may raise its own problem.
        own = isinstance(error, Problem) and not isinstance(error, BodyTooLarge)
        return self._refusals.reply(error if own else failure, request, settings.limits)

    def judge_response(
        self,
        request: Request,
        response: Response,
        validator: OperationValidator,
        errors: list[ErrorItem],
    ) -> Reply | None:
        """Let a response pass, or replace it by a 500; its errors are only in the log."""
        if not errors:
            return None
        settings = validator.settings
        enforced = (
            settings.responses == "enforce"
            and any(error.code != UNCHECKED for error in errors)
            and mode_of(settings, request) == "enforce"
        )
        self._reports.record(
            request,
            validator.name,
            "response",
            ValidationFailed(500, errors),
            500,
            refused=enforced,
            level=logging.ERROR if enforced else logging.WARNING,
        )
        if not enforced:
            return None
        # Not the declared headers, one of which may be the violation.
        kept = [pair for pair in response.headers if pair[0].lower().startswith(_KEPT_HEADERS)]
        reply = self._refusals.reply(Problem(500), request, settings.limits)
        return reply.keep_headers(kept)

    def reject_message(
        self,
        request: Request,
        validator: OperationValidator,
        message: Message,
        failure: ValidationFailed,
    ) -> Message | Close:
        """Close the connection for an invalid message, or report it."""
        reported = mode_of(validator.settings, request) != "enforce"
        level = logging.WARNING if reported else logging.ERROR
        incoming = message.direction == "in"
        self._reports.record(
            request,
            validator.name,
            "message",
            name_limits(failure, validator.settings.limits),
            0,
            refused=not reported,
            level=None if incoming and not reported else level,
            event=f"{'incoming' if incoming else 'outgoing'} message",
        )
        return message if reported else close_for(message, failure)


def mode_of(settings: OperationSettings, request: Request) -> Mode:
    """Return the mode of a request."""
    mode = settings.mode
    return mode.find(request) if isinstance(mode, RouteModes) else mode
