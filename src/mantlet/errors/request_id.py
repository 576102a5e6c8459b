"""Request ids: chosen for each exchange, and available to everything that is logged meanwhile."""

import logging
import re
from collections.abc import MutableMapping
from contextvars import ContextVar
from os import register_at_fork, urandom
from typing import Any, Final

from mantlet.core.request import Request
from mantlet.http.headers import HeaderNames

__all__ = [
    "RequestIdFilter",
    "add_request_id",
    "choose_request_id",
    "current_request_id",
    "enter_request",
    "leave_request",
    "trace_id",
]

# -- the id ---------------------------------------------------------------------------------------

_SOURCES: Final = HeaderNames("x-request-id", "traceparent")
# Safe in a log line and in a header without escaping.
_VALID: Final = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,128}")
# W3C Trace Context, 3.2: version, trace-id, parent-id, flags; later versions may append to it.
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)

# Random ids made in advance, many per system call. A child process starts without any.
_spare: list[str] = []
_SPARES: Final = 64
register_at_fork(after_in_child=_spare.clear)


def choose_request_id(request: Request) -> str:
    """Return the request's ``X-Request-ID`` if it is valid, else its trace id, else a random id."""
    given = request.get_headers(_SOURCES)
    if given:
        own = given.get("x-request-id", "")
        if _VALID.fullmatch(own):
            return own
        trace = _trace(given.get("traceparent", ""))
        if trace is not None:
            return trace
    try:
        return _spare.pop()
    except IndexError:
        return _new_id()


def trace_id(request: Request) -> str | None:
    """Return the trace id of the request's ``traceparent``, if it has a valid one."""
    return _trace(request.get_headers(_SOURCES).get("traceparent", ""))


def _trace(parent: str) -> str | None:
    match = _TRACEPARENT.fullmatch(parent)
    if match is None or (match[2] is not None and parent.startswith("00")):
        return None
    return match[1]


def _new_id() -> str:
    """Return 128 random bits as 32 hexadecimal digits, and make spare ids."""
    fresh = urandom(16 * _SPARES).hex()
    _spare.extend([fresh[index : index + 32] for index in range(32, len(fresh), 32)])
    return fresh[:32]


# -- the context ----------------------------------------------------------------------------------

#: A request that is being handled: its id; whether its exchange has ended; the enclosing request,
#: for an app may call another app; and how many enclosing requests there are. A list, since a
#: class would cost more for every request.
_ActiveRequest = list[Any]

#: The most enclosing requests that are remembered. Without a limit, a server that never ends its
#: exchanges would grow the chain forever.
_MAX_NESTED: Final = 8

_current: ContextVar[_ActiveRequest | None] = ContextVar("mantlet_request", default=None)


def current_request_id() -> str | None:
    """Return the id of the request that is being handled in this context, else None.

    It is set from `ErrorEnvelope` inwards: in the app, in the tasks that it starts, and in threads
    that run in its context, such as those of `asyncio.to_thread()`. A task that outlives the
    response keeps it.
    """
    current = _current.get()
    own: str | None = None if current is None else current[0]
    return own


def enter_request(own: str) -> _ActiveRequest:
    """Make an id the current one; return the argument for `leave_request()`."""
    outer = _not_ended(_current.get())
    if outer is None or outer[3] >= _MAX_NESTED:
        current: _ActiveRequest = [own, False, None, 0]
    else:
        current = [own, False, outer, outer[3] + 1]
    _current.set(current)
    return current


def leave_request(current: _ActiveRequest) -> None:
    """Remove a request whose exchange has ended from the context.

    Exchanges may end in any order, and in another context than they began in.
    """
    current[1] = True
    now = _current.get()
    active = _not_ended(now)
    if active is not now:
        _current.set(active)


def _not_ended(current: _ActiveRequest | None) -> _ActiveRequest | None:
    """Return the innermost request that has not ended."""
    while current is not None and current[1]:
        current = current[2]
    return current


class RequestIdFilter(logging.Filter):
    """Give every log record a ``request_id``, "-" outside of a request; it drops no records.

    Add it to handlers, so that it sees the records of all loggers::

        handler.addFilter(RequestIdFilter())
        handler.setFormatter(logging.Formatter("%(levelname)s %(request_id)s %(message)s"))
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Set ``record.request_id``, unless the record has one."""
        if not hasattr(record, "request_id"):
            record.request_id = current_request_id() or "-"
        return True


# Any: the signature of structlog's processors.
def add_request_id(
    _logger: Any, _method: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add ``request_id`` to an event, unless it has one: a structlog processor."""
    own = current_request_id()
    if own is not None:
        event_dict.setdefault("request_id", own)
    return event_dict
