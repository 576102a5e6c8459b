"""Documents that apps make of themselves."""

import json
from pathlib import Path
from typing import Any

import fastapi
import litestar
import pytest
from litestar.params import FromPath, JSONBody
from pydantic import BaseModel
from starlette.routing import Host

from mantlet.guard.openapi.document import OpenApiDocument
from mantlet.guard.openapi.from_app import app_document

DATA = Path(__file__).with_name("data")


class Item(BaseModel):
    name: str


def fastapi_app() -> fastapi.FastAPI:
    app = fastapi.FastAPI()
    router = fastapi.APIRouter(prefix="/router")
    inner = fastapi.APIRouter(prefix="/inner")

    @app.get("/files/{name:path}")
    def file(name: str) -> None: ...

    @app.post("/items/{number:int}")
    def item(number: int, item: Item, limit: int = 3) -> None: ...

    @app.get("/hidden", include_in_schema=False)
    def hidden() -> None: ...

    @router.get("/{one}/{rest:path}")
    def rest(one: int, rest: str) -> None: ...

    @inner.get("/{rest:path}/{end:int}")
    def end(rest: str, end: int) -> None: ...

    @app.websocket("/live")
    async def live(socket: fastapi.WebSocket) -> None: ...

    router.include_router(inner)
    app.include_router(router)
    app.mount("/mounted", fastapi.FastAPI())
    app.router.routes.append(Host("example.com", fastapi.FastAPI()))
    return app


def test_fastapi_tells_of_itself() -> None:
    """Its routes tell which parameters take the rest of a path, and what is not described."""
    made = app_document(fastapi_app())
    assert made.templates == {
        "/files/{name}": "/files/{name:path}",
        "/router/{one}/{rest}": "/router/{one}/{rest:path}",
        "/router/inner/{rest}/{end}": "/router/inner/{rest:path}/{end}",
    }
    words = " ".join(words for _, words in made.warnings)
    for closed in (
        "the route '/hidden' of the app",
        "the route '/docs'",
        "the route '/openapi.json'",
        "the WebSocket '/live'",
        "the mounted app '/mounted'",
        "the router 'Host'",
    ):
        assert closed in words
    document = OpenApiDocument(made.root, templates=made.templates)
    operations = {f"{one.method} {one.template}": one for one in document.operations}
    assert set(operations) == {
        "GET /files/{name:path}",
        "POST /items/{number}",
        "GET /router/{one}/{rest:path}",
        "GET /router/inner/{rest:path}/{end}",
    }
    post = operations["POST /items/{number}"]
    assert [(one.place, one.name) for one in post.parameters] == [
        ("path", "number"),
        ("query", "limit"),
    ]
    assert post.body is not None
    assert [one.media for one in post.body.content] == ["application/json"]


@litestar.get("/files/{name:path}", sync_to_thread=False)
def litestar_file(name: FromPath[Path]) -> None: ...


@litestar.post("/items/{number:int}", sync_to_thread=False)
def litestar_item(number: FromPath[int], data: JSONBody[Item]) -> None: ...


@litestar.get("/hidden", include_in_schema=False, sync_to_thread=False)
def litestar_hidden() -> None: ...


@litestar.websocket("/live")
async def litestar_live(socket: litestar.WebSocket[Any, Any, Any]) -> None: ...


@litestar.asgi("/mounted", is_mount=True, copy_scope=True)
async def litestar_mounted(scope: Any, receive: Any, send: Any) -> None: ...


def test_litestar_tells_of_itself() -> None:
    """As FastAPI does."""
    app = litestar.Litestar(
        [litestar_file, litestar_item, litestar_hidden, litestar_live, litestar_mounted],
        logging_config=None,
    )
    made = app_document(app)
    assert made.templates == {"/files/{name}": "/files/{name:path}"}
    words = " ".join(words for _, words in made.warnings)
    for closed in ("the route '/hidden'", "the WebSocket '/live'", "the mounted app '/mounted'"):
        assert closed in words
    document = OpenApiDocument(made.root, templates=made.templates)
    assert {f"{one.method} {one.template}" for one in document.operations} == {
        "GET /files/{name:path}",
        "POST /items/{number}",
    }


def test_litestar_without_a_document_has_none() -> None:
    """It can be turned off."""
    with pytest.raises(ValueError, match="openapi_config is None"):
        app_document(litestar.Litestar([litestar_item], openapi_config=None, logging_config=None))


class Spec:
    """What apispec's ``APISpec`` has."""

    openapi_version = "3.0.3"

    def to_dict(self) -> Any:
        return json.loads((DATA / "flask-smorest.json").read_text())


class Api:
    """What flask-smorest's ``Api`` has."""

    spec = Spec()


@pytest.mark.parametrize("source", [Spec(), Api()])
def test_documents_of_apispec_and_flask_smorest_load(source: Any) -> None:
    """One that flask-smorest 0.47 has made."""
    made = app_document(source)
    document = OpenApiDocument(made.root)
    assert {f"{one.method} {one.template}" for one in document.operations} == {
        "GET /pets/",
        "POST /pets/",
        "GET /pets/{pet_id}/files/{name}",
        "DELETE /pets/{pet_id}/files/{name}",
    }


@pytest.mark.parametrize("app", [None, {}, "app", lambda: None])
def test_anything_else_is_no_app_with_a_document(app: Any) -> None:
    """It is a `TypeError` that says what would be one."""
    with pytest.raises(TypeError, match="needs a FastAPI or Litestar app"):
        app_document(app)
