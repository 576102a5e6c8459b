"""Report violations: as findings, in the log, and in counts of those that were let through."""

import logging
from collections import Counter
from collections.abc import Mapping
from os import PathLike
from threading import Lock
from types import MappingProxyType
from typing import Final

from mantlet._internal.log_throttle import LogThrottle
from mantlet.core.request import Request
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.findings.files import FindingFile
from mantlet.guard.findings.finding import Finding, Subject
from mantlet.guard.findings.recorder import FindingRecorder

__all__ = ["ViolationReports"]

_log: Final = logging.getLogger("mantlet.guard")
#: Errors of one request that a log record lists.
_MAX_LISTED: Final = 5
#: Violations are counted and logged under this name if no operation was found.
_UNDECLARED: Final = "undeclared"


class ViolationReports:
    """Reports violations by operation. Nothing that a client sent is in the log.

    A pointer may contain names that the client chose, so only the place and code of an error are
    logged.

    Args:
        directory: the directory of the files of findings, or None.

    Attributes:
        file: this worker's file of findings, or None.

    Raises:
        TypeError: the directory is not a path.
        ValueError: it can't be written.
    """

    def __init__(self, directory: str | PathLike[str] | None = None) -> None:
        self._recorder = FindingRecorder()
        self.file = None if directory is None else FindingFile(directory, self._recorder)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._throttle = LogThrottle(_log)
        self._lock = Lock()

    @property
    def counts(self) -> Mapping[tuple[str, str], int]:
        """The number of logged violations by operation and error code."""
        with self._lock:
            return MappingProxyType(dict(self._counts))

    def findings(self) -> list[Finding]:
        """Return the findings, the most frequent first."""
        return self._recorder.findings()

    def record(
        self,
        request: Request,
        operation: str | None,
        subject: Subject,
        failure: ValidationFailed,
        status: int,
        *,
        refused: bool,
        level: int | None,
        event: str | None = None,
    ) -> None:
        """Report the errors of a request, a response or a message.

        Args:
            request: the request.
            operation: the name of the operation, or None.
            subject: what is invalid.
            failure: the errors, and the values that were read.
            status: the status of the response to it.
            refused: whether it is refused.
            level: a level of ``logging``; None to neither log nor count the violation.
            event: the subject in the log, if it has another name there.
        """
        self._recorder.record(request, operation, subject, failure, status, refused=refused)
        if level is not None:
            name = operation or _UNDECLARED
            self._log(request, name, f"invalid {event or subject}", failure.errors, level)

    def _log(
        self,
        request: Request,
        operation: str,
        event: str,
        errors: tuple[ErrorItem, ...],
        level: int,
    ) -> None:
        """Count and log errors."""
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
