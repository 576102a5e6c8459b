"""Apps that respond with the version and the path that they get, under a policy for versions."""

from __future__ import annotations

from typing import Any

import mantlet
from mantlet import ErrorEnvelope, Version, Versions
from mantlet.versions import header, path, query

POLICIES = (
    ErrorEnvelope(),
    Versions(
        {"1": Version(), "2": Version()},
        read=[path("/v{version}"), header("API-Version"), query("api-version")],
        default="2",
        forward=path("/v{version}"),
    ),
)


def saying(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Respond, under WSGI."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    where = environ["PATH_INFO"].encode("latin-1")
    return [f"<{mantlet.state(environ).version}>".encode() + where]


async def saying_async(scope: Any, receive: Any, send: Any) -> None:
    """Respond, under ASGI."""
    body = f"<{mantlet.state(scope).version}>{scope['path']}".encode()
    fields = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


wsgi = mantlet.wsgi.wrap(saying, *POLICIES)
asgi = mantlet.asgi.wrap(saying_async, *POLICIES)
