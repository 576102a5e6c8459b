"""The one way in which an unhandled exception is logged."""

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mantlet.core.request import Request

if TYPE_CHECKING:
    from mantlet.core.problem import Envelope
    from mantlet.redact.masking import Masker

__all__ = ["log", "log_error", "log_exception", "mark_reported", "maskers"]

log = logging.getLogger("mantlet.errors")


def log_error(request: Request, error: BaseException, outcome: str) -> None:
    """Log an exception with its traceback and the request's id, once for each exchange.

    Nothing that the client sent is in the message but an id that was found valid.

    Args:
        request: the request it belongs to.
        error: the exception.
        outcome: what became of it, in words.
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
    """Return what masks the app's secrets, where a policy knows them."""
    found: tuple[Masker, ...] = request.state._maskers
    return found


def log_exception(
    logger: logging.Logger,
    level: int,
    words: tuple[Any, ...],
    error: BaseException,
    *,
    extra: Mapping[str, object],
    masks: Iterable["Masker"],
) -> None:
    """Log an exception, without the secrets that are known.

    Args:
        logger: where.
        level: as ``logging`` has it.
        words: the message, and its arguments.
        error: the exception.
        extra: what the record has besides.
        masks: what masks secrets.
    """
    if not logger.isEnabledFor(level):
        return
    file, line, function, _ = logger.findCaller(stacklevel=2)
    message, *args = words
    raised = (type(error), error, error.__traceback__)
    record = logger.makeRecord(
        logger.name, level, file, line, message, tuple(args), raised, function, extra
    )
    for masker in masks:
        masker.record(record)
    logger.handle(record)


def mark_reported(request: Request, error: BaseException) -> bool:
    """Return whether an exchange has not reported an exception yet; from now on it has."""
    state = request.state
    if state._logged is error:
        return False
    state._logged = error
    return True
