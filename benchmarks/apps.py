"""One app of each framework: it parses the JSON of the body and responds in JSON."""

from typing import Any

from fastapi import FastAPI
from flask import Flask, jsonify, request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.traffic import Order


async def starlette_endpoint(request: Request) -> JSONResponse:
    order = await request.json()
    return JSONResponse({"item": order["item"], "amount": order["amount"], "accepted": True})


def starlette_app(endpoint: Any = starlette_endpoint) -> Starlette:
    return Starlette(routes=[Route("/orders", endpoint, methods=["POST"])])


async def fastapi_endpoint(order: Order) -> dict[str, object]:
    return {"item": order.item, "amount": order.amount, "accepted": True}


def fastapi_app(endpoint: Any = fastapi_endpoint) -> FastAPI:
    app = FastAPI()
    app.post("/orders")(endpoint)
    return app


def flask_endpoint() -> Any:
    order = request.get_json()
    return jsonify(item=order["item"], amount=order["amount"], accepted=True)


def flask_app(endpoint: Any = flask_endpoint) -> Flask:
    app = Flask("benchmarks")
    app.add_url_rule("/orders", "orders", endpoint, methods=["POST"])
    return app
