"""Parameters and methods of requests, held against a document on both adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.drive import Adapter, both_adapters
from tests.guard.asking import JSON, Guarded, faults
from tests.guard.openapi.building import document
from tests.guard.openapi.documents import OK, api, each_version, json_body, parameter

if TYPE_CHECKING:
    from tests.drive import Answer

INTEGER = {"type": "integer"}
TEXTS = {"type": "array", "items": {"type": "string"}}
POINT = {"type": "object", "properties": {"x": INTEGER, "y": INTEGER}}


def codes(answer: Answer) -> list[tuple[str, str, str]]:
    """Return the faults, none where the request was taken."""
    return [] if answer.status == 200 else faults(answer)


# -- parameters -----------------------------------------------------------------------------------


@each_version
@both_adapters
def test_parameters_of_each_place_are_read_and_handed_over(adapter: Adapter, version: str) -> None:
    """As values of the types that their schemas say; with faults in each place at once."""
    parameters = [
        parameter("path", "id", INTEGER),
        parameter("query", "tag", TEXTS),
        parameter("query", "point", POINT, style="deepObject", explode=True),
        parameter("query", "pipes", TEXTS, style="pipeDelimited", explode=False),
        parameter("query", "full", {"type": "boolean"}),
        parameter("header", "X-Depth", {"type": "integer", "maximum": 9}),
        parameter("cookie", "ratio", {"type": "number"}),
    ]
    app = Guarded(adapter, openapi=api(version, "GET /gates/{id}", parameters=parameters))
    answer = app.ask(
        "GET",
        "/gates/7?tag=a&tag=b&point[x]=1&point%5By%5D=-2&pipes=a%7Cb&full=true",
        headers=[("x-depth", "3"), ("Cookie", "ratio=0.5; other=1"), ("X-Other", "any")],
    )
    assert codes(answer) == []
    (seen,) = app.seen
    assert seen.operation == "GET /gates/{id}"
    assert seen.path == {"id": 7}
    assert seen.query == {
        "tag": ["a", "b"], "point": {"x": 1, "y": -2}, "pipes": ["a", "b"], "full": True,
    }  # fmt: skip
    assert {name.lower(): value for name, value in seen.headers.items()} == {"x-depth": 3}
    assert seen.cookies == {"ratio": 0.5}
    answer = app.ask(
        "GET",
        "/gates/seven?point[x]=one&full=yes&more=1",
        headers=[("X-Depth", "10"), ("Cookie", "ratio=half")],
    )
    assert sorted(codes(answer)) == [
        ("cookie", "/ratio", "type"),
        ("header", "/X-Depth", "maximum"),
        ("path", "/id", "type"),
        ("query", "/full", "type"),
        ("query", "/more", "undeclared_parameter"),
        ("query", "/point/x", "type"),
    ]


@each_version
@both_adapters
def test_path_styles_are_read(adapter: Adapter, version: str) -> None:
    """Label and matrix begin as RFC 6570 has them."""
    root = document(
        {
            "/label/{id}": {"parameters": [parameter("path", "id", INTEGER, style="label")],
                            "get": {"responses": OK}},
            "/matrix/{id}": {"parameters": [parameter("path", "id", TEXTS, style="matrix")],
                             "get": {"responses": OK}},
        },
        version,
    )  # fmt: skip
    app = Guarded(adapter, openapi=root)
    assert app.ask("GET", "/label/.5").status == 200
    assert app.ask("GET", "/matrix/;id=a,b").status == 200
    assert [seen.path for seen in app.seen] == [{"id": 5}, {"id": ["a", "b"]}]
    assert app.ask("GET", "/label/5").status == 400


@each_version
@both_adapters
def test_deerrors_are_handed_over(adapter: Adapter, version: str) -> None:
    """Of parameters and of members of bodies that did not come."""
    properties = {"size": {"type": "integer", "default": 20}, "name": {"type": "string"}}
    root = api(
        version,
        parameters=[
            parameter("query", "limit", {"type": "integer", "default": 50}),
            parameter("header", "X-Mode", {"type": "string", "default": "fast"}),
            parameter("cookie", "theme", {"type": "string", "default": "dark"}),
        ],
        requestBody=json_body({"type": "object", "properties": properties}),
    )
    app = Guarded(adapter, openapi=root)
    assert app.post("/a", {"name": "x"}).status == 200
    (seen,) = app.seen
    assert seen.query == {"limit": 50}
    assert seen.headers == {"X-Mode": "fast"}
    assert seen.cookies == {"theme": "dark"}
    assert seen.body == {"name": "x", "size": 20}


@each_version
@both_adapters
def test_parameters_of_the_path_item_hold_until_an_operation_has_its_own(
    adapter: Adapter, version: str
) -> None:
    """By place and name."""
    item = {
        "parameters": [parameter("query", "x", INTEGER), parameter("query", "y", INTEGER)],
        "get": {"parameters": [parameter("query", "x")], "responses": OK},
    }
    app = Guarded(adapter, openapi=document({"/a": item}, version))
    assert codes(app.ask("GET", "/a?x=word&y=word")) == [("query", "/y", "type")]


@each_version
@both_adapters
def test_required_parameters_must_come(adapter: Adapter, version: str) -> None:
    """In each place."""
    parameters = [
        parameter("query", "x", required=True),
        parameter("header", "X-A", required=True),
        parameter("cookie", "c", required=True),
    ]
    app = Guarded(adapter, openapi=api(version, "GET /a", parameters=parameters))
    assert [(place, at) for place, at, _ in codes(app.ask("GET", "/a"))] == [
        ("query", "/x"), ("header", "/X-A"), ("cookie", "/c"),
    ]  # fmt: skip


@each_version
@both_adapters
def test_parameters_with_content_are_json(adapter: Adapter, version: str) -> None:
    """Read strictly, as a body is; of other types they are texts."""
    point = {"application/json": {"schema": {**POINT, "additionalProperties": False}}}
    parameters = [
        parameter("query", "at", content=point),
        parameter("header", "X-At", content=point),
        parameter("query", "csv", content={"text/csv": {"schema": {"maxLength": 5}}}),
    ]
    app = Guarded(adapter, openapi=api(version, "GET /a", parameters=parameters))
    answer = app.ask("GET", '/a?at={"x":1}&csv=1,2', headers=[("X-At", '{"y":2}')])
    assert codes(answer) == []
    assert app.seen[0].query == {"at": {"x": 1}, "csv": "1,2"}
    assert app.seen[0].headers == {"X-At": {"y": 2}}
    answer = app.ask("GET", '/a?at={"x":"1"}&csv=123456', headers=[("X-At", '{"z":1}')])
    assert sorted(codes(answer)) == [
        ("header", "/X-At/z", "additionalProperties"),
        ("query", "/at/x", "type"),
        ("query", "/csv", "maxLength"),
    ]
    answer = app.ask("GET", '/a?at={"x":1,"x":2}')
    assert answer.status == 400
    assert [(place, code) for place, _, code in faults(answer)] == [("query", "json_duplicate_key")]


@each_version
@both_adapters
def test_a_closed_query_may_be_opened_by_the_document(adapter: Adapter, version: str) -> None:
    """An exploded object that has any members takes all names."""
    free = {"type": "object", "additionalProperties": {"type": "integer"}}
    app = Guarded(
        adapter, openapi=api(version, "GET /a", parameters=[parameter("query", "f", free)])
    )
    assert codes(app.ask("GET", "/a?x=1&y=2")) == []
    assert app.seen[0].query == {"f": {"x": 1, "y": 2}}


def querystring(media: str, schema: Any, **more: Any) -> dict[str, Any]:
    whole = parameter("querystring", "all", content={media: {"schema": schema}}, **more)
    return api("3.2.0", "GET /a", parameters=[whole])


@both_adapters
def test_a_whole_query_may_be_json(adapter: Adapter) -> None:
    """OpenAPI 3.2.0, "Parameter Object": ``in: querystring``."""
    app = Guarded(adapter, openapi=querystring("application/json", POINT, required=True))
    assert codes(app.ask("GET", "/a?%7B%22x%22%3A1%7D")) == []
    assert app.seen[0].query == {"all": {"x": 1}}
    assert codes(app.ask("GET", "/a?%7B%22x%22%3A%221%22%7D")) == [("query", "/all/x", "type")]
    assert app.ask("GET", "/a?%7B").status == 400
    assert app.ask("GET", "/a").status == 422


@both_adapters
def test_a_whole_query_may_be_a_form(adapter: Adapter) -> None:
    """Its members are parameters; others are refused."""
    schema = {"$ref": "#/components/schemas/Q"}
    root = querystring("application/x-www-form-urlencoded", schema)
    root["components"] = {
        "schemas": {
            "Q": {
                "type": "object",
                "required": ["q"],
                "properties": {"q": {"type": "string", "minLength": 2}, "n": INTEGER},
            }
        }
    }
    app = Guarded(adapter, openapi=root)
    assert codes(app.ask("GET", "/a?q=abc&n=5")) == []
    assert app.seen[0].query == {"q": "abc", "n": 5}
    assert codes(app.ask("GET", "/a?q=a&n=x")) == [
        ("query", "/q", "minLength"), ("query", "/n", "type"),
    ]  # fmt: skip
    assert app.ask("GET", "/a?n=5").status == 422
    assert app.ask("GET", "/a?q=abc&more=1").status == 422


# -- methods --------------------------------------------------------------------------------------


@each_version
@both_adapters
def test_methods_are_closed(adapter: Adapter, version: str) -> None:
    """``HEAD`` follows ``GET``, preflights pass, and the answer has those that there are."""
    item = {method: {"responses": OK} for method in ("get", "put", "trace")}
    app = Guarded(adapter, openapi=document({"/a": item}, version))
    for method in ("GET", "HEAD", "PUT", "TRACE"):
        assert app.ask(method, "/a").status == 200
    preflight = [("Origin", "https://a.test"), ("Access-Control-Request-Method", "PUT")]
    assert app.ask("OPTIONS", "/a", headers=preflight).status == 200
    assert app.ask("OPTIONS", "/a").status == 405
    answer = app.ask("POST", "/a", body=b"{}", headers=JSON)
    assert answer.status == 405
    assert answer.get("allow") == "GET, HEAD, PUT, TRACE"
    assert app.ask("OPTIONS", "/b").status == 404
    declared = Guarded(adapter, openapi=document({"/a": {"options": {"responses": OK}}}, version))
    assert declared.ask("OPTIONS", "/a").status == 200
    assert declared.ask("OPTIONS", "/a?x=1").status == 422


@both_adapters
@pytest.mark.breaks_rules("the checker knows the methods of RFC 9110 and PATCH alone")
def test_query_and_additional_methods_are_of_3_2(adapter: Adapter) -> None:
    """An additional one is called as it is written."""
    root = document(
        {
            "/a": {
                "query": {"requestBody": json_body(POINT), "responses": OK},
                "additionalOperations": {
                    "COPY": {"responses": OK, "parameters": [parameter("query", "to")]},
                },
            }
        },
        "3.2.0",
    )
    app = Guarded(adapter, openapi=root)
    assert app.ask("QUERY", "/a", body=b'{"x":1}', headers=JSON).status == 200
    assert app.seen[0].body == {"x": 1}
    assert codes(app.ask("QUERY", "/a", body=b'{"x":"1"}', headers=JSON)) == [
        ("body", "/x", "type")
    ]
    assert app.ask("COPY", "/a?to=b").status == 200
    assert app.ask("COPY", "/a?too=b").status == 422
    assert app.ask("MOVE", "/a").get("allow") == "COPY, QUERY"


@both_adapters
def test_a_form_that_is_a_whole_query_has_encodings(adapter: Adapter) -> None:
    """As a body has; it is open where it says so, and a credential beside it is none of it."""
    schema = {
        "type": "object",
        "properties": {"at": POINT, "deep": POINT, "tags": TEXTS},
        "additionalProperties": INTEGER,
    }
    encoding = {
        "deep": {"style": "deepObject", "explode": True},
        "tags": {"style": "pipeDelimited"},
    }
    media = {"application/x-www-form-urlencoded": {"schema": schema, "encoding": encoding}}
    root = api("3.2.0", "GET /a", parameters=[parameter("querystring", "q", content=media)])
    root["components"] = {
        "securitySchemes": {"key": {"type": "apiKey", "in": "query", "name": "key"}}
    }
    root["security"] = [{"key": []}]
    app = Guarded(adapter, openapi=root, security={"key": lambda *_: True})
    target = '/a?at={"x":1}&deep[y]=2&tags=a%7Cb&more=5&key=secret'
    assert codes(app.ask("GET", target)) == []
    assert app.seen[0].query == {
        "at": {"x": 1}, "deep": {"y": 2}, "tags": ["a", "b"], "more": 5, "key": "secret",
    }  # fmt: skip
    answer = app.ask("GET", "/a?deep[y]=z&more=y&key=secret")
    assert sorted(codes(answer)) == [("query", "/deep/y", "type"), ("query", "/more", "type")]
    closed = {**schema, "additionalProperties": False}
    media["application/x-www-form-urlencoded"]["schema"] = closed
    app = Guarded(adapter, openapi=root, security={"key": lambda *_: True})
    assert codes(app.ask("GET", "/a?deep[y]=2&key=secret")) == []
    assert app.ask("GET", "/a?deep[y]=2&more=5&key=secret").status == 422


@each_version
@both_adapters
def test_parameters_are_never_read_only(adapter: Adapter, version: str) -> None:
    """They are no members of a resource, though their schemas may be those of some."""
    found: Any = {"type": "object", "properties": {"id": {**INTEGER, "readOnly": True}}}
    root = api(
        version,
        "GET /users/{id}",
        parameters=[
            parameter("path", "id", {**INTEGER, "readOnly": True}),
            parameter("query", "where", found),
            parameter("query", "deep", {"$ref": "#/components/schemas/User"}, style="deepObject"),
            parameter("header", "X-N", {**INTEGER, "readOnly": True}),
        ],
        more={"components": {"schemas": {"User": found}}},
    )
    app = Guarded(adapter, openapi=root)
    target = "/users/5?id=6&deep[id]=7"
    assert app.ask("GET", target, headers=[("X-N", "8")]).status == 200
    assert app.seen[0].path == {"id": 5}
    assert app.seen[0].query == {"where": {"id": 6}, "deep": {"id": 7}}
    assert app.ask("GET", "/users/x").status == 422
    assert app.ask("GET", "/users/5?deep[id]=x").status == 422


@both_adapters
def test_a_query_may_have_all_declared_parameters(adapter: Adapter) -> None:
    """Also of an operation that has more of them than the limit."""
    declared = [parameter("query", f"p{number}") for number in range(120)]
    app = Guarded(adapter, openapi=api("3.0.4", "GET /a", parameters=declared))
    query = "&".join(f"p{number}=1" for number in range(120))
    assert app.ask("GET", f"/a?{query}").status == 200
    assert app.ask("GET", f"/a?{query}&p1=1").status == 400
    small = Guarded(adapter, openapi=api("3.0.4", "GET /a", parameters=declared[:1]))
    assert small.ask("GET", f"/a?{query}").status == 400
