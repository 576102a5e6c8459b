"""The apps that are wrapped: plain callables that do next to nothing, and one of each framework.

The plain ones show what a wrapper adds undisturbed; the frameworks' parse the body's JSON and
answer in JSON, as an app that does little would.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from fastapi import FastAPI
from flask import Flask, jsonify, request
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.traffic import KIB, Traffic


def asgi_app(traffic: Traffic) -> Callable[..., Awaitable[None]]:
    """Return an app that answers a body with one of its size, or each chunk with that chunk."""
    streams, body = len(traffic.chunks) > 1, traffic.body
    head = [(b"content-type", b"application/json")]
    sized = [*head, (b"content-length", str(len(body)).encode())]

    async def answer(_scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": sized.copy()})
        await send({"type": "http.response.body", "body": body})

    async def stream(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": head.copy()})
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            await send({"type": "http.response.body", "body": message["body"], "more_body": more})

    return stream if streams else answer


def wsgi_app(traffic: Traffic) -> Callable[..., Iterable[bytes]]:
    """Return an app that answers a body with one of its size, or each chunk with that chunk."""
    streams, body = len(traffic.chunks) > 1, traffic.body
    head = [("Content-Type", "application/json")]
    sized = [*head, ("Content-Length", str(len(body)))]

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("200 OK", sized.copy())
        return [body]

    def stream(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", head.copy())
        read = environ["wsgi.input"].read
        while chunk := read(KIB):
            yield chunk

    return stream if streams else answer


async def starlette_endpoint(request: Request) -> JSONResponse:
    order = await request.json()
    return JSONResponse({"item": order["item"], "amount": order["amount"], "accepted": True})


def starlette_app(endpoint: Any = starlette_endpoint) -> Starlette:
    return Starlette(routes=[Route("/orders", endpoint, methods=["POST"])])


class Order(BaseModel):
    item: str
    amount: int
    note: str = ""


def fastapi_app() -> FastAPI:
    app = FastAPI()

    @app.post("/orders")
    async def orders(order: Order) -> dict[str, object]:
        return {"item": order.item, "amount": order.amount, "accepted": True}

    return app


def flask_endpoint() -> Any:
    order = request.get_json()
    return jsonify(item=order["item"], amount=order["amount"], accepted=True)


def flask_app(endpoint: Any = flask_endpoint) -> Flask:
    app = Flask("benchmarks")
    app.add_url_rule("/orders", "orders", endpoint, methods=["POST"])
    return app
