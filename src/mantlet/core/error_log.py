"""Log exceptions: once for each exchange, throttled, each record bounded, and without secrets."""

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from mantlet._internal.error_kind import kind_of
from mantlet._internal.exception_chain import safe_getattr, walk_chain
from mantlet._internal.log_throttle import LogThrottle
from mantlet._internal.printable import byte_size, printable
from mantlet._internal.traceback_text import TracebackText
from mantlet.core.request import Request
from mantlet.http.routing import METHODS

if TYPE_CHECKING:
    from mantlet.core.problem import Envelope
    from mantlet.redact.masking import Masker

__all__ = [
    "log",
    "log_disconnect",
    "log_error",
    "log_exception",
    "log_failure",
    "logged_method",
    "mark_reported",
    "maskers",
]

log = logging.getLogger("mantlet.errors")

#: For exceptions of exchanges without an envelope, which has its own.
_throttle = LogThrottle(log)
_MAX_VALUE: Final = 500
#: The types and lines that a record without a traceback names.
_MAX_PLACES: Final = 4


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
        throttle=_throttle,
        extra=lambda: {"request_id": request_id},
        masks=maskers(request),
    )


def log_disconnect() -> None:
    """Note that a client has disconnected before its response, which is nobody's error."""
    log.debug("The client disconnected before the response had begun.")


def maskers(request: Request) -> Iterable["Masker"]:
    """Return the maskers of the app's secrets, where a policy knows these."""
    found: tuple[Masker, ...] = request.state._maskers
    return found


def logged_method(request: Request) -> str:
    """Return the method of a request; "-" for one that is the client's own text."""
    return request.method if request.method in METHODS else "-"


def log_exception(
    logger: logging.Logger,
    level: int,
    message: tuple[Any, ...],
    error: BaseException,
    *,
    throttle: LogThrottle,
    masks: Iterable["Masker"],
    extra: Callable[[], Mapping[str, object]] = dict,
) -> None:
    """Log an exception with known secrets masked, unless it is one of too many.

    The record has the traceback as text, at most 64 KiB of it and in printable characters, which
    formatters take as it is. It has the exception itself too, unless the text was cut short or has
    a masked secret. Once the log's budget is spent, the record has no traceback.

    Args:
        logger: the logger.
        level: a level of ``logging``.
        message: the message, and its arguments.
        error: the exception.
        throttle: of the logger.
        masks: the maskers to apply.
        extra: returns further attributes of the record. ``fingerprint`` and ``repeats`` are added.
    """
    if not logger.isEnabledFor(level):
        return
    kind = kind_of(error)
    label = f"{type(error).__qualname__} {kind.fingerprint}"
    is_minor = level < logging.ERROR
    admitted = throttle.admit(kind.fingerprint, kind.sites, label, is_minor=is_minor)
    if admitted is None:
        return
    text, *args = (printable(one, _MAX_VALUE) if isinstance(one, str) else one for one in message)
    if admitted.suppressed:
        text += " (and %d more like it)"
        args.append(admitted.suppressed)
    raised = None
    if admitted.in_short:
        text += "; no traceback, since the log's budget is spent: %s"
        places = admitted.new_parts or kind.sites
        args.append(printable(" <- ".join(places[:_MAX_PLACES]), _MAX_VALUE))
    else:
        raised = (type(error), error, safe_getattr(error, "__traceback__"))
    file, line, function, _ = logger.findCaller(stacklevel=2)
    record = logger.makeRecord(
        logger.name,
        level,
        file,
        line,
        text,
        tuple(args),
        raised,
        function,
        {**extra(), "fingerprint": kind.fingerprint, "repeats": admitted.suppressed},
    )
    masks = tuple(masks)
    if raised is not None:
        mask = _Mask(masks)
        formatted = TracebackText(error, mask)
        record.exc_text = formatted.text
        throttle.charge(byte_size(formatted.text))
        if mask.has_masked or not formatted.is_whole:
            record.exc_info = None  # a handler that formats the exception itself would tell all
    for masker in masks:
        masker.record(record)
    logger.handle(record)


def log_failure(
    logger: logging.Logger,
    policy: str,
    function: str,
    failure: Exception,
    *,
    throttle: LogThrottle,
    request: Request | None = None,
    masks: Iterable["Masker"] = (),
) -> None:
    """Log that a function of the user's failed. Exceptions of log handlers change nothing.

    Args:
        logger: the logger.
        policy: the name of the class that called it, such as ``"ErrorEnvelope"``.
        function: the function, by the name of its option, such as ``"on_exception"``.
        failure: its exception.
        throttle: of the logger.
        request: the request that it was called for, whose maskers are applied.
        masks: the maskers to apply if ``request`` is None.
    """
    extra = {"policy": policy}
    if request is not None:
        extra["request_id"] = request.state._request_id or "-"
        masks = maskers(request)
    with suppress(Exception):  # raised by a handler or a filter
        log_exception(
            logger,
            logging.ERROR,
            ("%s: %s failed with %s", policy, function, type(failure).__qualname__),
            failure,
            throttle=throttle,
            extra=lambda: extra,
            masks=masks,
        )


class _Mask:
    """Masks secrets in texts, and remembers whether there were any."""

    def __init__(self, masks: Iterable["Masker"]) -> None:
        self._masks = masks
        self.has_masked = False

    def __call__(self, text: str) -> str:
        for masker in self._masks:
            masked = masker.text(text)
            self.has_masked = self.has_masked or masked is not text
            text = masked
        return text


def mark_reported(request: Request, error: BaseException) -> bool:
    """Mark an exception as reported for an exchange; return False where it was already.

    One that was raised from a reported one counts as reported: frameworks raise such after a
    response.
    """
    state = request.state
    if state._logged is not None and any(one is state._logged for one in walk_chain(error)):
        return False
    state._logged = error
    return True
