"""The server's side of `PolicyClient`: send one request or open one WebSocket."""

import asyncio
from collections.abc import Iterable
from typing import Any

from mantlet import asgi, wsgi
from mantlet._internal.asgi_types import AsgiMessage, Scope
from mantlet.testing.received import ReceivedHeaders, ReceivedResponse, WebSocketSession

__all__ = ["connect", "request_asgi", "request_wsgi"]


def request_wsgi(stack: wsgi.Stack, environ: dict[str, Any]) -> ReceivedResponse:
    """Send a request, and return the response; like a server, this calls `close()`."""
    head: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if head and exc_info is None:
            raise AssertionError("start_response() was called twice without exc_info")
        head[:] = [int(status[:3]), headers]
        return chunks.append

    chunks: list[bytes] = []
    result = stack(environ, start_response)
    try:
        chunks.extend(result)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    return ReceivedResponse(head[0], ReceivedHeaders(head[1]), tuple(filter(None, chunks)))


async def request_asgi(stack: asgi.Stack, scope: Scope, body: bytes) -> ReceivedResponse:
    """Send a request, and return the response; the client stays connected until its end."""
    events: list[AsgiMessage] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[AsgiMessage] = []
    complete = asyncio.Event()

    async def receive() -> AsgiMessage:
        if events:
            return events.pop()
        await complete.wait()
        return {"type": "http.disconnect"}

    async def send(message: AsgiMessage) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            complete.set()

    await stack(scope, receive, send)
    return _received("http.response", sent)


def _received(prefix: str, sent: list[AsgiMessage]) -> ReceivedResponse:
    starts = [message for message in sent if message["type"] == f"{prefix}.start"]
    bodies = [message for message in sent if message["type"] == f"{prefix}.body"]
    if len(starts) != 1:
        raise AssertionError(f"expected one {prefix}.start message, not {len(starts)}")
    pairs = _decoded(starts[0].get("headers", ()))
    chunks = tuple(bytes(message["body"]) for message in bodies if message.get("body"))
    return ReceivedResponse(starts[0]["status"], ReceivedHeaders(pairs), chunks)


def _decoded(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]


async def connect(
    stack: asgi.Stack, scope: Scope, messages: Iterable[str | bytes]
) -> WebSocketSession:
    """Open a WebSocket, send the messages, and close it."""
    session = WebSocketSession()
    events: list[AsgiMessage] = [{"type": "websocket.connect"}]
    events += (
        {"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message}
        for message in messages
    )
    sent: list[AsgiMessage] = []
    coming = iter(events)

    async def receive() -> AsgiMessage:
        code = 1000 if session.close_code is None else session.close_code
        return next(coming, {"type": "websocket.disconnect", "code": code})

    async def send(message: AsgiMessage) -> None:
        kind = message["type"]
        sent.append(message)
        if kind == "websocket.accept":
            session.accepted = True
        elif kind == "websocket.close":
            session.close_code = message.get("code", 1000)
        elif kind == "websocket.send":
            text = message.get("text")
            session.messages.append(message["bytes"] if text is None else text)

    scope["extensions"] = {"websocket.http.response": {}}
    await stack(scope, receive, send)
    if any(message["type"] == "websocket.http.response.start" for message in sent):
        session.response = _received("websocket.http.response", sent)
    return session
