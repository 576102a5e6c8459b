"""Quart, with a route for each fault."""

from __future__ import annotations

from quart import Quart, Response, abort, render_template_string, request
from werkzeug.exceptions import RequestEntityTooLarge

import mantlet
from mantlet import ErrorEnvelope
from tests.servers.matrix import faults
from tests.servers.matrix.records import log_to_stderr

log_to_stderr()
quart = Quart(__name__)


@quart.before_request
async def middleware() -> None:
    faults.fail_in_middleware(request.path)


@quart.get("/")
async def hello() -> str:
    return faults.HELLO


@quart.get("/middleware")
async def behind_middleware() -> str:
    return faults.HELLO


@quart.get("/raise/<fault>")
async def raised(fault: str) -> str:
    faults.RAISED[fault]()
    return faults.HELLO


@quart.get("/dependency")
@faults.needs_a_user_async
async def dependency() -> str:
    return faults.HELLO


@quart.get("/template")
async def template() -> str:
    return await render_template_string("<p>{{ fail() }}</p>", fail=faults.fail_in_template)


@quart.get("/stream/<place>")
async def stream(place: str) -> Response:
    return Response(faults.stream_async(place), mimetype="text/csv")


@quart.get("/background")
async def background() -> str:
    quart.add_background_task(faults.fail_in_background_async)
    return faults.HELLO


@quart.get("/refuse/413")
async def too_large() -> str:
    raise RequestEntityTooLarge


@quart.get("/refuse/422")
async def unprocessable() -> str:
    abort(422)


app = mantlet.wrap(quart, ErrorEnvelope(), baseline=False)
