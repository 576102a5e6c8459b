"""The app that is served under both protocols, in all five policies.

The environment names the store of its limits and has its secret.
"""

import logging
import os
from collections.abc import AsyncIterator, Iterator

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from flask import Flask, Response
from flask import request as flask_request
from pydantic import BaseModel

import mantlet
from benchmarks.soak.traffic import ADMITTED, INTERNAL, LOCAL, PIECE, PIECES
from mantlet import (
    ErrorEnvelope,
    OutputSanitizer,
    Policy,
    RateLimiter,
    Rule,
    SchemaGuard,
    Secret,
    SecretLoader,
    SecretModel,
    keys,
)
from mantlet.secrets import Environment

logging.basicConfig(level=logging.INFO)


class Secrets(SecretModel):
    """The secrets of the app."""

    soak_token: Secret[str]


class Order(BaseModel):
    """The body of an order."""

    item: str
    count: int


LOADER = SecretLoader(Secrets, sources=[Environment()])


class Counted(Policy):
    """Says in each response how many requests its process has decided without the store."""

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter

    def on_response(self, request: mantlet.Request, response: mantlet.Response) -> None:
        response.headers.set(LOCAL, f"{os.getpid()} {self._limiter.stats().local}")


def policies() -> list[Policy]:
    """Return the five policies, and one that counts."""
    limiter = RateLimiter(
        rules=[Rule("GET /limited", f"{ADMITTED}/day", key=keys.header("X-Client"))],
        store=os.environ["SOAK_STORE"],
    )
    return [
        Counted(limiter),
        LOADER,
        OutputSanitizer(headers="api", secrets=LOADER),
        ErrorEnvelope(),
        limiter,
        SchemaGuard({"POST /orders": Order}, exempt=["GET /*", "POST /upload"]),
    ]


def _fastapi() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    @app.get("/limited")
    def home() -> dict[str, str]:
        return {"hello": "world"}

    @app.post("/orders")
    def order(order: Order) -> Order:
        return order

    @app.get("/leak")
    def leak() -> dict[str, str]:
        return {"token": LOADER.current.soak_token.reveal()}

    @app.get("/crash")
    def crash() -> None:
        raise RuntimeError(f"{INTERNAL}: {LOADER.current.soak_token.reveal()}")

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(PIECES):
                yield PIECE

        return StreamingResponse(pieces(), media_type="application/x-ndjson")

    @app.post("/upload")
    async def upload(request: Request) -> PlainTextResponse:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
        return PlainTextResponse(str(size))

    return app


def _flask() -> Flask:
    app = Flask(__name__)

    @app.get("/")
    @app.get("/limited")
    def home() -> dict[str, str]:
        return {"hello": "world"}

    @app.post("/orders")
    def order() -> dict[str, object]:
        return Order.model_validate_json(flask_request.get_data()).model_dump()

    @app.get("/leak")
    def leak() -> dict[str, str]:
        return {"token": LOADER.current.soak_token.reveal()}

    @app.get("/crash")
    def crash() -> str:
        raise RuntimeError(f"{INTERNAL}: {LOADER.current.soak_token.reveal()}")

    @app.get("/stream")
    def stream() -> Response:
        def pieces() -> Iterator[bytes]:
            for _ in range(PIECES):
                yield PIECE

        return Response(pieces(), mimetype="application/x-ndjson")

    @app.post("/upload")
    def upload() -> str:
        size = 0
        while chunk := flask_request.stream.read(65536):
            size += len(chunk)
        return str(size)

    return app


asgi = mantlet.wrap(_fastapi(), *policies())
wsgi = mantlet.wrap(_flask(), *policies())
