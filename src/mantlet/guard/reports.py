"""Count and log violations that were let through."""

import logging
from collections import Counter
from threading import Lock
from types import MappingProxyType
from typing import Final

from mantlet._internal.log_throttle import LogThrottle
from mantlet.core.request import Request
from mantlet.guard.errors import ErrorItem

__all__ = ["ViolationReports"]

_log: Final = logging.getLogger("mantlet.guard")
#: Errors of one request that a log record lists.
_MAX_LISTED: Final = 5


class ViolationReports:
    """Counts and logs violations by operation. Nothing that a client sent is in the log.

    A pointer may contain names that the client chose, so only the place and code of an error are
    logged.
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._throttle = LogThrottle(_log)
        self._lock = Lock()

    @property
    def counts(self) -> MappingProxyType[tuple[str, str], int]:
        """The number of violations by operation and error code."""
        with self._lock:
            return MappingProxyType(dict(self._counts))

    def record(
        self,
        request: Request,
        operation: str,
        event: str,
        errors: tuple[ErrorItem, ...],
        *,
        level: int,
    ) -> None:
        """Count and log the errors of a request, a response or a message.

        Args:
            request: the request.
            operation: the name of the operation.
            event: such as ``"invalid request"``.
            errors: the errors.
            level: a level of ``logging``.
        """
        with self._lock:
            self._counts.update({(operation, error.code) for error in errors})
        if not _log.isEnabledFor(level):
            return
        listed = ", ".join(f"{error.code} in {error.place}" for error in errors[:_MAX_LISTED])
        parts = [
            f"{operation} {event} {error.code} {error.place}" for error in errors[:_MAX_LISTED]
        ]
        suppressed = self._throttle.suppressed(f"{operation} {event} {listed}", parts)
        if suppressed is None:
            return
        request_id = request.state._request_id or "-"
        more = f" (and {suppressed} more like it)" if suppressed else ""
        _log.log(
            level,
            "SchemaGuard: %s, %s, request %s: %s%s",
            operation,
            event,
            request_id,
            listed,
            more,
            extra={"request_id": request_id},
        )
