"""A FastAPI app with the baseline and a rate limit."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

import mantlet
from mantlet import RateLimiter

app = FastAPI()
mantlet.install(app, RateLimiter("100/minute", burst=20))


class Item(BaseModel):
    """The body of ``POST /items``."""

    name: str


@app.get("/")
async def hello(request: Request) -> dict[str, Any]:
    """Respond with the state that the policies share with the app."""
    state = mantlet.state(request)
    return {
        "hello": "world",
        "request_id": state.request_id,
        "remaining": state.rate_limit.remaining,
    }


@app.post("/items", status_code=201)
async def create_item(item: Item) -> Item:
    """Read a JSON body; FastAPI responds 422 if it is invalid."""
    return item


@app.get("/crash")
async def crash() -> None:
    """Raise an error whose message belongs in the log alone."""
    raise ConnectionError("no database at db.internal, password=hunter2")


async def ticks(count: int, fails_at: int | None = None) -> AsyncIterator[str]:
    """Yield lines, and fail at one of them."""
    for number in range(count):
        if number == fails_at:
            raise ConnectionError("no database at db.internal, password=hunter2")
        yield f"tick {number}\n"


@app.get("/stream")
async def stream() -> StreamingResponse:
    """Stream a response."""
    return StreamingResponse(ticks(3), media_type="text/csv")


@app.get("/stream/fails-{when}")
async def failing_stream(when: str) -> StreamingResponse:
    """Fail before the first byte (a clean 500), or midway (the connection is closed)."""
    fails_at = 0 if when == "early" else 2
    return StreamingResponse(ticks(3, fails_at), media_type="text/csv")


@app.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    """Send every message back; a handshake counts as a request."""
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)
