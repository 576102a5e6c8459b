"""The baseline alone. Run it with ``uvicorn minimal:app``."""

from collections.abc import Awaitable, Callable
from typing import Any

import mantlet

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise ValueError("only requests are served, and neither lifespan nor WebSockets")
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"Hello"})


app = mantlet.wrap(hello)
