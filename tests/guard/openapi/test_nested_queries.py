"""Queries of documents with free-form and nested objects, on both adapters."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.guard.openapi.diagnostics import DocumentError
from mantlet.guard.policy import SchemaGuard
from tests.drive import Adapter, both_adapters
from tests.guard.asking import Guarded, faults
from tests.guard.openapi.documents import each_version, parameter
from tests.guard.openapi.test_violations import FIRST, get

INTEGER: Any = {"type": "integer"}
FREE: list[Any] = [
    {"type": "object", "additionalProperties": True},
    {"type": "object"},
    {"type": "object", "additionalProperties": {"type": "string"}},
]


def root(version: str, *parameters: Any, **components: Any) -> dict[str, Any]:
    """Return a document of ``GET /a`` with some parameters."""
    return {
        "openapi": version,
        "info": {"title": "An API", "version": "1"},
        "paths": get(parameters=list(parameters)),
        "components": {"schemas": components},
    }


@each_version
@both_adapters
@pytest.mark.parametrize("schema", FREE)
def test_a_free_form_object_takes_undeclared_names(
    adapter: Adapter, version: str, schema: Any
) -> None:
    """Beside parameters, which keep theirs; a repeated name is refused, and a note tells of it."""
    app = Guarded(
        adapter,
        openapi=root(version, parameter("query", "all", schema), parameter("query", "n", INTEGER)),
    )
    assert app.ask("GET", "/a?n=1&b=2&filter[c]=3").status == 200
    assert app.seen[0].query == {"n": 1, "all": {"b": "2", "filter[c]": "3"}}
    assert app.ask("GET", "/a?n=x").status == 422
    assert app.ask("GET", "/a?b=1&b=2").status == 400
    assert app.ask("GET", "/a").status == 200
    assert (FIRST, "undeclared names in the query are members of 'all'") in (
        app.guard.coverage.notes
    )


@each_version
@both_adapters
def test_the_members_of_a_free_form_object_are_checked(adapter: Adapter, version: str) -> None:
    """By ``additionalProperties``, in number too; two such objects could not be told apart."""
    schema = {"type": "object", "additionalProperties": INTEGER, "maxProperties": 2}
    app = Guarded(adapter, openapi=root(version, parameter("query", "all", schema)))
    assert app.ask("GET", "/a?b=1&c=2").status == 200
    assert app.seen[0].query == {"all": {"b": 1, "c": 2}}
    assert [where for _, where, _ in faults(app.ask("GET", "/a?b=x"))] == ["/all/b"]
    assert app.ask("GET", "/a?b=1&c=2&d=3").status == 422
    two = root(version, parameter("query", "all", schema), parameter("query", "more", schema))
    with pytest.raises(DocumentError, match="must not both read the name 'any'"):
        SchemaGuard(openapi=two)


@each_version
@both_adapters
def test_nested_names_are_read_and_checked(adapter: Adapter, version: str) -> None:
    """As Stripe documents its API: ranges, expanded members, lists of objects, and recursion."""
    created = {"anyOf": [INTEGER, {"type": "object", "properties": {"gte": INTEGER}}]}
    expand = {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 2}
    tree = {
        "type": "object",
        "properties": {
            "n": INTEGER,
            "kids": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
        },
        "additionalProperties": False,
    }
    app = Guarded(
        adapter,
        openapi=root(
            version,
            parameter("query", "created", created, style="deepObject", explode=True),
            parameter("query", "expand", expand, style="deepObject", explode=True),
            parameter("query", "tree", {"$ref": "#/components/schemas/Tree"}, style="deepObject"),
            Tree=tree,
        ),
    )
    query = "created[gte]=5&expand[]=a&expand[]=b&tree[n]=1&tree[kids][0][kids][0][n]=2"
    assert app.ask("GET", f"/a?{query}").status == 200
    assert app.seen[0].query == {
        "created": {"gte": 5}, "expand": ["a", "b"],
        "tree": {"n": 1, "kids": [{"kids": [{"n": 2}]}]},
    }  # fmt: skip
    assert app.ask("GET", "/a?created=5").status == 200
    assert app.seen[1].query == {"created": 5}
    for wrong, where in (
        ("expand[]=a&expand[]=b&expand[]=c", "/expand"),
        ("tree[kids][0][n]=x", "/tree/kids/0/n"),
        ("tree[kids][0][more]=x", "/tree/kids/0"),
    ):
        answer = app.ask("GET", f"/a?{wrong}")
        assert answer.status == 422
        assert faults(answer)[0][1].startswith(where)
    for mixed in ("expand[]=a&expand[0]=b", "created=1&created[gte]=2", "expand=a",
                  "tree[kids][][n]=1", "tree" + "[kids][0]" * 5 + "[n]=1"):  # fmt: skip
        assert app.ask("GET", f"/a?{mixed}").status == 400, mixed
    notes = [message for _, message in app.guard.coverage.notes]
    assert any("nested members and items are read as" in message for message in notes)


@each_version
@both_adapters
def test_an_exploded_object_may_be_a_scalar_instead(adapter: Adapter, version: str) -> None:
    """``page=2``, or ``number=2&size=9``: under its own name it is the scalar; never both."""
    members = {"number": INTEGER, "size": INTEGER}
    closed = {"type": "object", "properties": members, "additionalProperties": False}
    schema = {"oneOf": [{"type": "integer", "minimum": 1}, closed]}
    app = Guarded(adapter, openapi=root(version, parameter("query", "page", schema)))
    assert app.ask("GET", "/a?page=2").status == 200
    assert app.ask("GET", "/a?number=2&size=9").status == 200
    assert [seen.query for seen in app.seen] == [
        {"page": 2},
        {"page": {"number": 2, "size": 9}},
    ]
    refused = ["page=0", "page=x", "page=1&page=2", "page=1&size=9", "size=x", "pages=1"]
    statuses = [app.ask("GET", f"/a?{query}").status for query in refused]
    assert statuses == [422, 422, 400, 400, 422, 422]
