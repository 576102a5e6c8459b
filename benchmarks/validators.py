"""The same small API with each validator, which counts the requests that reach its app.

Each is set up as the validator's documentation says, with the schema that it takes: a model, or the
document.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import connexion
import fastapi
import flask
import flask_openapi3
import pydantic
import spectree
from openapi_core import OpenAPI
from openapi_core.contrib.starlette.middlewares import StarletteOpenAPIMiddleware
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import mantlet
from benchmarks import names
from mantlet import SchemaGuard

JSON: Final = "application/json"

_USER: dict[str, Any] = {
    "type": "object",
    "required": ["name", "password"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "name": {"type": "string", "maxLength": 40},
        "password": {"type": "string", "minLength": 12},
        "height": {"type": "number"},
        "more": {},
    },
}
_OK = {"200": {"description": "done", "content": {JSON: {"schema": {}}}}}
_ID = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
_LIMIT = [{"name": "limit", "in": "query", "schema": {"type": "integer"}}]
DOCUMENT: Final[dict[str, Any]] = {
    "openapi": "3.0.3",
    "info": {"title": "users", "version": "1"},
    "paths": {
        "/users": {
            "post": {
                "operationId": "create",
                "requestBody": {"required": True, "content": {JSON: {"schema": _USER}}},
                "responses": _OK,
            },
            "get": {"operationId": "list", "parameters": _LIMIT, "responses": _OK},
        },
        "/p/{id}": {"delete": {"operationId": "remove", "parameters": _ID, "responses": _OK}},
        "/p/mine": {"get": {"operationId": "mine", "responses": _OK}},
    },
}


class User(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    name: str = pydantic.Field(max_length=40)
    password: str = pydantic.Field(min_length=12)
    height: float | None = None
    more: Any = None


class Page(pydantic.BaseModel):
    limit: int | None = None


class Id(pydantic.BaseModel):
    id: str


@dataclass
class Reached:
    """What has reached the app."""

    count: int = 0
    answer: dict[str, bool] = field(default_factory=lambda: {"done": True})

    def __call__(self, *_args: Any, **_kwargs: Any) -> dict[str, bool]:
        self.count += 1
        return self.answer


def _starlette(reached: Reached) -> Starlette:
    async def endpoint(_request: Request) -> JSONResponse:
        return JSONResponse(reached())

    return Starlette(
        routes=[
            Route("/users", endpoint, methods=["POST", "GET"]),
            Route("/p/mine", endpoint, methods=["GET"]),
            Route("/p/{id}", endpoint, methods=["DELETE"]),
        ]
    )


def _mantlet(reached: Reached) -> Any:
    return mantlet.wrap(_starlette(reached), SchemaGuard(openapi=DOCUMENT), baseline=False)


def _fastapi(reached: Reached) -> Any:
    app = fastapi.FastAPI()

    @app.post("/users")
    async def create(user: User) -> Any:
        return reached()

    @app.get("/users")
    async def users(page: Annotated[Page, fastapi.Query()]) -> Any:
        return reached()

    @app.get("/p/mine")
    async def mine() -> Any:
        return reached()

    @app.delete("/p/{id}")
    async def remove(id: str) -> Any:
        return reached()

    return app


def _connexion(reached: Reached) -> Any:
    app = connexion.AsyncApp(__name__)

    async def handler(body: Any = None, limit: Any = None, id: Any = None) -> Any:
        return reached()

    options = {"strict_validation": True}
    app.add_api(DOCUMENT, resolver=connexion.Resolver(lambda _name: handler), **options)
    return app


def _openapi_core(reached: Reached) -> Any:
    app = _starlette(reached)
    app.add_middleware(StarletteOpenAPIMiddleware, openapi=OpenAPI.from_dict(DOCUMENT))
    return app


def _spectree(reached: Reached) -> Any:
    app = flask.Flask("holes")
    spec = spectree.SpecTree("flask")

    @app.post("/users")
    @spec.validate()
    def create(json: User) -> Any:
        return flask.jsonify(reached())

    @app.get("/users")
    @spec.validate()
    def users(query: Page) -> Any:
        return flask.jsonify(reached())

    @app.get("/p/mine")
    @spec.validate()
    def mine() -> Any:
        return flask.jsonify(reached())

    @app.delete("/p/<id>")
    @spec.validate()
    def remove(id: str) -> Any:
        return flask.jsonify(reached())

    spec.register(app)
    return app


def _flask_openapi3(reached: Reached) -> Any:
    app = flask_openapi3.OpenAPI("holes")

    @app.post("/users")
    def create(body: User) -> Any:
        return flask.jsonify(reached())

    @app.get("/users")
    def users(query: Page) -> Any:
        return flask.jsonify(reached())

    @app.get("/p/mine")
    def mine() -> Any:
        return flask.jsonify(reached())

    @app.delete("/p/<id>")
    def remove(path: Id) -> Any:
        return flask.jsonify(reached())

    return app


VALIDATORS: Final[dict[str, tuple[Callable[[Reached], Any], bool]]] = {
    names.OPENAPI: (_mantlet, False),
    "FastAPI": (_fastapi, False),
    names.CONNEXION: (_connexion, False),
    names.OPENAPI_CORE: (_openapi_core, False),
    names.SPECTREE: (_spectree, True),
    names.FLASK_OPENAPI3: (_flask_openapi3, True),
}
