"""Log an unhandled exception, once for each exchange and without secrets."""

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mantlet._internal.exception_chain import walk_chain
from mantlet.core.request import Request

if TYPE_CHECKING:
    from mantlet.core.problem import Envelope
    from mantlet.redact.masking import Masker

__all__ = ["log", "log_error", "log_exception", "mark_reported", "maskers"]

log = logging.getLogger("mantlet.errors")


def log_error(request: Request, error: BaseException, outcome: str) -> None:
    """Log an exception with its traceback and the request's id, once for each exchange.

    The only text of the client in the message is a validated request id.

    Args:
        request: the request it belongs to.
        error: the exception.
        outcome: the end of the message, such as "answered with 500".
    """
    if not mark_reported(request, error):
        return
    envelope: Envelope | None = request.state._envelope
    if envelope is not None:
        envelope.report(request, error, outcome)
        return
    request_id = request.state._request_id or "-"
    log_exception(
        log,
        logging.ERROR,
        ("Unhandled %s in request %s, %s", type(error).__qualname__, request_id, outcome),
        error,
        extra={"request_id": request_id},
        masks=maskers(request),
    )


def maskers(request: Request) -> Iterable["Masker"]:
    """Return the maskers of the app's secrets, where a policy knows these."""
    found: tuple[Masker, ...] = request.state._maskers
    return found


def log_exception(
    logger: logging.Logger,
    level: int,
    message: tuple[Any, ...],
    error: BaseException,
    *,
    extra: Mapping[str, object],
    masks: Iterable["Masker"],
) -> None:
    """Log an exception with known secrets masked.

    Args:
        logger: the logger.
        level: a level of ``logging``.
        message: the message, and its arguments.
        error: the exception.
        extra: further attributes of the record.
        masks: the maskers to apply.
    """
    if not logger.isEnabledFor(level):
        return
    file, line, function, _ = logger.findCaller(stacklevel=2)
    text, *args = message
    raised = (type(error), error, error.__traceback__)
    record = logger.makeRecord(
        logger.name, level, file, line, text, tuple(args), raised, function, extra
    )
    for masker in masks:
        masker.record(record)
    logger.handle(record)


def mark_reported(request: Request, error: BaseException) -> bool:
    """Mark an exception as reported for an exchange; return False where it was already.

    One that was raised from a reported one says no more: frameworks raise such after a response.
    """
    state = request.state
    if state._logged is not None and any(one is state._logged for one in walk_chain(error)):
        return False
    state._logged = error
    return True
