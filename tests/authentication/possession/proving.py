"""An app that says which worker it is, behind proofs that its workers remember together."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import mantlet
from mantlet import Authenticator, Dpop
from tests.authentication.possession.known_tokens import KnownTokens

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse

    from mantlet._internal.asgi_types import Receive, Scope, Send

#: In seconds: so that another worker has to take the next connection.
BUSY = 0.002
AUTH = Authenticator(
    KnownTokens({"token": {"cnf": {"jkt": os.environ["MANTLET_TEST_JKT"]}}}),
    dpop=Dpop(origin="https://api.example", store=os.environ["MANTLET_TEST_STORE"]),
    public=["GET /"],
)


def _wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    time.sleep(BUSY)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getpid()]


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    time.sleep(BUSY)  # noqa: ASYNC251  # it blocks the loop on purpose
    head = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})


wsgi = mantlet.wsgi.wrap(_wsgi, AUTH, baseline=False)
asgi = mantlet.asgi.wrap(_asgi, AUTH, baseline=False)
