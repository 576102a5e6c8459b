"""Apps of each framework take what was validated, and need not parse it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi
import flask
import pytest
from fastapi import FastAPI
from fastapi import Request as FastAPIRequest
from litestar import Litestar, post
from litestar import Request as LitestarRequest
from pydantic import BaseModel
from quart import Quart
from quart import request as quart_request
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

import mantlet
from mantlet import SchemaGuard
from tests.drive import drive_asgi, drive_wsgi
from tests.guard.asking import JSON

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request


class Item(BaseModel):
    name: str
    count: int = 1


def told(request: Any) -> dict[str, Any]:
    """Return what an app makes of what was validated."""
    item = mantlet.state(request).validated.body
    assert isinstance(item, Item)
    return {"name": item.name, "count": item.count}


def flask_app() -> Any:
    app = flask.Flask("guarded")
    app.add_url_rule("/items", "items", lambda: told(flask.request), methods=["POST"])
    return app


def fastapi_app() -> Any:
    app = FastAPI()

    @app.post("/items")
    async def items(request: FastAPIRequest) -> dict[str, Any]:
        return told(request)

    return app


def starlette_app() -> Any:
    async def items(request: Request) -> JSONResponse:
        return JSONResponse(told(request))

    return Starlette(routes=[Route("/items", items, methods=["POST"])])


def litestar_app() -> Any:
    @post("/items", status_code=200)
    async def items(request: LitestarRequest[Any, Any, Any]) -> dict[str, Any]:
        return told(request)

    return Litestar([items], logging_config=None)


def quart_app() -> Any:
    app = Quart("guarded")

    @app.post("/items")
    async def items() -> dict[str, Any]:
        return told(quart_request)

    return app


class Items:
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        response.media = told(request)


class AsyncItems:
    async def on_post(self, request: Any, response: Any) -> None:
        response.media = told(request)


def falcon_app() -> Any:
    app = falcon.App()
    app.add_route("/items", Items())
    return app


def falcon_asgi_app() -> Any:
    app = falcon.asgi.App()
    app.add_route("/items", AsyncItems())
    return app


APPS: list[tuple[Callable[[], Any], Any]] = [
    (flask_app, drive_wsgi),
    (falcon_app, drive_wsgi),
    (fastapi_app, drive_asgi),
    (starlette_app, drive_asgi),
    (litestar_app, drive_asgi),
    (quart_app, drive_asgi),
    (falcon_asgi_app, drive_asgi),
]


@pytest.mark.parametrize(("make", "drive"), APPS, ids=[make.__name__ for make, _ in APPS])
def test_an_app_takes_what_was_validated(make: Any, drive: Any) -> None:
    """As a model, from the framework's own request."""
    guard = SchemaGuard({"POST /items": Item})
    wrap: Any = mantlet.wsgi.wrap if drive is drive_wsgi else mantlet.asgi.wrap
    stack = wrap(make(), guard, baseline=False)
    body = b'{"name": "a"}'
    headers = [*JSON, ("Content-Length", str(len(body)))] if drive is drive_asgi else JSON
    answer = drive(stack, "POST", "/items", headers=headers, body=body)
    assert answer.status == 200, answer.text()
    assert json.loads(answer.body) == {"name": "a", "count": 1}
    bad = drive(stack, "POST", "/items", headers=JSON, body=b'{"name": 5}')
    assert bad.status == 422
