"""Faults of single operations: listed, closed or opened, and the other operations as ever."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import DocumentError, SchemaGuard
from tests.drive import Adapter, both_adapters
from tests.guard.asking import Guarded
from tests.guard.openapi.building import document
from tests.guard.openapi.documents import OK, VERSIONS, json_body, parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

BROKEN = {"$ref": "#/components/schemas/None"}
MISSPELT = {"type": "strin"}
CLOSED = {"type": "string", "enum": ["x"]}


def of_faulty(operation: Any, **more: Any) -> dict[str, Any]:
    """Return a document of a faulty operation, ``POST /bad``, and a good one, ``GET /good``."""
    good = {"parameters": [parameter("query", "n", {"type": "integer"})], "responses": OK}
    paths = {"/bad": {"post": {"responses": OK, **operation}}, "/good": {"get": good}}
    return document(paths, **{"version": "3.1.1", **more})


#: Faults of what requests meet, by what is wrong.
FAULTS: Mapping[str, dict[str, Any]] = {
    "a broken reference of a parameter": of_faulty({"parameters": [{"$ref": "#/none"}]}),
    "a broken reference of a body": of_faulty({"requestBody": {"$ref": "#/none"}}),
    "a broken reference of a schema": of_faulty({"requestBody": json_body(BROKEN)}),
    "a broken reference behind another": of_faulty(
        {"requestBody": json_body({"$ref": "#/components/schemas/A"})},
        components={"schemas": {"A": {"properties": {"b": {"$ref": "#/components/schemas/B"}}},
                                "B": {"allOf": [BROKEN]}}},
    ),
    "a type that is none": of_faulty({"requestBody": json_body(MISSPELT)}),
    "a type that is none behind a reference": of_faulty(
        {"requestBody": {"$ref": "#/components/requestBodies/B"}},
        components={"schemas": {"A": MISSPELT}, "requestBodies": {
            "B": json_body({"$ref": "#/components/schemas/A"})}},
    ),
    "a pattern that is none": of_faulty(
        {"parameters": [parameter("query", "q", {"pattern": "("})]}),
    "a place that is none": of_faulty({"parameters": [parameter("body", "q")]}),
    "a media type that is none": of_faulty({"requestBody": json_body({}, "text")}),
    "no content": of_faulty({"requestBody": {"description": "A body."}}),
    "an array for an operation": of_faulty({}) | {"paths": {
        "/bad": {"post": []}, "/good": of_faulty({})["paths"]["/good"]}},
    "parameters of the path item": of_faulty({}) | {"paths": {
        "/bad": {"post": {"responses": OK}, "parameters": [{"$ref": "#/none"}]},
        "/good": of_faulty({})["paths"]["/good"]}},
    "a misspelt field": of_faulty({"requestBodi": json_body({})}),
    "a misspelt field of a parameter": of_faulty(
        {"parameters": [parameter("query", "q", requird=True)]}),
    "an unknown scheme": of_faulty({"security": [{"none": []}]}),
    "a faulty scheme": of_faulty(
        {"security": [{"key": []}]},
        components={"securitySchemes": {"key": {"type": "apiKey", "in": "body", "name": "k"}}}),
}  # fmt: skip

each_fault = pytest.mark.parametrize("root", FAULTS.values(), ids=FAULTS)


@each_fault
@both_adapters
def test_a_faulty_operation_is_closed_alone(adapter: Adapter, root: Any) -> None:
    """Requests for it get a 501, and those for others what they would get without it."""
    app = Guarded(adapter, openapi=root, on_invalid="close")
    answer = app.post("/bad", {"any": "thing"})
    assert answer.status == 501
    assert answer.json()["detail"] == (
        "The declaration of this operation is invalid, so it is closed."
    )
    assert app.ask("GET", "/bad").status == 405
    assert app.ask("GET", "/good?n=1").status == 200
    assert app.ask("GET", "/good?n=x").status == 422
    ((name, faults),) = app.guard.coverage.closed
    assert name == "POST /bad"
    assert faults
    assert [name for name, _ in app.guard.coverage.operations] == ["GET /good"]


@each_fault
@both_adapters
def test_a_faulty_operation_is_open_by_option(adapter: Adapter, root: Any) -> None:
    """Its path and method are known; but it is closed where nobody could authenticate."""
    app = Guarded(adapter, openapi=root, on_invalid="open")
    has_security = "security" in (root["paths"]["/bad"]["post"] or {})
    answer = app.post("/bad?any=1", {"any": "thing"})
    assert answer.status == (501 if has_security else 200)
    assert app.ask("GET", "/bad").status == 405
    assert app.ask("GET", "/good?n=x").status == 422
    coverage = app.guard.coverage
    override = [("X-HTTP-Method-Override", "DELETE")]
    assert app.ask("POST", "/bad", headers=override).status == (501 if has_security else 400)
    opened = coverage.closed if has_security else coverage.unvalidated
    assert [name for name, _ in opened] == ["POST /bad"]


@each_fault
def test_all_faults_are_an_error_by_default(root: Any) -> None:
    """The error names the option that tolerates them."""
    with pytest.raises(DocumentError, match='on_invalid="close"'):
        SchemaGuard(openapi=root)


@both_adapters
def test_every_operation_that_uses_a_faulty_schema_is_faulty(adapter: Adapter) -> None:
    """Wherever it is: found in the document or by compiling, first, second, in two directions."""
    for faulty in (MISSPELT, BROKEN, {"pattern": "("}):
        using = {"post": {"requestBody": json_body({"items": {"$ref": "#/components/schemas/S"}}),
                          "responses": OK}}  # fmt: skip
        free = {"post": {"requestBody": json_body({"type": "array"}), "responses": OK}}
        root = document({"/a": using, "/b": free, "/c": using}, components={
            "schemas": {"S": faulty}})  # fmt: skip
        app = Guarded(adapter, openapi=root, on_invalid="close")
        statuses = [app.post(path, []).status for path in ("/a", "/b", "/c")]
        assert statuses == [501, 200, 501]


def test_the_error_has_the_faults_of_all_operations() -> None:
    """Those of the document and those that only compiling finds, each once."""
    shared = json_body({"$ref": "#/components/schemas/S"})
    root = document(
        {
            "/a": {"post": {"requestBody": shared, "responses": OK}},
            "/b": {"post": {"requestBody": shared, "responses": OK}},
            "/c": {"get": {"parameters": [parameter("body", "x")], "responses": OK}},
            "/d": {"get": {"security": [{"none": []}], "responses": OK}},
            "http://e": {"get": {"responses": OK}},
        },
        components={"schemas": {"S": {"properties": {"a": MISSPELT, "b": {"maxLength": -1}}}}},
    )
    with pytest.raises(DocumentError) as caught:
        SchemaGuard(openapi=root)
    assert {at for at, _ in caught.value.problems} == {
        "/components/schemas/S/properties/a/type",
        "/components/schemas/S/properties/b/maxLength",
        "/paths/~1c/get/parameters/0/in",
        "/paths/~1d/get/security/0/none",
        "/paths/http:~1~1e",
    }
    assert len(caught.value.problems) == 5


#: What no request meets.
HARMLESS: Mapping[str, dict[str, Any]] = {
    "a number as the version": document({}, info={"title": "A", "version": 1.0}),
    "no title": document({}, info={"version": "1"}),
    "no info": document({}, info=...),
    "a licence without a name": document({}, info={"title": "", "version": "", "license": {}}),
    "a tag without a name": document({}, tags=[{"description": "x"}]),
    "tags that are none": document({"/a": {"get": {"tags": "x", "responses": OK}}}),
    "a name twice": document({path: {"get": {"operationId": "a", "responses": OK}}
                              for path in ("/a", "/b")}),
    "a number as a name": document({"/a": {"get": {"operationId": 5, "responses": OK}}}),
    "no responses": document({"/a": {"get": {}}}, "3.0.3"),
    "a response without a description": document(
        {"/a": {"get": {"responses": {"200": {}}}}}, "3.0.3"),
    "a media type of a response": document({"/a": {"get": {"responses": {
        "200": {"description": "", "content": {"json": {"schema": {}}}}}}}}),
    "a status that is none": document({"/a": {"get": {"responses": {"OK": OK["200"]}}}}),
    "a schema of a response": document({"/a": {"get": {"responses": {
        "200": {"description": "", "content": {"application/json": {"schema": BROKEN}}}}}}}),
    "a response that is none": document({"/a": {"get": {"responses": {
        "200": {"$ref": "#/components/responses/none"}, "404": None}}}}),
    "a header of a response": document({"/a": {"get": {"responses": {
        "200": {"description": "", "headers": {"X-A": {"schema": MISSPELT, "style": "form"}}}}}}}),
    "a dangling mapping of a response": document({"/a": {"get": {"responses": {
        "200": {"description": "", "content": {"application/json": {"schema": {
            "oneOf": [{"$ref": "#/components/schemas/A"}], "discriminator": {
                "propertyName": "kind", "mapping": {"b": "#/components/schemas/B"}}}}}}}}}},
        components={"schemas": {"A": {}}}),
    "components that nobody uses": document({"/a": {"get": {"responses": OK}}}, components={
        "schemas": {"A": BROKEN, "B": MISSPELT, "C D": {}, "E": []},
        "parameters": {"A": {"in": "nowhere"}}, "requestBodies": {"A": {}},
        "responses": {"A": {"$ref": "#/components/responses/A"}},
        "securitySchemes": {"A": {"type": "none"}}}),
    "webhooks": document({"/a": {"get": {"responses": OK}}}, webhooks={"a": {"get": []}}),
    "callbacks and links": document({"/a": {"get": {
        "callbacks": {"a": {"{$url}": {"post": {"parameters": 5}}}},
        "responses": {"200": {"description": "", "links": {"a": 5}}}}}}),
    "examples": document({"/a": {"get": {
        "parameters": [parameter("query", "q", examples={"a": {"$ref": "#/none"}, "b": 5})],
        "responses": OK}}}),
    "fields that are unknown": document({"/a": {"get": {
        "produces": ["text/plain"], "responses": OK}}}, host="a.test"),
    "fields of another version": document({"/a": {"get": {"responses": OK}}}, "3.0.3",
                                          jsonSchemaDialect="x", webhooks={}),
    "fields that are null": document({"/a": {"get": {
        "parameters": None, "requestBody": None, "tags": None, "responses": OK}}},
        servers=None, components=None),
    "servers that are none": document({"/a": {"get": {"responses": OK}}}, servers=[
        {}, {"url": 5}, {"url": "/{x}"}, {"url": "/{y}", "variables": {"y": {"enum": []}}}]),
    "flows without addresses": document(
        {"/a": {"get": {"responses": OK}}},
        components={"securitySchemes": {"a": {"type": "oauth2", "flows": {"implicit": {}}}}}),
}  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("root", HARMLESS.values(), ids=HARMLESS)
def test_violations_that_no_request_meets_are_notes(root: Any, version: str) -> None:
    """They are in the coverage, and close nothing."""
    root = {name: value for name, value in root.items() if value is not ...}
    if root["openapi"] == "3.1.1":
        root["openapi"] = version
    guard = SchemaGuard(openapi=root, security="app")
    assert not guard.coverage.closed
    assert len(guard.coverage.operations) == len(root["paths"])
    assert guard.coverage.notes


RESPONSE_FAULTS = (
    "a media type of a response",
    "a status that is none",
    "a schema of a response",
    "a response that is none",
    "a header of a response",
)


@pytest.mark.parametrize("name", RESPONSE_FAULTS)
@pytest.mark.parametrize("responses", ["report", "enforce"])
def test_faults_of_responses_count_if_these_are_validated(name: str, responses: Any) -> None:
    """Else the guard would pass responses that it was asked to check."""
    root = HARMLESS[name]
    with pytest.raises(DocumentError):
        SchemaGuard(openapi=root, responses=responses)
    guard = SchemaGuard(openapi=root, responses=responses, on_invalid="close")
    assert [name for name, _ in guard.coverage.closed] == ["GET /a"]


WHOLE: Mapping[str, Any] = {
    "no object": [],
    "no version": {"info": {}, "paths": {}},
    "another version": {"openapi": "4.0.0", "paths": {}},
    "a short version": {"openapi": "3.0", "paths": {}},
    "no paths": {"openapi": "3.0.3", "info": {"title": "", "version": ""}},
    "paths that are none": document([]),
    "another dialect": document({}, jsonSchemaDialect="https://k.test/"),
}


@pytest.mark.parametrize("root", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("on_invalid", ["error", "close", "open"])
def test_faults_of_the_whole_document_are_always_errors(root: Any, on_invalid: Any) -> None:
    """There is nothing that could be closed or opened."""
    with pytest.raises((DocumentError, TypeError)) as caught:
        SchemaGuard(openapi=root, on_invalid=on_invalid)
    assert isinstance(caught.value, DocumentError) or not isinstance(root, dict)


@both_adapters
def test_an_open_operation_keeps_its_credentials(adapter: Adapter) -> None:
    """What is faulty in its body says nothing of who may send it."""
    root = of_faulty(
        {"requestBody": json_body(MISSPELT), "security": [{"bearer": []}]},
        components={"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    )
    app = Guarded(
        adapter, openapi=root, on_invalid="open",
        security={"bearer": lambda _, credential: credential.value == "good"},
    )  # fmt: skip
    statuses = [
        app.ask("POST", "/bad", headers=[("Authorization", f"Bearer {token}")]).status
        for token in ("", "bad", "good")
    ]
    assert statuses == [401, 401, 200]


@both_adapters
def test_a_sample_does_not_open_a_closed_operation(adapter: Adapter) -> None:
    """Requests outside of it get a 501 too."""
    root = FAULTS["a type that is none"]
    app = Guarded(adapter, openapi=root, on_invalid="close", sample_rate=0.0)
    assert app.post("/bad", {}).status == 501
    assert app.ask("GET", "/good?n=x").status == 200


@both_adapters
def test_a_closed_operation_is_only_reported_in_report_mode(adapter: Adapter) -> None:
    """And left alone by a guard that is off."""
    root = FAULTS["a type that is none"]
    app = Guarded(adapter, openapi=root, on_invalid="close", mode="report")
    assert app.post("/bad", {}).status == 200
    assert dict(app.guard.counts) == {("POST /bad", "closed_operation"): 1}
    off = Guarded(adapter, openapi=root, on_invalid="close", mode={"* /*": "off"})
    assert off.post("/bad", {}).status == 200


@pytest.mark.parametrize(("on_invalid", "words"), [("close", "closed (501)"), ("open", "open")])
def test_faulty_operations_are_logged_once_at_start(
    caplog: pytest.LogCaptureFixture, on_invalid: Any, words: str
) -> None:
    """With their number and the first few."""
    paths = {
        f"/{index}": {"post": {"requestBody": json_body(MISSPELT), "responses": OK}}
        for index in range(5)
    }
    paths["/good"] = {"get": {"responses": OK}}
    with caplog.at_level(logging.WARNING, "mantlet.guard"):
        SchemaGuard(openapi=document(paths), on_invalid=on_invalid)
    (message,) = caplog.messages
    assert message.startswith(
        "SchemaGuard: the declarations of 5 of 6 operations in the OpenAPI document"
    )
    assert f"these are {words}: POST /0 (/paths/~10/post/requestBody/" in message
    assert "POST /2" in message
    assert "POST /3" not in message


@both_adapters
def test_a_path_that_can_not_be_matched_is_not_found(adapter: Adapter) -> None:
    """Closed without a 501, in any mode; the coverage has it."""
    root = document({"/{a}{b}": {"get": {"responses": OK}}, "/good": {"get": {"responses": OK}}})
    for on_invalid in ("close", "open"):
        app = Guarded(adapter, openapi=root, on_invalid=on_invalid)
        assert app.ask("GET", "/xy").status == 404
        assert app.ask("GET", "/good").status == 200
        assert [name for name, _ in app.guard.coverage.closed] == ["GET /{a}{b}"]


@both_adapters
def test_of_operations_with_the_same_paths_the_first_counts(adapter: Adapter) -> None:
    """In one segment of several parts as elsewhere; the others are closed."""
    for first, second in (("/{a}:x", "/{b}:x"), ("/{a}-{b}", "/{b}-{a}"), ("/{a}", "/{b}")):
        paths = {template: {"get": {"responses": OK}} for template in (first, second)}
        app = Guarded(adapter, openapi=document(paths), on_invalid="close")
        assert [name for name, _ in app.guard.coverage.closed] == [f"GET {second}"]
        assert app.ask("GET", f"/1-2{':x' * (':' in first)}").status == 200
        with pytest.raises(DocumentError, match="the same"):
            SchemaGuard(openapi=document(paths))


def test_required_bounds_are_faults_of_the_operation_that_lacks_them() -> None:
    """Others with bounds stay open."""
    root = of_faulty({"requestBody": json_body({"type": "string"})})
    root["paths"]["/good"]["get"]["parameters"] = [parameter("query", "n", CLOSED)]
    guard = SchemaGuard(openapi=root, require_bounds=True, on_invalid="close")
    assert [name for name, _ in guard.coverage.closed] == ["POST /bad"]


def test_the_report_begins_with_closed_operations() -> None:
    """It can be read."""
    guard = SchemaGuard(openapi=FAULTS["a type that is none"], on_invalid="close")
    assert str(guard.coverage).splitlines()[:4] == [
        "Closed, since the declaration is invalid:",
        "  POST /bad",
        "    /paths/~1bad/post/requestBody/content/application~1json/schema/type: "
        + guard.coverage.closed[0][1][0][1],
        "1 checked operation:",
    ]
    guard = SchemaGuard(openapi=FAULTS["a type that is none"], on_invalid="open")
    assert str(guard.coverage).startswith("Open without validation, since the declaration is")


def test_on_invalid_is_one_of_three() -> None:
    """At construction."""
    with pytest.raises(ValueError, match='on_invalid must be "error", "close" or "open"'):
        SchemaGuard(openapi=document({}), on_invalid="ignore")  # type: ignore[arg-type]  # refused
