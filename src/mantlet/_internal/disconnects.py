"""Recognize the exceptions by which frameworks report that the client disconnected.

The app is not at fault, so they are neither answered nor logged as errors.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from mantlet._internal.exception_chain import class_names, flatten_group
from mantlet.exceptions import ClientDisconnected

__all__ = ["is_disconnect"]

#: The frameworks' own exceptions, by name, since no framework is imported here.
_NAMES: Final = frozenset(
    {
        "django.core.exceptions.RequestAborted",
        "django.http.request.UnreadablePostError",
        "falcon.errors.WebSocketDisconnected",
        "litestar.exceptions.websocket_exceptions.WebSocketDisconnect",
        "starlette.requests.ClientDisconnect",
        "starlette.websockets.WebSocketDisconnect",
        "uvicorn.protocols.utils.ClientDisconnected",
        "werkzeug.exceptions.ClientDisconnected",
    }
)


def is_disconnect(error: BaseException) -> bool:
    """Return whether an exception, or every member of a group, reports a disconnect."""
    if not isinstance(error, BaseExceptionGroup):
        return _is_disconnect_class(type(error))
    return all(_is_disconnect_class(type(one)) for one in flatten_group(error))


def _find_whether_disconnect(kind: type) -> bool:
    return issubclass(kind, ClientDisconnected) or not _NAMES.isdisjoint(class_names(kind))


#: Returns whether a class of exceptions reports a disconnect.
_is_disconnect_class: Callable[[type], bool] = lru_cache(maxsize=1024)(_find_whether_disconnect)
