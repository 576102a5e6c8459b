"""Apps behind a guard that answer with the path that they see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import mantlet
from mantlet.guard import SchemaGuard

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

    from mantlet._internal.asgi_types import Receive, Scope, Send

_SEGMENTS = ("first", "second")
_DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Any path of two segments", "version": "1"},
    "paths": {
        "/" + "/".join(f"{{{name}}}" for name in names): {
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in names
            ],
            "get": {"responses": {"200": {"description": "The path."}}},
        }
        for names in ((), _SEGMENTS[:1], _SEGMENTS)
    },
}


def _answer(carrier: Any, path: str) -> bytes:
    validated = mantlet.state(carrier).validated
    return json.dumps([path, list((validated.path or {}).values())]).encode()


def _wsgi(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    body = _answer(environ, environ["PATH_INFO"].encode("latin-1").decode())
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    fields = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": _answer(scope, scope["path"])})


wsgi = mantlet.wsgi.wrap(_wsgi, SchemaGuard(openapi=_DOCUMENT), baseline=False)
asgi = mantlet.asgi.wrap(_asgi, SchemaGuard(openapi=_DOCUMENT), baseline=False)
