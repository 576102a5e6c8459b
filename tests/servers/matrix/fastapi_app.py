"""FastAPI, with a route for each fault."""

from __future__ import annotations

from typing import Annotated, NoReturn

from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel

import mantlet
from mantlet import ErrorEnvelope
from tests.servers.matrix import faults
from tests.servers.matrix.records import log_to_stderr

log_to_stderr()
fastapi = FastAPI(default_response_class=PlainTextResponse)
fastapi.add_middleware(faults.AsgiMiddleware)
templates = Jinja2Templates(env=faults.TEMPLATES)


class Order(BaseModel):
    """What the body of an order has to be."""

    quantity: int


async def current_user() -> NoReturn:
    """Fail before the view."""
    faults.fail("dependency")


@fastapi.get("/")
async def hello() -> str:
    return faults.HELLO


@fastapi.get("/middleware")
async def behind_middleware() -> str:
    return faults.HELLO


@fastapi.get("/raise/{fault}")
async def raised(fault: str) -> str:
    faults.RAISED[fault]()
    return faults.HELLO


@fastapi.get("/dependency")
async def dependency(user: Annotated[str, Depends(current_user)]) -> str:
    return user


@fastapi.get("/template")
async def template(request: Request) -> Response:
    context = {"fail": faults.fail_in_template}
    return templates.TemplateResponse(request, faults.TEMPLATE, context)


@fastapi.get("/stream/{place}")
async def stream(place: str) -> Response:
    return StreamingResponse(faults.stream_async(place), media_type="text/csv")


@fastapi.get("/background")
async def background(tasks: BackgroundTasks) -> str:
    tasks.add_task(faults.fail_in_background)
    return faults.HELLO


@fastapi.get("/refuse/413")
async def too_large() -> str:
    raise HTTPException(413)


@fastapi.post("/orders")
async def make_order(order: Order) -> str:
    return f"{order.quantity} ordered"


app = mantlet.wrap(fastapi, ErrorEnvelope(), baseline=False)
