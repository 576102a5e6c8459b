"""What the log says of an exception: one record, and of a storm a few with a count."""

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

__all__ = ["Reporting", "fingerprint"]

#: Frames of an exception that count for its fingerprint: the innermost.
_FRAMES: Final = 32
#: Methods that are written as they came (RFC 9110, 9; RFC 5789).
_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
)


class Reporting:
    """Log exceptions on ``mantlet.errors``.

    Args:
        clock: seconds, from any beginning.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._storms = LogThrottle(clock)

    def report(
        self,
        request: Request,
        error: BaseException,
        outcome: str,
        *,
        status: int | None,
        meant: bool,
        seconds: float,
    ) -> None:
        """Log an exception, unless nobody listens, or it is one more of a storm.

        Args:
            request: the request it belongs to.
            error: the exception.
            outcome: what became of it, in words.
            status: the one that it was answered with, or would have been.
            meant: whether it was made for the client.
            seconds: since the request came.
        """
        level = logging.ERROR
        if status is not None and status < 500:
            level = logging.INFO if meant else logging.WARNING
        if not log.isEnabledFor(level):
            return
        kind = fingerprint(error)
        untold = self._storms.suppressed(kind)
        if untold is None:
            return
        request_id = request.state._request_id or "-"
        words = "%s in request %s, %s" if meant else "Unhandled %s in request %s, %s"
        values: tuple[Any, ...] = (type(error).__qualname__, request_id, outcome)
        if untold:
            words, values = f"{words} (and %d more like it)", (*values, untold)
        log_exception(
            log,
            level,
            (words, *values),
            error,
            extra={
                "request_id": request_id,
                "trace_id": trace_id(request),
                "method": request.method if request.method in _METHODS else "-",
                "route": route_template(request),
                "status": status,
                "duration": seconds,
                "fingerprint": kind,
                "repeats": untold,
            },
            masks=maskers(request),
        )


def fingerprint(error: BaseException) -> str:
    """Return what all exceptions of one kind have in common: 12 hexadecimal digits.

    It is made of the types of the exception and of what it came of, and of the functions and the
    lines within them that it came through; of no value, and of no path of the machine.
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
    """Return the template of the framework's route, such as ``/users/{id}``, where it left one."""
    raw = request.raw
    route = raw.get("route")  # Starlette, FastAPI
    found = (
        request.state._route
        or raw.get("path_template")  # Litestar
        or safe_getattr(route, "path_format")
        or safe_getattr(route, "path")
    )
    return found if isinstance(found, str) else None
