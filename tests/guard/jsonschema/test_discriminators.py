"""The discriminator picks one form, and lets through nothing that the forms would not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.guard.jsonschema import SchemaCompiler, SchemaError
from tests.guard.jsonschema.asking import VERSIONS, compiled, document, faults, named, wrong

if TYPE_CHECKING:
    from mantlet.guard.jsonschema.dialects import OpenApiVersion

CAT = {
    "type": "object",
    "properties": {"kind": {"type": "string"}, "lives": {"type": "integer", "maximum": 9}},
    "required": ["kind", "lives"],
}
DOG = {
    "type": "object",
    "properties": {"kind": {"type": "string"}, "bark": {"type": "string"}},
    "required": ["kind", "bark"],
}
FORMS = [named("Cat"), named("Dog")]
MAPPED = {"propertyName": "kind", "mapping": {"cat": "#/components/schemas/Cat", "d": "Dog"}}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
def test_it_picks_the_form_that_errors_are_of(version: OpenApiVersion, keyword: str) -> None:
    """By a schema's name, by a mapping to a name, and by one to a reference."""
    pet = compiled({keyword: FORMS, "discriminator": MAPPED}, version, Cat=CAT, Dog=DOG)
    assert wrong(pet, {"kind": "Cat", "lives": 1}) == []
    assert wrong(pet, {"kind": "cat", "lives": 1}) == []
    assert wrong(pet, {"kind": "d", "bark": "x"}) == []
    assert wrong(pet, {"kind": "cat", "lives": 10}) == [("/lives", "maximum")]
    assert wrong(pet, {"kind": "d", "bark": 1}) == [("/bark", "type")]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
def test_a_value_that_picks_nothing_is_an_error_of_its_own(
    version: OpenApiVersion, keyword: str
) -> None:
    """So is one that is no text, and a missing one is what is required."""
    pet = compiled({keyword: FORMS, "discriminator": MAPPED}, version, Cat=CAT, Dog=DOG)
    (fault,) = faults(pet, {"kind": "secret", "lives": 1})
    assert fault.pointer == "/kind"
    assert fault.code == "discriminator"
    assert fault.detail == 'Must be one of "Cat", "Dog", "cat", "d"'
    assert wrong(pet, {"kind": 1, "lives": 1}) == [("/kind", "discriminator")]
    assert wrong(pet, {"kind": ["cat"], "lives": 1}) == [("/kind", "discriminator")]
    assert wrong(pet, {"lives": 1}) == [("/kind", "required")]


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
def test_a_value_must_have_the_form_that_it_picks(keyword: str) -> None:
    """Though it has another one."""
    pet = compiled({keyword: FORMS, "discriminator": MAPPED}, Cat=CAT, Dog=DOG)
    assert wrong(pet, {"kind": "cat", "bark": "x"}) == [("/lives", "required")]


def test_with_one_of_it_must_have_no_other() -> None:
    """As it must without a discriminator; ``anyOf`` does not mind."""
    both = {"kind": "cat", "lives": 1, "bark": "x"}
    one = compiled({"oneOf": FORMS, "discriminator": MAPPED}, Cat=CAT, Dog=DOG)
    assert [fault.detail for fault in faults(one, both)] == [
        "Matches more than one schema, but must match exactly one"
    ]
    assert wrong(compiled({"anyOf": FORMS, "discriminator": MAPPED}, Cat=CAT, Dog=DOG), both) == []


def test_what_is_not_an_object_has_a_form_without_it() -> None:
    """Null beside objects is a form that is common in 3.1."""
    schema = {"oneOf": [*FORMS, {"type": "null"}], "discriminator": MAPPED}
    pet = compiled(schema, Cat=CAT, Dog=DOG)
    assert wrong(pet, None) == []
    assert wrong(pet, 1)
    assert wrong(pet, {"kind": "x"}) == [("/kind", "discriminator")]


