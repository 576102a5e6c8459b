"""A Flask app behind an error envelope and a rate limit.

Run it with ``gunicorn flask_app:app``, and ask it for ``/``, ``/crash`` or ``/stream``.
"""

from collections.abc import Iterator

from flask import Flask, request
from flask.typing import ResponseReturnValue

import mantlet
from mantlet import ErrorEnvelope, OutputSanitizer, Problem, RateLimiter

app = Flask(__name__)
policies = OutputSanitizer(), ErrorEnvelope(), RateLimiter("100/minute", burst=20)
app.wsgi_app = mantlet.wrap(app.wsgi_app, *policies)  # type: ignore[method-assign]  # Flask's own way


@app.get("/")
def hello() -> ResponseReturnValue:
    """Answer with what the policies know of this exchange."""
    state = mantlet.state(request)
    return {
        "hello": "world",
        "request_id": state.request_id,
        "remaining": state.rate_limit.remaining,
    }


@app.post("/items")
def create_item() -> ResponseReturnValue:
    """Read a JSON body; a raised Problem is answered with just what it states."""
    item = request.get_json()
    if not isinstance(item, dict) or "name" not in item:
        raise Problem(400, detail="The body must be a JSON object with a name.")
    return {"name": item["name"]}, 201


@app.get("/crash")
def crash() -> ResponseReturnValue:
    """Fail with a detail that only the log should show."""
    raise ConnectionError("no database at db.internal, password=hunter2")


def ticks(count: int, fails_at: int | None = None) -> Iterator[str]:
    """Yield lines, and fail at one of them."""
    for number in range(count):
        if number == fails_at:
            raise ConnectionError("no database at db.internal, password=hunter2")
        yield f"tick {number}\n"


@app.get("/stream")
def stream() -> ResponseReturnValue:
    """Answer bit by bit."""
    return ticks(3), {"Content-Type": "text/plain"}


@app.get("/stream/fails-early")
def stream_fails_early() -> ResponseReturnValue:
    """Fail before the first byte: the client gets a clean 500."""
    return ticks(3, fails_at=0), {"Content-Type": "text/plain"}


@app.get("/stream/fails-late")
def stream_fails_late() -> ResponseReturnValue:
    """Fail under way: the connection breaks, so that the client can tell."""
    return ticks(3, fails_at=2), {"Content-Type": "text/plain"}
