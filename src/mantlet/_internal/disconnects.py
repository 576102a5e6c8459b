"""A client that went away: how the frameworks say it.

It is no fault of the app's, so it is neither answered nor logged as an error.
"""

from typing import Final

from mantlet._internal.exception_chain import class_names, flatten_group
from mantlet.exceptions import ClientDisconnected

__all__ = ["is_disconnect"]

#: The frameworks' own exceptions for it, by name, since none of them is imported here.
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
    """Return whether an exception, or each member of a group, says that the client went away."""
    if not isinstance(error, BaseExceptionGroup):
        return _says_so(type(error))
    return all(_says_so(type(one)) for one in flatten_group(error))


def _says_so(kind: type) -> bool:
    return issubclass(kind, ClientDisconnected) or not _NAMES.isdisjoint(class_names(kind))
