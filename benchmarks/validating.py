"""Requests validated, beside the peers: ``python -m benchmarks.validating``.

The same body against the same schema: an object of a text, a whole number and a text that may be
missing. Every contender is shown to answer a good request as the bare app does, and to refuse one
whose number is a text, before it is timed. It runs in an environment that has the peers.
"""

import asyncio
import json
import logging
import sys
from argparse import ArgumentParser
from dataclasses import replace
from time import process_time_ns
from typing import Any

import connexion
import flask
import flask_openapi3
import pydantic
import spectree
from openapi_core import OpenAPI
from openapi_core.contrib.flask.decorators import FlaskOpenAPIViewDecorator
from openapi_core.contrib.starlette.middlewares import StarletteOpenAPIMiddleware
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import mantlet
from benchmarks import names
from benchmarks.apps import fastapi_app, flask_app, starlette_app
from benchmarks.method import Contender, measure
from benchmarks.plain_apps import asgi_app, wsgi_app
from benchmarks.traffic import QUERY, SMALL, AsgiServer, Order, Traffic, WsgiServer
from mantlet.guard import BodyLimits, Contract, SchemaGuard

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["item", "amount"],
    "additionalProperties": False,
    "properties": {
        "item": {"type": "string"},
        "amount": {"type": "integer"},
        "note": {"type": "string"},
    },
}
_ANSWER = {"200": {"description": "accepted", "content": {"application/json": {"schema": {}}}}}
_POST: dict[str, Any] = {
    "operationId": "order",
    "requestBody": {"required": True, "content": {"application/json": {"schema": SCHEMA}}},
    "responses": _ANSWER,
}
_GET: dict[str, Any] = {
    "operationId": "look",
    "parameters": [
        {"name": "item", "in": "query", "required": True, "schema": {"type": "string"}},
        {"name": "amount", "in": "query", "schema": {"type": "integer"}},
        {"name": "sold", "in": "query", "schema": {"type": "boolean"}},
    ],
    "responses": _ANSWER,
}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "orders", "version": "1"},
    "paths": {"/orders": {"post": _POST, "get": _GET}},
}
#: For the peers; connexion takes no later version.
_POST_ALONE = DOCUMENT | {"openapi": "3.0.3", "paths": {"/orders": {"post": _POST}}}

WRONG = replace(SMALL, chunks=(b'{"item":"mantlet","amount":"three","note":""}',))
_WRONG_QUERY = replace(QUERY, query="item=mantlet&amount=three&sold=true")
_LARGE_ITEMS = 85_000


class Look(pydantic.BaseModel):
    item: str
    amount: int = 1
    sold: bool = False


def modeled() -> SchemaGuard:
    return SchemaGuard({"POST /orders": Order, "GET /orders": Contract(query=Look)})


def documented() -> SchemaGuard:
    return SchemaGuard(openapi=DOCUMENT)


async def _starlette_taking(request: Request) -> JSONResponse:
    order = mantlet.state(request).validated.body
    return JSONResponse({"item": order.item, "amount": order.amount, "accepted": True})


def _flask_taking() -> Any:
    order = mantlet.state(flask.request).validated.body
    return _flask_answer({"item": order.item, "amount": order.amount})


# -- the peers ------------------------------------------------------------------------------------


async def _connexion_handler(body: dict[str, Any]) -> dict[str, Any]:
    return {"item": body["item"], "amount": body["amount"], "accepted": True}


def _connexion() -> Any:
    app = connexion.AsyncApp(__name__)
    app.add_api(_POST_ALONE, resolver=connexion.Resolver(lambda _name: _connexion_handler))
    return app


def _openapi_core_starlette() -> Any:
    app = starlette_app()
    app.add_middleware(StarletteOpenAPIMiddleware, openapi=OpenAPI.from_dict(_POST_ALONE))
    return app


def _openapi_core_flask() -> Any:
    view = FlaskOpenAPIViewDecorator(OpenAPI.from_dict(_POST_ALONE))

    @view
    def endpoint() -> Any:
        return _flask_answer(flask.request.get_json())

    return flask_app(endpoint)


def _spectree_starlette() -> Any:
    spec = spectree.SpecTree("starlette")

    @spec.validate()
    async def endpoint(_request: Request, json: Order) -> JSONResponse:
        return JSONResponse({"item": json.item, "amount": json.amount, "accepted": True})

    app = Starlette(routes=[Route("/orders", endpoint, methods=["POST"])])
    spec.register(app)
    return app


def _spectree_flask() -> Any:
    spec = spectree.SpecTree("flask")

    @spec.validate()
    def endpoint(json: Order) -> Any:
        return _flask_answer({"item": json.item, "amount": json.amount})

    app = flask_app(endpoint)
    spec.register(app)
    return app


def _flask_openapi3() -> Any:
    app = flask_openapi3.OpenAPI("benchmarks")

    @app.post("/orders")
    def orders(body: Order) -> Any:
        return _flask_answer({"item": body.item, "amount": body.amount})

    return app


def _flask_answer(order: dict[str, Any]) -> Any:
    return flask.jsonify(item=order["item"], amount=order["amount"], accepted=True)


# -- the groups -----------------------------------------------------------------------------------


