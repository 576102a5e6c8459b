"""Report findings: log them, and call the listener."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from mantlet._internal.coroutines import is_plain_function
from mantlet._internal.fingerprint import keyed_fingerprint
from mantlet._internal.log_throttle import LogThrottle
from mantlet.core.error_log import log_failure
from mantlet.core.request import Request

__all__ = ["Finding", "FindingListener", "FindingReporter"]

log = logging.getLogger("mantlet.sanitize")

#: Maximum findings reported per request; further ones are still redacted.
MAX_FINDINGS: Final = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """Content that should not have been in a response.

    Attributes:
        rule: the id of the rule that found it, such as ``"github-token"``.
        place: a description of its position: ``"body, byte 1024"``, ``"header location"``. Apart
            from header names, it contains no data of the app or the client.
        fingerprint: identifies equal values within this process; empty if there is no value, as
            with a dropped header.
    """

    rule: str
    place: str
    fingerprint: str = ""


FindingListener = Callable[[Finding, Request], object]


class FindingReporter:
    """Report findings: as log records on ``mantlet.sanitize``, and to a listener.

    Log records are throttled: for each rule, value and place, such as the body or a header, ten are
    written per minute, then the 100th, the 1,000th and so on.

    Args:
        listener: called with each finding. Exceptions that it raises are logged.

    Raises:
        ValueError: the listener is not a plain function.
    """

    def __init__(self, listener: FindingListener | None = None) -> None:
        checked: object = listener
        if checked is not None and not is_plain_function(checked):
            raise ValueError(f"on_finding must be a plain function, not {checked!r}")
        self._listener = listener
        self._throttle = LogThrottle(log)
        self._key = os.urandom(32)

    def fingerprint(self, value: bytes) -> str:
        """Return a short keyed hash of a value."""
        return keyed_fingerprint(value, self._key)

    def report(self, request: Request, finding: Finding) -> None:
        """Report one finding."""
        own = request.local(self)
        count = own["findings"] = own.get("findings", 0) + 1
        if count > MAX_FINDINGS:
            return
        if log.isEnabledFor(logging.WARNING):
            self._log(request, finding)
        if self._listener is not None:
            try:
                self._listener(finding, request)
            except Exception as failure:  # noqa: BLE001  # the response does not depend on it
                log_failure(
                    log,
                    "OutputSanitizer",
                    "on_finding",
                    failure,
                    throttle=self._throttle,
                    request=request,
                )

    def _log(self, request: Request, finding: Finding) -> None:
        place = finding.place.partition(",")[0]  # without the offset
        kind = f"{finding.rule} {finding.fingerprint} {place}"
        suppressed = self._throttle.suppressed(kind, [finding.rule])
        if suppressed is None:
            return
        request_id = request.state._request_id or "-"
        with suppress(Exception):  # raised by a handler or a filter
            log.warning(
                "OutputSanitizer: found %s in the response (%s), request %s%s",
                finding.rule,
                finding.place,
                request_id,
                f" (and {suppressed} more like it)" if suppressed else "",
                extra={
                    "request_id": request_id,
                    "rule": finding.rule,
                    "place": finding.place,
                    "fingerprint": finding.fingerprint,
                    "repeats": suppressed,
                },
            )
