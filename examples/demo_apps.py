"""Two careless apps for the demo, each bare and wrapped.

They make common mistakes: they catch every error in one place and send its message to the client,
show their settings, and echo their input.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from flask import Flask, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel

import mantlet
from mantlet import (
    OutputSanitizer,
    RateLimiter,
    SchemaGuard,
    Secret,
    SecretLoader,
    SecretModel,
)
from mantlet.secrets import Environment

FAILURE = "db refused password=hunter2"
SETTINGS = {"region": "eu", "signing_key": "demo-key-0cS9fjQmZ"}


class DemoSecrets(SecretModel):
    """The secrets of the apps; a real app reads them from the environment or from files."""

    signing_key: Secret[str]


class Item(BaseModel):
    """The body of ``POST /items``."""

    name: str


secrets = SecretLoader(DemoSecrets, sources=[Environment({"SIGNING_KEY": SETTINGS["signing_key"]})])
policies = (
    OutputSanitizer(secrets=secrets),
    RateLimiter("100/minute", burst=20),
    secrets,
    SchemaGuard({"POST /items": Item}, allow=["path"]),  # undeclared paths pass
)

fastapi_bare = FastAPI()
fastapi_wrapped = mantlet.wrap(fastapi_bare, *policies)

flask_bare = Flask(__name__)
flask_wrapped = mantlet.wrap(flask_bare, *policies)


@fastapi_bare.get("/")
async def fastapi_hello() -> dict[str, str]:
    return {"hello": "FastAPI"}


@fastapi_bare.post("/items", status_code=201)
async def fastapi_item(item: Item) -> Item:
    return item


@fastapi_bare.get("/settings")
async def fastapi_settings() -> dict[str, str]:
    return SETTINGS


@fastapi_bare.get("/search")
async def fastapi_search(q: str) -> dict[str, str]:
    return {"found": f"nothing for {q}"}


@fastapi_bare.get("/crash")
async def fastapi_crash() -> None:
    raise ConnectionError(FAILURE)


@fastapi_bare.get("/taken")
async def fastapi_taken() -> None:
    sign_up_twice()


async def async_ticks(fails_at: int) -> AsyncIterator[str]:
    """Yield lines, and fail at one of them."""
    for line in ticks(fails_at):
        yield line


@fastapi_bare.get("/stream/{fails_at}")
async def fastapi_stream(fails_at: int) -> StreamingResponse:
    return StreamingResponse(async_ticks(fails_at), media_type="text/csv")


@fastapi_bare.exception_handler(Exception)
async def fastapi_leaks_errors(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status_code=500)


@flask_bare.get("/")
def flask_hello() -> ResponseReturnValue:
    return {"hello": "Flask"}


@flask_bare.post("/items")
def flask_item() -> ResponseReturnValue:
    return {"name": request.get_json()["name"]}, 201


@flask_bare.get("/settings")
def flask_settings() -> ResponseReturnValue:
    return SETTINGS


@flask_bare.get("/search")
def flask_search() -> ResponseReturnValue:
    return {"found": f"nothing for {request.args['q']}"}


@flask_bare.get("/crash")
def flask_crash() -> ResponseReturnValue:
    raise ConnectionError(FAILURE)


@flask_bare.get("/taken")
def flask_taken() -> ResponseReturnValue:
    sign_up_twice()
    return "never"


def sign_up_twice() -> None:
    """Violate a constraint of the database."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE users (email TEXT UNIQUE)")
        for _ in range(2):
            database.execute("INSERT INTO users VALUES ('ann@example.com')")


def ticks(fails_at: int) -> Iterator[str]:
    """Yield lines, and fail at one of them."""
    for number in range(fails_at):
        yield f"tick {number}\n"
    raise ConnectionError(FAILURE)


@flask_bare.get("/stream/<int:fails_at>")
def flask_stream(fails_at: int) -> ResponseReturnValue:
    return ticks(fails_at), {"Content-Type": "text/csv"}


@flask_bare.errorhandler(500)
def flask_leaks_errors(error: Any) -> ResponseReturnValue:  # Any: Flask's InternalServerError
    return {"error": str(error.original_exception)}, 500
