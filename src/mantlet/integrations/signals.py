"""Hear exceptions that a framework turns into an answer inside itself.

Flask, Quart and Django send ``got_request_exception`` and then answer with their own 500; Quart
sends ``got_websocket_exception`` and then closes as if nothing were wrong. What they tell is left
in the exchange's environ or scope, where the stack finds it before the answer goes.

Only frameworks that are loaded already are listened to; none is imported.
"""

import sys
from collections.abc import MutableMapping
from typing import Any

from mantlet._internal.exception_chain import safe_getattr
from mantlet.core.state import state_of

__all__ = ["connect_signals"]


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
