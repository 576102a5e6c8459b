"""An app of requests and responses that take a while, bare or, with a store, in all five policies.

The environment says which. For servers that replace and stop their workers meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute

import mantlet
from mantlet import (
    ErrorEnvelope,
    OutputSanitizer,
    Policy,
    RateLimiter,
    Rule,
    SchemaGuard,
    Secret,
    SecretLoader,
    SecretModel,
    keys,
)
from mantlet.guard import BodyLimits, Contract
from mantlet.secrets import Environment
from tests.servers.in_flight import LENGTH, PIECES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from wsgiref.types import StartResponse

    from starlette.requests import Request
    from starlette.websockets import WebSocket

#: What one client gets of ``/limited``.
QUOTA = 40
#: Seconds before each piece of a stream.
PAUSE = 0.1
#: The paths of streams.
TYPES = {
    "/stream": "text/plain",
    "/events": "text/event-stream",
    "/endless": "text/event-stream",
}
PIECE = b"data: " + b"x" * LENGTH + b"\n\n"
#: What the worker keeps after ``/grow``.
ballast: list[bytes] = []


class Secrets(SecretModel):
    """The secret of the app."""

    mantlet_test_token: Secret[str]


class Witness(Policy):
    """Tell whether the store is still open when the policies inside this one have stopped."""

    def shutdown(self) -> None:
        links = [one.readlink() for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
        is_open = any(link.name.endswith(".mdb-lock") for link in links)
        say(f"policies stopped in {os.getpid()}, the store is {'open' if is_open else 'closed'}")


def count_of(path: str) -> Iterable[int]:
    """Count the pieces of a stream."""
    return count() if path == "/endless" else range(PIECES)


def say(text: str) -> None:
    """Write a line to the server's log."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def policies() -> list[Policy]:
    """Return the five policies, and the witness."""
    loader = SecretLoader(Secrets, sources=[Environment()])
    rule = Rule("GET /limited", f"{QUOTA}/day", key=keys.header("X-Client"))
    return [
        Witness(),
        loader,
        OutputSanitizer(headers="api", secrets=loader),
        ErrorEnvelope(),
        RateLimiter(rules=[rule], store=f"lmdb://{os.environ['MANTLET_TEST_STORE']}"),
        SchemaGuard(
            {"POST /upload": Contract(raw=["application/octet-stream"])},
            limits=BodyLimits(body="10 MB", memory="64 KiB"),
            exempt=["GET /*", "* /echo"],
        ),
    ]


def tell(path: str) -> str:
    """Tell which worker this is, after it has grown if the path says so."""
    if path == "/grow":
        ballast.append(b"x" * (400 << 20))
    return str(os.getpid())


def pieces(path: str) -> Iterator[bytes]:
    """Make the pieces of a stream."""
    for _ in count_of(path):
        time.sleep(PAUSE)
        yield PIECE


def wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Answer one request."""
    path = environ["PATH_INFO"]
    head = [("Content-Type", TYPES.get(path, "text/plain"))]
    start_response("200 OK", head)
    if path in TYPES:
        return pieces(path)
    if path == "/upload":
        size = sum(len(chunk) for chunk in iter(lambda: environ["wsgi.input"].read(65536), b""))
        return [b"%d" % size]
    return [tell(path).encode()]


async def async_pieces(path: str) -> AsyncIterator[bytes]:
    """Do the same under ASGI."""
    for _ in count_of(path):
        await asyncio.sleep(PAUSE)
        yield PIECE


async def stream(request: Request) -> Response:
    """Answer with a stream."""
    path = request.url.path
    return StreamingResponse(async_pieces(path), media_type=TYPES[path])


async def upload(request: Request) -> Response:
    """Answer with the size of the body."""
    return PlainTextResponse(str(len(await request.body())))


async def home(request: Request) -> Response:
    """Tell which worker this is."""
    return PlainTextResponse(tell(request.url.path))


async def echo(socket: WebSocket) -> None:
    """Answer each message with itself, until the other end closes."""
    await socket.accept()
    async for message in socket.iter_text():
        await socket.send_text(message)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Note in the log when the app starts and stops."""
    say(f"app started in {os.getpid()}")
    yield
    say(f"app stopped in {os.getpid()}")


asgi = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/", home),
        Route("/limited", home),
        Route("/grow", home),
        Route("/upload", upload, methods=["POST"]),
        WebSocketRoute("/echo", echo),
        *(Route(path, stream) for path in TYPES),
    ],
)

app: Any = {"wsgi": wsgi, "asgi": asgi}[os.environ["MANTLET_TEST_PROTOCOL"]]
if "MANTLET_TEST_STORE" in os.environ:
    app = mantlet.wrap(app, *policies())
