"""What gets past other validators, row by row: a guard made of the same document refuses it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.drive import Adapter, both_adapters
from tests.guard.asking import JSON, Guarded, faults

USER: dict[str, Any] = {
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
OK = {"200": {"description": "done"}}
ID = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
LIMIT = [{"name": "limit", "in": "query", "schema": {"type": "integer"}}]
BODY = {"required": True, "content": {"application/json": {"schema": USER}}}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "users", "version": "1"},
    "paths": {
        "/users": {
            "post": {"requestBody": BODY, "responses": OK},
            "get": {"parameters": LIMIT, "responses": OK},
        },
        "/p/{id}": {"delete": {"parameters": ID, "responses": OK}},
        "/p/mine": {"get": {"responses": OK}},
    },
}
REST = b'"password":"a long password"}'
GOOD = b'{"name":"ada",' + REST
WRONG = b'{"name":5,' + REST
CHARSET = [("Content-Type", "application/json; charset=utf-8")]
DEEP = b"[" * 100_000 + b"]" * 100_000

ROWS: list[Any] = [
    ("POST", "/users", CHARSET, WRONG, 422, "type"),
    ("POST", "/users", [], WRONG, 415, "media_type"),
    ("POST", "/users", [("Content-Type", "text/plain")], WRONG, 415, "media_type"),
    ("POST", "/users", JSON, b'{"name":"ada","name":"eve",' + REST, 400, "json_duplicate_key"),
    ("POST", "/users", JSON, b'{"name":"ada","n\\u0061me":"eve",' + REST, 400,
     "json_duplicate_key"),
    ("POST", "/users", JSON, b'{"name":"ada","height":NaN,' + REST, 400, "json_invalid"),
    ("POST", "/users", JSON, b'{"name":"ada","height":1e999,' + REST, 400, "json_number"),
    ("POST", "/users", JSON, b'{"name":"\\ud800",' + REST, 400, "json_surrogate"),
    ("POST", "/users", JSON, b'{"name":"ada","more":' + DEEP + b"," + REST, 400, "json_depth"),
    ("POST", "/users", JSON, b"\xef\xbb\xbf" + GOOD, 400, "json_encoding"),
    ("POST", "/users", JSON, b'{"admin":true,"name":"ada",' + REST, 422, "additionalProperties"),
    ("POST", "/users", JSON, b'{"id":1,"name":"ada",' + REST, 422, "read_only"),
    ("DELETE", "/p/mine", [], b"", 405, "undeclared_method"),
    ("GET", "/users?limit=1&sort=x", [], b"", 422, "undeclared_parameter"),
    ("GET", "/users?limit=1&limit=2", [], b"", 400, "duplicate_parameter"),
    ("POST", "/users", JSON, b'{"name":"ada","password":"short-pw"}', 422, "minLength"),
]  # fmt: skip


@both_adapters
@pytest.mark.parametrize(
    "row", ROWS, ids=[f"{row[0]} {row[1]} {row[3][:40]!r} {row[5]}" for row in ROWS]
)
def test_what_gets_past_others_is_refused(adapter: Adapter, row: Any) -> None:
    """With the status and the code that say why, and without the value."""
    method, target, headers, body, status, code = row
    app = Guarded(adapter, openapi=DOCUMENT)
    answer = app.ask(method, target, headers=headers, body=body)
    assert answer.status == status, answer.text()
    assert code in {found for _, _, found in faults(answer)}
    assert "short-pw" not in answer.text()
    assert not app.seen


@both_adapters
def test_what_is_good_gets_through(adapter: Adapter) -> None:
    """So that the rows above say something."""
    app = Guarded(adapter, openapi=DOCUMENT)
    assert app.ask("POST", "/users", headers=CHARSET, body=GOOD).status == 200
    assert app.ask("GET", "/users?limit=1").status == 200
    assert app.ask("DELETE", "/p/7").status == 200
    assert app.seen[0].body == {"name": "ada", "password": "a long password"}
    assert app.seen[1].query == {"limit": 1}
    assert app.seen[2].path == {"id": "7"}
