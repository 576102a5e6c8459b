"""An app that says which worker it is, behind a limiter that the environment describes."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import mantlet
from mantlet import ErrorEnvelope, RateLimiter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse

    from mantlet._internal.asgi_types import Receive, Scope, Send

#: In seconds.
BUSY = 0.002
POLICIES = (
    ErrorEnvelope(),
    RateLimiter(os.environ["MANTLET_TEST_RATE"], store=os.environ["MANTLET_TEST_STORE"]),
)


def _wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    time.sleep(BUSY)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getpid()]


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    time.sleep(BUSY)  # noqa: ASYNC251  # so that another worker has to take the next connection
    head = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})


wsgi = mantlet.wsgi.wrap(_wsgi, *POLICIES, baseline=False)
asgi = mantlet.asgi.wrap(_asgi, *POLICIES, baseline=False)
