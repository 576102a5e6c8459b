"""An app that says whom it has seen, behind a limiter that delays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import mantlet
from mantlet import RateLimiter, Rule

if TYPE_CHECKING:
    from mantlet._internal.asgi_types import Receive, Scope, Send

_seen: list[str] = []


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    size = 0
    more = True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    if scope["path"] != "/state":
        _seen.append(f"{scope['path']} {size}")
    queue = _limiter._requests._queue
    state = {"seen": _seen, "waiting": queue is not None and 1 - queue._free}
    head = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": json.dumps(state).encode()})


_limiter = RateLimiter(
    "1 per 2 seconds", rules=[Rule("GET /state", exempt=True)], delay=20, max_delayed=1
)
app = mantlet.asgi.wrap(_asgi, _limiter, baseline=False)
