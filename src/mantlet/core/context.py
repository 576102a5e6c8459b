"""The exchange that a piece of code runs in: by its environ or scope, else by the context.

A middleware that copies the scope hands on the exchange's `State` in it. An adapter between the
protocols makes an environ or a scope of its own, often in another thread: there the adapter's key
leads to the original one, or a context variable to the exchange. A request that the app makes to
another app within the process is an exchange of its own.
"""

from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mantlet.core.request import Request

__all__ = [
    "KEY",
    "carried_state",
    "current",
    "current_request_id",
    "current_scope",
    "enter_request",
    "leave_request",
]

#: The key of the state in the environ or the scope.
KEY: Final = "mantlet.state"

#: The keys under which a2wsgi leaves the scope in its environ, and the environ in its scope.
_ORIGINALS: Final = ("asgi.scope", "wsgi_environ")
#: The most adapters within each other that are followed.
_MAX_ADAPTERS: Final = 8

#: A request that is being handled: its id; the request, None once its exchange has ended; the
#: enclosing one, for an app may call another app; how many enclosing ones there are; and the token
#: that removes it from the context, if it was the first. A list, since a class would cost more for
#: every request.
ActiveRequest = list[Any]

#: The most enclosing requests that are remembered. Without a limit, a server that never ends its
#: exchanges would grow the chain forever.
_MAX_NESTED: Final = 8

_MISSING: Final = Token.MISSING

current: Final[ContextVar[ActiveRequest | None]] = ContextVar("mantlet_request", default=None)


def current_request_id() -> str | None:
    """Return the id of the request that is being handled in this context, else None.

    It is set from `ErrorEnvelope` inwards: in the app, in the tasks that it starts, and in threads
    that run in its context, such as those of `asyncio.to_thread()`. A task that outlives the
    response keeps it.
    """
    active = current.get()
    own: str | None = None if active is None else active[0] or None
    return own


def enter_request(own: str, request: "Request") -> ActiveRequest:
    """Make a request and its id the current ones; return the argument for `leave_request()`.

    Args:
        own: the id; empty if it has none.
        request: the request.
    """
    active: ActiveRequest = [own, request, None, 0, None]
    token = current.set(active)
    before = token.old_value
    if before is _MISSING:  # the usual case
        active[4] = token
        return active
    outer = _not_ended(before)
    if outer is not None and outer[3] < _MAX_NESTED:
        active[2:4] = outer, outer[3] + 1
    return active


def leave_request(active: ActiveRequest) -> None:
    """Remove a request whose exchange has ended from the context.

    Exchanges may end in any order, and in another context than they began in.
    """
    active[1] = None
    token, active[4] = active[4], None
    now = current.get()
    if now is active and token is not None:
        try:
            current.reset(token)  # the usual case, which costs less than setting it
        except ValueError:  # it has ended in a copy of its context
            current.set(None)
    elif now is not None and now[1] is None:
        current.set(_not_ended(now[2]))


def _not_ended(active: ActiveRequest | None) -> ActiveRequest | None:
    """Return the innermost request that has not ended."""
    while active is not None and active[1] is None:
        active = active[2]
    return active


def current_scope() -> Mapping[str, Any]:
    """Return the environ or the scope of the request that is being handled in this context."""
    active = _not_ended(current.get())
    found: Mapping[str, Any] = {} if active is None else active[1].raw
    return found


# Any: a `State`, whose module imports this one.
def carried_state(raw: Mapping[str, Any]) -> Any:
    """Return the state of the exchange that an environ or a scope belongs to, else None."""
    for _ in range(_MAX_ADAPTERS):
        state = raw.get(KEY)
        if state is not None:
            return state
        original = next(filter(None, map(raw.get, _ORIGINALS)), None)
        if not isinstance(original, Mapping):
            break
        raw = original
    active = _not_ended(current.get())
    if active is None:
        return None
    entered: Mapping[str, Any] = active[1].raw
    return entered.get(KEY) if _is_adapted(entered, raw, active[0]) else None


def _is_adapted(one: Mapping[str, Any], other: Mapping[str, Any], own: str) -> bool:
    """Return whether an adapter has made one of these from the other.

    Two scopes, or two environs, are two requests: no adapter converts a protocol to itself. The
    request id, passed inwards as a header, tells an adapted request from a new one that the app
    sends to an app of the other protocol, and from one whose response was never closed.
    """
    scope, environ = (one, other) if "type" in one else (other, one)
    if scope.get("type") != "http" or "REQUEST_METHOD" not in environ:
        return False
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    path = path.encode("latin-1", "replace").decode("utf-8", "replace")
    whole: str = scope["path"]
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    return (
        scope["method"] == environ.get("REQUEST_METHOD")
        and (whole.endswith(path) or path.endswith(whole))  # a mount may shorten it
        and scope.get("query_string", b"").decode("latin-1") == environ.get("QUERY_STRING", "")
        and headers.get(b"host") == environ.get("HTTP_HOST")
        and headers.get(b"user-agent") == environ.get("HTTP_USER_AGENT")
        and (own in headers.values()) == (own in environ.values())  # neither in report mode
    )
