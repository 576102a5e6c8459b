"""Swagger 2.0: translated as swagger2openapi does it, and held to the same rules as OpenAPI 3."""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.guard import BodyLimits, SchemaGuard
from mantlet.guard.openapi.diagnostics import DocumentError
from mantlet.guard.openapi.document import DocumentSource, OpenApiDocument
from mantlet.guard.openapi.swagger2.translation import to_openapi3
from mantlet.guard.options import DocumentOptions, OperationSettings
from tests.drive import Adapter, both_adapters
from tests.guard.asking import FORM, JSON, Guarded, faults
from tests.guard.openapi.building import write
from tests.guard.openapi.test_forms import HEADERS, PNG, part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.drive import Answer

DATA = Path(__file__).parent / "data" / "swagger2"
DONE = {"responses": {"200": {"description": "done"}}}
#: Documents, beside what version 7.0.8 of swagger2openapi makes of them.
NAMES = ("forms", "petstore", "security")


def load(name: str) -> dict[str, Any]:
    root: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return root


def swagger(paths: Any = None, **more: Any) -> dict[str, Any]:
    """Return a document of some paths."""
    info = {"title": "An API", "version": "1"}
    return {"swagger": "2.0", "info": info, "paths": {} if paths is None else paths, **more}


def operation(*parameters: Any, **more: Any) -> dict[str, Any]:
    """Return a path with an operation of some parameters."""
    return {"/x": {"post": {"parameters": list(parameters), **DONE, **more}}}


def differences(ours: Any, theirs: Any, at: str = "") -> Iterator[str]:
    """Yield the locations at which two documents differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted(ours.keys() | theirs.keys()):
            if name in ours and name in theirs:
                yield from differences(ours[name], theirs[name], f"{at}/{name}")
            elif (name, ours.get(name)) not in DEFAULTS:
                yield f"{at}/{name}"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(one, other, f"{at}/{index}")
    elif ours != theirs:
        yield at


#: Members with their default values, which only one of the two writes.
DEFAULTS = [("style", "form"), ("explode", False), ("required", False), ("components", {})]
_URLENCODED = "application/x-www-form-urlencoded"
#: What differs on purpose.
DIFFERENT = {
    "forms": [
        # Both kinds of forms are allowed, not only the first.
        f"/paths//both/put/requestBody/content/{_URLENCODED}",
        # A file cannot be in an urlencoded form.
        f"/paths//implied-file/post/requestBody/content/{_URLENCODED}",
        "/paths//implied-file/post/requestBody/content/multipart/form-data",
        "/servers",  # its root is the default
    ],
    "petstore": [],
    "security": ["/servers/0/url"],  # with a scheme, and a slash at its end
}


@pytest.mark.parametrize("name", NAMES)
def test_documents_are_translated_as_elsewhere(name: str) -> None:
    """Parameters, bodies, forms, files, responses, schemas and security, member for member."""
    theirs = json.loads((DATA / f"{name}.openapi.json").read_text())
    ours = to_openapi3(load(name)).root
    assert {ours.pop("openapi"), theirs.pop("openapi")} == {"3.0.4", "3.0.0"}
    assert list(differences(ours, theirs)) == sorted(DIFFERENT[name])


@pytest.mark.parametrize("name", NAMES)
def test_the_original_is_not_changed(name: str) -> None:
    """It may be the user's own."""
    root = load(name)
    before = deepcopy(root)
    OpenApiDocument(root)
    assert root == before


class Pets(Guarded):
    """An app behind a guard with the document of pets."""

    def __init__(self, adapter: Adapter) -> None:
        super().__init__(adapter, openapi=load("petstore"))

    def codes(self, answer: Answer) -> list[tuple[str, str]]:
        return [] if answer.status == 200 else [(at, code) for _, at, code in faults(answer)]


