"""A Starlette app with the baseline and a rate limit."""

from collections.abc import AsyncIterator
from json import JSONDecodeError

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

import mantlet
from mantlet import Problem, RateLimiter


async def hello(request: Request) -> Response:
    """Respond with the state that the policies share with the app."""
    state = mantlet.state(request)
    remaining = state.rate_limit.remaining
    return JSONResponse({"hello": "world", "request_id": state.request_id, "remaining": remaining})


async def create_item(request: Request) -> Response:
    """Read a JSON body; raising a Problem makes it the response."""
    try:
        item = await request.json()
        return JSONResponse({"name": item["name"]}, status_code=201)
    except (JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise Problem(400, detail="The body must be a JSON object with a name.") from None


async def crash(_: Request) -> Response:
    """Raise an error whose message belongs in the log alone."""
    raise ConnectionError("no database at db.internal, password=hunter2")


async def ticks(count: int, fails_at: int | None = None) -> AsyncIterator[str]:
    """Yield lines, and fail at one of them."""
    for number in range(count):
        if number == fails_at:
            raise ConnectionError("no database at db.internal, password=hunter2")
        yield f"tick {number}\n"


async def stream(request: Request) -> Response:
    """Stream a response; fail before the first byte, or midway, if the path says so."""
    fails_at = {"early": 0, "late": 2}.get(request.path_params.get("when", ""))
    return StreamingResponse(ticks(3, fails_at), media_type="text/csv")


async def echo(socket: WebSocket) -> None:
    """Send every message back; a handshake counts as a request."""
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)


routes = [
    Route("/", hello),
    Route("/items", create_item, methods=["POST"]),
    Route("/crash", crash),
    Route("/stream", stream),
    Route("/stream/fails-{when}", stream),
    WebSocketRoute("/echo", echo),
]
app = mantlet.install(Starlette(routes=routes), RateLimiter("100/minute", burst=20))
