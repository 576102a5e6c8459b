"""The defaults of a schema, handed on in a copy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mantlet.guard.jsonschema import SchemaCompiler
from tests.guard.jsonschema.asking import VERSIONS, compiled, named

N = {"type": "integer", "default": 3}
OBJECT = {"type": "object", "properties": {"n": N, "m": {}}}


def filled(schema: Any, value: Any, **schemas: Any) -> Any:
    """Return what the app gets, having checked that what was sent is as before."""
    before = json.dumps(value)
    made = compiled(schema, **schemas).load(b"", value, "body")
    assert json.dumps(value) == before
    return made


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (OBJECT, {}, {"n": 3}),
        (OBJECT, {"m": 1}, {"m": 1, "n": 3}),
        (OBJECT, {"n": 1}, {"n": 1}),
        ({"properties": {"o": OBJECT}}, {"o": {}}, {"o": {"n": 3}}),
        ({"properties": {"o": OBJECT}}, {}, {}),
        ({"properties": {"o": {**OBJECT, "default": {}}}}, {}, {"o": {"n": 3}}),
        ({"properties": {"o": named("O")}}, {"o": {}}, {"o": {"n": 3}}),
        ({"properties": {"n": named("N")}}, {}, {"n": 3}),
        ({"properties": {"n": {**named("N"), "default": 4}}}, {}, {"n": 4}),
        ({"properties": {"n": {"allOf": [{}, named("N")]}}}, {}, {"n": 3}),
        ({"allOf": [named("O"), {"properties": {"k": {"default": 1}}}]}, {}, {"n": 3, "k": 1}),
        ({"items": named("O")}, [{}, {"n": 1}], [{"n": 3}, {"n": 1}]),
        ({"additionalProperties": OBJECT}, {"x": {}}, {"x": {"n": 3}}),
        ({"properties": {"n": {"default": None}}}, {}, {"n": None}),
        # which of two forms it has is not known; of one and null it is
        ({"anyOf": [OBJECT, {"type": "object"}]}, {}, {}),
        ({"anyOf": [named("O"), {"type": "null"}]}, {}, {"n": 3}),
        ({"oneOf": [named("O")]}, {}, {"n": 3}),
        ({"anyOf": [named("O"), {"type": "null"}]}, None, None),
        # what the schema does not allow is not handed on
        ({"properties": {"n": {"type": "string", "default": 3}}}, {}, {}),
        ({**OBJECT, "maxProperties": 0}, {}, {}),
    ],
)
def test_they_are_filled_in(schema: Any, value: Any, expected: Any) -> None:
    """Of members that are not there, in whatever they are nested."""
    assert filled(schema, value, O=OBJECT, N=N) == expected


def test_what_has_none_is_handed_on_itself() -> None:
    """Nor is a copy made where there is nothing to fill in."""
    for schema in ({"type": "object"}, OBJECT, {"items": OBJECT}):
        made = compiled(schema)
        value: Any = [{"n": 1}] if "items" in schema else {"n": 1}
        assert made.load(b"", value, "body") is value
        assert made.check(value, "query") is value


def test_a_tree_of_schemas_is_filled_in() -> None:
    """Though it refers to itself."""
    node = {"properties": {"n": N, "next": named("Node"), "all": {"items": named("Node")}}}
    made = filled(named("Node"), {"next": {"all": [{}]}}, Node=node)
    assert made == {"n": 3, "next": {"n": 3, "all": [{"n": 3}]}}


def test_apps_do_not_share_a_default() -> None:
    """What one of them changes is not what the next one gets."""
    made = compiled({"properties": {"a": {"default": {"b": [1]}}}})
    first = made.load(b"", {}, "body")
    first["a"]["b"].append(2)
    assert made.load(b"", {}, "body") == {"a": {"b": [1]}}


def test_the_form_that_is_picked_has_its_own() -> None:
    """By a discriminator it is known which it is."""
    said = {"propertyName": "kind", "mapping": {}, "defaultMapping": "B"}
    schema = {"oneOf": [named("A"), named("B")], "discriminator": said}
    kind = {"properties": {"kind": {"const": "A"}, "a": {"default": 1}}, "required": ["kind"]}
    other = {"properties": {"kind": {"not": {"const": "A"}}, "b": {"default": 2}}}
    made = SchemaCompiler(
        {"components": {"schemas": {"A": kind, "B": other}}}, version="3.2"
    ).compile(schema)
    assert made.load(b"", {"kind": "A"}, "body") == {"kind": "A", "a": 1}
    assert made.load(b"", {"kind": "x"}, "body") == {"kind": "x", "b": 2}
    assert made.load(b"", {}, "body") == {"b": 2}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_must_not_be_sent_is_not_filled_in(version: Any) -> None:
    """It would be a read-only member in the app's hands."""
    schema = {"properties": {"id": {"readOnly": True, "default": 1}}}
    assert compiled(schema, version).load(b"", {}, "body") == {}
    assert compiled(schema, version, "response").load(b"", {}, "body") == {"id": 1}


def test_a_schema_can_be_prepared() -> None:
    """Before it is asked, for those who would rather wait then."""
    made = compiled(OBJECT)
    made.prepare()
    assert made.load(b"", {}, "body") == {"n": 3}


def test_a_value_is_written_in_one_form() -> None:
    """Compact, in UTF-8, members in their order, and no number that JSON does not have."""
    made = compiled({})
    assert made.dump({"b": [1, 2.5, None, True], "a": "é\u2028"}) == (
        b'{"b":[1,2.5,null,true],"a":"\xc3\xa9\xe2\x80\xa8"}'
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        made.dump(float("nan"))
