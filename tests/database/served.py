"""Apps with units of work for real servers, over a database of SQLite named in the environment."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import fastapi
import flask
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker
from starlette.responses import StreamingResponse

import mantlet
from mantlet import UnitOfWork, uow

_FILE = os.environ["UNIT_OF_WORK_DATABASE"]
_STORE = text("INSERT INTO stored VALUES (:name)")

engine = create_engine(f"sqlite:///{_FILE}")
async_engine = create_async_engine(f"sqlite+aiosqlite:///{_FILE}")

flask_app = flask.Flask(__name__)


@flask_app.get("/")
def open_connections() -> str:
    return str(engine.pool.checkedout())  # type: ignore[attr-defined]  # of a QueuePool


@flask_app.post("/<end>")
def store(end: str) -> Any:
    with uow(flask.request) as work:
        work.session.execute(_STORE, {"name": flask.request.headers["X-Name"]})
        if end == "slow":
            time.sleep(0.3)  # longer than the client waits
    if end == "raise":
        raise ValueError
    if end == "stream":
        return flask.Response(b"%d" % number for number in range(100_000))
    return "done", 404 if end == "refuse" else 201


fastapi_app = fastapi.FastAPI()


@fastapi_app.get("/")
async def count_open_connections() -> int:
    pools = engine.pool, async_engine.pool
    return sum(pool.checkedout() for pool in pools)  # type: ignore[attr-defined]  # as above


@fastapi_app.post("/{end}")
async def store_async(request: fastapi.Request, end: str) -> Any:
    async with uow(request) as work:
        await work.session.execute(_STORE, {"name": request.headers["X-Name"]})
        if end == "slow":
            await asyncio.sleep(0.3)
    if end == "raise":
        raise ValueError
    if end == "stream":
        return StreamingResponse(b"%d" % number for number in range(100_000))
    return fastapi.Response("done", 404 if end == "refuse" else 201)


wsgi = mantlet.wrap(flask_app, UnitOfWork(sessionmaker(engine)))
asgi = mantlet.wrap(fastapi_app, UnitOfWork(async_sessionmaker(async_engine)))
