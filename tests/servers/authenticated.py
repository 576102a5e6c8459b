"""Apps behind an Authenticator that answer with who is asking."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import mantlet
from mantlet import ApiKeys, Authenticator, Basic, Session

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

    from mantlet._internal.asgi_types import Receive, Scope, Send

_KEY = os.environ.get("TEST_KEY", "")
_PLAIN = [("Content-Type", "text/plain")]


def _load(value: str) -> str | None:
    return "session" if value == _KEY else None


def _verify(user: str, password: str) -> bool:
    return password == _KEY


def _auth() -> Authenticator:
    keys = ApiKeys({sha256(_KEY.encode()).hexdigest(): "robot"})
    return Authenticator(keys, Basic(_verify), Session(_load), public=["GET /public"])


def _answer(raw: Any) -> bytes:
    who = mantlet.state(raw).identity
    return who.subject.encode() if who else b"nobody"


def _wsgi(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", _PLAIN)
    return [_answer(environ)]


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": _answer(scope).decode()})
        await receive()
        return
    headers = [(name.lower().encode(), value.encode()) for name, value in _PLAIN]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _answer(scope)})


wsgi = mantlet.wsgi.wrap(_wsgi, _auth())
asgi = mantlet.asgi.wrap(_asgi, _auth())
