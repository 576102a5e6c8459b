"""An app that answers every request, behind a guard made of the document that is tested."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mantlet
from mantlet import SchemaGuard

DOCUMENT = json.loads(Path(__file__).with_name("document.json").read_text())


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"reached"})


def _wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [])
    return [b"reached"]


asgi = mantlet.asgi.wrap(_asgi, SchemaGuard(openapi=DOCUMENT), baseline=False)
wsgi = mantlet.wsgi.wrap(_wsgi, SchemaGuard(openapi=DOCUMENT), baseline=False)
