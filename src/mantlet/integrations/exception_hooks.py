"""Learn of exceptions that frameworks turn into responses; no framework is imported.

Flask, Quart and Django send ``got_request_exception`` and then respond with their own 500; Quart
sends ``got_websocket_exception`` and then closes the connection normally. Litestar calls the app's
``after_exception`` hooks and then responds. Falcon has a handler for exceptions without a handler
of the app's, which responds with a bare 500: one that raises replaces it, unless the app has
registered another.

The exception is stored in the exchange's state, where the stack finds it before the response is
sent. Only frameworks that are loaded already are observed. A Litestar or Falcon app that is wrapped
in something else first is not found, and responds by itself.
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
    """Connect to the signals of the frameworks that are loaded; idempotent."""
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
    _store(request.environ, exception, safe_getattr(request.url_rule, "rule"))


async def _from_quart(_sender: Any, exception: BaseException, **_: Any) -> None:
    request = sys.modules["quart"].request
    _store(request.scope, exception, safe_getattr(request.url_rule, "rule"))


async def _from_quart_websocket(_sender: Any, exception: BaseException, **_: Any) -> None:
    websocket = sys.modules["quart"].websocket
    _store(websocket.scope, exception, safe_getattr(websocket.url_rule, "rule"))


def _from_django(request: Any = None, **_: Any) -> None:
    raw = getattr(request, "scope", None) or getattr(request, "environ", None)
    exception = sys.exception()
    if raw is not None and exception is not None:
        _store(raw, exception, safe_getattr(request.resolver_match, "route"))


def _store(
    raw: MutableMapping[str, Any], exception: BaseException, route: str | None = None
) -> None:
    state = state_of(raw)
    state._raised = exception
    if route is not None:
        state._route = route


# Any: the frameworks' own app classes.
def install_exception_hook(app: Any) -> None:
    """Have a Litestar or Falcon app report its exceptions; idempotent."""
    if (litestar := sys.modules.get("litestar")) and isinstance(app, litestar.Litestar):
        if _from_litestar not in app.after_exception:
            app.after_exception.append(_from_litestar)
    elif (falcon := sys.modules.get("falcon")) and isinstance(app, falcon.App):
        handlers = safe_getattr(app, "_error_handlers")
        own = handlers.get(Exception) if isinstance(handlers, Mapping) else None
        if str(safe_getattr(own, "__module__")).startswith("falcon."):
            app.add_error_handler(Exception, _falcon_handler(own))


async def _from_litestar(exception: Exception, scope: Any) -> None:
    """Store an exception that Litestar would answer with its own 500."""
    handler = scope.get("route_handler")
    known = (
        scope["litestar_app"].exception_handlers
        if handler is None
        else handler.resolve_exception_handlers()
    )
    status = safe_getattr(exception, "status_code")
    is_http = isinstance(exception, sys.modules["litestar.exceptions"].HTTPException)
    if not known.keys().isdisjoint({status if is_http else 500, *type(exception).__mro__}):
        return  # the app's own handler responds
    if isinstance(exception, Problem) or not isinstance(status, int) or status >= 500:
        state_of(scope)._raised = exception


def _falcon_handler(own: Any) -> Any:
    """Return a handler that, inside an envelope, raises the exception instead of responding."""

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
