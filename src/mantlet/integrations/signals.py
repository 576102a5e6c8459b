"""Note exceptions that frameworks turn into responses, by their signals.

Flask, Quart and Django send ``got_request_exception`` and then respond with their own 500; Quart
sends ``got_websocket_exception`` and then closes the connection normally. So the exceptions of
every app of these frameworks are noted, wherever it is in the wrapped app.

The exception is stored in the exchange's state, where the stack finds it before the response is
sent. An app in an exchange that no stack serves has none, and nothing is stored.
"""

import logging
import sys
from collections.abc import Mapping
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr
from mantlet.core.context import carried_state
from mantlet.integrations.framework_logs import OneRecord

__all__ = ["connect_signals", "django_raw"]


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
def _from_flask(sender: Any, exception: BaseException, **_: Any) -> None:
    # Only now, as the app makes this logger when it first logs. One that is made before logging is
    # configured would be disabled by `dictConfig()`.
    logging.getLogger(sender.name).addFilter(_flask_record)
    request = sys.modules["flask"].request
    _store(request.environ, exception, safe_getattr(request.url_rule, "rule"), sender)


async def _from_quart(sender: Any, exception: BaseException, **_: Any) -> None:
    logging.getLogger(sender.name).addFilter(_quart_record)
    request = sys.modules["quart"].request
    _store(request.scope, exception, safe_getattr(request.url_rule, "rule"), sender)


async def _from_quart_websocket(sender: Any, exception: BaseException, **_: Any) -> None:
    logging.getLogger(sender.name).addFilter(_quart_record)
    websocket = sys.modules["quart"].websocket
    _store(websocket.scope, exception, safe_getattr(websocket.url_rule, "rule"), sender)


def _from_django(request: Any = None, **_: Any) -> None:
    raw = django_raw(request)
    exception = sys.exception()
    if raw is not None and exception is not None:
        logging.getLogger("django.request").addFilter(_django_record)
        _store(raw, exception, safe_getattr(request.resolver_match, "route"))


def django_raw(request: Any) -> Any:
    """Return the scope or the environ of a request of Django's, or None without a request."""
    return getattr(request, "scope", None) or getattr(request, "environ", None)


def _flask_state(_record: logging.LogRecord) -> Any:
    return carried_state(sys.modules["flask"].request.environ)


def _quart_state(_record: logging.LogRecord) -> Any:
    quart = sys.modules["quart"]
    connection = quart.request if quart.has_request_context() else quart.websocket
    return carried_state(connection.scope)


def _django_state(record: logging.LogRecord) -> Any:
    return carried_state(django_raw(safe_getattr(record, "request")))


_flask_record: Final = OneRecord(_flask_state)
_quart_record: Final = OneRecord(_quart_state)
_django_record: Final = OneRecord(_django_state)


def _store(
    raw: Mapping[str, Any], exception: BaseException, route: str | None, app: Any = None
) -> None:
    state = carried_state(raw)
    if state is None:
        return
    state._app = app
    state._raised = exception
    state._handled = None
    if route is not None:
        state._route = route
