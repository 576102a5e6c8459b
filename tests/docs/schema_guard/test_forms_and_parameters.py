"""The examples of docs/schema-guard/forms-and-parameters.md."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import BaseModel

from tests.docs.pages import DOCS, block_with, run
from tests.drive import Adapter, both_adapters
from tests.guard.asking import Guarded
from tests.guard.openapi.building import DONE, document
from tests.guard.openapi.test_forms import HEADERS, PNG, part

PAGE = "schema-guard/forms-and-parameters.md"


class Profile(BaseModel):
    """The fields of the example's form."""

    name: str
    age: int | None = None


@both_adapters
def test_files(adapter: Adapter) -> None:
    """Optional, several, unique, and as large as declared."""
    guard = run(PAGE, block_with(PAGE, "photo"), Profile=Profile)["guard"]
    app = Guarded(adapter, guard)

    def send(*parts: bytes) -> int | None:
        content = part("name", "x") + b"".join(parts) + b"--limit--\r\n"
        return app.ask("POST", "/profile", body=content, headers=HEADERS).status

    photo = part("photo", PNG + bytes(4_000_000), "image/png", "a.png")
    papers = [part("papers", bytes([digit]) * 1_900_000, filename="a") for digit in (1, 2, 3)]
    assert send(part("age", ""), part("photo", b"", "application/octet-stream", "")) == 200
    assert send(photo, *papers) == 200
    assert send(*papers[:1], *papers[:1]) == 422
    assert send(*papers, *papers) == 422


ROWS = re.findall(r"^\| `(filter[^`]*)` \| `([^`]*)` \|$", (DOCS / PAGE).read_text(), re.MULTILINE)


@both_adapters
@pytest.mark.parametrize(("query", "value"), ROWS)
def test_nested_names(adapter: Adapter, query: str, value: str) -> None:
    """Each row of the table, as it stands and encoded."""
    integer, text = {"type": "integer"}, {"type": "string"}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "size": {"type": "object", "properties": {"gte": integer}},
            "tags": {"type": "array", "items": text},
            "rows": {"type": "array", "items": {"type": "object", "properties": {"x": integer}}},
        },
    }
    declared = {"name": "filter", "in": "query", "style": "deepObject", "schema": schema}
    root = document({"/x": {"get": {"parameters": [declared], **DONE}}})
    app = Guarded(adapter, openapi=root)
    for one in (query, quote(query, safe="&=")):
        assert app.ask("GET", f"/x?{one}").status == 200
        assert str(app.seen.pop().query["filter"]).replace("'", '"') == value
