"""Starlette and FastAPI: refusals, and exceptions that the app's handlers answer.

Their `ExceptionMiddleware` has the app's handlers and those of the framework, by class and by
status. Each is replaced there by one that notes the exception and calls it; the app's own
``exception_handlers`` stay as they are. Refusals get a handler for each class, unless there is one
for the class or for a base of it below `Exception`.

`ServerErrorMiddleware` answers any other exception, by the app's handler for `Exception` or 500 or
by itself, and then raises it again. The exception is noted before the answer, since an adapter to
WSGI drops any exception after it.

Exceptions that a middleware or an endpoint catches by itself are not noted.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from mantlet._internal.coroutines import is_coroutine_function
from mantlet.core.context import carried_state
from mantlet.integrations.app_search import find_apps
from mantlet.integrations.handled import ReplyApp, has_handler, note_handled, refusal
from mantlet.integrations.install import StackBuilder

__all__ = ["hook_exception_middleware", "hook_server_error_middleware", "hook_starlette"]


# Any: the frameworks' own classes, which are not imported here.
def hook_starlette(app: Any, refusals: Iterable[type]) -> None:
    """Have an app's `ExceptionMiddleware` hooked as soon as the app makes it."""
    build = app.build_middleware_stack
    if isinstance(build, _HookedBuilder):
        build.refusals.update(refusals)
    elif app.middleware_stack is None and not isinstance(build, StackBuilder):
        app.build_middleware_stack = _HookedBuilder(build, refusals)


class _HookedBuilder:
    """Build Starlette's middleware stack, and hook its `ExceptionMiddleware`."""

    def __init__(self, build: Callable[[], Any], refusals: Iterable[type]) -> None:
        self._build = build
        self.refusals = set(refusals)

    def __call__(self) -> Any:
        built = self._build()
        for name, middleware in find_apps(built):
            if name == "ExceptionMiddleware":
                hook_exception_middleware(middleware, self.refusals)
            elif name == "ServerErrorMiddleware":
                hook_server_error_middleware(middleware)
        return built


def hook_exception_middleware(middleware: Any, refusals: Iterable[type]) -> None:
    """Note the exceptions that its handlers answer, and add handlers for refusals."""
    by_class = middleware._exception_handlers
    for handlers in (by_class, middleware._status_handlers):
        for key, handler in handlers.items():
            if not hasattr(handler, "_is_hook"):
                handlers[key] = _noting(handler)
    for kind in refusals:
        if not has_handler(by_class, kind):
            by_class[kind] = _answer


def hook_server_error_middleware(middleware: Any, _refusals: Iterable[type] = ()) -> None:
    """Note the exceptions that it answers, before it does."""
    if "error_response" in vars(middleware):
        return
    for name in ("error_response", "debug_response"):
        setattr(middleware, name, _noting(getattr(middleware, name), _note_raised))
    if middleware.handler is not None:
        middleware.handler = _noting(middleware.handler, _note_raised)


def _note_raised(raw: Any, error: Exception) -> None:
    """Note an exception that Starlette answers by its last resort, and then raises."""
    state = carried_state(raw)
    if state is not None and state._envelope is not None:
        state._raised = error


def _noting(handler: Any, note: Callable[[Any, Exception], None] = note_handled) -> Any:
    """Return a handler that notes each exception that another one has answered."""

    def noting(connection: Any, error: Exception) -> Any:
        response = handler(connection, error)
        note(connection.scope, error)
        return response

    async def waiting(connection: Any, error: Exception) -> Any:
        response = await handler(connection, error)
        note(connection.scope, error)
        return response

    made: Any = waiting if is_coroutine_function(handler) else noting
    made = wraps(handler, updated=())(made)
    made._is_hook = True
    return made


async def _answer(connection: Any, error: Exception) -> ReplyApp:
    """Answer a refusal; any other exception goes on as without a handler."""
    reply = refusal(connection.scope, error)
    if reply is None:
        raise error
    return ReplyApp(reply)
