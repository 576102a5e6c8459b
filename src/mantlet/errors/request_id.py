"""The id that an exchange is known by, in its answer and in the log."""

import logging
import re
from collections.abc import MutableMapping
from contextvars import ContextVar
from os import register_at_fork, urandom
from typing import Any, Final

from mantlet.core.request import Request
from mantlet.http.headers import FieldNames

__all__ = [
    "RequestIdFilter",
    "add_request_id",
    "current_request_id",
    "enter",
    "leave",
    "request_id",
    "trace_id",
]

_CARRIERS = FieldNames("x-request-id", "traceparent")
# What an id may be made of, so that it may stand in a log line and in a header field unescaped.
_VALID = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,128}")
# W3C Trace Context, 3.2: version, trace-id, parent-id, flags; later versions may add to it.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


# Random ids made ahead, many for one call of the system. A child process starts without any.
_ahead: list[str] = []
_AHEAD = 64
register_at_fork(after_in_child=_ahead.clear)


def request_id(request: Request) -> str:
    """Return the id that the request came with, else its trace's, else a new random one."""
    given = request.get_headers(_CARRIERS)
    if given:
        own = given.get("x-request-id", "")
        if _VALID.fullmatch(own):
            return own
        trace = _trace(given.get("traceparent", ""))
        if trace is not None:
            return trace
    try:
        return _ahead.pop()
    except IndexError:
        return _new_id()


def trace_id(request: Request) -> str | None:
    """Return the id of the trace that the request belongs to, if it names one."""
    return _trace(request.get_headers(_CARRIERS).get("traceparent", ""))


def _trace(parent: str) -> str | None:
    match = _TRACEPARENT.fullmatch(parent)
    if match is None or (match[2] is not None and parent.startswith("00")):
        return None
    return match[1]


def _new_id() -> str:
    """Return 128 random bits as 32 hexadecimal digits, and make some more ahead."""
    fresh = urandom(16 * _AHEAD).hex()
    _ahead.extend([fresh[index : index + 32] for index in range(32, len(fresh), 32)])
    return fresh[:32]


#: A request that is being answered: its id, whether its exchange has ended, the request around it
#: that was being answered when it came, for an app may call another, and how many there are around.
Current = list[Any]

#: How many requests within each other are remembered. Servers that never end their exchanges would
#: make it any number of them.
_DEEPEST: Final = 8

_current: ContextVar[Current | None] = ContextVar("mantlet_request", default=None)


def current_request_id() -> str | None:
    """Return the id of the request that is being answered in this context, or None outside of one.

    It is there from `ErrorEnvelope` inwards: in the app, in the tasks that it starts, and in
    threads that are given its context, as those of `asyncio.to_thread()` are. A task that goes on
    behind the answer keeps it.
    """
    current = _current.get()
    request_id: str | None = None if current is None else current[0]
    return request_id


def enter(request_id: str) -> Current:
    """Make a request the one that is being answered; return what `leave()` takes."""
    outer = _living(_current.get())
    if outer is None or outer[3] >= _DEEPEST:
        current: Current = [request_id, False, None, 0]
    else:
        current = [request_id, False, outer, outer[3] + 1]
    _current.set(current)
    return current


def leave(current: Current) -> None:
    """Take a request whose exchange has ended out of the context.

    Exchanges may end in any order, and in another context than they began in.
    """
    current[1] = True
    now = _current.get()
    living = _living(now)
    if living is not now:
        _current.set(living)


def _living(current: Current | None) -> Current | None:
    """Return the innermost request that has not ended."""
    while current is not None and current[1]:
        current = current[2]
    return current


class RequestIdFilter(logging.Filter):
    """Give every log record a ``request_id``, "-" outside of a request; it drops none.

    Add it to handlers, so that it sees the records of all loggers::

        handler.addFilter(RequestIdFilter())
        handler.setFormatter(logging.Formatter("%(levelname)s %(request_id)s %(message)s"))
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Set ``record.request_id``, unless the record has one."""
        if not hasattr(record, "request_id"):
            record.request_id = current_request_id() or "-"
        return True


# Any: the shape that structlog gives its processors.
def add_request_id(
    _logger: Any, _method: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add ``request_id`` to an event, unless it has one: a structlog processor."""
    request_id = current_request_id()
    if request_id is not None:
        event_dict.setdefault("request_id", request_id)
    return event_dict
