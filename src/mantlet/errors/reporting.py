"""Log exceptions: one record each, and for a burst of one kind a few records with a count."""

import logging
from collections import deque
from collections.abc import Callable
from hashlib import blake2s
from time import monotonic
from traceback import walk_tb
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr, walk_chain
from mantlet._internal.log_throttle import LogThrottle
from mantlet.core.error_log import log, log_exception, maskers
from mantlet.core.request import Request
from mantlet.errors.request_id import trace_id

__all__ = ["ErrorReporter", "fingerprint"]

#: The innermost frames of an exception, which its fingerprint covers.
_FRAMES: Final = 32
#: Methods that are logged (RFC 9110, 9; RFC 5789); any other is the client's own text.
_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
)


class ErrorReporter:
    """Log exceptions on ``mantlet.errors``.

    Args:
        clock: returns seconds since any fixed time.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._throttle = LogThrottle(clock)

    def report(
        self,
        request: Request,
        error: BaseException,
        outcome: str,
        *,
        status: int | None,
        for_client: bool,
        seconds: float,
    ) -> None:
        """Log an exception, unless the level is off or the exception is one of a burst.

        Args:
            request: its request.
            error: the exception.
            outcome: the end of the log message, such as "answered with 500".
            status: the status of the response; None if it came too late.
            for_client: whether it was raised for the client.
            seconds: the time since the request arrived.
        """
        level = logging.ERROR
        if status is not None and status < 500:
            level = logging.INFO if for_client else logging.WARNING
        if not log.isEnabledFor(level):
            return
        kind = fingerprint(error)
        suppressed = self._throttle.suppressed(kind)
        if suppressed is None:
            return
        request_id = request.state._request_id or "-"
        message = "%s in request %s, %s" if for_client else "Unhandled %s in request %s, %s"
        values: tuple[Any, ...] = (type(error).__qualname__, request_id, outcome)
        if suppressed:
            message, values = f"{message} (and %d more like it)", (*values, suppressed)
        log_exception(
            log,
            level,
            (message, *values),
            error,
            extra={
                "request_id": request_id,
                "trace_id": trace_id(request),
                "method": request.method if request.method in _METHODS else "-",
                "route": route_template(request),
                "status": status,
                "duration": seconds,
                "fingerprint": kind,
                "repeats": suppressed,
            },
            masks=maskers(request),
        )


def fingerprint(error: BaseException) -> str:
    """Return the fingerprint of an exception's kind: 12 hexadecimal digits.

    It covers the types of the exception and of its causes, and the functions of the traceback with
    their lines; no values, and no paths of the machine.
    """
    kinds = [f"{type(one).__module__}.{type(one).__qualname__}" for one in walk_chain(error)]
    frames = [
        f"{frame.f_globals.get('__name__')}:{frame.f_code.co_qualname}:"
        f"{line - frame.f_code.co_firstlineno}"
        for frame, line in deque(walk_tb(error.__traceback__), _FRAMES)
    ]
    text = "\n".join(kinds + frames)
    return blake2s(text.encode("utf-8", "replace"), digest_size=6).hexdigest()


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
    return found if isinstance(found, str) else None
