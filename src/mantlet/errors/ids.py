"""The id that an exchange is known by, in its answer and in the log."""

import re
from os import register_at_fork, urandom

from mantlet.core.request import Request
from mantlet.http.headers import FieldNames

__all__ = ["request_id", "trace_id"]

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
