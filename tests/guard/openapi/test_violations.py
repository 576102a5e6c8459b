"""What of a document is against the specification, and where it says so."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mantlet.guard import SchemaGuard
from mantlet.guard.openapi.diagnostics import DocumentError
from mantlet.guard.openapi.document import OpenApiDocument
from tests.guard.openapi.building import document
from tests.guard.openapi.documents import OK, VERSIONS, json_body, parameter, problems

GET = "/paths/~1a/get"
POST = "/paths/~1a/post"
FIRST = f"{GET}/parameters/0"
#: Versions that a rule is of.
ALL, OLD, NEW, NEWEST = VERSIONS, VERSIONS[:1], VERSIONS[1:], VERSIONS[2:]
UNTIL_3_2 = VERSIONS[:2]


def get(**operation: Any) -> dict[str, Any]:
    return {"/a": {"get": {"responses": OK, **operation}}}


def post(**operation: Any) -> dict[str, Any]:
    return {"/a": {"post": {"responses": OK, **operation}}}


def given(place: str = "query", name: str = "x", schema: Any = None, **more: Any) -> Any:
    """Return the paths of an operation with one parameter."""
    return get(parameters=[parameter(place, name, schema, **more)])


def media(**value: Any) -> dict[str, Any]:
    """Return the paths of an operation with a body of one media type."""
    return post(requestBody={"content": {"multipart/form-data": {"schema": {}, **value}}})


def answer(**value: Any) -> dict[str, Any]:
    return get(responses={"200": {"description": "", **value}})


def header(**value: Any) -> dict[str, Any]:
    return answer(headers={"X-A": value})


def scheme(**value: Any) -> dict[str, Any]:
    return {"components": {"securitySchemes": {"key": value}}}


SCHEME = "/components/securitySchemes/key"
HEADER = f"{GET}/responses/200/headers/X-A"
MEDIA = f"{POST}/requestBody/content/multipart~1form-data"

#: The versions, the paths (or more of the document), where and what is wrong.
RULES: list[tuple[tuple[str, ...], Any, str, str]] = [
    # OpenAPI Object
    (ALL, {"info": ...}, "", "must have 'info' (OpenAPI Object)"),
    (OLD, {"paths": ...}, "", "must have 'paths' (OpenAPI Object)"),
    (NEW, {"paths": ...}, "", "must have 'paths', 'components' or 'webhooks' (OpenAPI Object)"),
    (ALL, {"pathes": {}}, "/pathes", "is not a field of the OpenAPI Object"),
    (OLD, {"webhooks": {}}, "/webhooks", "requires 3.1, but the document uses OpenAPI 3.0"),
    (OLD, {"jsonSchemaDialect": ""}, "/jsonSchemaDialect", "requires 3.1"),
    (UNTIL_3_2, {"$self": "x"}, "/$self", "requires 3.2"),
    (NEW, {"jsonSchemaDialect": "https://a.test/"}, "/jsonSchemaDialect",
     "must be OpenAPI's dialect or JSON Schema 2020-12"),
    (ALL, {"tags": {}}, "/tags", "must be an array"),
    (ALL, {"tags": [{}]}, "/tags/0", "must have 'name' (Tag Object)"),
    (ALL, {"tags": ["a"]}, "/tags/0", "must be an object (Tag Object)"),
    (ALL, {"paths": []}, "/paths", "must be an object (Paths Object)"),
    (ALL, {"components": []}, "/components", "must be an object (Components Object)"),
    # Info Object and its parts
    (ALL, {"info": {"title": "a"}}, "/info", "must have 'version' (Info Object)"),
    (ALL, {"info": {"title": 1, "version": "1"}}, "/info/title", "must be a string"),
    (OLD, {"info": {"title": "", "version": "", "summary": ""}}, "/info/summary", "requires 3.1"),
    (ALL, {"info": {"title": "", "version": "", "license": {}}}, "/info/license",
     "must have 'name' (License Object)"),
    (ALL, {"externalDocs": {}}, "/externalDocs", "must have 'url'"),
    # Server Object
    (ALL, {"servers": [{}]}, "/servers/0", "must have 'url' (Server Object)"),
    (ALL, {"servers": [{"url": "/v1?x=1"}]}, "/servers/0/url", "must have no query"),
    (ALL, {"servers": [{"url": "/v1#x"}]}, "/servers/0/url", "must have no query"),
    (ALL, {"servers": [{"url": "/{v}"}]}, "/servers/0/url",
     "uses the undefined variable 'v'"),
    (ALL, {"servers": [{"url": "/{v}", "variables": {"v": {}}}]}, "/servers/0/variables/v",
     "must have 'default' (Server Variable Object)"),
    (ALL, {"servers": [{"url": "/{v}", "variables": {"v": {"default": "a", "enum": ["b"]}}}]},
     "/servers/0/variables/v/default", "must be in the enum"),
    (ALL, {"servers": [{"url": "/{v}", "variables": {"v": {"default": "a", "enum": []}}}]},
     "/servers/0/variables/v/default", "must be in the enum, which must not be empty"),
    (ALL, {"servers": [{"url": "/", "variables": []}]}, "/servers/0/variables",
     "must be an object"),
    # Components Object
    (ALL, {"components": {"schemas": {"a b": {}}}}, "/components/schemas/a b",
     "must be named with letters, digits, dots, underscores and hyphens"),
    (ALL, {"components": {"schema": {}}}, "/components/schema", "is not a field of the Components"),
    (OLD, {"components": {"pathItems": {}}}, "/components/pathItems", "requires 3.1"),
    (UNTIL_3_2, {"components": {"mediaTypes": {}}}, "/components/mediaTypes", "requires 3.2"),
    (ALL, {"components": {"schemas": []}}, "/components/schemas", "must be an object"),
    # Paths Object and templates
    (ALL, {"paths": {"a": {}}}, "/paths/a", "must begin with a slash"),
    (ALL, {"paths": {"/a?b": {}}}, "/paths/~1a?b", "must have no query or fragment"),
    (ALL, {"paths": {"/a#b": {}}}, "/paths/~1a#b", "must have no query or fragment"),
    (ALL, {"paths": {"/a{b": {}}}, "/paths/~1a{b", "an unmatched brace"),
    (ALL, {"paths": {"/a}b": {}}}, "/paths/~1a}b", "an unmatched brace"),
    (ALL, {"paths": {"/a/{}": {}}}, "/paths/~1a~1{}", "must not have an empty parameter name"),
    (ALL, {"paths": {"/{a}/{a}": {}}}, "/paths/~1{a}~1{a}",
     "must not have the parameter 'a' twice"),
    (ALL, {"paths": {"/{a}{b}": {}}}, "/paths/~1{a}{b}",
     "must have a separator between parameters"),
    (ALL, {"paths": {
        "/a/{x}": {"get": {"parameters": [parameter("path", "x")], "responses": OK}},
        "/a/{y}": {"get": {"parameters": [parameter("path", "y")], "responses": OK}}}},
     "/paths/~1a~1{y}/get", "GET '/a/{y}' matches the same paths as '/a/{x}'"),
    # Path Item Object
    (ALL, {"paths": {"/a": []}}, "/paths/~1a", "must be an object (Path Item Object)"),
    (ALL, {"paths": {"/a": {"GET": {}}}}, "/paths/~1a/GET",
     "is not a field of the Path Item Object"),
    (ALL, {"paths": {"/a": {"$ref": 5}}}, "/paths/~1a/$ref", "must be a string (a URI reference)"),
    (UNTIL_3_2, {"paths": {"/a": {"query": {}}}}, "/paths/~1a/query", "requires 3.2"),
    (UNTIL_3_2, {"paths": {"/a": {"additionalOperations": {}}}},
     "/paths/~1a/additionalOperations", "requires 3.2"),
    (NEWEST, {"paths": {"/a": {"additionalOperations": {"A B": {"responses": OK}}}}},
     "/paths/~1a/additionalOperations/A B", "must be a method (RFC 9110, 9.1)"),
    (NEWEST, {"paths": {"/a": {"additionalOperations": {"POST": {"responses": OK}}}}},
     "/paths/~1a/additionalOperations/POST", "must not be a method that has the field 'post'"),
    # Operation Object
    (OLD, {"paths": {"/a": {"get": {}}}}, GET, "must have 'responses' (Operation Object)"),
    (ALL, get(deprecated="yes"), f"{GET}/deprecated", "must be true or false"),
    (ALL, get(parameters={}), f"{GET}/parameters", "must be an array"),
    (ALL, get(tags=[1]), f"{GET}/tags/0", "must be a string"),
    (ALL, get(produces=[]), f"{GET}/produces", "is not a field of the Operation Object"),
    (ALL, {"/a": {"get": {"operationId": "x", "responses": OK}},
           "/b": {"get": {"operationId": "x", "responses": OK}}},
     "/paths/~1b/get/operationId", f"must be unique, but {GET} uses it"),
    (ALL, get(security=[{"none": []}]), f"{GET}/security/0/none",
     "the security scheme 'none' is not in components.securitySchemes"),
    (ALL, {"security": [{"none": []}]}, "/security/0/none", "is not in components"),
    (ALL, get(security=[{"none": "x"}]), f"{GET}/security/0/none", "must be an array of strings"),
    (ALL, get(security={}), f"{GET}/security", "must be an array"),
    # Parameter Object
    (ALL, get(parameters=[{"in": "query", "schema": {}}]), FIRST, "must have 'name'"),
    (ALL, get(parameters=[{"name": "x", "schema": {}}]), FIRST, "must have 'in'"),
    (ALL, given(name=""), f"{FIRST}/name", "must not be empty"),
    (OLD + NEW[:1], given("body"), f"{FIRST}/in",
     "must be one of path, query, header, cookie, not 'body'"),
    (NEWEST, given("formData"), f"{FIRST}/in", "must be one of path, query, header, cookie, query"),
    (UNTIL_3_2, given("querystring", content={"a/b": {}}), f"{FIRST}/in", "must be one of"),
    (ALL, {"paths": {"/a/{x}": {"get": {"responses": OK, "parameters": [
        {"name": "x", "in": "path", "schema": {}}]}}}}, "/paths/~1a~1{x}/get/parameters/0",
     "must have required: true, like all path parameters"),
    (ALL, {"paths": {"/a/{x}": {"get": {"responses": OK}}}}, "/paths/~1a~1{x}/get",
     "must declare the path parameter 'x'"),
    (ALL, given("path"), GET, "declares the path parameter 'x', which is not in '/a'"),
    (ALL, get(parameters=[parameter("query", "x"), parameter("query", "x")]),
     f"{GET}/parameters/1", "duplicates the query parameter 'x'"),
    (ALL, get(parameters=[parameter("header", "X-A"), parameter("header", "x-a")]),
     f"{GET}/parameters/1", "duplicates the header parameter 'x-a'"),
    (ALL, {"paths": {"/a": {"parameters": [parameter("query", "x"), parameter("query", "x")]}}},
     "/paths/~1a/parameters/1", "duplicates the query parameter 'x'"),
    (ALL, given("header", allowEmptyValue=True), f"{FIRST}/allowEmptyValue",
     "only allowed for query parameters"),
    (ALL, get(parameters=[{"name": "x", "in": "query"}]), FIRST,
     "must have either 'schema' or 'content'"),
    (ALL, get(parameters=[{"name": "x", "in": "query", "schema": {}, "content": {"a/b": {}}}]),
     FIRST, "must not have both 'schema' and 'content'"),
    (ALL, given(content={}), f"{FIRST}/content", "must have exactly one media type"),
    (ALL, given(content={"a/b": {}, "a/c": {}}), f"{FIRST}/content", "exactly one media type"),
    (ALL, given(content={"a b": {}}), f"{FIRST}/content/a b", "must be a media type or range"),
    (ALL, given(content={"a/b": {}}, style="form"), f"{FIRST}/style",
     "must not be combined with 'content'"),
    (ALL, given(style="simple"), f"{FIRST}/style",
     "must be one of form, spaceDelimited, pipeDelimited, deepObject in the query, not 'simple'"),
    (UNTIL_3_2, given("cookie", style="cookie"), f"{FIRST}/style", "must be one of form in the"),
    (ALL, given("header", style="form"), f"{FIRST}/style", "must be one of simple in the header"),
    (ALL, given(schema={"type": "string"}, style="deepObject"), f"{FIRST}/style",
     "deepObject is only defined for objects and arrays, not for the type 'string'"),
    (ALL, given(schema={"type": "string"}, style="spaceDelimited"), f"{FIRST}/style",
     "not for the type 'string'"),
    (ALL, given(schema={"type": "object"}, style="deepObject", explode=False),
     f"{FIRST}/explode", "must not be false with deepObject"),
    (ALL, given(schema={"type": "array", "items": {}}, style="pipeDelimited", explode=True),
     f"{FIRST}/explode", "must not be true with pipeDelimited"),
    (NEWEST, get(parameters=[{"name": "x", "in": "querystring", "schema": {}}]),
     f"{FIRST}/schema", "must be 'content' for a querystring parameter"),
    (NEWEST, get(parameters=[parameter("querystring", "x", content={"application/json": {}}),
                             parameter("query", "y")]),
     GET, "must have no other query parameters beside a querystring"),
    (NEWEST, get(parameters=[parameter("querystring", "x", content={"application/json": {}}),
                             parameter("querystring", "y", content={"application/json": {}})]),
     GET, "must have no other query parameters"),
    # Request Body, Media Type and Encoding Object
    (ALL, post(requestBody={}), f"{POST}/requestBody", "must have 'content'"),
    (ALL, post(requestBody={"content": []}), f"{POST}/requestBody/content", "must be an object"),
    (ALL, post(requestBody=json_body({}, "json")), f"{POST}/requestBody/content/json",
     "must be a media type or range (RFC 9110, 8.3.1 and 12.5.1)"),
    (ALL, post(requestBody=json_body({}, "*/json")), f"{POST}/requestBody/content/*~1json",
     "must be a media type or range"),
    (ALL, post(requestBody={"content": {"a/b": {}, "A/B": {}}}),
     f"{POST}/requestBody/content/A~1B", "must not be the same media type as 'a/b'"),
    (UNTIL_3_2, media(itemSchema={}), f"{MEDIA}/itemSchema", "requires 3.2"),
    (NEWEST, media(encoding={}, itemEncoding={}), MEDIA,
     "must not have 'encoding' together with"),
    (ALL, media(encoding={"x": {"style": "simple"}}), f"{MEDIA}/encoding/x/style",
     "must be one of form, spaceDelimited, pipeDelimited, deepObject"),
    (ALL, media(encoding={"x": {"contentType": "png"}}), f"{MEDIA}/encoding/x/contentType",
     "must be a media type, or a comma-separated list"),
    # Responses, Response and Header Object
    (ALL, get(responses={}), f"{GET}/responses", "must have at least one response"),
    (ALL, get(responses={"x-a": 1}), f"{GET}/responses", "must have at least one response"),
    (ALL, get(responses={"600": {"description": ""}}), f"{GET}/responses/600",
     'must be a status such as "200", "2XX" or "default"'),
    (ALL, get(responses={"2xx": {"description": ""}}), f"{GET}/responses/2xx", "must be a status"),
    (UNTIL_3_2, get(responses={"200": {}}), f"{GET}/responses/200", "must have 'description'"),
    (UNTIL_3_2, answer(summary=""), f"{GET}/responses/200/summary", "requires 3.2"),
    (ALL, answer(content={"a": {}}), f"{GET}/responses/200/content/a", "must be a media type"),
    (ALL, answer(headers=[]), f"{GET}/responses/200/headers", "must be an object"),
    (ALL, header(), HEADER, "must have either 'schema' or 'content'"),
    (ALL, header(schema={}, style="form"), f"{HEADER}/style", "must be simple for a header"),
    (ALL, header(schema={}, name="X-A"), f"{HEADER}/name", "is not a field of the Header Object"),
    (NEW, header(schema={}, allowReserved=True), f"{HEADER}/allowReserved", "was removed in 3.1"),
    (ALL, answer(links={"x": {"server": {}}}), f"{GET}/responses/200/links/x/server",
     "must have 'url' (Server Object)"),
    (ALL, get(callbacks={"x": {"{$url}": {"post": {"deprecated": 1, "responses": OK}}}}),
     f"{GET}/callbacks/x/{{$url}}/post/deprecated", "must be true or false"),
    # Schema Object; what its keywords mean is the compiler's
    (ALL, given(schema=5), f"{FIRST}/schema", "must be an object (Schema Object)"),
    (OLD, given(schema=True), f"{FIRST}/schema", "must be an object (Schema Object)"),
    (ALL, given(schema={"items": {"items": 5}}), f"{FIRST}/schema/items/items",
     "must be an object (Schema Object)"),
    (ALL, given(schema={"allOf": [5]}), f"{FIRST}/schema/allOf/0", "must be an object"),
    (ALL, given(schema={"properties": {"a/b": 5}}), f"{FIRST}/schema/properties/a~1b", "must be"),
    (ALL, given(schema={"$ref": 5}), f"{FIRST}/schema/$ref", "must be a string (a URI reference)"),
    (ALL, given(schema={"discriminator": 5}), f"{FIRST}/schema/discriminator",
     "must be an object (Discriminator Object)"),
    (ALL, given(schema={"discriminator": {}}), f"{FIRST}/schema/discriminator",
     "must have 'propertyName', a string"),
    (ALL, given(schema={"discriminator": {"propertyName": "x", "mapping": {"a": 5}}}),
     f"{FIRST}/schema/discriminator/mapping", "must be an object of strings"),
    (ALL, given(schema={"discriminator": {"propertyName": "x", "mapping": {"a": "#/none"}}}),
     f"{FIRST}/schema/discriminator/mapping/a", "leads to"),
    # Security Scheme Object
    (ALL, scheme(type="basic"), f"{SCHEME}/type", "must be one of apiKey, http, "),
    (ALL, scheme(), SCHEME, "must have 'type' (Security Scheme Object)"),
    (OLD, scheme(type="mutualTLS"), f"{SCHEME}/type", "must be one of apiKey, http, oauth2, open"),
    (ALL, scheme(type="apiKey", name="x"), SCHEME,
     "must have 'in' (Security Scheme Object of type apiKey)"),
    (ALL, scheme(**{"type": "apiKey", "name": "x", "in": "body"}), f"{SCHEME}/in",
     "must be query, header or cookie"),
    (ALL, scheme(type="http"), SCHEME, "must have 'scheme'"),
    (ALL, scheme(type="oauth2"), SCHEME, "must have 'flows'"),
    (ALL, scheme(type="openIdConnect"), SCHEME, "must have 'openIdConnectUrl'"),
    (ALL, scheme(type="oauth2", flows={"implicit": {}}), f"{SCHEME}/flows/implicit",
     "must have 'scopes' (OAuth Flow Object)"),
    (ALL, scheme(type="oauth2", flows={"implicit": {"scopes": {}}}), f"{SCHEME}/flows/implicit",
     "must have 'authorizationUrl' (OAuth Flow Object)"),
    (ALL, scheme(type="oauth2", flows={"password": {"scopes": {}}}), f"{SCHEME}/flows/password",
     "must have 'tokenUrl' (OAuth Flow Object)"),
    (UNTIL_3_2, scheme(type="oauth2", flows={"deviceAuthorization": {"scopes": {}}}),
     f"{SCHEME}/flows/deviceAuthorization", "requires 3.2"),
]  # fmt: skip
CASES = [
    pytest.param(version, fragment, pointer, words, id=f"{version} {pointer} {words}")
    for versions, fragment, pointer, words in RULES
    for version in versions
]


def made(fragment: Any, version: str) -> dict[str, Any]:
    """Return a document with a fragment, which is of its paths if a path is in it."""
    if any(name.startswith("/") for name in fragment):
        fragment = {"paths": fragment}
    root = document(version=version) | fragment
    return {name: value for name, value in root.items() if value is not ...}


@pytest.mark.parametrize(("version", "fragment", "pointer", "words"), CASES)
def test_each_rule_is_checked(version: str, fragment: Any, pointer: str, words: str) -> None:
    """The problem is told of where it stands, with what would be right."""
    found = problems(made(fragment, version))
    assert any(at == pointer and words in said for at, said in found), found


def test_a_rule_of_a_later_version_holds_from_it_on() -> None:
    """What is a problem in 3.0 may be right in 3.1 and 3.2."""
    fields = {"webhooks": {}, "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base"}
    assert problems(made(fields, "3.1.1")) == []
    newest = {"$self": "https://a.test/", "components": {"mediaTypes": {}, "pathItems": {}}}
    assert problems(made(newest, "3.2.0")) == []
    old = {"allowReserved": True, "allowEmptyValue": True}
    assert problems(made(header(schema={}, **old), "3.0.4")) == []
    assert problems({"openapi": "3.1.1", "info": document()["info"], "components": {}}) == []


def test_all_problems_are_reported_at_once() -> None:
    """Of structure, references, schemas and across objects; each once."""
    root = document(
        {
            "a": {"get": {"responses": {"x": 5}}},
            "/b/{id}": {"get": {"operationId": 5, "responses": OK}},
            "/c": {"$ref": "#/none"},
        },
        security=[{"none": []}],
        components={"schemas": {"S": {"items": 5, "$ref": "http://a.test/"}}},
    )
    root["info"] = 5
    assert sorted(problems(root)) == [
        ("/components/schemas/S/$ref", ("the reference 'http://a.test/' leads to the network: "
                                        "nothing is fetched, so use a local file")),
        ("/components/schemas/S/items", "must be an object (Schema Object)"),
        ("/info", "must be an object (Info Object)"),
        ("/paths/a", "must begin with a slash, and is read as '/a'"),
        ("/paths/a/get/responses/x", "must be a status such as \"200\", \"2XX\" or \"default\""),
        ("/paths/a/get/responses/x", "must be an object (Response Object)"),
        ("/paths/~1b~1{id}/get", "must declare the path parameter 'id': any segment is accepted"),
        ("/paths/~1b~1{id}/get/operationId", "must be a string: write '5'"),
        ("/paths/~1c/$ref", "the reference '#/none' leads to /none, which does not exist"),
        ("/security/0/none", "the security scheme 'none' is not in components.securitySchemes"),
    ]  # fmt: skip


def test_the_message_has_so_many_problems_and_the_error_has_all() -> None:
    """A log does not drown in one document."""
    root = document({f"https://a.test/{index}": {} for index in range(80)})
    with pytest.raises(DocumentError, match="the OpenAPI document has 80 problems:") as caught:
        SchemaGuard(openapi=root)
    assert len(caught.value.problems) == 80
    *listed, more, advice = str(caught.value).splitlines()
    assert (len(listed), more) == (51, "  and 30 more")
    assert 'on_invalid="close"' in advice
    with pytest.raises(DocumentError, match="has 1 problem:"):
        SchemaGuard(openapi=document({"https://a.test/": {}}))


def test_schemas_that_can_not_be_compiled_are_reported_at_once() -> None:
    """With where they stand: keywords of wrong types, patterns, unknown types."""
    schemas = {"properties": {"a": {"type": "text"}, "b": {"maxLength": -1}}, "required": "a"}
    root = document({
        "/a": {"post": {"requestBody": json_body(schemas), "responses": OK}},
        "/b": {"get": {"parameters": [parameter("query", "x", {"pattern": "("})],
                       "responses": OK}},
    })  # fmt: skip
    with pytest.raises(DocumentError) as caught:
        SchemaGuard(openapi=root)
    at = [pointer for pointer, _ in caught.value.problems]
    schema = "/paths/~1a/post/requestBody/content/application~1json/schema"
    assert set(at) == {
        f"{schema}/properties/a/type",
        f"{schema}/properties/b/maxLength",
        f"{schema}/required",
        "/paths/~1b/get/parameters/0/schema/pattern",
    }


WRONG_SCHEMAS: list[Any] = [
    {"type": "object", "properties": [1]},
    {"type": "object", "properties": 5},
    {"type": "object", "required": 5},
    {"type": "object", "required": [[1]]},
    {"type": "object", "required": "ab"},
    {"type": 5, "properties": {"a": {"type": 5}}},
    {"type": ["object", 5], "properties": {"a": {"type": "array", "items": 5}}},
    {"allOf": 5},
    {"allOf": [5]},
    {"allOf": [{"properties": 5}]},
    {"type": "object", "properties": {"a": {"format": 5, "contentMediaType": 5}}},
    {"type": "object", "properties": {"a": 5}},
    {"discriminator": {"propertyName": "x"}, "oneOf": 5},
    {"enum": 5},
    {"$defs": 5, "$ref": "#"},
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data"])
@pytest.mark.parametrize("schema", WRONG_SCHEMAS, ids=str)
def test_wrong_schemas_are_problems_wherever_they_stand(
    version: str, kind: str, schema: Any
) -> None:
    """Whatever reads them: forms look into schemas, and nothing else than problems comes of it."""
    for paths in (
        post(requestBody=json_body(schema, kind)),
        get(parameters=[parameter("query", "x", schema)]),
    ):
        root = document(paths, version)
        try:
            SchemaGuard(openapi=root)
        except DocumentError as error:
            found = error.problems
        else:
            found = ()
        assert all(at.startswith("/paths") for at, _ in found)


def test_deep_documents_are_refused_or_read() -> None:
    """No stack runs out."""
    schema: Any = {"type": "string"}
    for _ in range(150):
        schema = {"items": schema}
    SchemaGuard(openapi=document(post(requestBody=json_body(schema))))
    encoding: Any = {}
    for _ in range(70):
        encoding = {"encoding": {"x": encoding}}
    SchemaGuard(openapi=document(media(encoding={"x": encoding}), "3.2.0"))
    callback: Any = {"responses": OK}
    for _ in range(30):
        callback = {"callbacks": {"x": {"{$url}": {"get": callback}}}, "responses": OK}
    SchemaGuard(openapi=document({"/a": {"get": callback}}))


def test_what_is_of_no_consequence_is_a_warning() -> None:
    """Once for each kind, with where it is first and how often."""
    root = document(
        {
            "/a": {
                "x-internal": True,
                "get": {"x-internal": 1, "responses": OK, "callbacks": {}},
                "post": {
                    "parameters": [parameter("header", "Authorization")],
                    "responses": {"200": {"description": "", "links": {}}},
                },
            },
            "/b": {"get": {"parameters": [parameter("query", "x", example="1")], "responses": OK}},
        },
        webhooks={},
    )
    notes = dict(OpenApiDocument(root).warnings)
    assert notes["/paths/~1a/x-internal"] == (
        "the extension 'x-internal' is ignored (2 times, first here)"
    )
    assert notes["/webhooks"] == "webhooks are ignored: they are requests that the app sends"
    assert "callbacks" in notes["/paths/~1a/get/callbacks"]
    assert "links" in notes["/paths/~1a/post/responses/200/links"]
    assert re.search("header parameter 'Authorization' is ignored", str(notes))
    assert notes["/paths/~1b/get/parameters/0/example"].startswith("examples are not validated")


BOTH = {"type": ["array", "object"]}
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
ONE = {"type": "object", "properties": {"y": {"type": "string"}}}

#: What is right by the specification and yet can't be read in one way: the paths, where, words.
UNREADABLE: list[tuple[Any, str, str]] = [
    (given(schema=BOTH), FIRST, "type must not be both array and object"),
    (given("cookie", schema={"type": "object"}), FIRST, "properties must be named"),
    (given("header", name="a b"), FIRST, "name must be a token"),
    (given(name="x[y]", schema=ONE, style="deepObject"), FIRST, "must have no brackets"),
    (get(parameters=[parameter("query", "x", ONE), parameter("query", "y")]), GET, "'y'"),
    (
        post(
            requestBody={
                "content": {
                    MULTIPART: {"schema": ONE},
                    f"{MULTIPART}; x=1": {"schema": {"type": "object", "properties": {"z": {}}}},
                }
            }
        ),
        f"{POST}/requestBody/content/multipart~1form-data; x=1",
        f"duplicates the media type {MULTIPART!r}",
    ),
    (
        post(
            requestBody=json_body(
                {"type": "object", "properties": {"x": ONE, "y": {"type": "string"}}},
                FORM,
                encoding={"x": {"style": "form"}},
            )
        ),
        f"{POST}/requestBody/content/application~1x-www-form-urlencoded",
        "'y'",
    ),
]


@pytest.mark.parametrize(
    ("paths", "pointer", "words"), UNREADABLE, ids=[at for _, at, _ in UNREADABLE]
)
def test_what_can_not_be_read_in_one_way_is_a_problem(paths: Any, pointer: str, words: str) -> None:
    """It would be another value to another reader."""
    with pytest.raises(DocumentError) as caught:
        SchemaGuard(openapi=document(paths))
    ((at, said),) = caught.value.problems
    assert at == pointer
    assert words in said
