"""The example of docs/schema-guard/documents.md runs, and does what the page says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import SchemaGuard
from tests.docs.pages import DOCS, block_with, run
from tests.drive import Adapter, both_adapters
from tests.guard.asking import Guarded

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "schema-guard/documents.md"
TEXT = (DOCS / PAGE).read_text()
OK = {"200": {"description": "Done."}}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "An API", "version": 1.0},
    "paths": {
        "/{a}{b}": {"get": {"responses": OK}},
        "/bad": {"get": {"parameters": [{"$ref": "#/none"}], "responses": OK}},
        "/good": {"get": {"security": [{"key": []}], "responses": OK}},
    },
    "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
}


def test_the_example_starts_with_a_faulty_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openapi.yaml").write_text(json.dumps(DOCUMENT))
    run(PAGE, block_with(PAGE, "on_invalid"))


@both_adapters
def test_the_statuses_are_those_of_the_page(adapter: Adapter) -> None:
    """Of closed operations, of paths that can't be matched, and of others."""
    app = Guarded(adapter, openapi=DOCUMENT, on_invalid="close", security="app")
    answer = app.ask("GET", "/bad")
    assert answer.status == 501
    assert answer.json()["detail"] in TEXT
    assert [app.ask("GET", path).status for path in ("/xy", "/good")] == [404, 200]
    assert str(app.guard.coverage).startswith("Closed, since the declaration is invalid:")
    assert Guarded(adapter, openapi=DOCUMENT, on_invalid="close").ask("GET", "/good").status == 401


def test_the_default_is_an_error() -> None:
    """With all faults, and the option that the page names."""
    with pytest.raises(ValueError, match='on_invalid="close"'):
        SchemaGuard(openapi=DOCUMENT)


def test_swagger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """The coverage says what the page says."""
    info = {"title": "An API", "version": "1"}
    root = {"swagger": "2.0", "info": info, "paths": {"/x": {"get": {"responses": OK}}}}
    (tmp_path / "swagger.json").write_text(json.dumps(root))
    monkeypatch.chdir(tmp_path)
    run(PAGE, block_with(PAGE, "swagger.json"), SchemaGuard=SchemaGuard)
    assert "Swagger 2.0 is read as OpenAPI 3.0" in capsys.readouterr().out
