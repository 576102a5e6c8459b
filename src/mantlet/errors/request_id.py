"""Request ids: chosen for each exchange, and available to everything that is logged meanwhile."""

import logging
import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from os import urandom
from sys import modules
from typing import Any, Final, Literal, get_args

from mantlet._internal.coroutines import is_plain_function
from mantlet._internal.exception_chain import safe_getattr
from mantlet._internal.fork import after_fork_in_child
from mantlet._internal.log_throttle import LogThrottle
from mantlet._internal.options import KnowsOptions
from mantlet.core.context import current_request_id
from mantlet.core.error_log import log, log_failure
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.http.header_name import HeaderName
from mantlet.http.headers import HeaderNames

__all__ = [
    "RequestId",
    "RequestIdFilter",
    "add_request_id",
    "current_request_id",
    "trace_id",
]

# -- the id ---------------------------------------------------------------------------------------

FromResponse = Literal["adopt", "keep", "replace"]

_OPENTELEMETRY: Final = "opentelemetry.trace"
_TRACEPARENT_NAME: Final = HeaderNames("traceparent")
# Safe in a log line and in a header without escaping.
_VALID: Final = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,128}")
# W3C Trace Context, 3.2: version, trace-id, parent-id, flags; later versions may append to it.
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)

# Random ids made in advance, many per system call. A child process starts without any.
_spare: list[str] = []
_SPARES: Final = 64
after_fork_in_child(_spare.clear)


@dataclass(frozen=True, kw_only=True)
class RequestId(KnowsOptions):
    """How each request gets its id.

    It is the request's own header if that is valid, else the trace id of the current OpenTelemetry
    span, else that of a valid ``traceparent``, else a new one. The app, and any middleware in it,
    gets it in the request header as if the client had sent it: so there is one id, whichever of
    them asks for it.

    Attributes:
        header: the name of the header, in requests and responses.
        generate: returns a new id; by default 128 random bits in hexadecimal digits.
        valid: returns whether an id of a client is acceptable. In any case an id is one to 128 of
            the characters ``A-Z a-z 0-9 . _ ~ + / = : @ -``.
        trust_incoming: believe the client's header and ``traceparent``; else neither is looked at.
        from_response: which id the client gets where the app's response has another one.
            ``"adopt"``: the app's; problems and log records of that response have it too.
            ``"keep"``: the app's, while problems and log records have Mantlet's.
            ``"replace"``: Mantlet's.

    Raises:
        ValueError: the header is not a token (RFC 9110, 5.6.2), ``from_response`` is unknown, a
            function is not a plain one, or ``generate`` returns an invalid id.
        TypeError: ``trust_incoming`` is not a bool.
    """

    header: str = "X-Request-ID"
    generate: Callable[[], str] | None = None
    valid: Callable[[str], bool] | None = None
    trust_incoming: bool = True
    from_response: FromResponse = "adopt"
    _name: HeaderName = field(init=False, repr=False, compare=False)
    _headers: HeaderNames = field(init=False, repr=False, compare=False)
    _make: Callable[[], str] = field(init=False, repr=False, compare=False)
    _throttle: LogThrottle = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        yields = self.from_response != "replace"
        object.__setattr__(self, "_name", HeaderName(self.header, unless_set=yields))
        object.__setattr__(self, "_headers", HeaderNames(self.header, "traceparent"))
        object.__setattr__(self, "_make", _spare.pop if self.generate is None else self._generated)
        object.__setattr__(self, "_throttle", LogThrottle(log))
        if not isinstance(self.trust_incoming, bool):
            raise TypeError(f"trust_incoming must be True or False, not {self.trust_incoming!r}")
        if self.from_response not in get_args(FromResponse):
            raise ValueError(
                f'from_response must be "adopt", "keep" or "replace", not {self.from_response!r}'
            )
        functions: dict[str, object] = {"generate": self.generate, "valid": self.valid}
        for name, function in functions.items():
            if function is not None and not is_plain_function(function):
                raise ValueError(f"{name} must be a plain function, not {function!r}")
        if self.generate is not None:
            _checked(self.generate())

    def choose(self, request: Request, given: Mapping[str, str]) -> str:
        """Return the id of a request, and have the app and the client get it in the header.

        Args:
            request: the request.
            given: those of the request's headers that may have an id, and any others.
        """
        if (
            self.header in given
            or "traceparent" in given
            or (_OPENTELEMETRY in modules and _span_trace() is not None)
        ):
            own = self._choose_from(given, request)
            request._add_header(self._name, own)
            return own
        try:
            own = self._make()
        except IndexError:  # no spare is left
            own = _new_id()
        request._add_to_both(self._name, own)
        return own

    def _choose_from(self, given: Mapping[str, str], request: Request) -> str:
        """Return an id that is given, or a new one; see `choose()`."""
        trace = None
        if self.trust_incoming:
            own = given.get(self.header)
            if own and _VALID.fullmatch(own) and self._accepts(own):
                return own
            trace = _trace(given.get("traceparent", ""))
        if _OPENTELEMETRY in modules:
            trace = _span_trace() or trace
        own = trace or (_new_id() if self.generate is None else self._generated())
        request.replace_header(self.header, own)
        return own

    def adopt(self, request: Request, response: Response) -> None:
        """Make a valid id that the app has set in its response that of the request."""
        state = request.state
        own = response.headers.get(self.header)
        if own is None or own == state._request_id or self.from_response != "adopt":
            return
        if not (_VALID.fullmatch(own) and self._accepts(own)):
            response.headers.remove(self.header)
            return
        state._request_id = own
        if state._context is not None:
            state._context[0] = own
        request.add_response_header(self.header, own, replace=True)

    def _accepts(self, own: str) -> bool:
        try:
            return self.valid is None or self.valid(own)
        except Exception as failure:  # noqa: BLE001  # the user's function
            self._log_failure("valid", failure)
            return False

    def _generated(self) -> str:
        try:
            return _checked(self.generate())  # type: ignore[misc]  # only called if there is one
        except Exception as failure:  # noqa: BLE001  # the user's function
            self._log_failure("generate", failure)
            return _new_id()

    def _log_failure(self, option: str, failure: Exception) -> None:
        log_failure(log, "RequestId", option, failure, throttle=self._throttle)


def _checked(own: object) -> str:
    """Return an id that is valid.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(own, str) or not _VALID.fullmatch(own):
        raise ValueError(
            f"generate must return 1 to 128 of the characters A-Z a-z 0-9 . _ ~ + / = : @ -, "
            f"not {own!r:.200}"
        )
    return own


def _span_trace() -> str | None:
    """Return the trace id of the current OpenTelemetry span, if the app uses that."""
    get_span = safe_getattr(modules.get(_OPENTELEMETRY), "get_current_span")  # None while imported
    if get_span is None:
        return None
    context = get_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


def trace_id(request: Request) -> str | None:
    """Return the trace id of the current OpenTelemetry span, or of a valid ``traceparent``."""
    return _span_trace() or _trace(request.get_headers(_TRACEPARENT_NAME).get("traceparent", ""))


def _trace(parent: str) -> str | None:
    match = _TRACEPARENT.fullmatch(parent)
    if match is None or (match[2] is not None and parent.startswith("00")):
        return None
    return match[1]


def _new_id() -> str:
    """Return 128 random bits as 32 hexadecimal digits."""
    try:
        return _spare.pop()
    except IndexError:
        pass  # another thread may take the last one at any time
    fresh = urandom(16 * _SPARES).hex("-", 16).split("-")
    own = fresh.pop()
    _spare.extend(fresh)
    return own


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
