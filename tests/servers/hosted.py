"""Apps that respond with the host that they believe they have, under a policy for hosts."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from werkzeug.wrappers import Request as WerkzeugRequest

import mantlet
from mantlet import Cors, ErrorEnvelope, Hosts

# The tests look for a server by its address, without a word about a host.
POLICIES = (
    ErrorEnvelope(),
    Cors(origins=["https://app.example"]),
    Hosts(allowed=["example.com", "*.example.org"]),
)


def believing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Respond, under WSGI."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [WerkzeugRequest(environ).host.encode()]


async def believing_async(scope: Any, receive: Any, send: Any) -> None:
    """Respond, under ASGI."""
    request = Request(scope, receive)
    await PlainTextResponse(request.url.netloc)(scope, receive, send)


wsgi = mantlet.wsgi.wrap(believing, *POLICIES)
asgi = mantlet.asgi.wrap(believing_async, *POLICIES)
