"""The report of what of a document is checked, and what is not, in words."""

from __future__ import annotations

from typing import Any

from mantlet.guard import SchemaGuard
from mantlet.guard.coverage import Coverage
from tests.guard.openapi.building import document
from tests.guard.openapi.documents import OK, api, json_body, parameter

TEXT: Any = {"type": "string"}
KEY = {"components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}}


def good(*_: Any) -> bool:
    return True


def test_each_operation_is_named_with_what_is_checked() -> None:
    """Parameters by place, bodies by type, answers, credentials."""
    root = api(
        "3.1.1",
        "POST /a/{id}",
        parameters=[
            parameter("path", "id"),
            parameter("query", "x"),
            parameter("query", "y"),
            parameter("header", "X-A"),
            parameter("cookie", "c"),
        ],
        requestBody={"content": {"application/json": {"schema": TEXT}, "text/csv": {}}},
        responses={"200": {"description": ""}, "4XX": {"description": ""}},
        security=[{"key": []}, {}],
        more=KEY,
    )
    root["paths"]["/b"] = {"get": {"responses": OK}}
    guard = SchemaGuard(openapi=root, security={"key": good}, responses="report")
    assert guard.coverage.operations == (
        (
            "POST /a/{id}",
            (
                "path: id",
                "query: x, y",
                "header: X-A",
                "cookie: c",
                "body: application/json, text/csv (optional)",
                "responses, if enabled: 200, 4XX",
                "credentials: key",
                "credentials: none",
            ),
        ),
        ("GET /b", ("responses, if enabled: 200",)),
    )


def test_keywords_that_are_checked_are_named() -> None:
    """Of parameters with schemas and with content, of bodies, and of all that they refer to."""
    root = document(
        {
            "/a": {
                "post": {
                    "parameters": [
                        parameter("query", "x", {"pattern": "^a"}),
                        parameter("query", "y", content={"application/json": {"schema": {
                            "maxItems": 5}}}),
                    ],
                    "requestBody": json_body({"$ref": "#/components/schemas/A"}),
                    "responses": OK,
                }
            }
        },
        components={"schemas": {"A": {"uniqueItems": True}, "Unused": {"minItems": 1}}},
    )  # fmt: skip
    checked = SchemaGuard(openapi=root).coverage.keywords
    assert set(checked) == {"pattern", "maxItems", "$ref", "uniqueItems"}


def test_what_is_not_checked_is_reported_once_for_each_kind() -> None:
    """With where it is first and how often, in schemas as elsewhere."""
    properties = {f"p{index}": {**TEXT, "format": "email", "x-hint": 1} for index in range(20)}
    root = api(requestBody=json_body({"properties": properties}))
    notes = SchemaGuard(openapi=root).coverage.notes
    at = "/paths/~1a/post/requestBody/content/application~1json/schema/properties/p"
    assert len(notes) == 2
    assert {words for _, words in notes} == {
        "string formats are not asserted (20 times, first here)",
        "it is an extension (20 times, first here)",
    }
    assert all(where.startswith(at) for where, _ in notes)
    held = SchemaGuard(openapi=root, formats=True).coverage
    assert "format" in held.keywords
    assert len(held.notes) == 1


def test_the_report_can_be_read() -> None:
    """It is text of a line each."""
    root = api(
        "3.1.1",
        "POST /a",
        requestBody={"content": {"text/csv": {}}},
        parameters=[parameter("query", "x", {"maxLength": 5})],
    )
    at = "/paths/~1a/post/requestBody/content/text~1csv"
    assert str(SchemaGuard(openapi=root).coverage) == "\n".join(
        [
            "1 checked operation:",
            "  POST /a",
            "    query: x",
            "    body: text/csv (optional)",
            "Checked schema keywords: maxLength",
            "Not checked, or not as declared:",
            f"  {at}: only the size of text/csv bodies is checked",
        ]
    )
    assert str(Coverage((("GET /a", ()), ("GET /b", ())))) == (
        "2 checked operations:\n  GET /a\n  GET /b"
    )


def test_what_of_encodings_is_not_read_is_reported() -> None:
    """Header fields of parts, encodings within encodings, and those by position."""
    nested: dict[str, Any] = {"headers": {}, "encoding": {"x": {}}}
    root = api(
        "3.2.0",
        requestBody={
            "content": {
                "multipart/form-data": {
                    "schema": {"properties": {"a": {}}}, "encoding": {"a": nested},
                },
                "multipart/mixed": {"prefixEncoding": [{}], "itemEncoding": {}},
            }
        },
    )  # fmt: skip
    told = " ".join(words for _, words in SchemaGuard(openapi=root).coverage.notes)
    assert "headers of multipart parts are not checked" in told
    assert "nested encodings are not supported" in told
    assert "positional encodings are not supported (2 times, first here)" in told
    assert "only the size of multipart/mixed bodies is checked" in told


def test_values_that_no_style_can_say_are_reported() -> None:
    """They are refused, which one may not think."""
    nested = {"type": "array", "items": {"type": "array", "items": TEXT}}
    form = {"type": "object", "properties": {"list": nested}}
    root = api(
        parameters=[parameter("query", "x", nested)],
        requestBody=json_body(form, "application/x-www-form-urlencoded; a=1"),
    )
    notes = SchemaGuard(openapi=root).coverage.notes
    words = "values nested deeper than the style can express are rejected (2 times, first here)"
    assert ("/paths/~1a/post/parameters/0", words) in notes
    assert any("parameters of the media type" in told for _, told in notes)
