"""Where references lead, and where they must not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mantlet.guard.openapi.diagnostics import DocumentLocation
from mantlet.guard.openapi.document import OpenApiDocument
from mantlet.guard.openapi.loading import load_document
from mantlet.guard.openapi.references import ReferenceResolver
from tests.guard.openapi.building import (
    DONE,
    SCHEMA,
    TEXT,
    described,
    document,
    of_operation,
    problems,
    with_schema,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path


# -- in the document ------------------------------------------------------------------------------


def test_all_that_may_be_referred_to_is_followed() -> None:
    """Parameters, bodies, responses, header fields, path items, over chains of references."""
    source = document(
        {
            "/x": {"$ref": "#/components/pathItems/x"},
            "/y": {"$ref": "#/paths/~1x", "parameters": [{"$ref": "#/components/parameters/b"}]},
        },
        components={
            "pathItems": {
                "x": {
                    "get": {
                        "parameters": [{"$ref": "#/components/parameters/a"}],
                        "requestBody": {"$ref": "#/components/requestBodies/a"},
                        "responses": {"200": {"$ref": "#/components/responses/a"}},
                    }
                }
            },
            "parameters": {
                "a": {"$ref": "#/components/parameters/b"},
                "b": {"name": "q", "in": "query", "schema": TEXT},
            },
            "requestBodies": {"a": {"content": {"text/plain": {}}}},
            "responses": {
                "a": {
                    "description": "done",
                    "headers": {"X-A": {"$ref": "#/components/headers/a"}},
                }
            },
            "headers": {"a": {"required": True, "schema": TEXT}},
        },
    )
    one, two = OpenApiDocument(source).operations
    assert (one.template, two.template) == ("/x", "/y")
    for operation in (one, two):
        assert operation.pointer == "/components/pathItems/x/get"
        (parameter,) = operation.parameters
        assert (parameter.name, parameter.pointer) == ("q", "/components/parameters/b")
        assert parameter.schema is not None
        assert str(parameter.schema.location) == "/components/parameters/b/schema"
        assert operation.body is not None
        assert operation.body.content[0].media == "text/plain"
        (header,) = operation.responses["200"].headers
        assert (header.name, header.required) == ("X-A", True)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("#/components/schemas/None", "leads to /components/schemas/None, which does not exist"),
        ("#/components/schemas/List/items/7", "leads to"),
        ("#/components/schemas/List/enum/01", "leads to"),
        ("#/components/schemas/List/enum/2", "leads to"),
        ("#/components/schemas/a~2b", "has a ~ that is neither ~0 nor ~1"),
        ("#/components/schemas/%ff", "has a fragment that is not UTF-8"),
        ("#List", "leads to the anchor 'List', which does not exist"),
        ("", "is empty"),
        ("https://example.com/a.json#/a", "nothing is fetched"),
        ("//example.com/a.json", "nothing is fetched"),
        ("file:///etc/passwd", "nothing is fetched"),
        ("c:/windows/a.json", "nothing is fetched"),
        ("urn:example:a", "nothing is fetched"),
        ("http://[", "is not a valid URI reference"),
        ("a.json", "leads to a file: set ref_root to allow files"),
        ("#/components/schemas/Self", "leads in a cycle"),
        ("#/components/schemas/One", "leads in a cycle"),
    ],
)
@pytest.mark.parametrize("version", ["3.0.4", "3.1.1", "3.2.0"])
def test_a_reference_that_leads_nowhere_is_a_problem(
    reference: str, words: str, version: str
) -> None:
    """It is told of where it stands."""
    found = problems(
        with_schema(
            {"$ref": reference},
            version,
            List={"type": "array", "items": TEXT, "enum": [[], ["a"]]},
            Self={"$ref": "#/components/schemas/Self"},
            One={"$ref": "#/components/schemas/Two"},
            Two={"$ref": "#/components/schemas/One"},
        )
    )
    assert words in found[f"{SCHEMA}/$ref"]


def test_pointers_are_read_as_they_are_escaped() -> None:
    """First the percent-encoding, then the tildes (RFC 6901, 6)."""
    source = of_operation(
        {"parameters": [{"$ref": "#/paths/~1a~0%25%20%7Bb%7D/parameters/0"}]},
        components={},
    )
    source["paths"]["/a~% {b}"] = {
        "parameters": [{"name": "b", "in": "path", "required": True, "schema": TEXT}]
    }
    assert problems(source) == {
        "/paths/~1x/get": "declares the path parameter 'b', which is not in '/x'"
    }


def test_cycles_of_schemas_are_fine() -> None:
    """A tree's nodes hold nodes."""
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    for version in ("3.0.4", "3.1.1", "3.2.0"):
        assert not problems(with_schema({"$ref": "#/components/schemas/Node"}, version, Node=node))


@pytest.mark.parametrize("kind", ["parameters", "responses", "requestBodies", "headers"])
def test_cycles_of_other_objects_are_problems(kind: str) -> None:
    """Nothing would ever be there."""
    found = problems(
        document(
            components={
                kind: {
                    "a": {"$ref": f"#/components/{kind}/b"},
                    "b": {"$ref": f"#/components/{kind}/a"},
                }
            }
        )
    )
    assert "leads in a cycle" in found[f"/components/{kind}/a/$ref"]


