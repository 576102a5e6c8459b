"""Hear exceptions of frameworks without signals, from the app object that is wrapped.

Litestar calls the app's ``after_exception`` hooks, and then answers. Falcon has a handler of its
own for what no handler of the app's is for, which answers with a bare 500: one that raises takes
its place, unless the app has registered another.

An app of theirs that is wrapped in something else first is not found, and answers for itself.
"""

import sys
from collections.abc import Mapping
from inspect import iscoroutinefunction
from typing import Any

from mantlet._internal.exception_chain import safe_getattr
from mantlet.core.problem import Problem
from mantlet.core.state import state_of

__all__ = ["install_exception_hook"]


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
