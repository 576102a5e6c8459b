"""An app that notes each payment in a file, behind idempotency as the environment describes it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mantlet
from mantlet import ErrorEnvelope, Idempotency

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse

    from mantlet._internal.asgi_types import Receive, Scope, Send

#: In seconds; longer than a turn of all workers.
BUSY = 0.02
PAYMENTS = Path(os.environ["MANTLET_TEST_PAYMENTS"])
POLICIES = (
    ErrorEnvelope(),
    Idempotency(
        store=os.environ["MANTLET_TEST_STORE"],
        required=["POST /*"],
        lease=float(os.environ["MANTLET_TEST_LEASE"]),
        keep="1h",
    ),
)


def pay(path: str, is_unknown: bool) -> bytes:
    """Note a payment; die with it if the path says so, unless it may have been made before."""
    with PAYMENTS.open("ab", buffering=0) as file:
        file.write(f"{path} {os.getpid()}\n".encode())
    if path.startswith("/die") and not is_unknown:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(BUSY)
    return f"{os.getpid()} {time.time_ns()}".encode()


def _wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    body = b"ready"
    if environ["REQUEST_METHOD"] == "POST":
        state = mantlet.state(environ).idempotency
        assert state is not None
        body = pay(environ["PATH_INFO"], state.previous_outcome_unknown)
    start_response("201 Created", [("Content-Type", "text/plain")])
    return [body]


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    body = b"ready"
    if scope["method"] == "POST":
        state = mantlet.state(scope).idempotency
        assert state is not None
        body = pay(scope["path"], state.previous_outcome_unknown)
    head = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 201, "headers": head})
    await send({"type": "http.response.body", "body": body})


wsgi = mantlet.wsgi.wrap(_wsgi, *POLICIES, baseline=False)
asgi = mantlet.asgi.wrap(_asgi, *POLICIES, baseline=False)