def test_a_cycle_of_path_items_is_a_problem() -> None:
    """And told of once for each."""
    found = problems(document({"/x": {"$ref": "#/paths/~1y"}, "/y": {"$ref": "#/paths/~1x"}}))
    assert "leads in a cycle" in found["/paths/~1x/$ref"]


def test_a_field_of_both_path_items_is_a_problem() -> None:
    """What would hold is not defined."""
    source = document(
        {"/x": {"$ref": "#/components/pathItems/x", "get": DONE}},
        components={"pathItems": {"x": {"get": DONE}}},
    )
    assert "'get' beside it, which its target" in problems(source)["/paths/~1x/$ref"]


def test_a_reference_that_is_no_text_is_a_problem() -> None:
    """In a schema and elsewhere."""
    source = with_schema({"$ref": 3})
    source["paths"]["/x"]["post"]["parameters"] = [{"$ref": {}}]
    assert problems(source) == {
        f"{SCHEMA}/$ref": "must be a string (a URI reference)",
        "/paths/~1x/post/parameters/0/$ref": "must be a string (a URI reference)",
    }


def test_what_stands_beside_a_reference_is_a_warning() -> None:
    """It is ignored, which one may not think; from 3.1 on schemas have it hold."""
    beside = {"$ref": "#/components/schemas/A", "maxLength": 3}
    notes = dict(OpenApiDocument(with_schema(beside, "3.0.4", A=TEXT)).warnings)
    assert notes[f"{SCHEMA}/maxLength"] == "'maxLength' beside $ref is ignored (OpenAPI 3.0)"
    assert not OpenApiDocument(with_schema(beside, "3.1.1", A=TEXT)).warnings
    source = of_operation(
        {"parameters": [{"$ref": "#/components/parameters/a", "required": True}]},
        components={"parameters": {"a": {"name": "a", "in": "query", "schema": TEXT}}},
    )
    (note,) = OpenApiDocument(source).warnings
    assert note == (
        "/paths/~1x/get/parameters/0/required",
        "'required' beside $ref is ignored (Reference Object)",
    )


# -- names ----------------------------------------------------------------------------------------


def test_identifiers_and_anchors_become_pointers() -> None:
    """Whoever compiles the schemas has to know of pointers only (JSON Schema 2020-12, 8.2)."""
    source = with_schema(
        {"anyOf": [{"$ref": "https://example.com/a"}, {"$ref": "https://example.com/a#here"}]},
        A={
            "$id": "https://example.com/a",
            "$defs": {"b": {"$anchor": "here"}},
            "properties": {
                "one": {"$ref": "#/$defs/b"},
                "two": {"$ref": "#here"},
                "three": {"$ref": "c"},
                "four": {"$ref": "#"},
            },
        },
        C={"$id": "https://example.com/c"},
    )
    root = OpenApiDocument(source).root
    schemas = root["components"]["schemas"]
    here = "#/components/schemas/A/$defs/b"
    assert schemas["A"]["properties"] == {
        "one": {"$ref": here},
        "two": {"$ref": here},
        "three": {"$ref": "#/components/schemas/C"},
        "four": {"$ref": "#/components/schemas/A"},
    }
    assert "$id" not in schemas["A"]
    body = root["paths"]["/x"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["anyOf"] == [{"$ref": "#/components/schemas/A"}, {"$ref": here}]


def test_in_3_0_there_are_no_identifiers() -> None:
    """There they are no keywords."""
    named = {"$id": "https://example.com/a", "$anchor": "a"}
    for reference in ("https://example.com/a", "#a"):
        assert problems(with_schema({"$ref": reference}, "3.0.4", A=named))


def test_a_name_belongs_to_one_schema() -> None:
    """A second one is a problem, and so is one that is none."""
    found = problems(
        with_schema(
            {"$id": "https://example.com/a", "$anchor": "x"},
            A={"$id": "https://example.com/a"},
            B={"$id": "https://example.com/a#b"},
            C={"$anchor": "c"},
            D={"$anchor": "c"},
        )
    )
    assert "is already used at" in found.pop("/components/schemas/A/$id")
    assert "must not be empty or have a fragment" in found.pop("/components/schemas/B/$id")
    assert "is already used at /components/schemas/C" in found.pop("/components/schemas/D/$anchor")
    assert not found


def test_a_document_may_be_referred_to_by_its_self() -> None:
    """As 3.2 has it ("$self")."""
    reference = "https://example.com/api#/components/schemas/A"
    source = with_schema({"$ref": reference}, "3.2.0", A=TEXT)
    source["$self"] = "https://example.com/api"
    root = OpenApiDocument(source).root
    body = root["paths"]["/x"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/A"}


def test_references_are_found_once(tmp_path: Path) -> None:
    """The same text leads to the same."""
    path = write(tmp_path / "api.json", with_schema(TEXT))
    references = ReferenceResolver(load_document(path))
    assert references.resolve("#/info", "") is references.resolve("#/info", "")
    assert references.resolve("api.json#/info", "").location == DocumentLocation("", "/info")
    assert not references.others


def test_the_operation_of_a_reference_is_described_where_it_stands() -> None:
    """A shared parameter has one description."""
    shared = {"name": "q", "in": "query", "schema": TEXT}
    operation = described(
        of_operation(
            {"parameters": [{"$ref": "#/components/parameters/q"}]},
            components={"parameters": {"q": shared}},
        )
    )
    assert operation.parameters[0].pointer == "/components/parameters/q"
