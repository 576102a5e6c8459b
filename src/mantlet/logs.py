"""The one way in which an unhandled exception is logged."""

import logging
from typing import TYPE_CHECKING

from mantlet.request import ENVELOPE, Request

if TYPE_CHECKING:
    from mantlet.problem import Envelope

__all__ = ["log", "log_error", "unreported"]

log = logging.getLogger("mantlet.errors")

_LOGGED = "error_logged"


def log_error(request: Request, error: BaseException, outcome: str) -> None:
    """Log an exception with its traceback and the request's id, once for each exchange.

    Nothing that the client sent is in the message but an id that was found valid.

    Args:
        request: the request it belongs to.
        error: the exception.
        outcome: what became of it, in words.
    """
    if not unreported(request, error):
        return
    envelope: Envelope | None = request.carrier.get(ENVELOPE)
    if envelope is not None:
        envelope.report(request, error, outcome)
        return
    request_id = request.state.get("request_id", "-")
    log.error(
        "Unhandled %s in request %s, %s",
        type(error).__qualname__,
        request_id,
        outcome,
        exc_info=error,
        extra={"request_id": request_id},
    )


def unreported(request: Request, error: BaseException) -> bool:
    """Return whether an exchange has not reported an exception yet; from now on it has."""
    state = request.state
    if state.get(_LOGGED) is error:
        return False
    state[_LOGGED] = error
    return True
