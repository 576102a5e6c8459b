"""Members that are read-only or write-only, wherever they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mantlet.guard.jsonschema import SchemaCompiler
from tests.guard.jsonschema.asking import VERSIONS, compiled, document, named, wrong

if TYPE_CHECKING:
    from mantlet.guard.jsonschema.dialects import OpenApiVersion

ID = {"type": "integer", "readOnly": True}
WORD = {"type": "string", "writeOnly": True}
USER = {
    "type": "object",
    "properties": {"id": ID, "name": {"type": "string"}, "word": WORD},
    "required": ["id", "name", "word"],
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("around", "schema"),
    [
        (lambda value: value, named("User")),
        (lambda value: {"user": value}, {"properties": {"user": named("User")}}),
        (lambda value: [value], {"type": "array", "items": named("User")}),
        (lambda value: {"x": value}, {"additionalProperties": named("User")}),
        (lambda value: value, {"allOf": [named("User"), {"type": "object"}]}),
        (lambda value: value, {"allOf": [{"allOf": [named("User")]}]}),
    ],
)
def test_members_go_one_way(version: OpenApiVersion, around: Any, schema: Any) -> None:
    """A read-only one in no request, a write-only one in no response, and neither is required."""
    asked = compiled(schema, version, "request", User=USER)
    told = compiled(schema, version, "response", User=USER)
    ending = {"id": 1, "name": "x"}, {"name": "x", "word": "y"}
    assert wrong(asked, around(ending[1])) == []
    assert [code for _, code in wrong(asked, around(ending[0]))] in (
        ["read_only", "required"],
        ["required", "read_only"],
    )
    assert wrong(told, around(ending[0])) == []
    assert sorted(code for _, code in wrong(told, around(ending[1]))) == ["required", "write_only"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("member", [named("Id"), {"allOf": [named("Id")]}])
def test_a_member_is_read_only_by_what_it_refers_to(version: OpenApiVersion, member: Any) -> None:
    """Through a reference and through ``allOf``."""
    schema = {"type": "object", "properties": {"id": member}, "required": ["id"]}
    made = compiled(schema, version, Id=ID)
    assert wrong(made, {}) == []
    assert wrong(made, {"id": 1}) == [("/id", "read_only")]
    assert wrong(compiled(schema, version, "response", Id=ID), {"id": 1}) == []


def test_beside_a_reference_read_only_is_void_in_3_0_and_holds_since() -> None:
    """As all that stands beside one."""
    schema = {"properties": {"id": {**named("Plain"), "readOnly": True}}}
    assert wrong(compiled(schema, "3.0", Plain={}), {"id": 1}) == []
    assert wrong(compiled(schema, "3.1", Plain={}), {"id": 1}) == [("/id", "read_only")]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_forms_have_read_only_members_of_their_own(version: OpenApiVersion, keyword: str) -> None:
    """What one form requires is not let go of for another's read-only member."""
    schema = {
        keyword: [
            {"type": "object", "properties": {"id": ID}, "required": ["id"], "maxProperties": 0},
            {
                "type": "object",
                "properties": {"id": {"type": "string"}, "b": {}},
                "required": ["id", "b"],
            },
        ]
    }
    made = compiled(schema, version)
    assert wrong(made, {}) == []
    assert wrong(made, {"id": "x", "b": 1}) == []
    assert wrong(made, {"b": 1})
    assert wrong(made, {"id": 1})


@pytest.mark.parametrize("version", VERSIONS)
def test_required_may_stand_in_another_part(version: OpenApiVersion) -> None:
    """The parts of ``allOf`` speak of the same object, also through references."""
    schema = {"allOf": [named("Needed"), {"properties": {"id": ID}}]}
    made = compiled(schema, version, Needed={"type": "object", "required": ["id", "name"]})
    assert wrong(made, {"name": 1}) == []
    assert wrong(made, {}) == [("/name", "required")]
    assert wrong(compiled(schema, version, "response", Needed={"required": ["id"]}), {}) == [
        ("/id", "required")
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_schemas_that_refer_to_each_other_end(version: OpenApiVersion) -> None:
    """A tree of nodes, each with a read-only member."""
    node = {
        "type": "object",
        "required": ["id"],
        "properties": {"id": ID, "children": {"type": "array", "items": named("Node")}},
    }
    made = compiled(named("Node"), version, Node=node)
    assert wrong(made, {"children": [{"children": [{}]}]}) == []
    assert wrong(made, {"children": [{"children": [{"id": 1}]}]}) == [
        ("/children/0/children/0/id", "read_only")
    ]


def test_what_is_turned_round_is_as_all_else() -> None:
    """Else ``not`` would let through what the schema excludes."""
    schema = {"not": {"properties": {"id": ID}, "required": ["id"]}}
    assert wrong(compiled(schema), {"id": 1}) == [("", "not")]
    condition = {"if": {"properties": {"id": ID}, "required": ["id"]}, "then": False}
    assert wrong(compiled(condition), {"id": 1}) == [("", "false")]


def test_a_required_dependency_on_a_read_only_member_is_let_go_of() -> None:
    """As it must not be sent."""
    schema = {"properties": {"id": ID}, "dependentRequired": {"name": ["id", "age"]}}
    made = compiled(schema)
    assert wrong(made, {"name": 1, "age": 1}) == []
    assert wrong(made, {"name": 1})


def test_read_only_forms_of_a_member_are_no_choice() -> None:
    """A member may have another form, and not the one that is read-only."""
    schema = {"properties": {"a": {"anyOf": [ID, {"type": "string"}]}}}
    made = compiled(schema)
    assert wrong(made, {"a": "x"}) == []
    assert wrong(made, {"a": 1})
    assert wrong(compiled(schema, direction="response"), {"a": 1}) == []


def test_a_schema_of_json_schema_alone_has_no_direction() -> None:
    """There it is an annotation."""
    schema = {"properties": {"id": ID}, "required": ["id"]}
    assert wrong(SchemaCompiler(schema).compile(schema), {"id": 1}) == []


def test_what_was_made_for_a_schema_is_not_taken_for_another() -> None:
    """Schemas made on the way are gone once compiled, and their identities are given again."""
    compiler = SchemaCompiler(document(), version="3.1")
    for number in range(200):
        read_only = number % 2 == 0
        made = compiler.compile({"properties": {"id": {"readOnly": read_only}}})
        assert bool(wrong(made, {"id": 1})) == read_only


def test_a_long_way_of_parts_ends() -> None:
    """And what has no schema in it says nothing of direction."""
    schemas: dict[str, Any] = {f"S{n}": {"allOf": [named(f"S{n + 1}")]} for n in range(100)}
    schemas["S100"] = {"properties": {"id": ID}, "required": ["id"]}
    schema: Any = {"allOf": [named("S0"), True, named("S60")], "required": ["id"]}
    made = compiled(schema, **schemas)
    assert wrong(made, {}) == []
    assert wrong(made, {"id": 1})
    branches = {"anyOf": [{"required": ["id"]}, True], "then": {"required": ["id"]}, "if": True}
    made = compiled({"properties": {"id": ID}, "allOf": [named("B")]}, B=branches)
    assert wrong(made, {}) == []
