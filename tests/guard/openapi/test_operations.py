"""What a document says of its operations."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.guard.openapi.document import OpenApiDocument
from tests.guard.openapi.building import (
    DONE,
    TEXT,
    described,
    document,
    of_operation,
    with_parameter,
)


@pytest.mark.parametrize(
    ("place", "version", "style", "explode"),
    [
        ("path", "3.0.4", "simple", False),
        ("query", "3.0.4", "form", True),
        ("header", "3.1.1", "simple", False),
        ("cookie", "3.1.1", "form", True),
        ("cookie", "3.2.0", "form", True),
    ],
)
def test_deerrors_of_parameters_are_filled_in(
    place: str, version: str, style: str, explode: bool
) -> None:
    """As the Parameter Object has them."""
    parameter = {"name": "a", "in": place, "schema": TEXT, "required": place == "path"}
    template = "/{a}" if place == "path" else "/x"
    (made,) = described(with_parameter(parameter, template, version=version)).parameters
    assert (made.name, made.place, made.style, made.explode) == ("a", place, style, explode)
    assert made.required is (place == "path")
    assert not any([made.allow_reserved, made.allow_empty, made.deprecated])
    assert made.content is None
    assert made.schema is not None
    assert made.schema.value == TEXT
    assert str(made.schema.location) == f"{made.pointer}/schema"


def test_what_parameters_say_is_kept() -> None:
    """All of it."""
    parameter = {
        "name": "a",
        "in": "query",
        "required": True,
        "style": "pipeDelimited",
        "allowReserved": True,
        "allowEmptyValue": True,
        "deprecated": True,
        "schema": {"type": "array"},
    }
    (made,) = described(with_parameter(parameter)).parameters
    assert (made.style, made.explode) == ("pipeDelimited", False)
    assert made.required
    assert made.allow_reserved
    assert made.allow_empty
    assert made.deprecated


@pytest.mark.parametrize(
    ("style", "explode"), [("deepObject", True), ("spaceDelimited", False), ("cookie", True)]
)
def test_deerrors_of_explode_are_those_of_the_style(style: str, explode: bool) -> None:
    """That of ``deepObject`` has a meaning with true only."""
    place = "cookie" if style == "cookie" else "query"
    parameter = {"name": "a", "in": place, "style": style, "schema": {"type": "object"}}
    (made,) = described(with_parameter(parameter, version="3.2.0")).parameters
    assert made.explode is explode


def test_a_parameter_of_a_media_type_has_no_style() -> None:
    """Its schema is that of the type."""
    content = {"application/json": {"schema": {"type": "object"}}}
    (made,) = described(with_parameter({"name": "a", "in": "query", "content": content})).parameters
    assert (made.style, made.explode, made.content) == ("", False, "application/json")
    assert made.schema is not None
    assert made.schema.value == {"type": "object"}
    (made,) = described(
        with_parameter({"name": "a", "in": "query", "content": {"text/plain": {}}})
    ).parameters
    assert made.schema is None


@pytest.mark.parametrize("name", ["Accept", "content-type", "AUTHORIZATION"])
def test_three_headers_are_no_parameters(name: str) -> None:
    """They are described elsewhere; that is noted."""
    source = with_parameter({"name": name, "in": "header", "required": True, "schema": TEXT})
    made = OpenApiDocument(source)
    assert made.operations[0].parameters == ()
    assert "is ignored" in made.warnings[0][1]


def test_parameters_of_the_path_item_are_merged() -> None:
    """An operation's own take their place by place and name, in that place."""
    shared = [
        {"name": "a", "in": "query", "schema": TEXT},
        {"name": "X-B", "in": "header", "schema": TEXT},
    ]
    own = [
        {"name": "x-b", "in": "header", "required": True, "schema": TEXT},
        {"name": "a", "in": "cookie", "schema": TEXT},
    ]
    source = document(
        {"/x": {"parameters": shared, "get": {**DONE, "parameters": own}, "put": DONE}}
    )
    get, put = OpenApiDocument(source).operations
    assert [(one.place, one.name, one.required) for one in get.parameters] == [
        ("query", "a", False),
        ("header", "x-b", True),
        ("cookie", "a", False),
    ]
    assert [one.name for one in put.parameters] == ["a", "X-B"]


def test_all_methods_are_described() -> None:
    """From 3.2 on also ``QUERY``, and those that are added."""
    fields = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]
    item: dict[str, Any] = dict.fromkeys(fields, DONE)
    made = OpenApiDocument(document({"/x": item}, "3.0.4"))
    assert [one.method for one in made.operations] == [field.upper() for field in fields]
    item = {"query": DONE, "additionalOperations": {"COPY": {**DONE, "operationId": "copy"}}}
    query, copy = OpenApiDocument(document({"/x": item}, "3.2.0")).operations
    assert query.method == "QUERY"
    assert (copy.method, copy.operation_id) == ("COPY", "copy")
    assert copy.pointer == "/paths/~1x/additionalOperations/COPY"


def test_templates_can_be_named_otherwise() -> None:
    """A document can't say that a parameter takes the rest of a path."""
    parameter = {"name": "p", "in": "path", "required": True, "schema": TEXT}
    source = with_parameter(parameter, "/files/{p}")
    operation = described(source, templates={"/files/{p}": "/files/{p:path}"})
    assert operation.template == "/files/{p:path}"


