"""An app whose WebSockets end half a second after their handshake, and that says what it hears."""

from __future__ import annotations

import logging
from time import time
from typing import TYPE_CHECKING

import mantlet
from mantlet import Close, Policy
from mantlet._internal.event_loop import sleep
from mantlet.core.exchange import ResponseClosed

if TYPE_CHECKING:
    from mantlet import Request
    from mantlet._internal.asgi_types import Receive, Scope, Send

_log = logging.getLogger("expiring")


class Expires(Policy):
    """Ends each connection."""

    def on_request(self, request: Request) -> None:
        if request.protocol == "websocket":
            request.close_at(time() + 0.5, Close(4401, "expired"))

    def on_finish(self, request: Request) -> None:
        if request.protocol == "websocket":
            _log.warning("finished %s", request.path)


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
    elif scope["type"] != "websocket":
        raise NotImplementedError(scope["type"])
    else:
        await receive()
        await send({"type": "websocket.accept"})
        if scope["path"] == "/sends":
            await _send_only(send)
        else:
            await _repeat(receive, send)


async def _repeat(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            _log.warning("heard %s", message["code"])
            break
        await send({"type": "websocket.send", "text": message["text"]})


async def _send_only(send: Send) -> None:
    try:
        while True:
            await send({"type": "websocket.send", "text": "tick"})
            await sleep(0.02)
    except ResponseClosed:
        _log.warning("can't send")


app = mantlet.asgi.wrap(_asgi, Expires())
