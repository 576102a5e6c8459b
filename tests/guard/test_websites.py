"""Websites: links with tracking parameters, CSRF fields, pages without anything declared."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from mantlet import Contract, File, RouteOptions, SchemaGuard
from tests.drive import Adapter, both_adapters
from tests.guard.asking import FORM, Guarded, faults
from tests.guard.openapi.building import document
from tests.guard.openapi.documents import OK


class Search(BaseModel):
    q: str = ""


class Login(BaseModel):
    name: str


@both_adapters
def test_none_is_an_operation_without_query_and_body(adapter: Adapter) -> None:
    """Its path and its method are declared, and nothing else."""
    app = Guarded(adapter, {"GET /health": None, "POST /logout": None})
    assert app.ask("GET", "/health").status == 200
    assert app.ask("POST", "/logout").status == 200
    assert faults(app.ask("GET", "/health?a=1")) == [("query", "", "undeclared_parameter")]
    assert app.ask("POST", "/logout", body=b"a=1", headers=FORM).status == 400
    assert app.ask("DELETE", "/health").status == 405


@both_adapters
def test_an_undeclared_query_is_ignored_where_it_may(adapter: Adapter) -> None:
    """For a guard or a route; declared parameters are checked all the same."""
    contracts = {"GET /": None, "GET /search": Contract(query=Search), "GET /api": None}
    app = Guarded(
        adapter,
        contracts,
        undeclared_query="ignore",
        routes={"GET /api": RouteOptions(undeclared_query="refuse")},
    )
    assert app.ask("GET", "/?utm_source=x&fbclid=1").status == 200
    assert app.ask("GET", "/search?q=a&utm_source=x").status == 200
    assert app.seen[-1].query == Search(q="a")
    assert app.ask("GET", "/search?q=a&q=b").status == 400
    assert app.ask("GET", "/api?utm_source=x").status == 422
    other = Guarded(adapter, contracts, routes={"GET /": RouteOptions(undeclared_query="ignore")})
    assert other.ask("GET", "/?utm_source=x").status == 200
    assert other.ask("GET", "/search?utm_source=x").status == 422
    allowed = Guarded(adapter, contracts, allow=["query"], undeclared_query="refuse")
    assert allowed.ask("GET", "/?utm_source=x").status == 422


def test_what_to_do_with_an_undeclared_query_has_two_values() -> None:
    """The message names them."""
    wrong: Any = "allow"
    with pytest.raises(ValueError, match='undeclared_query must be "refuse" or "ignore"'):
        SchemaGuard({"GET /": None}, undeclared_query=wrong)


MULTIPART = [("Content-Type", "multipart/form-data; boundary=b")]


def multipart(**fields: str) -> bytes:
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return ("".join(parts) + "--b--\r\n").encode()


@both_adapters
@pytest.mark.parametrize("name", ["csrfmiddlewaretoken", "csrf_token", "_csrf_token", "_csrf"])
def test_a_csrf_field_is_not_handed_to_the_model(adapter: Adapter, name: str) -> None:
    """The framework's middleware reads it; the app gets the body as it was."""
    contract = {"POST /login": Contract(form=Login)}
    app = Guarded(adapter, contract, ignored_fields=[name])
    for body, headers in (
        (f"{name}=secret&name=a".encode(), FORM),
        (multipart(**{name: "secret", "name": "a"}), MULTIPART),
    ):
        assert app.ask("POST", "/login", body=body, headers=headers).status == 200
        assert app.bodies[-1] == body
        assert app.seen[-1].body == Login(name="a")
        assert Guarded(adapter, contract).ask(
            "POST", "/login", body=body, headers=headers
        ).status == 422  # fmt: skip
    twice = f"{name}=a&{name}=b&name=a".encode()
    assert app.ask("POST", "/login", body=twice, headers=FORM).status == 400
    other = b"other=a&name=a"
    assert faults(app.ask("POST", "/login", body=other, headers=FORM)) == [
        ("body", "/other", "undeclared_field")
    ]


@both_adapters
def test_a_csrf_field_beside_files(adapter: Adapter) -> None:
    """Forms of files alone have one, too; and only where a route says so."""
    app = Guarded(
        adapter,
        {"POST /a": Contract(files={"f": File(required=False)}), "POST /b": Contract(form=Login)},
        routes={"POST /a": RouteOptions(ignored_fields=["_csrf"])},
    )
    assert app.ask("POST", "/a", body=multipart(_csrf="x"), headers=MULTIPART).status == 200
    assert app.ask("POST", "/b", body=b"_csrf=x&name=a", headers=FORM).status == 422


def test_ignored_fields_are_names_and_are_kept_for_the_app() -> None:
    """A canonical body would not have them."""
    contract = {"POST /login": Contract(form=Login)}
    wrong: Any = "_csrf"
    with pytest.raises(ValueError, match="must be a list of names"):
        SchemaGuard(contract, ignored_fields=wrong)
    with pytest.raises(ValueError, match="ignored_fields from the app"):
        SchemaGuard(contract, ignored_fields=["_csrf"], forward="canonical")


# -- contracts beside a document ------------------------------------------------------------------


def api() -> dict[str, Any]:
    parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    root = document(
        {
            "/items/{id}": {
                "parameters": [parameter],
                "get": {"responses": OK},
                "delete": {"responses": OK},
            }
        }
    )
    root["servers"] = [{"url": "https://x.test/v1"}]
    return root


class ItemPath(BaseModel):
    item: str


@both_adapters
def test_contracts_are_added_to_a_document_and_replace_its_operations(adapter: Adapter) -> None:
    """By method and path, whatever the names of parameters; base paths of servers stay."""
    app = Guarded(
        adapter,
        {"GET /items/{item}": Contract(path=ItemPath), "GET /health": None},
        openapi=api(),
    )
    assert app.ask("GET", "/items/abc").status == 200
    assert app.seen[-1].path == ItemPath(item="abc")
    assert app.ask("GET", "/v1/items/abc").status == 200
    assert app.ask("DELETE", "/items/abc").status == 422
    assert app.ask("DELETE", "/v1/items/5").status == 200
    assert app.ask("GET", "/health").status == 200
    assert app.ask("GET", "/none").status == 404
    told = str(app.guard.coverage)
    assert "a contract replaces the operation of the document" in told
    assert "3 checked operations" in told


def test_a_reload_keeps_the_contracts() -> None:
    """The document alone is another one."""
    guard = SchemaGuard({"GET /health": None}, openapi=api())
    new = api()
    del new["paths"]["/items/{id}"]["delete"]
    assert guard.reload(new) == ("DELETE /items/{id} was removed",)
    assert [name for name, _ in guard.coverage.operations] == ["GET /items/{id}", "GET /health"]
