"""Falcon: refusals, exceptions that the app's handlers answer, and those that Falcon answers.

Falcon calls the handler for the nearest class of an exception. Each handler is replaced by one that
notes the exception and calls it. Falcon's own handler for `Exception` responds with a bare 500 and
writes the traceback to the server's error stream; the one in its place has Falcon respond in the
same way, and leaves the record to the envelope. Refusals get a handler for each class, unless the
app has one for the class or for a base of it below `Exception`.
"""

import sys
from collections.abc import Iterable, MutableMapping
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from mantlet._internal.exception_chain import safe_getattr
from mantlet.core.context import carried_state
from mantlet.core.response import Reply
from mantlet.integrations.handled import has_handler, note_handled, refusal

__all__ = ["hook_falcon"]


# Any: the framework's own classes, which are not imported here.
def hook_falcon(app: Any, refusals: Iterable[type]) -> None:
    """Have a Falcon app report its exceptions, and answer refusals."""
    handlers = safe_getattr(app, "_error_handlers")
    last = handlers.get(Exception) if isinstance(handlers, MutableMapping) else None
    if last is None:
        return
    for kind, handler in list(handlers.items()):
        if not hasattr(handler, "_is_hook"):
            is_default = str(safe_getattr(handler, "__module__")).startswith("falcon.")
            hook = _reporting if kind is Exception and is_default else _noting
            handlers[kind] = _like(handler, hook(handler))
    for kind in refusals:
        if not has_handler(handlers, kind):
            handlers[kind] = _like(last, _refusing(handlers[Exception]))


def _like(handler: Any, hook: Any) -> Any:
    """Return a handler that is a coroutine function where another one is."""

    async def waiting(*args: Any, **socket: Any) -> None:
        result = hook(*args, **socket)
        if result is not None:
            await result

    made: Any = wraps(handler)(waiting if iscoroutinefunction(handler) else hook)
    made._is_hook = True
    return made


def _noting(handler: Any) -> Any:
    """Return a handler that notes the exception, and calls the app's."""

    def hook(request: Any, response: Any, error: Exception, params: Any, **socket: Any) -> Any:
        note_handled(_raw(request), error)
        return handler(request, response, error, params, **socket)

    return hook


def _refusing(otherwise: Any) -> Any:
    """Return a handler that answers a refusal."""

    def hook(request: Any, response: Any, error: Exception, params: Any, **socket: Any) -> Any:
        reply = refusal(_raw(request), error)
        if reply is None:
            return otherwise(request, response, error, params, **socket)
        _set(response, reply)
        return None

    return hook


def _reporting(default: Any) -> Any:
    """Return a handler that reports an exception as one that the app has no handler for."""

    def hook(request: Any, response: Any, error: Exception, params: Any, **socket: Any) -> Any:
        state = carried_state(_raw(request))
        if state is None:
            return default(request, response, error, params, **socket)
        state._route = request.uri_template
        if response is None:
            raise error  # of a WebSocket, which the stack closes
        state._raised = error
        if state._envelope is None:
            return default(request, response, error, params, **socket)
        raise sys.modules["falcon"].HTTPInternalServerError from None

    return _refusing(hook)


def _raw(request: Any) -> Any:
    return safe_getattr(request, "scope") or request.env


def _set(response: Any, reply: Reply) -> None:
    """Make a reply Falcon's response, beside the headers and cookies that it has already."""
    response.status = reply.status
    response.data = reply.body
    for name, value in reply.headers:
        if name.lower() == "set-cookie":
            response.append_header(name, value)
        else:
            response.set_header(name, value)
