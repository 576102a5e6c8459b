"""Documents that are slightly wrong, with a plain meaning: they are read so, with a note."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mantlet.guard import SchemaGuard
from mantlet.guard.openapi.diagnostics import DocumentError
from tests.drive import Adapter, both_adapters
from tests.guard.asking import Guarded
from tests.guard.openapi.building import document
from tests.guard.openapi.documents import OK, json_body, parameter


def given(*parameters: Any, template: str = "/a", version: str = "3.0.3") -> dict[str, Any]:
    """Return a document of ``GET`` with parameters."""
    return document({template: {"get": {"parameters": list(parameters), "responses": OK}}}, version)


INTEGER = {"type": "integer"}
#: What is wrong, the document, targets that are accepted and those that are not, and the note.
PARAMETERS: dict[str, tuple[Any, list[str], list[str], str]] = {
    "an undeclared path parameter is one segment": (
        given(template="/{id}"), ["/x", "/5"], ["/x/y", "/"], "must declare the path parameter"),
    "a path parameter is required": (
        given({"name": "id", "in": "path", "schema": INTEGER}, template="/{id}"),
        ["/5"], ["/x"], "must have required: true"),
    "a path parameter that is not in the template is ignored": (
        given(parameter("path", "id")), ["/a"], ["/a?id=5"], "which is not in '/a'"),
    "the same parameter twice is one": (
        given(parameter("query", "q", INTEGER), parameter("query", "q", INTEGER)),
        ["/a", "/a?q=5"], ["/a?q=x"], "duplicates the query parameter"),
    "keywords beside the name are its schema": (
        given({"name": "q", "in": "query", "type": "integer", "maximum": 9}),
        ["/a?q=5"], ["/a?q=x", "/a?q=10"], "must have 'type', 'maximum' in 'schema'"),
    "a parameter without a schema is any text": (
        given({"name": "q", "in": "query"}), ["/a?q=", "/a?q=x"], ["/a?z=x"], "any text"),
    "a scalar in a style for others is read as it is": (
        given(parameter("query", "q", INTEGER, style="deepObject")),
        ["/a?q=5"], ["/a?q=x"], "the value is read as it is"),
    "a scalar in a style of another place is read as it is": (
        given(parameter("query", "q", INTEGER, style="simple")),
        ["/a?q=5"], ["/a?q=x"], "the value is read as it is"),
    "a boolean that is a string": (
        given(parameter("query", "q", INTEGER, required="true")),
        ["/a?q=5"], ["/a"], "must be a boolean, and is read as true"),
    "a name that is a number": (
        given(parameter("query", 5, INTEGER)),  # type: ignore[arg-type]  # it is wrong
        ["/a?5=5"], ["/a?5=x"], "must be a string: write '5'"),
    "fields that are null": (
        given(parameter("query", "q", INTEGER, style=None, required=None)),
        ["/a", "/a?q=5"], ["/a?q=x"], "is null"),
    "allowEmptyValue elsewhere": (
        given(parameter("path", "id", INTEGER, allowEmptyValue=True), template="/{id}"),
        ["/5"], ["/x"], "is only allowed for query parameters"),
    "an empty array for an empty object": (
        given(parameter("query", "q", {"properties": [], "type": "integer"})),
        ["/a?q=5"], ["/a?q=x"], "is [], and is read as {}"),
    "deepObject is exploded": (
        given(parameter("query", "q", {"type": "object", "properties": {"x": INTEGER}},
                        style="deepObject", explode=False)),
        ["/a?q[x]=5"], ["/a?q[x]=y"], "must not be false with deepObject"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("root", "accepted", "refused", "note"), PARAMETERS.values(), ids=PARAMETERS
)
@both_adapters
def test_parameters_with_a_plain_meaning_are_read_so(
    adapter: Adapter, root: Any, accepted: list[str], refused: list[str], note: str
) -> None:
    """The default ``on_invalid="error"`` has nothing to say of them."""
    app = Guarded(adapter, openapi=root)
    assert [app.ask("GET", target).status for target in accepted] == [200] * len(accepted)
    assert 200 not in [app.ask("GET", target).status for target in refused]
    assert any(note in words for _, words in app.guard.coverage.notes), app.guard.coverage.notes


@both_adapters
def test_a_path_without_its_slash_has_one(adapter: Adapter) -> None:
    """``pets`` is ``/pets``; but an URL is no path."""
    root = document({"pets": {"get": {"responses": OK}}, "pets/{id}": {"get": {
        "parameters": [parameter("path", "id", INTEGER)], "responses": OK}}})  # fmt: skip
    app = Guarded(adapter, openapi=root)
    assert [app.ask("GET", path).status for path in ("/pets", "/pets/5", "/pets/x")] == [
        200, 200, 422,
    ]  # fmt: skip
    assert ("/paths/pets", "must begin with a slash, and is read as '/pets'") in (
        app.guard.coverage.notes
    )
    root["paths"]["/pets"] = {"get": {"responses": OK}}
    with pytest.raises(DocumentError, match="matches the same paths"):
        SchemaGuard(openapi=root)
    with pytest.raises(DocumentError, match="must begin with a slash"):
        SchemaGuard(openapi=document({"https://a.test/": {"get": {"responses": OK}}}))


def test_an_empty_object_is_no_list_of_requirements() -> None:
    """It would open the operation."""
    root = document({"/a": {"get": {"security": {}, "responses": OK}}}, security=[{"none": []}])
    guard = SchemaGuard(openapi=root, on_invalid="close")
    assert guard.coverage.closed == (
        ("GET /a", (("/paths/~1a/get/security", "must be an array"),)),
    )  # fmt: skip


#: What is wrong with a schema, values that it accepts and refuses, and the note.
SCHEMAS: dict[str, tuple[Any, list[Any], list[Any], str]] = {
    "numbers in strings": (
        {"maxLength": "2", "minimum": "1.5", "multipleOf": "1"}, ["ab", 2], ["abc", 1], "'2'"),
    "booleans in strings": (
        {"type": "array", "uniqueItems": "true"}, [[1, 2]], [[1, 1]], "'true'"),
    "additionalProperties in a string": (
        {"additionalProperties": "false"}, [{}], [{"a": 1}], "'false'"),
    "keywords that are null": (
        {"type": "string", "pattern": None, "enum": None, "items": None}, ["a"], [5], "is null"),
    "a property that is null": ({"properties": {"a": None}}, [{"a": 1}], [], "is read as"),
    "a type in capitals": ({"type": "String"}, ["a"], [5], "'String', and is read as 'string'"),
    "any type": ({"type": "any", "maxLength": 1}, ["a", 5], ["ab"], "'any'"),
    "required of a property": (
        {"properties": {"a": {"type": "string", "required": True}}},
        [{"a": "x"}, {}], [{"a": 5}], "True"),
    "a required name twice": (
        {"type": "object", "required": ["a", "a"]}, [{"a": 1}], [{}], "['a', 'a']"),
    "an empty object for a list": ({"required": {}, "allOf": {}}, [{}], [], "{}"),
    "an empty list of alternatives": ({"type": "string", "anyOf": []}, ["a"], [5], "[]"),
    "a format that is a number": ({"type": "string", "format": 5}, ["a"], [5], "5"),
    "a discriminator by its name": (
        {"discriminator": "kind", "oneOf": [{"$ref": "#/components/schemas/A"}]},
        [{"kind": "A"}], [{"kind": "B"}], "is 'kind'"),
    "a default outside of the enum": (
        {"properties": {"a": {"enum": ["x"], "default": "y"}}}, [{"a": "x"}], [{"a": "y"}], ""),
    "nullable without a type": ({"nullable": True}, ["a"], [], ""),
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("version", ["3.0.3", "3.1.1"])
@both_adapters
def test_schemas_with_a_plain_meaning_are_read_so(
    adapter: Adapter, version: str, name: str
) -> None:
    """As their authors meant them."""
    schema, accepted, refused, note = SCHEMAS[name]
    of_kind = {"type": "object", "properties": {"kind": {"type": "string"}}, "required": ["kind"]}
    root = document(
        {"/a": {"post": {"requestBody": json_body(schema), "responses": OK}}},
        version,
        components={"schemas": {"A": of_kind}},
    )
    app = Guarded(adapter, openapi=root)
    assert [app.post("/a", value).status for value in accepted] == [200] * len(accepted)
    assert [app.post("/a", value).status for value in refused] == [422] * len(refused)
    assert any(note in words for _, words in app.guard.coverage.notes) or not note


@both_adapters
def test_exclusive_bounds_may_be_booleans_in_any_version(adapter: Adapter) -> None:
    """As they were until 3.0."""
    for version in ("3.0.3", "3.1.1"):
        schema = {"minimum": 1, "exclusiveMinimum": True, "maximum": 5, "exclusiveMaximum": False}
        root = document(
            {"/a": {"post": {"requestBody": json_body(schema), "responses": OK}}}, version
        )
        app = Guarded(adapter, openapi=root)
        assert [app.post("/a", value).status for value in (1, 2, 5, 6)] == [422, 200, 200, 422]


@both_adapters
def test_a_file_of_swagger_is_a_file(adapter: Adapter) -> None:
    """``type: file`` in a multipart form."""
    schema = {"type": "object", "properties": {"f": {"type": "file"}}}
    body = json_body(schema, "multipart/form-data")
    app = Guarded(
        adapter, openapi=document({"/a": {"post": {"requestBody": body, "responses": OK}}}, "3.0.3")
    )
    sent = (
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nhi\r\n--x--\r\n'
    )
    headers = [("Content-Type", "multipart/form-data; boundary=x")]
    assert app.ask("POST", "/a", body=sent, headers=headers).status == 200


#: Names that are near to fields, and far from them.
NAMES = [
    ("securty", True),
    ("Security", True),
    ("requestbody", True),
    ("parameter", True),
    ("server", True),
    ("produces", False),
    ("consumes", False),
    ("operationID", False),  # is near to a field that no request meets
    ("tag", False),
    ("schemes", False),
]


@pytest.mark.parametrize(("name", "is_fault"), NAMES)
def test_a_field_that_may_be_misspelt_is_a_fault(name: str, is_fault: bool) -> None:
    """``securty`` would open an operation; what is far from all fields is ignored."""
    root = document({"/a": {"get": {name: [], "responses": OK}}, "/b": {"get": {"responses": OK}}})
    guard = SchemaGuard(openapi=root, on_invalid="close")
    assert [closed for closed, _ in guard.coverage.closed] == (["GET /a"] if is_fault else [])
    if is_fault:
        with pytest.raises(DocumentError, match="if that is meant"):
            SchemaGuard(openapi=root)
    else:
        assert any(re.search(rf"/get/{name}\Z", at) for at, _ in guard.coverage.notes)


def test_a_misspelt_field_of_the_document_concerns_all_operations() -> None:
    """Nobody knows which of them it was meant for."""
    paths: dict[str, Any] = {"/a": {"get": {"responses": OK}}, "/b": {"get": {"responses": OK}}}
    guard = SchemaGuard(openapi=document(paths, securty=[]), on_invalid="close")
    assert [name for name, _ in guard.coverage.closed] == ["GET /a", "GET /b"]
    paths["/a"]["parameter"] = []
    guard = SchemaGuard(openapi=document(paths), on_invalid="close")
    assert [name for name, _ in guard.coverage.closed] == ["GET /a"]


@pytest.mark.parametrize("target", ["#/components/schemas/Cow", "models/cow.yml#/cow", "Cow"])
@both_adapters
def test_a_discriminator_that_maps_to_nothing_is_ignored(adapter: Adapter, target: str) -> None:
    """The schemas to choose from decide alone, and the note has the place."""
    pets = {
        name: {
            "type": "object",
            "properties": {"kind": {"type": "string"}, key: {"type": "integer"}},
            "required": ["kind", key],
        }
        for name, key in (("Cat", "lives"), ("Dog", "barks"))
    }
    schema = {
        "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
        "discriminator": {"propertyName": "kind", "mapping": {"cow": target, "cat": "Cat"}},
    }
    paths = {"/a": {"post": {"requestBody": json_body(schema), "responses": OK}}}
    json = [("Content-Type", "application/json")]
    app = Guarded(adapter, openapi=document(paths, "3.0.4", components={"schemas": pets}))
    assert app.ask("POST", "/a", body=b'{"kind": "cat", "lives": 9}', headers=json).status == 200
    assert app.ask("POST", "/a", body=b'{"kind": "cow", "barks": 1}', headers=json).status == 200
    assert app.ask("POST", "/a", body=b'{"kind": "cow", "barks": "x"}', headers=json).status == 422
    assert app.ask("POST", "/a", body=b'{"kind": "cow"}', headers=json).status == 422
    notes = [note for note in app.guard.coverage.notes if note[0].endswith("/mapping/cow")]
    assert [told for _, told in notes if told.endswith("so the discriminator is ignored")]