def test_the_rest_may_have_a_form_by_default() -> None:
    """``defaultMapping`` of 3.2: for other values, and where there is none."""
    said = {**MAPPED, "defaultMapping": "Any"}
    other = {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}
    for keyword in ("oneOf", "anyOf"):
        pet = compiled(
            {keyword: [*FORMS, named("Any")], "discriminator": said},
            "3.2",
            Cat=CAT,
            Dog=DOG,
            Any=other,
        )
        assert wrong(pet, {"kind": "cow", "size": 1}) == []
        assert wrong(pet, {"size": 1}) == []
        assert wrong(pet, {"kind": "cow"}) == [("/size", "required")]
        assert wrong(pet, {"kind": "cat"}) == [("/lives", "required")]
    both = {"kind": "cow", "size": 1, "lives": 1}
    pet = compiled(
        {"oneOf": [*FORMS, named("Any")], "discriminator": said}, "3.2", Cat=CAT, Dog=DOG, Any=other
    )
    assert wrong(pet, both) == [("", "oneOf")]


def test_forms_within_forms_take_time_that_grows_with_their_depth() -> None:
    """And not with two to its power, as each form is looked at once."""
    node = {
        "type": "object",
        "properties": {"kind": {"const": "node"}, "next": named("Any")},
        "required": ["kind"],
    }
    leaf = {"type": "object", "properties": {"kind": {"const": "leaf"}}, "required": ["kind"]}
    said = {"propertyName": "kind", "mapping": {"node": "Node", "leaf": "Leaf"}}
    schemas: dict[str, Any] = {
        "Node": node,
        "Leaf": leaf,
        "Any": {"oneOf": [named("Node"), named("Leaf")], "discriminator": said},
    }
    made = compiled(named("Any"), **schemas)
    value: dict[str, Any] = {"kind": "leaf"}
    for _ in range(40):
        value = {"kind": "node", "next": value}
    assert wrong(made, value) == []
    for depth in (5, 40):
        value = {"kind": "cow"}
        for _ in range(depth):
            value = {"kind": "node", "next": value}
        (fault,) = faults(made, value)
        assert fault.pointer.startswith("/next/next/next/next/next")


@pytest.mark.parametrize("version", VERSIONS)
def test_with_all_of_it_picks_nothing(version: OpenApiVersion) -> None:
    """It says then which schemas are made of this one, and not what a value must be."""
    parent = {**CAT, "discriminator": {"propertyName": "kind"}}
    made = compiled(named("Pet"), version, Pet=parent, Cat={"allOf": [named("Pet")]})
    assert wrong(made, {"kind": "whatever", "lives": 1}) == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "/discriminator: must have a propertyName"),
        ("kind", "/discriminator: must have a propertyName"),
        ({**MAPPED, "mapping": {"x": "Cow"}}, "/mapping: 'Cow' is not one of the schemas"),
        ({**MAPPED, "mapping": {"x": 1}}, "/mapping: 1 is not one of the schemas"),
        ({**MAPPED, "defaultMapping": "Cow"}, "/defaultMapping: .*is not one of the schemas"),
    ],
)
def test_one_that_picks_what_is_not_there_is_reported(said: Any, words: str) -> None:
    """When it is compiled, with its pointer."""
    with pytest.raises(SchemaError, match=words):
        compiled({"oneOf": FORMS, "discriminator": said}, Cat=CAT, Dog=DOG)