def test_bodies_are_described() -> None:
    """By media type, with encodings and their header fields."""
    encoding = {
        "a": {"contentType": "image/png, image/jpeg"},
        "b": {"style": "deepObject"},
        "c": {"explode": False},
        "d": {"allowReserved": True},
    }
    content = {
        "application/json": {"schema": TEXT},
        "multipart/form-data": {"schema": {"type": "object"}, "encoding": encoding},
        "application/jsonl": {"itemSchema": TEXT},
        "text/*": {},
    }
    source = of_operation({"requestBody": {"required": True, "content": content}}, version="3.2.0")
    body = described(source).body
    assert body is not None
    assert body.required
    assert body.pointer == "/paths/~1x/get/requestBody"
    json, form, lines, text = body.content
    assert [one.media for one in body.content] == list(content)
    assert json.schema is not None
    assert json.schema.value == TEXT
    assert json.item_schema is None
    assert lines.item_schema is not None
    assert str(lines.item_schema.location).endswith("/content/application~1jsonl/itemSchema")
    assert (text.schema, text.item_schema, text.encoding) == (None, None, {})
    of = form.encoding
    assert of["a"].content_types == ("image/png", "image/jpeg")
    assert [(of[name].style, of[name].explode) for name in "abcd"] == [
        (None, True),
        ("deepObject", True),
        ("form", False),
        ("form", True),
    ]
    assert [of[name].allow_reserved for name in "cd"] == [False, True]
    assert described(of_operation({})).body is None
    loose = described(of_operation({"requestBody": {"content": {"text/plain": {}}}})).body
    assert loose is not None
    assert not loose.required


def test_media_types_can_be_shared() -> None:
    """In 3.2 they are components."""
    source = of_operation(
        {"requestBody": {"content": {"text/a": {"$ref": "#/components/mediaTypes/a"}}}},
        version="3.2.0",
        components={"mediaTypes": {"a": {"schema": TEXT}}},
    )
    body = described(source).body
    assert body is not None
    assert body.content[0].pointer == "/components/mediaTypes/a"


def test_responses_are_described() -> None:
    """By status, without ``Content-Type``, whose header field is ignored."""
    responses = {
        "200": {
            "description": "",
            "headers": {
                "X-A": {"required": True, "schema": TEXT, "explode": True},
                "content-type": {"schema": TEXT},
                "X-B": {"content": {"application/json": {"schema": TEXT}}},
            },
            "content": {"text/plain": {"schema": TEXT}},
        },
        "4XX": {"description": ""},
        "default": {"description": ""},
        "x-other": {},
    }
    made = described(of_operation({"responses": responses})).responses
    assert list(made) == ["200", "4XX", "default"]
    a, b = made["200"].headers
    assert (a.name, a.required, a.explode, a.content) == ("X-A", True, True, None)
    assert (b.name, b.required, b.content) == ("X-B", False, "application/json")
    assert made["200"].content[0].media == "text/plain"
    assert made["default"].content == ()


def test_security_is_that_of_the_document_unless_it_is_said() -> None:
    """None at all opens an operation again; an empty alternative makes it optional."""
    schemes = {
        "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "basic": {"type": "http", "scheme": "Basic"},
        "oauth": {"$ref": "#/components/securitySchemes/real"},
        "real": {"type": "openIdConnect", "openIdConnectUrl": "https://example.com"},
    }
    source = document(
        {
            "/a": {"get": DONE},
            "/b": {"get": {**DONE, "security": []}},
            "/c": {"get": {**DONE, "security": [{}, {"key": [], "oauth": ["read"]}]}},
        },
        security=[{"basic": []}],
        components={"securitySchemes": schemes},
    )
    made = OpenApiDocument(source)
    assert [one.security for one in made.operations] == [
        ((("basic", ()),),),
        (),
        ((), (("key", ()), ("oauth", ("read",)))),
    ]
    key, basic, oauth = (made.schemes[name] for name in ("key", "basic", "oauth"))
    assert (key.kind, key.place, key.parameter, key.scheme) == ("apiKey", "header", "X-Key", None)
    assert (basic.kind, basic.place, basic.scheme) == ("http", None, "basic")
    assert (oauth.name, oauth.kind) == ("oauth", "openIdConnect")
    assert oauth.pointer == "/components/securitySchemes/real"
    assert oauth.value == schemes["real"]


def test_a_document_without_paths_has_no_operations() -> None:
    """From 3.1 on it may have none."""
    source = document()
    del source["paths"]
    source["components"] = {}
    made = OpenApiDocument(source)
    assert made.operations == ()
    assert made.schemes == {}


def test_extensions_among_paths_are_no_paths() -> None:
    """They are passed over."""
    assert OpenApiDocument(document({"x-a": {"get": 3}})).operations == ()


def test_the_keywords_of_schemas_are_collected() -> None:
    """With where each stands first."""
    source = with_parameter({"name": "a", "in": "query", "schema": {"type": "string", "x-a": 1}})
    at = "/paths/~1x/get/parameters/0/schema"
    assert OpenApiDocument(source).keywords == {"type": f"{at}/type", "x-a": f"{at}/x-a"}
