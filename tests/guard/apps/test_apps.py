"""Guards made of the documents that apps have of themselves, in front of these apps."""

import json
from pathlib import Path
from typing import Any

import litestar
import pytest
from litestar.params import FromPath, JSONBody
from pydantic import BaseModel

import mantlet
from mantlet.guard import SchemaGuard
from tests.drive import Adapter, both_adapters, drive_asgi
from tests.guard.asking import JSON, Guarded, faults

DATA = Path(__file__).parent.with_name("openapi") / "data"


class Item(BaseModel):
    name: str
    price: float = 1.0


@litestar.get("/files/{name:path}")
async def litestar_file(name: FromPath[str]) -> str:
    return name


@litestar.post("/items")
async def litestar_add(data: JSONBody[Item]) -> Item:
    return data


def asked(app: Any, method: str, target: str, **more: Any) -> Any:
    path, _, query = target.partition("?")
    body = more.pop("body", b"")
    headers = [*more.pop("headers", ()), ("Content-Length", str(len(body)))] if body else []
    return drive_asgi(
        app, method, path, body=body, headers=headers, scope={"query_string": query.encode()}
    )


def test_a_guard_of_a_litestar_app_stands_in_front_of_it() -> None:
    """What is not in its document is closed."""
    app = litestar.Litestar([litestar_file, litestar_add], logging_config=None)
    guard = SchemaGuard.from_app(app)
    stack = mantlet.asgi.wrap(app, guard, baseline=False)
    assert asked(stack, "GET", "/files/a/b.txt").status == 200
    answer = asked(stack, "POST", "/items", body=b'{"name": "a"}', headers=JSON)
    assert answer.json() == {"name": "a", "price": 1.0}
    refused = asked(stack, "POST", "/items", body=b'{"name": 5}', headers=JSON)
    assert faults(refused) == [("body", "/name", "type")]
    assert asked(stack, "GET", "/schema").status == 404


def test_options_of_the_guard_hold_for_apps_too() -> None:
    """And those that do not go with a document are refused."""
    app = litestar.Litestar([litestar_add], logging_config=None)
    guard = SchemaGuard.from_app(app, allow=["query"], mode="report")
    assert guard.coverage.operations
    with pytest.raises(ValueError, match="contracts must declare at least one"):
        SchemaGuard.from_app(app, contracts={})
    with pytest.raises(TypeError, match="from_app\\(\\) needs a FastAPI or Litestar app"):
        SchemaGuard.from_app(object())


@both_adapters
def test_a_document_of_flask_smorest_and_apispec_loads_as_it_is(adapter: Adapter) -> None:
    """As apispec's dict, whose statuses may be numbers, as well as from its file."""
    path = DATA / "flask-smorest.json"
    root = json.loads(path.read_bytes())
    for item in root["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and "responses" in operation:
                responses = operation["responses"]
                operation["responses"] = {
                    int(status) if status.isdigit() else status: said
                    for status, said in responses.items()
                }
    for source in (path, root):
        app = Guarded(adapter, openapi=source)
        assert app.guard.coverage.operations
        for name, _ in app.guard.coverage.operations:
            method, _, template = name.partition(" ")
            target = template.replace("{", "").replace("}", "")
            answer = app.ask(method, target)
            assert answer.error is None
            assert answer.status in (200, 400, 415, 422), answer.text()
