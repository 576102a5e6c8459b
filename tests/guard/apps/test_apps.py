"""Guards made of the documents that apps have of themselves, in front of these apps."""

import json
from pathlib import Path
from typing import Any

import flask
import litestar
import pytest
from litestar.params import FromPath, JSONBody
from pydantic import BaseModel

import mantlet
from mantlet.guard import SchemaGuard
from tests.drive import Adapter, Answer, both_adapters, drive_asgi, drive_wsgi
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


class _Api:
    """What flask-smorest's Api is to the guard: a document, and the app."""

    openapi_version = "3.0.3"

    def __init__(self, app: flask.Flask) -> None:
        self._app = app
        self.spec = self

    def to_dict(self) -> dict[str, Any]:
        confirm = {"name": "confirm", "in": "query", "required": True, "schema": {"type": "string"}}
        operation = {"parameters": [confirm], "responses": {"200": {"description": "ok"}}}
        return {
            "openapi": "3.0.3",
            "info": {"title": "Shop", "version": "1"},
            "paths": {"/admin": {"get": operation}},
        }


@pytest.mark.parametrize("by_host", [True, False])
def test_rules_of_another_host_or_subdomain_are_closed(*, by_host: bool) -> None:
    """Another endpoint would run than the one that is documented."""
    app = flask.Flask(
        "app", static_folder=None, host_matching=by_host, subdomain_matching=not by_host
    )
    app.config["SERVER_NAME"] = "shop.test"
    home: Any
    other: Any
    home, other = (
        ({"host": "shop.test"}, {"host": "sub.shop.test"})
        if by_host
        else ({}, {"subdomain": "sub"})
    )
    app.add_url_rule("/admin", "admin", lambda: "documented", **home)
    app.add_url_rule("/<name>", "any", lambda name: name, **home)
    app.add_url_rule("/admin", "other", lambda: "other", **other)
    stack = mantlet.wsgi.wrap(app, SchemaGuard.from_app(_Api(app)), baseline=False)

    def ask(to: Any, host: str, query: str) -> Answer:
        environ = {"QUERY_STRING": query, "RAW_URI": f"/admin?{query}"}
        return drive_wsgi(to, "GET", "/admin", headers=[("Host", host)], environ=environ)

    for host in ("sub.shop.test", "SUB.shop.test:80"):
        assert ask(stack, host, "confirm=1").status == 404
    assert ask(app, "sub.shop.test", "confirm=1").body == b"other"
    assert ask(stack, "shop.test", "confirm=1").body == b"documented"
    assert ask(stack, "shop.test", "").status == 422