@both_adapters
def test_requests_are_checked(adapter: Adapter) -> None:
    """By the same checks as those of OpenAPI 3, under the base path."""
    app = Pets(adapter)
    pets = "/v1/pets"
    query = "limit=5&tags=a,b&ids=1&ids=2&sizes=1%202&kinds=cat|dog"
    headers = [("X-Trace", "ab12"), ("X-Colors", "red, green")]
    assert app.codes(app.ask("GET", f"{pets}?{query}", headers=headers)) == []
    assert app.seen[0].query == {
        "limit": 5, "tags": ["a", "b"], "ids": [1, 2], "sizes": [1, 2], "kinds": ["cat", "dog"],
    }  # fmt: skip
    assert app.seen[0].headers == {"X-Trace": "ab12", "X-Colors": ["red", "green"]}
    assert app.codes(app.ask("GET", f"{pets}?all=")) == []
    assert app.codes(app.ask("GET", f"{pets}?limit=0")) == [("/limit", "int_range")]
    assert app.codes(app.ask("GET", f"{pets}?tags=a,b,c,d")) == [("/tags", "maxItems")]
    assert app.codes(app.ask("GET", f"{pets}?kinds=cow")) == [("/kinds/0", "enum")]
    assert app.codes(app.ask("GET", f"{pets}?more=1")) == [("/more", "undeclared_parameter")]
    assert app.codes(app.ask("GET", f"{pets}/x")) == [("/petId", "type")]
    assert app.ask("DELETE", f"{pets}/1").status == 422
    assert app.ask("DELETE", f"{pets}/1?versions=1,2").status == 200
    wrong = app.ask("GET", pets, headers=[("X-Trace", "XYZ")])
    assert app.codes(wrong) == [("/X-Trace", "pattern")]


@both_adapters
def test_bodies_are_checked(adapter: Adapter) -> None:
    """Of the declared types, by the definitions; ``x-nullable`` allows null."""
    app = Pets(adapter)
    assert app.codes(app.post("/v1/pets", {"name": "Tom", "kind": "Cat", "note": None})) == []
    wrong = set(app.codes(app.post("/v1/pets", {"name": "", "weight": 0})))
    assert wrong == {("/kind", "required"), ("/name", "minLength"), ("/weight", "exclusiveMinimum")}
    assert app.ask("POST", "/v1/pets").status == 422
    other = app.ask("POST", "/v1/pets", body="<a/>", headers=[("Content-Type", "text/xml")])
    assert other.status == 415


@both_adapters
def test_forms_are_checked(adapter: Adapter) -> None:
    """Urlencoded and in parts, with files; a file must be in parts."""
    app = Guarded(adapter, openapi=load("forms"))

    def send(path: str, *parts: bytes) -> int | None:
        content = b"".join(parts) + b"--limit--\r\n"
        return app.ask("POST", path, body=content, headers=HEADERS).status

    assert app.ask("POST", "/login", body="user=a&days=2", headers=FORM).status == 200
    assert app.seen[0].body == {"user": "a", "days": 2}
    assert app.ask("POST", "/login", body="days=x", headers=FORM).status == 422
    assert send("/login", part("user", "a")) == 415
    photo = part("photo", PNG, "image/png", "a.png")
    assert send("/photos", photo, part("title", "x")) == 200
    assert send("/photos", part("title", "x")) == 422
    assert send("/photos", part("photo", "text")) == 422
    assert app.ask("POST", "/photos", body="title=x", headers=FORM).status == 415
    assert send("/implied-file", part("a", b"x", filename="x")) == 200
    assert app.ask("POST", "/implied", body="a=1", headers=FORM).status == 200
    for status, text in ((200, '{"a": 1}'), (422, '{"a": "1"}')):
        assert app.ask("POST", "/shared", body=text, headers=JSON).status == status


@both_adapters
def test_forms_have_arrays_and_empty_values(adapter: Adapter) -> None:
    """Each ``collectionFormat``; ``allowEmptyValue`` of a required field."""
    fields = [
        {"name": name, "in": "formData", "type": "array", "items": {"type": "integer"}, **more}
        for name, more in (
            ("csv", {}), ("ssv", {"collectionFormat": "ssv"}),
            ("pipes", {"collectionFormat": "pipes"}), ("multi", {"collectionFormat": "multi"}),
        )
    ]  # fmt: skip
    empty = {"name": "e", "in": "formData", "type": "integer", "required": True,
             "allowEmptyValue": True}  # fmt: skip
    app = Guarded(adapter, openapi=swagger(operation(*fields, empty)))
    text = "csv=1,2&ssv=3%204&pipes=5|6&multi=7&multi=8&e="
    assert app.ask("POST", "/x", body=text, headers=FORM).status == 200
    assert app.seen[0].body == {
        "csv": [1, 2], "ssv": [3, 4], "pipes": [5, 6], "multi": [7, 8], "e": "",
    }  # fmt: skip
    assert app.ask("POST", "/x", body="e=1&csv=x", headers=FORM).status == 422
    assert app.ask("POST", "/x", body="csv=1", headers=FORM).status == 422


