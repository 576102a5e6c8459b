"""One log record for an exception that a framework logs as well as the envelope.

Flask, Quart and Django log an unhandled exception under a name of their own, Litestar if it is told
to. The envelope's record says more: the request's id, the status, the route, how often it came; and
a burst of one kind is a few records. So each handler gets one record: the envelope's where that
reaches it, else the framework's, such as one that the app has added to ``app.logger`` alone, or
that mails Django's ADMINS. The framework's record has known secrets masked, and a ``request_id``.

Without any handler for the envelope's records, the framework's record alone is written where it
reaches a handler of the app's choice; else the envelope's goes to the standard error stream, in
place of that of the default handlers of Flask and Quart.

An exception that has the request run again has no record: another attempt answers.

A refusal that Django takes for an unhandled exception has no record of Django's, and no mail.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

from mantlet._internal.exception_chain import safe_getattr
from mantlet.core.error_log import log

__all__ = ["OneRecord"]


# Any: a `State`, or None; a `logging.Filter` may be shared by loggers.
class OneRecord(logging.Filter):
    """Give a framework's record of an exception to the handlers that get no other.

    Args:
        state_of: returns the state of the exchange whose unhandled exception a record shows.
    """

    def __init__(self, state_of: Callable[[logging.LogRecord], Any]) -> None:
        super().__init__()
        self._state_of = state_of

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the framework's record is written."""
        try:
            return self._filter(record)
        except Exception:  # noqa: BLE001  # a record must not fail the request
            return True

    def _filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        state = None if error is None else self._state_of(record)
        if state is None or state._raised is not error:
            return True
        if _needs_no_record(state, error):
            return False
        if state._envelope is None:
            return True
        for masker in state._maskers:
            masker.record(record)
        record.request_id = state._request_id
        if not log.isEnabledFor(logging.ERROR):
            return True
        reached = set(_handlers(log))
        further = [one for one in _handlers(logging.getLogger(record.name)) if one not in reached]
        further = [one for one in further if record.levelno >= one.level]
        if not reached and any(_writes(one, record) for one in further):
            state._recorded = error
            return True
        for one in further:
            if reached or _is_mailing(one):
                one.handle(record)
        return False


# Any: a `State`.
def _needs_no_record(state: Any, error: BaseException | None) -> bool:
    """Return whether an exception is no error: it is a refusal, or another attempt answers."""
    runs_again, envelope = state._runs_again, state._envelope
    return (runs_again is not None and runs_again(error)) or (
        envelope is not None and envelope.refuses(error)
    )


def _handlers(logger: logging.Logger | None) -> Iterator[logging.Handler]:
    """Yield the handlers that a logger's records reach."""
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


def _writes(handler: logging.Handler, record: logging.LogRecord) -> bool:
    """Return whether a handler that the app has chosen writes a record."""
    defaults = (
        safe_getattr(sys.modules.get(f"{name}.logging"), "default_handler")
        for name in ("flask", "quart")
    )
    ignored = isinstance(handler, logging.NullHandler) or _is_mailing(handler)
    return not ignored and handler not in defaults and bool(handler.filter(record))


def _is_mailing(handler: logging.Handler) -> bool:
    """Return whether a handler mails Django's ADMINS."""
    kind = safe_getattr(sys.modules.get("django.utils.log"), "AdminEmailHandler")
    return isinstance(kind, type) and isinstance(handler, kind)
