"""A Flask app with the baseline and a rate limit."""

from collections.abc import Iterator

from flask import Flask, request
from flask.typing import ResponseReturnValue

import mantlet
from mantlet import Problem, RateLimiter

app = Flask(__name__)
mantlet.install(app, RateLimiter("100/minute", burst=20))


@app.get("/")
def hello() -> ResponseReturnValue:
    """Respond with the state that the policies share with the app."""
    state = mantlet.state(request)
    return {
        "hello": "world",
        "request_id": state.request_id,
        "remaining": state.rate_limit.remaining,
    }


@app.post("/items")
def create_item() -> ResponseReturnValue:
    """Read a JSON body; raising a Problem makes it the response."""
    item = request.get_json()
    if not isinstance(item, dict) or "name" not in item:
        raise Problem(400, detail="The body must be a JSON object with a name.")
    return {"name": item["name"]}, 201


@app.get("/crash")
def crash() -> ResponseReturnValue:
    """Raise an error whose message belongs in the log alone."""
    raise ConnectionError("no database at db.internal, password=hunter2")


def ticks(count: int, fails_at: int | None = None) -> Iterator[str]:
    """Yield lines, and fail at one of them."""
    for number in range(count):
        if number == fails_at:
            raise ConnectionError("no database at db.internal, password=hunter2")
        yield f"tick {number}\n"


@app.get("/stream")
def stream() -> ResponseReturnValue:
    """Stream a response."""
    return ticks(3), {"Content-Type": "text/csv"}


@app.get("/stream/fails-early")
def stream_fails_early() -> ResponseReturnValue:
    """Fail before the first byte: the client gets a clean 500."""
    return ticks(3, fails_at=0), {"Content-Type": "text/csv"}


@app.get("/stream/fails-late")
def stream_fails_late() -> ResponseReturnValue:
    """Fail midway: the connection is closed, so that the client notices."""
    return ticks(3, fails_at=2), {"Content-Type": "text/csv"}
