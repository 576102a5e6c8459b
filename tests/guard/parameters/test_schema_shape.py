"""What JSON Schemas say of the shapes of values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.guard.parameters import TEXT, Coercer, coerce, shape_of
from tests.guard.parameters.support import array, members, of

DEFINITIONS: dict[str, Any] = {
    "#/Id": {"type": "integer"},
    "#/Alias": {"$ref": "#/Id"},
    "#/Loop": {"$ref": "#/Loop", "type": "boolean"},
    "#/Ping": {"anyOf": [{"$ref": "#/Pong"}, {"type": "integer"}]},
    "#/Pong": {"anyOf": [{"$ref": "#/Ping"}, {"type": "boolean"}]},
    "#/Tree": {
        "type": "object",
        "properties": {"kids": {"type": "array", "items": {"$ref": "#/Tree"}}},
    },
    "#/Color": {"enum": ["red", "1"]},
}
NUMBER = {"integer", "number"}


def shape(schema: Any) -> Coercer:
    """Return the shape of a schema."""
    return shape_of(schema, DEFINITIONS.__getitem__)


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        (True, {"string"}),
        (False, set()),
        ({}, {"string"}),
        ({"type": "integer"}, {"integer"}),
        ({"type": "number"}, NUMBER),
        ({"type": ["integer", "null"]}, {"integer", "null"}),
        ({"type": "date"}, set()),
        ({"enum": [1, 2]}, NUMBER),
        ({"enum": [1, "a", True, None, [], {}]},
         {*NUMBER, "string", "boolean", "null", "array", "object"}),
        ({"enum": [True]}, {"boolean"}),
        ({"const": "1"}, {"string"}),
        ({"const": 1, "type": "integer"}, {"integer"}),
        ({"const": None}, {"null"}),
        ({"minimum": 1}, {"string"}),
        # references
        ({"$ref": "#/Id"}, {"integer"}),
        ({"$ref": "#/Alias"}, {"integer"}),
        ({"$ref": "#/Id", "minimum": 1}, {"integer"}),
        ({"$ref": "#/Loop"}, {"boolean"}),
        ({"$ref": "#/Ping", "type": ["integer", "boolean", "string"]},
         {"integer", "boolean", "string"}),
        ({"$ref": 5}, {"string"}),
        # all, any, one
        ({"allOf": [{"type": "integer"}, {"minimum": 1}]}, {"integer"}),
        ({"allOf": [{"type": "number"}, {"type": ["integer", "string"]}]}, {"integer"}),
        ({"allOf": [{"type": "integer"}, {"type": "string"}]}, set()),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, {"integer", "string"}),
        ({"oneOf": [{"type": "boolean"}, {"type": "null"}]}, {"boolean", "null"}),
        ({"anyOf": [{"type": "integer"}, False]}, {"integer"}),
        ({"anyOf": [{"type": "integer"}, {}]}, {"string"}),
        ({"type": "integer", "anyOf": [{"minimum": 5}, {"maximum": 0}]}, {"integer"}),
        ({"type": "integer", "anyOf": []}, {"integer"}),
        ({"anyOf": [{"$ref": "#/Id"}, {"type": "array"}]}, {"integer", "array"}),
        # conditions
        ({"if": {}, "then": {"type": "integer"}, "else": {"type": "boolean"}},
         {"integer", "boolean"}),
        ({"if": {}, "then": {"type": "integer"}}, {"string"}),
        ({"then": {"type": "integer"}}, {"string"}),
        ({"not": {"type": "string"}}, {"string"}),
        # a type that was left out
        ({"properties": {"a": {}}}, {"object"}),
        ({"additionalProperties": {}}, {"object"}),
        ({"items": {}}, {"array"}),
        ({"prefixItems": [{}]}, {"array"}),
    ],
)  # fmt: skip
def test_types(schema: Any, types: set[str]) -> None:
    """A shape has the types that the schema leaves, and is text where it says nothing."""
    assert shape(schema).types == types


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"enum": ["1", 2]}, "1", "1"),
        ({"enum": ["1", 2]}, "2", 2),
        ({"anyOf": [{"type": "integer"}, {"$ref": "#/Color"}]}, "1", "1"),
        ({"anyOf": [{"type": "integer"}, {"const": "7"}]}, "7", "7"),
        ({"anyOf": [{"type": "integer"}, {"const": "7"}]}, "8", 8),
        ({"type": "number", "enum": [1, 2.5]}, "1.0", 1.0),
        ({"type": "integer", "enum": [1, 2]}, "1.0", "1.0"),
    ],
)
def test_enumerated_values(schema: Any, text: str, value: Any) -> None:
    """Enumerated strings stay text."""
    read = coerce(text, shape(schema))
    assert (read, type(read)) == (value, type(value))


def test_arrays() -> None:
    """Items have their shapes, the first ones their own."""
    assert shape({"type": "array", "items": {"type": "integer"}}) == array(of("integer"))
    both = shape({"prefixItems": [{"type": "boolean"}], "items": {"type": "integer"}})
    assert (both.prefix, both.items) == ((of("boolean"),), of("integer"))
    assert shape({"allOf": [both_schema(), {"items": True}]}).prefix == (of("boolean"),)


def both_schema() -> dict[str, Any]:
    """Return the schema of an array with a first item."""
    return {"type": "array", "prefixItems": [{"type": "boolean"}]}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"properties": {"a": {"type": "integer"}}}, members(a=of("integer"))),
        ({"type": "object"}, members(additional=TEXT)),
        ({"type": "object", "additionalProperties": False}, members()),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": True},
         members(a=TEXT, additional=TEXT)),
        ({"type": "object", "additionalProperties": {"type": "integer"}},
         members(additional=of("integer"))),
        ({"type": "object", "properties": {"a": {}}, "unevaluatedProperties": {"type": "null"}},
         members(a=TEXT, additional=of("null"))),
        ({"type": "object", "additionalProperties": False,
          "patternProperties": {"^x": {"type": "integer"}, "^y": {"type": "null"}}},
         members(additional=of("integer", "null"))),
        ({"type": "object", "allOf": [{"properties": {"a": {"type": "integer"}}},
                                      {"properties": {"a": {"minimum": 1}, "b": {}}}]},
         members(a=of("integer"), b=TEXT)),
        ({"type": "object", "oneOf": [{"properties": {"a": {"type": "integer"}}},
                                      {"properties": {"a": {"type": "boolean"}}}]},
         members(a=of("integer", "boolean"))),
        ({"type": "object", "dependentSchemas": {"a": {"properties": {"b": {"type": "null"}}}}},
         members(b=of("null"))),
        ({"type": "object", "anyOf": [{"additionalProperties": False}, {}]},
         members(additional=TEXT)),
        ({"type": "object", "anyOf": [{"additionalProperties": False}, False]}, members()),
    ],
)  # fmt: skip
def test_objects(schema: Any, expected: Coercer) -> None:
    """Members have their shapes, and others only where the schema says so or names none."""
    found = shape(schema)
    if "anyOf" in schema and schema["anyOf"][-1] is False:
        expected = Coercer(types=found.types, additional=TEXT)
    assert found == expected


def test_recursion_ends() -> None:
    """A schema that has itself inside is looked into no deeper than styles go."""
    tree = shape({"$ref": "#/Tree"})
    kids = tree.properties["kids"]
    assert kids.items is not None
    assert kids.items.types == {"object"}
    assert not kids.items.properties


@pytest.mark.unmeasured
def test_too_many_subschemas_are_refused() -> None:
    """A schema that unfolds without end in its references is refused, soon."""
    definitions = {
        f"#/{level}": {"allOf": [{"$ref": f"#/{level + 1}"}, {"$ref": f"#/{level + 1}"}]}
        for level in range(40)
    }
    definitions["#/40"] = {}
    with pytest.raises(ValueError, match="schema must have fewer"):
        shape_of({"$ref": "#/0"}, definitions.__getitem__)


def test_too_deep_subschemas_are_refused() -> None:
    """A schema that is nested too deeply is refused before the stack is full."""
    schema: dict[str, Any] = {}
    for _ in range(5000):
        schema = {"allOf": [schema]}
    with pytest.raises(ValueError, match="less deeply nested"):
        shape(schema)


SCHEMAS = st.recursive(
    st.one_of(
        st.booleans(),
        st.builds(dict),
        st.sampled_from([{"$ref": reference} for reference in DEFINITIONS]),
        st.fixed_dictionaries({"type": st.sampled_from(["integer", "array", "object", "null"])}),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"anyOf": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"allOf": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"items": inner, "additionalProperties": inner}),
        st.fixed_dictionaries({"properties": st.dictionaries(st.text(max_size=2), inner)}),
    ),
    max_leaves=8,
)


@given(SCHEMAS)
@settings(max_examples=60)
def test_any_schema_has_a_shape(schema: Any) -> None:
    """Schemas of all kinds have a shape that reads every text."""
    found = shape(schema)
    for text in ("", "1", "true", "x"):
        coerce(text, found)
