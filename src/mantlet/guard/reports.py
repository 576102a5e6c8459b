"""What is told of requests and answers that were let through though they are not as declared."""

import logging
from collections import Counter
from threading import Lock
from types import MappingProxyType
from typing import Final

from mantlet._internal.log_throttle import LogThrottle
from mantlet.core.request import Request
from mantlet.guard.errors import Fault

__all__ = ["Reports"]

_log: Final = logging.getLogger("mantlet.guard")
#: Faults of one request that a line of the log lists.
_LISTED: Final = 5


class Reports:
    """Counts and logs faults, by operation. Nothing that a client sent is in the log.

    A pointer may have names that the client chose, so of a fault its place and its code are logged.
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._storms = LogThrottle()
        self._lock = Lock()

    @property
    def counts(self) -> MappingProxyType[tuple[str, str], int]:
        """How often each operation had a fault of each code."""
        with self._lock:
            return MappingProxyType(dict(self._counts))

    def tell(
        self, request: Request, operation: str, what: str, faults: tuple[Fault, ...], *, level: int
    ) -> None:
        """Count and log what is wrong.

        Args:
            request: the request.
            operation: the name of the operation.
            what: what has become of the request or the answer.
            faults: what is wrong with it.
            level: as ``logging`` has it.
        """
        with self._lock:
            self._counts.update({(operation, fault.code) for fault in faults})
        listed = ", ".join(f"{fault.code} in {fault.place}" for fault in faults[:_LISTED])
        untold = self._storms.suppressed(f"{operation} {what} {listed}")
        if untold is None:
            return
        request_id = request.state._request_id or "-"
        more = f", and {untold} like it" if untold else ""
        _log.log(
            level,
            "%s: %s, request %s: %s%s",
            operation,
            what,
            request_id,
            listed,
            more,
            extra={"request_id": request_id},
        )
