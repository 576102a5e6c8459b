"""Litestar, with a route for each fault."""

from __future__ import annotations

from typing import NoReturn

from litestar import Litestar, MediaType, Response, get
from litestar.background_tasks import BackgroundTask
from litestar.contrib.jinja import JinjaTemplateEngine
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.response import Stream, Template
from litestar.template import TemplateConfig

import mantlet
from mantlet import ErrorEnvelope
from tests.servers.matrix import faults
from tests.servers.matrix.records import log_to_stderr

log_to_stderr()


async def current_user() -> NoReturn:
    """Fail before the view."""
    faults.fail("dependency")


@get(["/", "/middleware"], media_type="text/csv")
async def hello() -> str:
    return faults.HELLO


@get("/raise/{fault:str}", media_type="text/csv")
async def raised(fault: str) -> str:
    faults.RAISED[fault]()
    return faults.HELLO


@get("/dependency", dependencies={"user": Provide(current_user)})
async def dependency(user: str) -> str:
    return user


@get("/template")
async def template() -> Template:
    return Template(faults.TEMPLATE, context={"fail": faults.fail_in_template})


@get("/stream/{place:str}")
async def stream(place: str) -> Stream:
    return Stream(faults.stream_async(place), media_type="text/csv")


@get("/background")
async def background() -> Response[str]:
    task = BackgroundTask(faults.fail_in_background_async)
    return Response(faults.HELLO, media_type=MediaType.TEXT, background=task)


# Litestar says what it refuses in JSON, under whatever media type the route has.
@get("/refuse/413", media_type="text/csv")
async def too_large() -> str:
    raise HTTPException(status_code=413)


@get("/refuse/422", media_type=MediaType.HTML)
async def unprocessable() -> str:
    raise HTTPException(status_code=422)


litestar = Litestar(
    [hello, raised, dependency, template, stream, background, too_large, unprocessable],
    middleware=[faults.AsgiMiddleware],
    template_config=TemplateConfig(instance=JinjaTemplateEngine.from_environment(faults.TEMPLATES)),
    # Its own set-up of logging would take the place of this module's.
    logging_config=None,
    openapi_config=None,
)
app = mantlet.wrap(litestar, ErrorEnvelope(), baseline=False)
