"""Apps that read their bodies, alone or after a policy has, for clients that go away meanwhile."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocketDisconnect

import mantlet
from mantlet import ErrorEnvelope, Policy, RateLimiter, Request, Rule, keys

if TYPE_CHECKING:
    from collections.abc import Iterable

logging.basicConfig(level=logging.INFO)
logging.getLogger("mantlet.errors").setLevel(logging.DEBUG)


class Begins(Policy):
    """Logs that a request has reached the app."""

    def on_request(self, request: Request) -> None:
        """Before the body has been read."""
        if request.method == "POST":
            logging.info("begins")  # noqa: LOG015  # the only logger of this app


#: Reads a field of the body, to count by it.
READS = RateLimiter(rules=[Rule("POST /*", "1000/minute", key=keys.field("name", missing="share"))])


def wsgi_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Read the body, and return its size."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    size = len(environ["wsgi.input"].read(length)) if length else 0
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % size]


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    """Do the same under ASGI; raise as Starlette does if the client disconnects."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        raise WebSocketDisconnect  # as from an endpoint that does not catch it
    if scope["type"] == "lifespan":
        while (kind := (await receive())["type"]) != "lifespan.shutdown":
            await send({"type": f"{kind}.complete"})
        await send({"type": f"{kind}.complete"})
        return
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client has gone")
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % size})


wsgi_policy = mantlet.wsgi.wrap(wsgi_app, Begins(), ErrorEnvelope(), READS, baseline=False)
wsgi_alone = mantlet.wsgi.wrap(wsgi_app, Begins(), ErrorEnvelope(), baseline=False)
asgi_policy = mantlet.asgi.wrap(asgi_app, Begins(), ErrorEnvelope(), READS, baseline=False)
asgi_alone = mantlet.asgi.wrap(asgi_app, Begins(), ErrorEnvelope(), baseline=False)
