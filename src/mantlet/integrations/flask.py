"""Flask and Quart: refusals, and exceptions that the app's handlers answer.

Both frameworks have a method for extensions to override, on the app itself, as Flask-RESTful does:
``handle_user_exception``. It gets each exception of a view and returns the response of the app's
handler, or raises it again. A handler of the app's for the class of a refusal, or for a base of it
below `Exception`, answers it; one for `Exception` does not, as it does not get redirections.

The method takes the exception, and since Quart 0.23 the context of the request before it.
"""

import sys
from collections.abc import Iterable
from typing import Any

from mantlet.core.response import Reply
from mantlet.integrations.handled import has_handler, note_handled, refusal

__all__ = ["hook_flask", "hook_quart"]


# Any: the frameworks' own app classes, which are not imported here.
def hook_flask(app: Any, _refusals: Iterable[type]) -> None:
    """Have a Flask app answer refusals, and note the exceptions that its handlers answer."""
    if _is_hooked(app):
        return
    inner = app.handle_user_exception

    def handle_user_exception(*args: Any) -> Any:
        error = args[-1]
        request = _current(sys.modules["flask"].request)
        environ = request.environ
        reply = _refusal(app, request, environ, error)
        if reply is not None:
            return _as_result(reply)
        result = inner(*args)
        note_handled(environ, error)
        return result

    app.handle_user_exception = handle_user_exception


def hook_quart(app: Any, _refusals: Iterable[type]) -> None:
    """Have a Quart app answer refusals, and note the exceptions that its handlers answer."""
    if _is_hooked(app):
        return
    inner = app.handle_user_exception

    async def handle_user_exception(*args: Any) -> Any:
        error = args[-1]
        connection = _quart_connection()
        scope = connection.scope
        reply = _refusal(app, connection, scope, error)
        if reply is not None:
            return _as_result(reply)
        result = await inner(*args)
        note_handled(scope, error)
        return result

    app.handle_user_exception = handle_user_exception


def _current(proxy: Any) -> Any:
    """Return the object itself: debug pages show the variables of a traceback too late for it."""
    return proxy._get_current_object()


def _quart_connection() -> Any:
    quart = sys.modules["quart"]
    return _current(quart.request if quart.has_request_context() else quart.websocket)


def _is_hooked(app: Any) -> bool:
    hook = vars(app).get("handle_user_exception")
    return getattr(hook, "__module__", None) == __name__


def _refusal(app: Any, request: Any, raw: Any, error: Exception) -> Reply | None:
    """Return the response to a refusal, unless the app has a handler of its own for it."""
    if isinstance(error, sys.modules["werkzeug.exceptions"].HTTPException):
        return None
    for name in (*request.blueprints, None):
        if has_handler(app.error_handler_spec.get(name, {}).get(None, {}), type(error)):
            return None
    return refusal(raw, error)


def _as_result(reply: Reply) -> tuple[bytes, int, list[tuple[str, str]]]:
    """Return a reply as the result of a view."""
    return reply.body, reply.status, list(reply.headers)
