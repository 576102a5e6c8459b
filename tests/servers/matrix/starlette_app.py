"""Starlette, with a route for each fault, behind a middleware of either kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.templating import Jinja2Templates

import mantlet
from mantlet import ErrorEnvelope
from tests.servers.matrix import faults
from tests.servers.matrix.records import log_to_stderr

if TYPE_CHECKING:
    from starlette.requests import Request

log_to_stderr()
templates = Jinja2Templates(env=faults.TEMPLATES)


class BaseMiddleware(BaseHTTPMiddleware):
    """Fail for one of the paths, as a middleware of Starlette's own kind."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        faults.fail_in_middleware(request.url.path)
        return await call_next(request)


async def hello(_: Request) -> Response:
    return PlainTextResponse(faults.HELLO)


async def raised(request: Request) -> Response:
    faults.RAISED[request.path_params["fault"]]()
    return PlainTextResponse(faults.HELLO)


@faults.needs_a_user_async
async def dependency(_: Request) -> Response:
    return PlainTextResponse(faults.HELLO)


async def template(request: Request) -> Response:
    context = {"fail": faults.fail_in_template}
    return templates.TemplateResponse(request, faults.TEMPLATE, context)


async def stream(request: Request) -> Response:
    chunks = faults.stream_async(request.path_params["place"])
    return StreamingResponse(chunks, media_type="text/csv")


async def background(_: Request) -> Response:
    task = BackgroundTask(faults.fail_in_background_async)
    return PlainTextResponse(faults.HELLO, background=task)


async def refuse(request: Request) -> Response:
    raise HTTPException(request.path_params["status"])


ROUTES = [
    Route("/", hello),
    Route("/middleware", hello),
    Route("/raise/{fault}", raised),
    Route("/dependency", dependency),
    Route("/template", template),
    Route("/stream/{place}", stream),
    Route("/background", background),
    Route("/refuse/{status:int}", refuse),
]
plain = Starlette(routes=ROUTES, middleware=[Middleware(faults.AsgiMiddleware)])
based = Starlette(routes=ROUTES, middleware=[Middleware(BaseMiddleware)])

app = mantlet.wrap(plain, ErrorEnvelope(), baseline=False)
behind_base = mantlet.wrap(based, ErrorEnvelope(), baseline=False)
