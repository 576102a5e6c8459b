"""Request ids: chosen for each exchange, and available to everything that is logged meanwhile."""

import logging
import re
from collections.abc import MutableMapping
from os import register_at_fork, urandom
from typing import Any, Final

from mantlet.core.context import current_request_id
from mantlet.core.request import Request
from mantlet.http.headers import HeaderNames

__all__ = [
    "RequestIdFilter",
    "add_request_id",
    "choose_request_id",
    "current_request_id",
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


# -- log records ----------------------------------------------------------------------------------


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
