"""A client for each protocol: one request to an app in this process, and its response."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

#: Of apps that believe a proxy; all others are their own clients.
PROXY = "10.0.0.1"


def send(
    app: Any,  # Any: the frameworks' own classes of apps
    request: str = "GET /",
    *,
    client: str = "192.0.2.1",
    url: str = "https://api.example",
    **options: Any,
) -> httpx.Response:
    """Send one request to a WSGI or an ASGI app.

    An exception that reaches the server is what a server makes of it: a 500, or a response that
    has been sent already.

    Args:
        app: the app. One of Flask, or with a `wsgi_app`, takes WSGI.
        request: a method and a target.
        client: the address of the peer.
        url: the scheme and the host.
        options: of `httpx.Client.request()`, such as `headers` or `json`.
    """
    method, _, target = request.partition(" ")
    if hasattr(app, "wsgi_app"):
        transport = httpx.WSGITransport(app, raise_app_exceptions=False, remote_addr=client)
        with httpx.Client(transport=transport) as one:
            return one.request(method, url + target, **options)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(client, 50000))
        async with httpx.AsyncClient(transport=transport) as one:
            return await one.request(method, url + target, **options)

    return asyncio.run(ask())


@dataclass
class Conversation:
    """What a WebSocket's client saw.

    Attributes:
        accepted: whether the handshake succeeded.
        texts: the messages of the app.
        code: with which it closed the connection, or None.
    """

    accepted: bool = False
    texts: list[str] | None = None
    code: int | None = None


def talk(app: Any, path: str, *messages: str, client: str = "192.0.2.1") -> Conversation:
    """Open a WebSocket, send messages, and close it."""
    seen = Conversation(texts=[])
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "wss",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"api.example")],
        "client": (client, 50000),
        "server": ("api.example", 443),
        "subprotocols": [],
        "extensions": {},
    }
    coming: list[dict[str, Any]] = [
        {"type": "websocket.connect"},
        *({"type": "websocket.receive", "text": text} for text in messages),
        {"type": "websocket.disconnect", "code": 1000},
    ]

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    async def reply(message: Any) -> None:
        assert seen.texts is not None
        match message["type"]:
            case "websocket.accept":
                seen.accepted = True
            case "websocket.send":
                seen.texts.append(message["text"])
            case "websocket.close":
                seen.code = message.get("code", 1000)

    async def run() -> None:
        await app(scope, receive, reply)

    asyncio.run(run())
    return seen
