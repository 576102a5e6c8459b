"""References, what is wrong with schemas, and what is told of them."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.guard.jsonschema import SchemaCompiler, SchemaError, SchemaProblem
from mantlet.guard.jsonschema.keywords import ASSERTIONS, LISTS, MAPS, SINGLES
from tests.guard.jsonschema.asking import VERSIONS, compiled, document, named, wrong

OTHERS = {
    "common.yaml": {
        "schemas": {"Id": {"type": "integer"}, "Ids": {"items": {"$ref": "#/schemas/Id"}}},
        "$defs": {"Named": {"$anchor": "name", "type": "string"}},
    },
    "root.json": {"$id": "https://example.org/root.json", "type": "boolean"},
}


def problems(schema: Any, version: Any = "3.1", **schemas: Any) -> list[SchemaProblem]:
    """Return what is wrong with a schema."""
    with pytest.raises(SchemaError) as caught:
        compiled(schema, version, **schemas)
    return sorted(caught.value.problems)


@pytest.mark.parametrize(
    ("reference", "valid", "invalid"),
    [
        ("#/components/schemas/A~1B", 1, "x"),
        ("#/components/schemas/a%20b", "x", 1),
        ("#/components/schemas/List/prefixItems/1", None, 1),
        ("#here", "x", 1),
        ("common.yaml#/schemas/Ids", [1], ["x"]),
        ("common.yaml#name", "x", 1),
        ("root.json", True, 1),
        ("root.json#", True, 1),
    ],
)
def test_references_lead_by_place(reference: str, valid: Any, invalid: Any) -> None:
    """In the document and into others, by pointers and by anchors."""
    schemas = {
        "A/B": {"type": "integer"},
        "a b": {"type": "string", "$anchor": "here"},
        "List": {"prefixItems": [True, {"type": "null"}]},
    }
    compiler = SchemaCompiler(document(**schemas), version="3.1", others=OTHERS)
    made = compiler.compile({"properties": {"x": {"$ref": reference}}})
    assert wrong(made, {"x": valid}) == []
    assert wrong(made, {"x": invalid})


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        (
            "#/components/schemas/Nothing",
            "'#/components/schemas/Nothing' does not exist",
        ),
        ("#/components/schemas/List/prefixItems/2", "does not exist"),
        ("#/components/schemas/List/prefixItems/x", "does not exist"),
        ("#nowhere", "refers to an anchor that does not exist"),
        ("https://example.org/x", "refers to an unknown document"),
        ("file:///etc/passwd", "refers to an unknown document"),
        (1, "a reference must be a string"),
    ],
)
def test_a_reference_to_nothing_is_reported(reference: Any, words: str) -> None:
    """Nothing is fetched, from wherever."""
    ((pointer, told),) = problems(
        {"items": {"$ref": reference}}, List={"prefixItems": [True, True]}
    )
    assert pointer == "/items/$ref"
    assert words in told


@pytest.mark.parametrize("version", [*VERSIONS, None])
def test_all_that_is_wrong_is_reported_at_once(version: Any) -> None:
    """With the place of each, also in what is referred to."""
    found = problems(
        {
            "type": "strin",
            "items": {"minLength": -1},
            "properties": {"a": 1},
            "allOf": [named("A")],
        },
        version,
        A={"pattern": "(", "required": "x", "anyOf": [], "properties": []},
    )
    assert {pointer for pointer, _ in found} >= {
        "/type",
        "/items/minLength",
        "/properties/a",
        "/components/schemas/A/pattern",
        "/components/schemas/A/required",
        "/components/schemas/A/anyOf",
        "/components/schemas/A/properties",
    }


def test_an_error_tells_of_so_many_problems_and_how_many_more() -> None:
    """All of them are its attribute."""
    with pytest.raises(SchemaError, match="and 5 more") as caught:
        compiled({"allOf": [{"type": "x"} for _ in range(25)]})
    assert len(caught.value.problems) == 25


ANYTHING: list[Any] = [
    None, True, 0, -1, 1.5, "", "x", "(", "number", [], [1], [{}], ["a", "a"], [["a"]], [None], {},
    {"a": 1}, {"a": ["b", 1]}, {"a": {"$ref": 1}}, {"propertyName": "a", "mapping": 1},
]  # fmt: skip
KEYWORDS = sorted(
    {"$ref", "$dynamicRef", "$schema", "$anchor", "$id", "discriminator", "nullable", "readOnly"}
    | {"dependencies", "default", "unheard-of", "x-more"}
    | LISTS
    | MAPS
    | SINGLES
    | ASSERTIONS
)


@pytest.mark.few_cases(24)
@pytest.mark.parametrize("version", [*VERSIONS, None])
@pytest.mark.parametrize("keyword", KEYWORDS)
def test_whatever_a_keyword_has_is_compiled_or_reported(version: Any, keyword: str) -> None:
    """There is no other error, and what is compiled can be asked."""
    beside: list[dict[str, Any]] = [
        {},
        {"format": "int32", "oneOf": [named("A")], "nullable": True, "type": ["null", "string"]},
        {"properties": {"a": {"readOnly": True}}, "allOf": [named("A")], "type": "object"},
    ]
    for value in ANYTHING:
        for more in beside:
            schema = {**more, keyword: value}
            compiler = SchemaCompiler(
                document(A={"type": "object", **schema}, B=named("A")), version=version
            )
            for one in (schema, named("A"), {"items": {"anyOf": [schema, named("B")]}}):
                try:
                    made = compiler.compile(one)
                except SchemaError:
                    continue
                else:
                    assert isinstance(wrong(made, {"a": 1, "b": [1]}), list)
                    assert isinstance(wrong(made, [[1], {"a": 1}]), list)
                    compiler.unbounded([made])
                finally:
                    compiler.coverage([("", one)])


@pytest.mark.parametrize("schema", [1, "x", None, []])
def test_what_is_not_a_schema_is_reported(schema: Any) -> None:
    """At its top and within."""
    words = "a schema must be an object or a boolean"
    assert problems(schema) == [SchemaProblem("", words)]
    assert problems({"properties": {"a": schema}}) == [SchemaProblem("/properties/a", words)]


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        (named("A"), "/components/schemas/A"),
        ({"items": {"anyOf": [named("B")]}}, "/components/schemas/B"),
    ],
)
def test_a_schema_that_is_itself_is_reported(schema: Any, pointer: str) -> None:
    """It would say nothing of a value, and never end."""
    found = problems(schema, A={"allOf": [named("A")]}, B={"$ref": "#/components/schemas/B"})
    assert [problem.pointer for problem in found] == [pointer]
    assert "never end" in found[0].message


@pytest.mark.parametrize("keyword", ["$id", "$recursiveRef"])
def test_a_keyword_that_cant_be_honoured_is_reported(keyword: str) -> None:
    """In an OpenAPI document, where schemas are named by their places."""
    ((pointer, words),) = problems(named("A"), A={keyword: "https://example.org/a"})
    assert pointer == f"/components/schemas/A/{keyword}"
    assert "is not supported" in words


def test_a_dynamic_reference_is_one_where_it_leads_to_one_place() -> None:
    """And else is told, as is one that leads nowhere."""
    tree = {"$dynamicAnchor": "node", "items": {"$dynamicRef": "#node"}, "type": "array"}
    assert wrong(compiled(named("Tree"), Tree=tree), [[[]], [1]]) == [("/1/0", "type")]
    plain = {"$anchor": "plain", "items": {"$dynamicRef": "#plain"}, "type": "array"}
    assert wrong(compiled(named("Tree"), Tree=plain), [1]) == [("/0", "type")]
    ((_, words),) = problems(named("Tree"), Tree=tree, Other={"$dynamicAnchor": "node"})
    assert "several schemas have its $dynamicAnchor" in words
    ((_, words),) = problems({"$dynamicRef": "#nothing"})
    assert "does not exist" in words


def test_schemas_that_name_themselves_are_left_to_the_library() -> None:
    """In JSON Schema alone; a fault of theirs is told as one, and patterns are looked at."""
    schema = {
        "$id": "https://example.org/tree",
        "$dynamicAnchor": "node",
        "items": {"$dynamicRef": "#node"},
        "type": "array",
    }
    made = SchemaCompiler(schema).compile(schema)
    assert wrong(made, [[]]) == []
    assert wrong(made, [1]) == [("", "schema")]
    looking: list[dict[str, Any]] = [{"pattern": "(?=a)"}, {"patternProperties": {"(?=a)": {}}}]
    for keyword in looking:
        faulty = {**schema, "items": keyword}
        with pytest.raises(SchemaError, match="lookaround"):
            SchemaCompiler(faulty).compile(faulty)
    for faulty in ({**schema, "type": "strin"}, {**schema, "$ref": "https://example.org/x"}):
        with pytest.raises(SchemaError):
            SchemaCompiler(faulty).compile(faulty)


def test_a_problem_in_another_document_is_reported_with_its_name() -> None:
    """Before the pointer, as in a reference."""
    others: dict[str, Any] = {"common.yaml": {"A": {"type": "strin"}}}
    compiler = SchemaCompiler({}, version="3.1", others=others)
    for schema, location in (
        ({"$ref": "common.yaml#/A"}, ""),
        (others["common.yaml"]["A"], "common.yaml#/A"),
    ):
        with pytest.raises(SchemaError) as caught:
            compiler.compile(schema, location=location)
        assert {problem.pointer for problem in caught.value.problems} == {"common.yaml#/A/type"}


def test_a_schema_says_where_it_stands() -> None:
    """For people who look at it."""
    made = compiled({})
    assert repr(made) == "JsonSchema('', direction='request')"


# -- bounds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "pointers"),
    [
        ({"type": "string"}, [""]),
        ({"type": "string", "maxLength": 5}, []),
        ({"type": "string", "enum": ["a"]}, []),
        ({"type": "string", "format": "date"}, []),
        ({"type": "string", "pattern": "^a$"}, []),
        ({"type": ["string", "null"]}, [""]),
        ({"const": "a"}, []),
        ({}, [""]),
        (True, []),
        ({"type": "integer"}, []),
        ({"type": "array", "items": {"type": "integer"}}, [""]),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 3}, ["/items"]),
        ({"type": "array", "prefixItems": [{"type": "null"}], "items": False}, []),
        ({"type": "object"}, [""]),
        ({"type": "object", "maxProperties": 3}, []),
        ({"type": "object", "additionalProperties": False}, []),
        ({"type": "object", "unevaluatedProperties": False}, []),
        (
            {"type": "object", "additionalProperties": False, "patternProperties": {"": False}},
            [""],
        ),
        (
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {"a/b": {"type": "string"}, "c": named("Text")},
            },
            ["/properties/a~1b", "/components/schemas/Text"],
        ),
        # the parts of one value bound it together
        ({"allOf": [{"type": "string"}, {"maxLength": 5}]}, []),
        ({"allOf": [named("Text")], "maxLength": 5}, []),
        ({**named("Text"), "maxLength": 5}, []),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, ["/anyOf/0"]),
        ({"anyOf": [{"type": "string"}, {"type": "null"}], "maxLength": 5}, []),
        ({"if": {"type": "string"}, "then": {"type": "string"}, "type": "string"}, ["/then"]),
        ({"type": "string", "maxLength": 1, "not": {"type": "string"}}, []),
        ({"type": "object", "maxProperties": 1, "properties": {"id": {"readOnly": True}}}, []),
    ],
)
def test_what_has_no_bound_is_found(schema: Any, pointers: list[str]) -> None:
    """Strings, arrays and objects, by the pointers of where they are."""
    compiler = SchemaCompiler(document(Text={"type": "string"}), version="3.1")
    assert sorted(compiler.unbounded([compiler.compile(schema)])) == sorted(pointers)


def test_what_refers_to_itself_is_looked_at_once() -> None:
    """A tree of nodes."""
    node = {"type": "array", "items": named("Node")}
    compiler = SchemaCompiler(document(Node=node), version="3.1")
    assert compiler.unbounded([compiler.compile(named("Node"))]) == ["/components/schemas/Node"]


# -- coverage -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "keyword", "words"),
    [
        ({"contentEncoding": "base64"}, "contentEncoding", "encoded content is not decoded"),
        ({"contentMediaType": "a/b"}, "contentMediaType", "embedded content is not parsed"),
        ({"contentSchema": {}}, "contentSchema", "embedded content is not parsed"),
        ({"xml": {}}, "xml", "XML is not supported"),
        ({"format": "date"}, "format", "string formats are not asserted"),
        ({"x-more": 1}, "x-more", "it is an extension"),
        ({"minLenght": 1}, "minLenght", "unknown keyword"),
        ({"nullable": True}, "nullable", "unknown keyword"),
        ({"additionalItems": False}, "additionalItems", "unknown keyword"),
        ({"discriminator": {}}, "discriminator", "no anyOf or oneOf beside it"),
    ],
)
def test_what_is_not_checked_is_reported(schema: Any, keyword: str, words: str) -> None:
    """With its pointer and the reason, also in what is referred to."""
    compiler = SchemaCompiler(document(A=schema), version="3.1")
    found = compiler.coverage([("/x", {"items": named("A")})])
    assert found.checked == ("$ref", "items")
    ((pointer, told),) = found.unchecked
    assert pointer == f"/components/schemas/A/{keyword}"
    assert words in told


def test_coverage_knows_the_dialect() -> None:
    """And the options."""
    schema = {
        "type": "object",
        "description": "x",
        "properties": {
            "a": {"type": "string", "nullable": True, "format": "date"},
            "b": {"nullable": True},
            "c": {"format": "unheard-of"},
            "d": {"format": "int32", "readOnly": True},
            "e": {**named("E"), "maxLength": 5, "description": "x"},
            "f": {"$ref": "#/nothing"},
            "g": {"oneOf": [{}], "discriminator": {}},
        },
    }
    found = SchemaCompiler(document(E={}), version="3.0", formats=True).coverage([("", schema)])
    assert {
        (pointer.rpartition("/")[2], pointer.split("/")[2]) for pointer, _ in found.unchecked
    } == {
        ("nullable", "b"),
        ("format", "c"),
        ("maxLength", "e"),
    }
    assert {"format", "nullable", "readOnly", "discriminator", "type"} <= set(found.checked)
    alone = SchemaCompiler({}).coverage([("", {"readOnly": True, "discriminator": {}})])
    assert [words for _, words in alone.unchecked] == [
        "it has no effect outside OpenAPI",
        "unknown keyword",
    ]
