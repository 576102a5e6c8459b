"""Flask, with a route for each fault."""

from __future__ import annotations

from flask import Flask, Response, abort, render_template_string, request
from werkzeug.exceptions import RequestEntityTooLarge

import mantlet
from mantlet import ErrorEnvelope
from tests.servers.matrix import faults
from tests.servers.matrix.records import log_to_stderr

log_to_stderr()
app = Flask(__name__)


@app.before_request
def middleware() -> None:
    faults.fail_in_middleware(request.path)


@app.get("/")
def hello() -> str:
    return faults.HELLO


@app.get("/middleware")
def behind_middleware() -> str:
    return faults.HELLO


@app.get("/raise/<fault>")
def raised(fault: str) -> str:
    faults.RAISED[fault]()
    return faults.HELLO


@app.get("/dependency")
@faults.needs_a_user
def dependency() -> str:
    return faults.HELLO


@app.get("/template")
def template() -> str:
    return render_template_string("<p>{{ fail() }}</p>", fail=faults.fail_in_template)


@app.get("/stream/<place>")
def stream(place: str) -> Response:
    return Response(faults.stream(place), mimetype="text/csv")


@app.get("/background")
def background() -> Response:
    response = Response(faults.HELLO)
    response.call_on_close(faults.fail_in_background)
    return response


@app.get("/refuse/413")
def too_large() -> str:
    raise RequestEntityTooLarge


@app.get("/refuse/422")
def unprocessable() -> str:
    abort(422)


app.wsgi_app = mantlet.wrap(app.wsgi_app, ErrorEnvelope(), baseline=False)  # type: ignore[method-assign]
