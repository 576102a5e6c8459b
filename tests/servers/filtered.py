"""An app with a large response to be filtered, beside which a small one says how far that is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import mantlet
from mantlet import OutputSanitizer

if TYPE_CHECKING:
    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send

ROWS = [{"id": number, "note": "a < b & c", "password": "hunter2"} for number in range(300_000)]
BODY = json.dumps(ROWS).encode()
#: How many large responses the app has begun, and how many the server has been given.
COUNT = {"begun": 0, "sent": 0}


async def _large(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    COUNT["begun"] += 1
    fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": BODY})


_stack = mantlet.asgi.wrap(_large, OutputSanitizer(mask=["password"]))


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Send the large response, or how many of them have been begun and sent."""
    if scope["type"] != "http":
        await _stack(scope, receive, send)
        return
    if scope["path"] == "/large":

        async def sending(message: AsgiMessage) -> None:
            COUNT["sent"] += message["type"] == "http.response.start"
            await send(message)

        await _stack(scope, receive, sending)
        return
    fields = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": json.dumps(COUNT).encode()})
