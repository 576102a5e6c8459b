"""Documents that apps make of themselves."""

import json
from pathlib import Path
from typing import Any

import litestar
import pytest
from litestar.params import FromPath, JSONBody
from pydantic import BaseModel

from mantlet.guard.apps.documents import app_document
from mantlet.guard.openapi.document import OpenApiDocument

DATA = Path(__file__).parent.with_name("openapi") / "data"


class Item(BaseModel):
    name: str


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
    """Its routes tell which parameters take the rest of a path, and what is not described."""
    app = litestar.Litestar(
        [litestar_file, litestar_item, litestar_hidden, litestar_live, litestar_mounted],
        logging_config=None,
    )
    made = app_document(app)
    assert made.templates == {"/files/{name}": "/files/{name:path}"}
    assert {"GET /hidden", "WS /live", "* /mounted"} <= dict(made.warnings).keys()
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
