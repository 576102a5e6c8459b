"""A stream that makes its first chunk once another request allows it, for tests of its head."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

import mantlet
from mantlet import RateLimiter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TYPES = {
    "events": "text/event-stream",
    "lines": "application/x-ndjson",
    "text": "text/plain",
    "untyped": None,
}

allowed = asyncio.Event()


async def hello(request: Any) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def allow(request: Any) -> PlainTextResponse:
    allowed.set()
    return PlainTextResponse("allowed")


async def stream(request: Any) -> StreamingResponse:
    allowed.clear()

    async def chunks() -> AsyncIterator[bytes]:
        await allowed.wait()
        yield b"data: 1\n\n"

    return StreamingResponse(chunks(), media_type=TYPES[request.path_params["kind"]])


bare = Starlette(
    routes=[Route("/", hello), Route("/allow", allow), Route("/streams/{kind}", stream)]
)
app = mantlet.wrap(bare, RateLimiter("1000/minute"))
