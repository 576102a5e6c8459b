"""An app on Trio's event loop, with policies that wait, take turns and use threads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import trio
import trio.lowlevel

import mantlet
from mantlet import OutputSanitizer, Policy, RateLimiter, Rule

if TYPE_CHECKING:
    from mantlet import Request
    from mantlet._internal.asgi_types import Receive, Scope, Send

RECORDS = json.dumps([{"password": "hunter2"}] * 20_000).encode()
PAGE = b"<p onclick=x>Hello</p>" * 10_000


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await trio.lowlevel.checkpoint()
    page = scope["path"] == "/page"
    media = b"text/html" if page else b"application/json"
    head = [(b"content-type", media)]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": PAGE if page else RECORDS})


class Opens(Policy):
    """Starts with the first requests."""

    starts = 0

    async def startup(self) -> None:
        await trio.sleep(0.05)
        self.starts += 1

    def on_request(self, request: Request) -> None:
        assert self.starts == 1


app = mantlet.asgi.wrap(
    _asgi,
    OutputSanitizer(mask=["password"], html={"* /page": "ugc"}),
    RateLimiter("10/second burst 1", delay=5, rules=[Rule("GET /page", exempt=True)]),
    Opens(),
    startup="lazy",
)
