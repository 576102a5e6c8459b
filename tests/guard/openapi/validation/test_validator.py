"""What is wrong with a document is said, all of it at once, and where."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.exceptions import MantletError
from mantlet.guard import SchemaGuard
from mantlet.guard.openapi.diagnostics import DocumentError
from mantlet.guard.openapi.document import OpenApiDocument
from tests.guard.openapi.building import (
    DONE,
    TEXT,
    document,
    of_operation,
    problems,
)

OPERATION = "/paths/~1x/get"
PARAMETER = f"{OPERATION}/parameters/0"


def test_all_problems_are_reported_at_once() -> None:
    """In one error, which says each with its place."""
    source = document(
        {
            "https://a.test/x": {
                "get": {**DONE, "parameters": [{"name": "a", "in": "body", "schema": TEXT}]}
            },
            "/y": {"post": {"responses": {"99": {"description": "?"}}}},
        }
    )
    with pytest.raises(DocumentError) as caught:
        SchemaGuard(openapi=source, responses="report")
    error = caught.value
    assert isinstance(error, MantletError)
    assert isinstance(error, ValueError)
    assert [pointer for pointer, _ in error.problems] == [
        "/paths/https:~1~1a.test~1x/get/parameters/0/in",
        "/paths/~1y/post/responses/99",
        "/paths/https:~1~1a.test~1x",
    ]
    assert str(error).startswith(
        "SchemaGuard: the OpenAPI document has 3 problems:\n"
        "  /paths/https:~1~1a.test~1x/get/parameters/0/in: "
    )
    assert str(DocumentError([("", "is wrong")])) == (
        "SchemaGuard: the OpenAPI document has 1 problem:\n  (root): is wrong"
    )


def test_the_message_of_many_problems_is_cut() -> None:
    """The attribute has them all."""
    source = document({f"https://a.test/{number}": {} for number in range(60)})
    with pytest.raises(DocumentError, match="\n  and 10 more\n") as caught:
        SchemaGuard(openapi=source)
    assert len(caught.value.problems) == 60


# -- objects and their fields ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "where", "words"),
    [
        (document(info=[]), "/info", "must be an object (Info Object)"),
        (document(info={"title": "A"}), "/info", "must have 'version' (Info Object)"),
        (document([]), "/paths", "must be an object (Paths Object)"),
        (document({"/x": []}), "/paths/~1x", "must be an object (Path Item Object)"),
        (document({"/x": {"get": []}}), OPERATION, "must be an object (Operation Object)"),
        (document(servers={}), "/servers", "must be an array"),
        (document(components={"schemas": []}), "/components/schemas", "must be an object"),
        (document(tags=[{"name": 3}]), "/tags/0/name", "must be a string"),
        (document({"/x": {"GET": {}}}), "/paths/~1x/GET", "is not a field of the Path Item Object"),
        (of_operation({"deprecated": "no"}), f"{OPERATION}/deprecated", "must be true or false"),
        (
            of_operation({"parameter": []}),
            f"{OPERATION}/parameter",
            "is not a field of the Operation",
        ),
        (
            of_operation({"security": [{"a": "b"}]}),
            f"{OPERATION}/security/0/a",
            "must be an array of strings",
        ),
        (of_operation({"tags": "a"}), f"{OPERATION}/tags", "must be an array"),
        (of_operation({"requestBody": {}}), f"{OPERATION}/requestBody", "must have 'content'"),
        (document({"/x": {"get": {}}}, "3.0.4"), OPERATION, "must have 'responses'"),
        (of_operation({"responses": {}}), f"{OPERATION}/responses", "at least one response"),
        (
            of_operation({"responses": {"2xx": {"description": ""}}}),
            f"{OPERATION}/responses/2xx",
            'such as "200", "2XX"',
        ),
        (
            of_operation({"responses": {"600": {"description": ""}}}),
            f"{OPERATION}/responses/600",
            "must be a status",
        ),
        (
            of_operation({"responses": {"200": {}}}),
            f"{OPERATION}/responses/200",
            "must have 'description'",
        ),
        (
            document(components={"schemas": {"a b": {}}}),
            "/components/schemas/a b",
            "must be named with letters",
        ),
        (
            document(components={"schema": {}}),
            "/components/schema",
            "is not a field of the Components",
        ),
        (
            document(jsonSchemaDialect="https://example.com/"),
            "/jsonSchemaDialect",
            "no others are supported",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_object_has_the_fields_of_the_specification(
    source: Any, where: str, words: str
) -> None:
    """Of their kinds, those that must be there, and no others: a misspelt one would open a hole."""
    found = problems(source)
    assert words in found[where]
    assert len(found) == 1


@pytest.mark.parametrize(
    ("field", "value", "since"),
    [
        ("webhooks", {}, "3.1.1"),
        ("jsonSchemaDialect", "https://spec.openapis.org/oas/3.1/dialect/base", "3.1.1"),
        ("components", {"pathItems": {}}, "3.1.1"),
        ("components", {"mediaTypes": {}}, "3.2.0"),
        ("$self", "https://example.com/api", "3.2.0"),
        ("info", {"title": "A", "version": "1", "summary": "An A"}, "3.1.1"),
        ("tags", [{"name": "a", "kind": "nav"}], "3.2.0"),
        ("paths", {"/x": {"query": DONE}}, "3.2.0"),
        ("paths", {"/x": {"additionalOperations": {"COPY": DONE}}}, "3.2.0"),
        (
            "components",
            {"requestBodies": {"a": {"content": {"application/jsonl": {"itemSchema": {}}}}}},
            "3.2.0",
        ),
    ],
)
def test_a_field_is_of_its_version(field: str, value: Any, since: str) -> None:
    """One of a later version would be ignored, so it is a problem."""
    for version in ("3.0.4", "3.1.1", "3.2.0"):
        found = problems(document(version=version, **{field: value}))
        assert bool(found) is (version < since), version
        assert all(f"requires {since[:3]}" in words for words in found.values())


def test_a_document_has_something_in_it() -> None:
    """In 3.0 paths, from 3.1 on paths, webhooks or components."""
    info = {"title": "A", "version": "1"}
    assert problems({"openapi": "3.0.4", "info": info}) == {
        "": "must have 'paths' (OpenAPI Object)"
    }
    assert "must have 'paths', 'components' or" in problems({"openapi": "3.1.1", "info": info})[""]
    assert not problems({"openapi": "3.1.1", "info": info, "components": {}})


def test_a_response_needs_no_description_in_3_2() -> None:
    """It has become optional."""
    assert not problems(of_operation({"responses": {"200": {}}}, version="3.2.0"))


def test_extensions_are_warnings() -> None:
    """Wherever they may stand; with how often they do."""
    source = of_operation(
        {"x-a": 1, "responses": {"200": {"description": "", "x-a": {}}, "x-b": 1}}
    )
    source["x-a"] = []
    assert OpenApiDocument(source).warnings == (
        (
            "/paths/~1x/get/responses/200/x-a",
            "the extension 'x-a' is ignored (3 times, first here)",
        ),
        ("/paths/~1x/get/responses/x-b", "the extension 'x-b' is ignored"),
    )


def test_what_is_of_no_consequence_is_a_warning() -> None:
    """Callbacks, webhooks, links and examples say nothing of what comes in."""
    source = of_operation(
        {
            "callbacks": {"a": {"{$request.body#/url}": {"post": DONE}}},
            "responses": {"200": {"description": "", "links": {"a": {"operationId": "b"}}}},
            "parameters": [{"name": "a", "in": "query", "schema": TEXT, "example": "x"}],
        },
        webhooks={"a": {"post": DONE}},
    )
    assert dict(OpenApiDocument(source).warnings) == {
        f"{PARAMETER}/example": "examples are not validated against their schemas",
        f"{OPERATION}/callbacks": "callbacks are ignored: they are requests that the app sends",
        f"{OPERATION}/responses/200/links": "links are ignored",
        "/webhooks": "webhooks are ignored: they are requests that the app sends",
    }


def test_what_the_app_sends_is_checked_as_a_document() -> None:
    """Callbacks and webhooks are objects of the document as well."""
    source = of_operation(
        {"callbacks": {"a": {"{$url}": {"post": {"parameters": 3}}}}},
        webhooks={"a": {"gets": DONE}},
    )
    assert set(problems(source)) == {
        f"{OPERATION}/callbacks/a/{{$url}}/post/parameters",
        "/webhooks/a/gets",
    }
