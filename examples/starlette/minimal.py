"""The baseline alone. Run it with ``uvicorn minimal:app``."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import mantlet


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("Hello")


app = mantlet.install(Starlette(routes=[Route("/", hello)]))
