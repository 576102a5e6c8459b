"""Log exceptions: one record each, and for a burst of one kind a few records with a count."""

import logging
from collections.abc import Callable
from time import monotonic, perf_counter
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr
from mantlet._internal.log_throttle import LogThrottle
from mantlet._internal.printable import printable
from mantlet.core.error_log import log, log_exception, log_failure, logged_method, maskers
from mantlet.core.request import Request
from mantlet.errors.request_id import trace_id

__all__ = ["ErrorReporter"]

_MAX_ROUTE: Final = 500
_MAX_DETAIL: Final = 1000


class ErrorReporter:
    """Log exceptions, and everything else that an envelope has to say, on ``mantlet.errors``.

    All records share one throttle: see `LogThrottle`.

    Args:
        clock: returns seconds since any fixed time.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._throttle = LogThrottle(log, clock)

    def report(
        self,
        request: Request,
        error: BaseException,
        outcome: str,
        *,
        status: int | None,
        for_client: bool,
        began: float | None,
    ) -> None:
        """Log an exception, unless the level is off or the exception is one of a burst.

        Args:
            request: its request.
            error: the exception.
            outcome: the end of the log message, such as "answered with 500".
            status: the status of the response; None if it came too late.
            for_client: whether it was raised for the client.
            began: when the request arrived, by `time.perf_counter()`; None if that is not known.
        """
        level = logging.ERROR
        if status is not None and status < 500:
            level = logging.INFO if for_client else logging.WARNING
        if not log.isEnabledFor(level):
            return
        request_id = request.state._request_id or "-"
        message = "%s in request %s, %s" if for_client else "Unhandled %s in request %s, %s"
        values: tuple[Any, ...] = (type(error).__qualname__, request_id, outcome)
        log_exception(
            log,
            level,
            (message, *values),
            error,
            throttle=self._throttle,
            extra=lambda: {
                "request_id": request_id,
                "trace_id": trace_id(request),
                "method": logged_method(request),
                "route": route_template(request),
                "status": status,
                "duration": 0.0 if began is None else perf_counter() - began,
            },
            masks=maskers(request),
        )

    def failed(self, request: Request, source: str, failure: Exception) -> None:
        """Log that a function of the user's failed, or the log itself.

        Args:
            request: the request that it was called for.
            source: the function that failed, such as ``"on_exception"``.
            failure: its exception.
        """
        log_failure(log, "ErrorEnvelope", source, failure, throttle=self._throttle, request=request)

    def withheld(self, request: Request, status: int, detail: str) -> None:
        """Log the message of a response that is not sent on.

        Args:
            request: its request.
            status: its status.
            detail: its message.
        """
        if not log.isEnabledFor(logging.ERROR):
            return
        place = f"withheld {status} {route_template(request)}"
        suppressed = self._throttle.suppressed(place)
        if suppressed is None:
            return
        for masker in maskers(request):
            detail = masker.text(detail)
        request_id = request.state._request_id or "-"
        log.error(
            "The message of a %d response to request %s is not sent: '%s'%s",
            status,
            request_id,
            printable(detail, _MAX_DETAIL),
            f" (and {suppressed} more like it)" if suppressed else "",
            extra={"request_id": request_id, "status": status, "repeats": suppressed},
        )


def route_template(request: Request) -> str | None:
    """Return the template of the framework's route, such as ``/users/{id}``, if it is known."""
    raw = request.raw
    route = raw.get("route")  # Starlette, FastAPI
    found = (
        request.state._route
        or raw.get("path_template")  # Litestar
        or safe_getattr(route, "path_format")
        or safe_getattr(route, "path")
    )
    return printable(found, _MAX_ROUTE) if isinstance(found, str) else None
