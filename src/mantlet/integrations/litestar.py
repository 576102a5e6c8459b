"""Litestar: refusals, and the exceptions that the app's handlers or Litestar answer.

Litestar calls the ``after_exception`` hooks for each exception, then the handler for its class or
status, and without one responds itself. Refusals get a handler for each class, unless the app has
one for the class or for a base of it below `Exception`.
"""

import logging
import sys
from collections.abc import Iterable
from typing import Any

from mantlet._internal.exception_chain import safe_getattr
from mantlet.core.context import carried_state, current_scope
from mantlet.integrations.framework_logs import OneRecord
from mantlet.integrations.handled import ReplyApp, has_handler, refusal

__all__ = ["hook_litestar"]


# Any: the framework's own classes, which are not imported here.
def hook_litestar(app: Any, refusals: Iterable[type]) -> None:
    """Have a Litestar app report its exceptions, and answer refusals."""
    hooks = app.after_exception
    hooks[:] = [_without_refusals(hook) for hook in hooks]
    if _note not in hooks:
        hooks.append(_note)
    logger = safe_getattr(app, "logger")
    if isinstance(logger, logging.Logger):
        logger.addFilter(_one_record)
    config = app.logging_config
    for kind in refusals:
        if not has_handler(app.exception_handlers, kind):
            app.exception_handlers[kind] = _answer
            silent = safe_getattr(config, "disable_stack_trace")
            if isinstance(silent, set):
                silent.add(kind)


def _without_refusals(hook: Any) -> Any:
    """Return a hook of Sentry's that gets no refusals, as it gets no HTTP exceptions; else itself.

    It is called in the task itself rather than in a thread, where Sentry would not know later that
    it has seen the exception.
    """
    report = safe_getattr(hook, "func")
    if not str(safe_getattr(report, "__module__")).startswith("sentry_sdk."):
        return hook

    async def reporting(error: Exception, scope: Any) -> None:
        state = carried_state(scope)
        is_enveloped = state is not None and state._envelope is not None
        is_http = isinstance(error, sys.modules["litestar.exceptions"].HTTPException)
        if is_http or not is_enveloped or not state._envelope.refuses(error):
            report(error, scope)

    return reporting


async def _note(error: Exception, scope: Any) -> None:
    """Note an exception as handled, or as one that Litestar answers with its own 500."""
    _note_in(error, scope)


def _state_of_record(record: logging.LogRecord) -> Any:
    """Note the exception that Litestar logs before it calls `_note()`; return its state."""
    scope = current_scope()
    if record.exc_info and isinstance(record.exc_info[1], Exception) and "litestar_app" in scope:
        _note_in(record.exc_info[1], scope)
    return carried_state(scope)


def _note_in(error: Exception, scope: Any) -> None:
    """Note an exception as handled, or as one that Litestar answers with its own 500."""
    state = carried_state(scope)
    if state is None:
        return
    exceptions = sys.modules["litestar.exceptions"]
    is_http = isinstance(error, exceptions.HTTPException)
    status = safe_getattr(error, "status_code") if is_http else 500
    if scope["type"] == "websocket":
        # No handler is asked: Litestar closes the connection with the exception's text.
        if status >= 500 and not isinstance(error, exceptions.WebSocketException):
            state._raised = error
        return
    handlers = _handlers(scope)
    known = [handlers[kind] for kind in (status, *type(error).__mro__) if kind in handlers]
    is_page = status == 500 and scope["litestar_app"].debug  # a debug page, of an HTTP exception
    if any(handler is not _answer for handler in known) or (is_http and not is_page):
        state._handled = error
    elif not known:
        state._raised = error


_one_record = OneRecord(_state_of_record)


def _handlers(scope: Any) -> Any:
    route = scope.get("route_handler")
    return (
        scope["litestar_app"].exception_handlers
        if route is None
        else route.resolve_exception_handlers()
    )


def _answer(request: Any, error: Exception) -> Any:
    """Answer a refusal; any other exception as without this handler."""
    reply = refusal(request.scope, error)
    if reply is not None:
        return ReplyApp(reply)
    handlers = _handlers(request.scope)
    for kind in (*type(error).__mro__, 500):
        if handlers.get(kind, _answer) is not _answer:
            return handlers[kind](request, error)
    state = carried_state(request.scope)
    if state is not None:
        state._raised = error
    responses = sys.modules["litestar.exceptions.responses"]
    if request.app.debug:
        return responses.create_debug_response(request=request, exc=error)
    return responses.create_exception_response(request=request, exc=error)