def _others(routes: int) -> SchemaGuard:
    """Return a guard of so many routes, a third of them with two parameters."""
    contracts: dict[str, Any] = {"POST /orders": Order}
    for index in range(routes - 1):
        template = f"/group{index % 97}/thing{index}"
        contracts[f"GET {template}/{{owner}}/{{name}}" if index % 3 else f"GET {template}"] = (
            Contract()
        )
    return SchemaGuard(contracts)


def _apps(title: str) -> dict[str, Any]:
    """Return the apps of a group, the bare one first."""
    plain = wsgi_app(SMALL) if title == names.VALIDATED_WSGI else asgi_app(SMALL)
    if title == names.VALIDATED_STARLETTE:
        return {
            names.BARE: starlette_app(),
            names.MODEL: mantlet.wrap(starlette_app(), modeled(), baseline=False),
            names.TAKEN: mantlet.wrap(starlette_app(_starlette_taking), modeled(), baseline=False),
            names.OPENAPI: mantlet.wrap(starlette_app(), documented(), baseline=False),
            names.FASTAPI: fastapi_app(),
            names.SPECTREE: _spectree_starlette(),
            names.CONNEXION: _connexion(),
            names.OPENAPI_CORE: _openapi_core_starlette(),
        }
    if title == names.VALIDATED_FLASK:
        return {
            names.BARE: flask_app(),
            names.MODEL: mantlet.wsgi.wrap(flask_app(), modeled(), baseline=False),
            names.TAKEN: mantlet.wsgi.wrap(flask_app(_flask_taking), modeled(), baseline=False),
            names.OPENAPI: mantlet.wsgi.wrap(flask_app(), documented(), baseline=False),
            names.FLASK_OPENAPI3: _flask_openapi3(),
            names.SPECTREE: _spectree_flask(),
            names.OPENAPI_CORE: _openapi_core_flask(),
        }
    if title == names.VALIDATED_ROUTES:
        guarded = {
            names.routed(count): mantlet.wrap(plain, _others(count), baseline=False)
            for count in names.ROUTES
        }
        return {names.BARE: plain, **guarded}
    if title == names.VALIDATED_QUERY:
        plain = asgi_app(QUERY)
    return {
        names.BARE: plain,
        names.MODEL: mantlet.wrap(plain, modeled(), baseline=False),
        names.OPENAPI: mantlet.wrap(plain, documented(), baseline=False),
    }


async def contenders(title: str) -> list[Contender]:
    """Return a group's contenders, checked to accept valid requests and to refuse others."""
    wsgi = title in (names.VALIDATED_WSGI, names.VALIDATED_FLASK)
    server: type[AsgiServer | WsgiServer] = WsgiServer if wsgi else AsgiServer
    good, wrong = (QUERY, _WRONG_QUERY) if title == names.VALIDATED_QUERY else (SMALL, WRONG)
    timed = []
    expected: Any = None
    for name, app in _apps(title).items():
        status, body = await server(app, good).answer()
        answer = json.loads(body) if body else None
        expected = answer if name == names.BARE else expected
        assert (status, answer) == (200, expected), (name, status, body)
        if name != names.BARE:
            refused, _ = await server(app, wrong).answer()
            assert refused in (400, 422), (name, refused)
        timed.append(Contender(name, server(app, good).serve))
    return timed


# -- a large body ---------------------------------------------------------------------------------


class _Line(pydantic.BaseModel):
    id: int
    name: str
    price: float
    tags: list[str]
    sold: bool


def large(rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds that a body of 10 MB takes, for the library alone and in all."""
    line = {"id": 12345, "name": "a pair of shoes, red", "price": 59.95, "tags": ["a", "red"]}
    body = json.dumps(
        [line | {"id": index, "sold": True} for index in range(_LARGE_ITEMS)]
    ).encode()
    guard = SchemaGuard(
        {"POST /orders": list[_Line]},
        limits=BodyLimits(body="20 MB", items=1_000_000, decoded="20 MB"),
    )
    alone = pydantic.TypeAdapter(list[_Line]).validate_json
    server = WsgiServer(mantlet.wrap(_nothing, guard, baseline=False), Traffic("large", (body,)))
    times: dict[str, list[float]] = {names.PYDANTIC: [], names.MODEL: []}
    for _ in range(rounds):
        start = process_time_ns()
        alone(body)
        times[names.PYDANTIC].append((process_time_ns() - start) / 1e6)
        start = process_time_ns()
        status, _ = asyncio.run(server.answer())
        times[names.MODEL].append((process_time_ns() - start) / 1e6)
        assert status == 204
    return times


def _nothing(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("204 No Content", [])
    return []


async def groups(rounds: int, slice_ms: float) -> list[dict[str, Any]]:
    """Measure every group, one after the other."""
    measured = []
    for title in names.VALIDATED:
        print(title, file=sys.stderr)
        measured.append(await measure(title, await contenders(title), rounds, slice_ms))
    return measured


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--slice-ms", type=float, required=True)
    parser.add_argument("--large-rounds", type=int, required=True)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    measured = asyncio.run(groups(options.rounds, options.slice_ms))
    print(json.dumps({"in_process": measured, "large": large(options.large_rounds)}))


if __name__ == "__main__":
    main()
