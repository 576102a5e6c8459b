"""The common part of the frameworks' handlers: note handled exceptions, and answer refusals.

A refusal is a `Problem` with a status below 500, or an exception that the options of the exchange's
envelope map to such a status. Answered by a handler within the framework, as its own
HTTP exceptions are, it is not a crash to anything that watches the framework: no traceback in its
log, no event for a service that collects errors, and the headers and cookies of the app stay.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mantlet.core.context import carried_state
from mantlet.core.problem import forget_raise
from mantlet.core.response import Reply
from mantlet.http.headers import bytes_header

if TYPE_CHECKING:
    from mantlet.core.problem import Envelope

__all__ = ["ReplyApp", "has_handler", "note_handled", "refusal"]


def note_handled(raw: Mapping[str, Any], error: BaseException) -> None:
    """Note that the app, or the framework as its HTTP exception, has answered an exception."""
    state = carried_state(raw)
    if state is not None:
        state._handled = error


def refusal(raw: Mapping[str, Any], error: Exception) -> Reply | None:
    """Return the response to a refusal.

    Returns:
        None for any other exception, for a WebSocket, and outside of an envelope that is enforced.
    """
    state = carried_state(raw)
    envelope: Envelope | None = None if state is None else state._envelope
    if envelope is None or raw.get("type") == "websocket" or not envelope.refuses(error):
        return None
    reply = envelope.on_error(state._context[1], error)
    forget_raise(error)
    return reply


# Any: the frameworks' own handlers.
def has_handler(handlers: Mapping[Any, Any], kind: type) -> bool:
    """Return whether there is a handler for a class, or for a base below `Exception`."""
    return any(base in handlers for base in kind.__mro__[: kind.__mro__.index(Exception)])


class ReplyApp:
    """A reply as an ASGI app, which Starlette and Litestar take for a response."""

    def __init__(self, reply: Reply) -> None:
        self.status_code = reply.status
        self._headers = [bytes_header(name, value) for name, value in reply.headers]
        self._headers.append(bytes_header("Content-Length", str(len(reply.body))))
        self._body = reply.body

    def to_asgi_response(self, **_: object) -> "ReplyApp":
        """Return the app itself, as Litestar asks for it."""
        return self

    # Any: ASGI's own types.
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the response."""
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": list(self._headers)})
        body = b"" if scope["method"] == "HEAD" else self._body
        await send({"type": "http.response.body", "body": body, "more_body": False})