def of_kind(value: Any, **members: Any) -> dict[str, Any]:
    """Return the schema of an object whose kind is stated."""
    return {
        "type": "object",
        "required": ["kind", *members],
        "properties": {"kind": value, **members},
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
def test_values_pick_schemas_that_no_name_can_pick(version: OpenApiVersion, keyword: str) -> None:
    """Music services say that a ``TrackObject`` has the type ``track``, and map nothing."""
    pet = compiled(
        {
            keyword: [
                named("Cat"),
                named("DogObject"),
                of_kind({"enum": ["cow"]}, horns={"type": "integer"}),
            ],
            "discriminator": {"propertyName": "kind"},
        },
        version,
        Cat=CAT,
        DogObject=of_kind({"type": "string", "enum": ["dog", "wolf"]}, bark={"type": "string"}),
    )
    assert wrong(pet, {"kind": "Cat", "lives": 1}) == []
    assert wrong(pet, {"kind": "dog", "bark": "x"}) == []
    assert wrong(pet, {"kind": "wolf", "bark": 1}) == [("/bark", "type")]
    assert wrong(pet, {"kind": "cow", "horns": 2}) == []
    assert wrong(pet, {"kind": "cow", "bark": "x"}) == [("/horns", "required")]
    assert wrong(pet, {"kind": "DogObject", "bark": "x"}) == [("/kind", "discriminator")]


@pytest.mark.parametrize(
    "kinds",
    [
        ({"type": "string"}, {}),
        ({"type": "integer"}, {"type": "integer"}),
        ({"const": 1}, {"const": 2}),
        ({"const": "a"}, {"enum": ["a", "b"]}),
    ],
    ids=["any text", "integers", "numbers", "the same value"],
)
def test_one_that_picks_nothing_is_ignored(kinds: tuple[Any, Any]) -> None:
    """The schemas decide, as they would without it."""
    one = of_kind(kinds[0], lives={"type": "integer"})
    two = of_kind(kinds[1], bark={"type": "string"})
    forms = [one, two] if "type" in kinds[0] and kinds[1] == {} else [named("One"), named("Two")]
    schema = {"oneOf": forms, "discriminator": {"propertyName": "kind"}}
    made = compiled(schema, One=one, Two=two)
    kind = kinds[0].get("const", 7 if kinds[0].get("type") == "integer" else "a")
    assert wrong(made, {"kind": kind, "lives": 1}) == []
    assert wrong(made, {"kind": kind, "lives": "x"})


pets = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["cat", "d", "Cat", "Dog", "cow", 1, None]),
        "lives": st.sampled_from([1, 10, "x"]),
        "bark": st.sampled_from(["x", 1]),
    },
)


@settings(max_examples=150)
@given(pets)
def test_nothing_gets_through_that_would_not_without_it(value: dict[str, Any]) -> None:
    """For ``oneOf`` and ``anyOf`` alike, of objects at random."""
    for keyword in ("oneOf", "anyOf"):
        compiler = SchemaCompiler(document(Cat=CAT, Dog=DOG), version="3.1")
        plain = compiler.compile({keyword: FORMS})
        picked = compiler.compile({keyword: FORMS, "discriminator": MAPPED})
        assert wrong(picked, value) if wrong(plain, value) else True


def test_forms_whose_member_excludes_a_value_are_not_tried() -> None:
    """By ``const`` or ``enum``, through references and ``allOf``."""
    base = {"type": "object", "properties": {"kind": named("Kind")}}
    made = compiled(
        {"oneOf": [named("A"), named("B")], "discriminator": {"propertyName": "kind"}},
        A={"allOf": [base], "required": ["kind"]},
        B={"type": "object", "properties": {"kind": {"const": "B"}}},
        Kind={"enum": ["A"]},
    )
    assert wrong(made, {"kind": "A"}) == []
    assert wrong(made, {"kind": "B"}) == []
    choice = made.converted["allOf"][-1]["then"]["allOf"]
    assert [set(form["then"]) for form in choice] == [{"$ref"}, {"$ref"}]


def test_a_name_of_a_schema_goes_before_a_reference() -> None:
    """A mapping's value may be either (3.1.2, 4.8.25.3); one to another schema is none."""
    others = {"pets.yaml": {"Cat": CAT}}
    compiler = SchemaCompiler(document(Cat=CAT, Dog=DOG), version="3.1", others=others)
    schema = {"oneOf": [{"$ref": "pets.yaml#/Cat"}, named("Dog")]}
    said = {"propertyName": "kind", "mapping": {"c": "pets.yaml#/Cat"}}
    made = compiler.compile({**schema, "discriminator": said})
    assert wrong(made, {"kind": "c", "lives": 1}) == []
    with pytest.raises(SchemaError, match="'Cat' is not one of the schemas"):
        compiler.compile({**schema, "discriminator": {**said, "mapping": {"c": "Cat"}}})
    plain = compiler.compile({**schema, "discriminator": {"propertyName": "kind", "mapping": 1}})
    assert wrong(plain, {"kind": "Cat", "lives": 1}) == []
