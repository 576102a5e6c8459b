"""Apps behind a guard that reports to the directory that the environment names."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

import mantlet
from mantlet import Contract, SchemaGuard

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

    from mantlet._internal.asgi_types import Receive, Scope, Send


class Item(BaseModel):
    """An item."""

    name: str


_OPTIONS: Any = {"mode": "report", "findings": os.environ["MANTLET_TEST_FINDINGS"]}


def _wsgi(_environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(os.getpid()).encode()]


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    while scope["type"] == "lifespan":
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
    fields = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": json.dumps(os.getpid()).encode()})


_CONTRACTS: Any = {"GET /": Contract(), "POST /items": Item}
wsgi = mantlet.wsgi.wrap(_wsgi, SchemaGuard(_CONTRACTS, **_OPTIONS), baseline=False)
asgi = mantlet.asgi.wrap(_asgi, SchemaGuard(_CONTRACTS, **_OPTIONS), baseline=False)
