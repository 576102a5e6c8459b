"""The one way in which an unhandled exception is logged."""

import logging

from mantlet.request import Request

__all__ = ["log_error"]

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
    state = request.state
    if state.get(_LOGGED) is error:
        return
    state[_LOGGED] = error
    request_id = state.get("request_id", "-")
    log.error(
        "Unhandled %s in request %s, %s",
        type(error).__qualname__,
        request_id,
        outcome,
        exc_info=error,
        extra={"request_id": request_id},
    )
