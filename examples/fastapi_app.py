"""A FastAPI app behind an error envelope and a rate limit.

Run it with ``uvicorn fastapi_app:app``, and ask it for ``/``, ``/crash`` or ``/stream``.
"""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

import mantlet
from mantlet import ErrorEnvelope, OutputSanitizer, RateLimiter

api = FastAPI()
policies = OutputSanitizer(), ErrorEnvelope(), RateLimiter("100/minute", burst=20)
app = mantlet.wrap(api, *policies)


class Item(BaseModel):
    """What is posted to ``/items``."""

    name: str


@api.get("/")
async def hello(request: Request) -> dict[str, Any]:
    """Answer with what the policies know of this exchange."""
    state = mantlet.state(request)
    return {
        "hello": "world",
        "request_id": state.request_id,
        "remaining": state.rate_limit.remaining,
    }


@api.post("/items", status_code=201)
async def create_item(item: Item) -> Item:
    """Read a JSON body; FastAPI answers 422 where it does not fit."""
    return item


@api.get("/crash")
async def crash() -> None:
    """Fail with a detail that only the log should show."""
    raise ConnectionError("no database at db.internal, password=hunter2")


async def ticks(count: int, fails_at: int | None = None) -> AsyncIterator[str]:
    """Yield lines, and fail at one of them."""
    for number in range(count):
        if number == fails_at:
            raise ConnectionError("no database at db.internal, password=hunter2")
        yield f"tick {number}\n"


@api.get("/stream")
async def stream() -> StreamingResponse:
    """Answer bit by bit."""
    return StreamingResponse(ticks(3), media_type="text/plain")


@api.get("/stream/fails-{when}")
async def failing_stream(when: str) -> StreamingResponse:
    """Fail before the first byte (a clean 500), or under way (the connection breaks)."""
    fails_at = 0 if when == "early" else 2
    return StreamingResponse(ticks(3, fails_at), media_type="text/plain")


@api.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    """Send every message back; a handshake counts as a request."""
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)
