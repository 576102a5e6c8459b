"""What apps of real frameworks hear of a connection that a policy closes at a time."""

from __future__ import annotations

import asyncio
from time import time
from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi
import pytest
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from litestar import Litestar
from litestar import WebSocket as LitestarWebSocket
from litestar import websocket as litestar_websocket
from litestar.exceptions import WebSocketDisconnect as LitestarDisconnect
from quart import Quart
from quart import websocket as quart_websocket

import mantlet
from mantlet import Close, Policy
from tests.drive import make_scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet import Request
    from mantlet._internal.asgi_types import AsgiApp, AsgiMessage

#: What the app of a test has heard of the end.
Heard = list[Any]


class Expires(Policy):
    """Closes connections, and does nothing else."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_request(self, request: Request) -> None:
        request.close_at(time() + self.seconds, Close(4401, "expired"))


def fastapi(heard: Heard) -> AsgiApp:
    app = FastAPI()

    @app.websocket("/ws")
    async def repeat(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(await websocket.receive_text())
        except WebSocketDisconnect as end:
            heard.append(end.code)

    return app


def quart(heard: Heard) -> AsgiApp:
    """It listens in a task of its own, before it accepts, and cancels the view."""
    app = Quart(__name__)

    @app.websocket("/ws")
    async def repeat() -> None:
        try:
            while True:
                await quart_websocket.send(await quart_websocket.receive())
        except asyncio.CancelledError:
            heard.append(4401)
            raise

    return app


def litestar(heard: Heard) -> AsgiApp:
    @litestar_websocket("/ws")
    async def repeat(socket: LitestarWebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        try:
            while True:
                await socket.send_text(await socket.receive_text())
        except LitestarDisconnect as end:
            heard.append(end.code)

    return Litestar([repeat])


def falcon_app(heard: Heard) -> AsgiApp:
    class Repeat:
        async def on_websocket(self, _request: Any, socket: falcon.asgi.WebSocket) -> None:
            await socket.accept()
            try:
                while True:
                    await socket.send_text(await socket.receive_text())
            except falcon.WebSocketDisconnected as end:
                heard.append(end.code)

    app = falcon.asgi.App()
    app.add_route("/ws", Repeat())
    return app


def channels(heard: Heard) -> AsgiApp:
    """It listens in a task of its own."""
    if not settings.configured:
        settings.configure(SECRET_KEY="of a test", USE_TZ=True)

    class Repeat(AsyncWebsocketConsumer):  # type: ignore[misc]
        async def receive(self, text_data: str = "", bytes_data: bytes = b"") -> None:
            await self.send(text_data=text_data)

        async def disconnect(self, code: int) -> None:
            heard.append(code)

    app: AsgiApp = Repeat.as_asgi()
    return app


async def connect(app: AsgiApp) -> list[tuple[str, Any]]:
    """Send one message to an app, then nothing; return what it sends."""
    events: list[AsgiMessage] = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "hello"},
    ]
    sent: list[tuple[str, Any]] = []
    closed = asyncio.Event()

    async def receive() -> AsgiMessage:
        if not events:
            await closed.wait()
            return {"type": "websocket.disconnect", "code": 1006}
        return events.pop(0)

    async def send(message: AsgiMessage) -> None:
        kind = message["type"].partition(".")[2]
        sent.append((kind, message.get("code") or message.get("text")))
        if kind == "close":
            closed.set()

    opened = {"type": "websocket", "method": ..., "scheme": "ws", "subprotocols": [], "state": {}}
    scope = make_scope(path="/ws", headers=[("Host", "app.example")], scope=opened)
    await app(scope, receive, send)
    return sent


@pytest.mark.parametrize("make", [fastapi, quart, litestar, falcon_app, channels])
def test_an_app_hears_of_the_end(make: Callable[[Heard], AsgiApp]) -> None:
    heard: Heard = []
    stack = mantlet.asgi.wrap(make(heard), Expires(0.1), baseline=False)
    assert asyncio.run(connect(stack)) == [("accept", None), ("send", "hello"), ("close", 4401)]
    assert heard == [4401]


@pytest.mark.parametrize("make", [fastapi, quart, litestar, falcon_app, channels])
def test_an_app_that_accepts_too_late_opens_no_connection(
    make: Callable[[Heard], AsgiApp],
) -> None:
    stack = mantlet.asgi.wrap(make([]), Expires(-1), baseline=False)
    assert asyncio.run(connect(stack)) == [("close", 4401)]
