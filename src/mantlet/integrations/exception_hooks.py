"""Hear exceptions that a framework turns into an answer inside itself.

Flask, Quart and Django send ``got_request_exception`` and then answer with their own 500; Quart
sends ``got_websocket_exception`` and then closes as if nothing were wrong. What they tell is left
in the exchange's environ or scope, where the stack finds it before the answer goes.

Only frameworks that are loaded already are listened to; none is imported.
"""

import sys
from collections.abc import Mapping, MutableMapping
from inspect import iscoroutinefunction
from typing import Any

from mantlet._internal.exception_chain import safe_getattr
from mantlet.core.problem import Problem
from mantlet.core.state import state_of

__all__ = [
    "connect_signals",
    "install_exception_hook",
]


def connect_signals() -> None:
    """Connect to the signal of every framework that is loaded. Connecting twice changes nothing."""
    if flask := sys.modules.get("flask.signals"):
        flask.got_request_exception.connect(_from_flask, weak=False)
    if quart := sys.modules.get("quart.signals"):
        quart.got_request_exception.connect(_from_quart, weak=False)
        quart.got_websocket_exception.connect(_from_quart_websocket, weak=False)
    if django := sys.modules.get("django.core.signals"):
        django.got_request_exception.connect(_from_django, weak=False, dispatch_uid=__name__)


# Any: the frameworks' own classes, which are not imported here.
def _from_flask(_sender: Any, exception: BaseException, **_: Any) -> None:
    request = sys.modules["flask"].request
    _leave(request.environ, exception, safe_getattr(request.url_rule, "rule"))


async def _from_quart(_sender: Any, exception: BaseException, **_: Any) -> None:
    request = sys.modules["quart"].request
    _leave(request.scope, exception, safe_getattr(request.url_rule, "rule"))


async def _from_quart_websocket(_sender: Any, exception: BaseException, **_: Any) -> None:
    websocket = sys.modules["quart"].websocket
    _leave(websocket.scope, exception, safe_getattr(websocket.url_rule, "rule"))


def _from_django(request: Any = None, **_: Any) -> None:
    carrier = getattr(request, "scope", None) or getattr(request, "environ", None)
    exception = sys.exception()
    if carrier is not None and exception is not None:
        _leave(carrier, exception, safe_getattr(request.resolver_match, "route"))


def _leave(
    carrier: MutableMapping[str, Any], exception: BaseException, route: str | None = None
) -> None:
    state = state_of(carrier)
    state._raised = exception
    if route is not None:
        state._route = route


# Any: the frameworks' own classes, which are not imported here.
def install_exception_hook(app: Any) -> None:
    """Have an app of Litestar's or Falcon's tell of its exceptions. Twice changes nothing."""
    if (litestar := sys.modules.get("litestar")) and isinstance(app, litestar.Litestar):
        if _from_litestar not in app.after_exception:
            app.after_exception.append(_from_litestar)
    elif (falcon := sys.modules.get("falcon")) and isinstance(app, falcon.App):
        handlers = safe_getattr(app, "_error_handlers")
        own = handlers.get(Exception) if isinstance(handlers, Mapping) else None
        if str(safe_getattr(own, "__module__")).startswith("falcon."):
            app.add_error_handler(Exception, _falcon_handler(own))


async def _from_litestar(exception: Exception, scope: Any) -> None:
    """Leave an exception that Litestar would answer with its own 500."""
    handler = scope.get("route_handler")
    known = (
        scope["litestar_app"].exception_handlers
        if handler is None
        else handler.resolve_exception_handlers()
    )
    status = safe_getattr(exception, "status_code")
    is_http = isinstance(exception, sys.modules["litestar.exceptions"].HTTPException)
    if not known.keys().isdisjoint({status if is_http else 500, *type(exception).__mro__}):
        return  # the app's own handler answers
    if isinstance(exception, Problem) or not isinstance(status, int) or status >= 500:
        state_of(scope)._raised = exception


def _falcon_handler(own: Any) -> Any:
    """Return a handler that raises, inside an envelope, what Falcon's own answers with a 500."""

    def handler(request: Any, response: Any, error: Exception, params: Any) -> Any:
        state = state_of(request.scope if waits else request.env)
        if state._envelope is None:
            return own(request, response, error, params)
        state._route = request.uri_template
        raise error

    async def waiting(request: Any, response: Any, error: Exception, params: Any) -> None:
        await handler(request, response, error, params)

    waits = iscoroutinefunction(own)
    return waiting if waits else handler