@both_adapters
def test_credentials_are_checked(adapter: Adapter) -> None:
    """Each kind of scheme keeps its name."""
    asked: list[str] = []

    def check(name: str) -> Any:
        def called(*_: Any) -> bool:
            asked.append(name)
            return True

        return called

    names = load("security")["securityDefinitions"]
    app = Guarded(adapter, openapi=load("security"), security={
        name: check(name) for name in ("key", "implicit", "basic") if name in names})  # fmt: skip
    assert app.ask("GET", "/a").status == 401
    assert app.ask("GET", "/a", headers=[("X-Key", "abc")]).status == 200
    assert asked == ["key"]


def test_the_coverage_tells_what_was_translated() -> None:
    """Loudly where something is not checked as it was written."""
    tabs = {"name": "t", "in": "query", "type": "array", "items": {"type": "integer"},
            "collectionFormat": "tsv"}  # fmt: skip
    nested = {"name": "n", "in": "query", "type": "array",
              "items": {"type": "array", "items": {"type": "integer"}}}  # fmt: skip
    body = {"name": "b", "in": "body", "schema": {"$ref": "#/definitions/A%20B"}}
    root = swagger(
        operation(tabs, nested, body),
        definitions={"A B": {"type": ["string", "null"]}, "A_B": {}},
        securityDefinitions={"My key": {"type": "apiKey", "in": "header", "name": "K"}},
    )
    notes = SchemaGuard(openapi=root).coverage.notes
    assert set(notes) >= {
        ("/swagger", "Swagger 2.0 is read as OpenAPI 3.0"),
        ("/paths/~1x/post/parameters/0",
         "the items of an array as 'tsv' are not checked here"),
        ("/paths/~1x/post/parameters/1/items",
         "the items of arrays in arrays are not checked here"),
        ("/paths/~1x/post/parameters/2", "without consumes, the body must be JSON"),
        ("/definitions/A B", "'A B' is called 'A_B_2', as OpenAPI 3 allows"),
        ("/definitions/A B/type", "a list of a type and null is a nullable type"),
        ("/securityDefinitions/My key", "'My key' is called 'My_key', as OpenAPI 3 allows"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("root", "location"),
    [
        (swagger(operation({"name": "a", "in": "query", "type": "text"})),
         "/paths/~1x/post/parameters/0/type"),
        (swagger(operation({"name": "f", "in": "formData", "type": "string", "minLength": "1"})),
         "/paths/~1x/post/parameters/0/minLength"),
        (swagger(operation({"name": "b", "in": "body", "schema": {"items": 5}})),
         "/paths/~1x/post/parameters/0/schema/items"),
        (swagger(operation({"name": "b", "in": "body", "schema": {"$ref": "#/definitions/A"}}),
                 definitions={"A": {"properties": {"p": {"maximum": "9", "x-nullable": True}}}}),
         "/definitions/A/properties/p/maximum"),
        (swagger({"/x": {"get": {"responses": {"200": {
            "description": "d", "schema": [5]}}}}}),
         "/paths/~1x/get/responses/200/schema"),
        (swagger(operation({"$ref": "#/parameters/none"})), "/paths/~1x/post/parameters/0/$ref"),
        (swagger(operation({"$ref": "#/parameters/p"}),
                 parameters={"p": {"name": "p", "in": "query", "type": "?"}}),
         "/parameters/p/type"),
        (swagger(securityDefinitions={"s": {"type": "secret"}}), "/securityDefinitions/s/type"),
        (swagger({"/x/{id}": {"get": DONE}}), "/paths/~1x~1{id}/get"),
    ],
)  # fmt: skip
def test_errors_have_the_locations_of_the_original(root: Any, location: str) -> None:
    """Not those of a document that nobody has written; so have faults and notes."""
    coverage = SchemaGuard(openapi=root, on_invalid="close", security="app").coverage
    faults = [fault for _, found in coverage.closed for fault in found]
    assert location in [pointer for pointer, _ in (*coverage.notes, *faults)]
    assert not any(pointer.startswith("/components") for pointer, _ in (*coverage.notes, *faults))
    if location in [pointer for pointer, _ in faults]:
        with pytest.raises(DocumentError) as caught:
            SchemaGuard(openapi=root, security="app")
        assert location in [pointer for pointer, _ in caught.value.problems]


def test_a_version_may_be_a_number(tmp_path: Path) -> None:
    """As YAML reads it without quotes; other versions are refused."""
    path = write(tmp_path / "api.yaml", "swagger: 2.0\ninfo: {title: a, version: '1'}\npaths: {}\n")
    assert OpenApiDocument(path).version == "3.0"
    with pytest.raises(ValueError, match=r"uses Swagger 1\.2: only 2.0 is supported"):
        OpenApiDocument({"swagger": "1.2"})


def test_duplicate_keys_close_the_operations_that_meet_them(tmp_path: Path) -> None:
    """Also those in a definition, which has another location in OpenAPI 3."""
    path = write(
        tmp_path / "api.yaml",
        """
swagger: "2.0"
info: {title: a, version: "1"}
paths:
  /a:
    post:
      parameters: [{name: b, in: body, schema: {$ref: "#/definitions/A"}}]
      responses: {200: {description: done}}
  /b:
    get:
      responses: {200: {description: done}}
definitions:
  A:
    type: object
    type: string
""",
    )
    coverage = SchemaGuard(openapi=path, on_invalid="close").coverage
    ((name, ((pointer, message),)),) = coverage.closed
    assert name == "POST /a"
    assert pointer.startswith("/definitions/A")
    assert "duplicate key" in message
    assert [name for name, _ in coverage.operations] == ["GET /b"]


@both_adapters
def test_other_files_are_translated_too(adapter: Adapter, tmp_path: Path) -> None:
    """Their definitions and parameters are found under the names they have there."""
    body = {"name": "b", "in": "body", "schema": {"$ref": "common.json#/definitions/A B"}}
    limit = {"$ref": "common.json#/parameters/limit"}
    root = swagger(operation(body, limit), definitions={"Own": {"type": "integer"}})
    write(
        tmp_path / "common.json",
        {
            "definitions": {
                "A B": {"type": "object", "discriminator": "kind", "properties": {
                    "n": {"$ref": "#/definitions/N"}, "own": {"$ref": "api.json#/definitions/Own"},
                }},
                "N": {"type": "integer", "x-nullable": True},
            },
            "parameters": {"limit": {"name": "limit", "in": "query", "type": "integer"}},
        },
    )  # fmt: skip
    app = Guarded(adapter, openapi=write(tmp_path / "api.json", root))
    assert app.post("/x?limit=1", {"n": None, "own": 1}).status == 200
    assert app.post("/x?limit=a", {"n": "a", "own": "a"}).status == 422
    assert ("common.json#/definitions/A B", "'A B' is called 'A_B', as OpenAPI 3 allows") in (
        app.guard.coverage.notes
    )
    limit = {"name": "limit", "in": "query", "type": "integer"}
    write(
        tmp_path / "common.json",
        {"definitions": {"A B": {"type": "?"}}, "parameters": {"limit": limit}},
    )
    with pytest.raises(DocumentError) as caught:
        SchemaGuard(openapi=tmp_path / "api.json")
    assert [pointer for pointer, _ in caught.value.problems] == [
        "common.json#/definitions/A B/type"
    ]


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    members: Any = value.items() if isinstance(value, dict) else ()
    for key, inner in enumerate(value) if isinstance(value, list) else members:
        yield from _places(inner, (*at, key))


SETTINGS = OperationSettings(limits=BodyLimits())
ODD: Any = st.sampled_from(
    [None, True, 0, -1, 2.5, "", "x", "#/definitions/Pet", [], ["x"], {}, {"$ref": "#/definitions"},
     {"$ref": 5}, {"in": "body"}, {"type": "array"}, {"x-nullable": True}, [[]], [{}], {"": {}}]
)  # fmt: skip


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=150)
def test_one_odd_value_anywhere_is_reported_or_taken(name: str, data: st.DataObject) -> None:
    """A document that is wrong anywhere raises nothing but its errors."""
    root = load(name)
    *way, last = data.draw(
        st.sampled_from([one for one in _places(root) if one and one != ("swagger",)])
    )
    holder: Any = root
    for key in way:
        holder = holder[key]
    holder[last] = data.draw(ODD)
    with suppress(DocumentError):
        source = DocumentSource(root, DocumentOptions(), BodyLimits())
        compiled = list(source.compile(dict.fromkeys(source.names(), SETTINGS)))
        assert source.coverage(compiled).notes
