"""What is wrong with a parameter or a header field."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.guard.openapi.document import OpenApiDocument
from tests.guard.openapi.building import (
    DONE,
    TEXT,
    document,
    of_operation,
    problems,
    with_parameter,
)

OPERATION = "/paths/~1x/get"
PARAMETER = "/paths/~1x/get/parameters/0"


@pytest.mark.parametrize(
    ("parameter", "where", "words"),
    [
        ({"in": "query", "schema": TEXT}, "", "must have 'name'"),
        ({"name": "a", "schema": TEXT}, "", "must have 'in'"),
        ({"name": "", "in": "query", "schema": TEXT}, "/name", "must not be empty"),
        (
            {"name": "a", "in": "body", "schema": TEXT},
            "/in",
            "must be one of path, query, header, cookie, not 'body'",
        ),
        (
            {"name": "a", "in": "querystring", "content": {"text/plain": {}}},
            "/in",
            "must be one of",
        ),
        ({"name": "a", "in": "query"}, "", "must have either 'schema' or 'content'"),
        (
            {"name": "a", "in": "query", "schema": TEXT, "content": {"text/plain": {}}},
            "",
            "must not have both",
        ),
        ({"name": "a", "in": "query", "content": {}}, "/content", "exactly one media type"),
        (
            {"name": "a", "in": "query", "content": {"text/a": {}, "text/b": {}}},
            "/content",
            "exactly one media type",
        ),
        (
            {"name": "a", "in": "query", "content": {"text/a": {}}, "style": "form"},
            "/style",
            "must not be combined with 'content'",
        ),
        (
            {"name": "a", "in": "query", "content": {"text/a": {}}, "explode": True},
            "/explode",
            "must not be combined with 'content'",
        ),
        (
            {"name": "a", "in": "query", "schema": TEXT, "style": "simple"},
            "/style",
            "must be one of form, spaceDelimited",
        ),
        (
            {"name": "a", "in": "header", "schema": TEXT, "style": "form"},
            "/style",
            "must be one of simple in the header",
        ),
        (
            {"name": "a", "in": "cookie", "schema": TEXT, "style": "cookie"},
            "/style",
            "must be one of form in the cookie",
        ),
        (
            {"name": "a", "in": "query", "schema": TEXT, "style": "deepObject"},
            "/style",
            "not for the type 'string'",
        ),
        (
            {"name": "a", "in": "query", "schema": {"type": "integer"}, "style": "deepObject"},
            "/style",
            "deepObject is only defined for objects and arrays",
        ),
        (
            {"name": "a", "in": "query", "schema": TEXT, "style": "pipeDelimited"},
            "/style",
            "pipeDelimited is only defined for arrays and objects",
        ),
        (
            {
                "name": "a",
                "in": "query",
                "schema": {"type": "object"},
                "style": "deepObject",
                "explode": False,
            },
            "/explode",
            "must not be false with deepObject",
        ),
        (
            {
                "name": "a",
                "in": "query",
                "schema": {"type": "array"},
                "style": "spaceDelimited",
                "explode": True,
            },
            "/explode",
            "must not be true with spaceDelimited",
        ),
        (
            {"name": "a", "in": "header", "schema": TEXT, "allowEmptyValue": True},
            "/allowEmptyValue",
            "is only allowed for query parameters",
        ),
        (
            {"name": "a", "in": "query", "schema": TEXT, "type": "string"},
            "/type",
            "is not a field of the Parameter Object",
        ),
        (
            {"name": "a", "in": "query", "schema": TEXT, "required": "yes"},
            "/required",
            "must be true or false",
        ),
        (
            {"name": "a", "in": "query", "schema": "string"},
            "/schema",
            "must be an object (Schema Object)",
        ),
        (
            {"name": "a", "in": "query", "content": {"text": {}}},
            "/content/text",
            "must be a media type or range",
        ),
    ],
)
def test_a_parameter_must_mean_something(parameter: dict[str, Any], where: str, words: str) -> None:
    """Each rule of the Parameter Object, and each dash of the table of style values."""
    found = problems(with_parameter(parameter))
    assert words in found[f"{PARAMETER}{where}"]
    assert len(found) == 1


@pytest.mark.parametrize(
    "parameter",
    [
        {"style": "form", "schema": {"type": "array"}, "explode": False},
        {"style": "spaceDelimited", "schema": {"type": "array"}},
        {"style": "pipeDelimited", "schema": {"type": "object"}, "explode": False},
        {"style": "deepObject", "schema": {"type": "object"}},
        {"style": "deepObject", "schema": {"type": "object"}, "explode": True},
        {"style": "deepObject", "schema": {"$ref": "#/components/schemas/A"}},
        {"schema": True},
        {"content": {"application/json": {"schema": {"type": "object"}}}},
        {"schema": TEXT, "allowEmptyValue": True, "allowReserved": True},
    ],
)
def test_what_the_table_of_styles_has_is_fine(parameter: dict[str, Any]) -> None:
    """As it stands in the specification ("Style Examples")."""
    whole = {"name": "a", "in": "query", **parameter}
    assert not problems(with_parameter(whole, components={"schemas": {"A": {"type": "object"}}}))


def test_3_2_has_a_place_and_a_style_more() -> None:
    """A whole query, which has content, and cookies written plainly."""
    query = {"name": "q", "in": "querystring", "content": {"application/json": {}}}
    cookie = {"name": "c", "in": "cookie", "schema": TEXT, "style": "cookie"}
    operation = {"parameters": [query, cookie]}
    assert not problems(of_operation(operation, version="3.2.0"))
    found = problems(
        of_operation(
            {"parameters": [{"name": "q", "in": "querystring", "schema": TEXT}]}, version="3.2.0"
        )
    )
    assert found == {f"{PARAMETER}/schema": "must be 'content' for a querystring parameter"}


@pytest.mark.parametrize(
    "beside",
    [
        {"name": "a", "in": "query", "schema": TEXT},
        {"name": "p", "in": "querystring", "content": {"application/json": {}}},
    ],
)
def test_nothing_is_in_the_query_beside_all_of_it(beside: dict[str, Any]) -> None:
    """As 3.2 forbids it ("Parameter Locations")."""
    query = {"name": "q", "in": "querystring", "content": {"application/json": {}}}
    found = problems(of_operation({"parameters": [query, beside]}, version="3.2.0"))
    assert "no other query parameters" in found[OPERATION]


def test_a_parameter_is_declared_once() -> None:
    """A place and a name; header names without regard to case; elsewhere case counts."""
    names = [("query", "a"), ("query", "A"), ("header", "X-A"), ("header", "x-a"), ("query", "a")]
    parameters = [{"name": name, "in": place, "schema": TEXT} for place, name in names]
    found = problems(of_operation({"parameters": parameters}))
    assert found == {
        f"{OPERATION}/parameters/3": "duplicates the header parameter 'x-a'",
        f"{OPERATION}/parameters/4": "duplicates the query parameter 'a'",
    }
    source = document({"/x": {"parameters": parameters[:1] * 2, "get": DONE}})
    assert set(problems(source)) == {"/paths/~1x/parameters/1"}


def test_an_operation_may_declare_a_parameter_of_its_path_item_anew() -> None:
    """Its own holds."""
    loose, strict = (
        {"name": "a", "in": "query", "schema": TEXT, "required": required}
        for required in (False, True)
    )
    source = document({"/x": {"parameters": [loose], "get": {**DONE, "parameters": [strict]}}})
    (operation,) = OpenApiDocument(source).operations
    assert [parameter.required for parameter in operation.parameters] == [True]


@pytest.mark.parametrize(
    ("header", "where", "words"),
    [
        ({}, "", "must have either"),
        ({"schema": TEXT, "content": {"text/a": {}}}, "", "must not have both"),
        ({"schema": TEXT, "style": "form"}, "/style", "must be simple"),
        ({"schema": TEXT, "name": "X-A"}, "/name", "is not a field of the Header Object"),
        ({"schema": TEXT, "allowReserved": True}, "/allowReserved", "was removed in 3.1"),
    ],
)
def test_a_header_must_mean_something(header: dict[str, Any], where: str, words: str) -> None:
    """Like a parameter, without a place or a name of its own."""
    found = problems(document(components={"headers": {"a": header}}))
    assert words in found[f"/components/headers/a{where}"]


def test_a_content_that_is_not_an_object_is_reported_once() -> None:
    """Nothing is looked for in it."""
    found = problems(with_parameter({"name": "a", "in": "query", "content": 3}))
    assert found == {f"{PARAMETER}/content": "must be an object"}
