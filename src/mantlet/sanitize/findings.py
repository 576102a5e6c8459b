"""What was found in an answer, and how that is told."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from inspect import iscoroutinefunction
from typing import Final

from mantlet._internal.log_throttle import LogThrottle
from mantlet.core.request import Request

__all__ = ["Finding", "Findings", "Listener"]

log = logging.getLogger("mantlet.sanitize")

#: So many findings of one exchange are told; the rest is dealt with in silence.
_MOST: Final = 100
_FINGERPRINT_BYTES: Final = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that should not have been in an answer.

    Attributes:
        rule: the id of what found it, such as ``"github-token"``.
        place: where it was, in words: ``"body, byte 1024"``, ``"header location"``. It holds
            nothing that the app or the client chose but the names of header fields.
        fingerprint: tells like values from others, within this process; empty where there is no
            value, as of a header field that was dropped.
    """

    rule: str
    place: str
    fingerprint: str = ""


Listener = Callable[[Finding, Request], object]


class Findings:
    """Tells of findings: a log record on ``mantlet.sanitize``, and who listens.

    Of one rule and value, ten records are written a minute, then the 100th, the 1,000th and so on.

    Args:
        listener: called with each finding. What it raises is logged.

    Raises:
        ValueError: the listener is no plain function.
    """

    def __init__(self, listener: Listener | None = None) -> None:
        checked: object = listener
        if checked is not None and (not callable(checked) or iscoroutinefunction(checked)):
            raise ValueError(f"on_finding must be a plain function, not {checked!r}")
        self._listener = listener
        self._storms = LogThrottle()
        self._key = os.urandom(32)

    def fingerprint(self, value: bytes) -> str:
        """Return a short keyed hash of what was found."""
        return blake2b(value, digest_size=_FINGERPRINT_BYTES, key=self._key).hexdigest()

    def tell(self, request: Request, finding: Finding) -> None:
        """Tell of one finding."""
        own = request.local(self)
        count = own["findings"] = own.get("findings", 0) + 1
        if count > _MOST:
            return
        if log.isEnabledFor(logging.WARNING):
            self._log(request, finding)
        if self._listener is not None:
            try:
                self._listener(finding, request)
            except Exception:  # the answer does not depend on it
                log.exception("OutputSanitizer: on_finding failed")

    def _log(self, request: Request, finding: Finding) -> None:
        untold = self._storms.suppressed(f"{finding.rule} {finding.fingerprint}")
        if untold is None:
            return
        request_id = request.state._request_id or "-"
        with suppress(Exception):  # of a handler or a filter
            log.warning(
                "Found %s in an answer (%s), request %s%s",
                finding.rule,
                finding.place,
                request_id,
                f" (and {untold} more like it)" if untold else "",
                extra={
                    "request_id": request_id,
                    "rule": finding.rule,
                    "place": finding.place,
                    "fingerprint": finding.fingerprint,
                    "repeats": untold,
                },
            )
