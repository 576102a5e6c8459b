"""What is told of a value that is wrong: where, by which keyword, and nothing that it holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.jsonschema import SchemaCompiler
from mantlet.guard.jsonschema.messages import describe_kinds
from mantlet.guard.limits import BodyLimits
from tests.guard.jsonschema.asking import compiled, faults, named, wrong

SECRET = "s3cr3t"
CLOSED = {"additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "value", "pointer", "code", "detail"),
    [
        ({"type": "string"}, 1, "", "type", "Must be of type string"),
        ({"type": ["string", "null"]}, 1, "", "type", "Must be of type string or null"),
        ({"enum": ["a", 1, None]}, SECRET, "", "enum", 'Must be one of "a", 1, null'),
        ({"const": {"a": 1}}, SECRET, "", "const", 'Must be {"a": 1}'),
        ({"minLength": 9}, SECRET, "", "minLength", "Must have at least 9 characters"),
        ({"maxLength": 1}, SECRET, "", "maxLength", "Must have at most 1 character"),
        ({"pattern": "^x"}, SECRET, "", "pattern", 'Must match the pattern "^x"'),
        ({"minimum": 5}, 1, "", "minimum", "Must be at least 5"),
        ({"maximum": 5}, 9, "", "maximum", "Must be at most 5"),
        ({"exclusiveMinimum": 5}, 5, "", "exclusiveMinimum", "Must be greater than 5"),
        ({"exclusiveMaximum": 5}, 5, "", "exclusiveMaximum", "Must be less than 5"),
        ({"multipleOf": 5}, 9, "", "multipleOf", "Must be a multiple of 5"),
        ({"minItems": 1}, [], "", "minItems", "Must have at least 1 item"),
        ({"maxItems": 1}, [1, 2], "", "maxItems", "Must have at most 1 item"),
        ({"uniqueItems": True}, [1, 1], "", "uniqueItems", "Items must be unique"),
        ({"minProperties": 1}, {}, "", "minProperties", "Must have at least 1 property"),
        ({"maxProperties": 0}, {"a": 1}, "", "maxProperties", "Must have at most 0 properties"),
        ({"required": ["a"]}, {}, "/a", "required", "Required property is missing"),
        ({"required": ["a/b~"]}, {}, "/a~1b~0", "required", "Required property is missing"),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "/b", "required", None),
        ({"properties": {"a": {"type": "null"}}}, {"a": 1}, "/a", "type", None),
        ({"properties": {"a": False}}, {"a": 1}, "/a", "false", "No value is allowed here"),
        (
            {"patternProperties": {"x": {}}, "properties": {"a": {}}, **CLOSED},
            {"a": 1, "x1": 1, SECRET: 1},
            f"/{SECRET}",
            "additionalProperties",
            "Unknown property",
        ),
        (
            {"propertyNames": {"maxLength": 3}},
            {"a": 1, SECRET: 1},
            f"/{SECRET}",
            "propertyNames",
            "Invalid property name",
        ),
        ({"additionalProperties": {"type": "null"}}, {"x": 1}, "/x", "type", None),
        ({"patternProperties": {"^x": {"type": "null"}}}, {"x": 1}, "/x", "type", None),
        ({"items": {"type": "null"}}, [None, 1], "/1", "type", None),
        ({"items": {"type": "null"}}, [None] * 50 + [1], "/50", "type", None),
        ({"items": False}, [1], "/0", "items", "Too many items"),
        ({"contains": {"const": 1}}, [2], "", "contains", "Must contain at least 1 matching item"),
        (
            {"contains": {"const": 1}, "minContains": 2},
            [1],
            "",
            "minContains",
            "Must contain at least 2 matching items",
        ),
        (
            {"contains": {"const": 1}, "maxContains": 1},
            [1, 1],
            "",
            "maxContains",
            "Must contain at most 1 matching item",
        ),
        ({"not": {"type": "string"}}, SECRET, "", "not", "Must not match the excluded schema"),
        ({"if": {"type": "string"}, "then": {"maxLength": 1}}, SECRET, "", "maxLength", None),
        ({"if": {"type": "null"}, "else": {"maxLength": 1}}, SECRET, "", "maxLength", None),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1}, "/b", "required", None),
        (
            {"properties": {"a": {}}, "unevaluatedProperties": False},
            {"a": 1, SECRET: 1},
            f"/{SECRET}",
            "unevaluatedProperties",
            "Unknown property",
        ),
        (
            {"allOf": [named("Any")], "unevaluatedProperties": {"type": "null"}},
            {"known": 1, "b": 1},
            "/b",
            "type",
            None,
        ),
        (
            {"patternProperties": {"^x": {}}, "unevaluatedProperties": False},
            {"x": 1, "b": 1},
            "",
            "unevaluatedProperties",
            None,
        ),
        (
            {"prefixItems": [True], "unevaluatedItems": False},
            [1, SECRET],
            "",
            "unevaluatedItems",
            "Has unexpected items",
        ),
        ({"type": "number"}, float("nan"), "", "type", None),
    ],
)  # fmt: skip
def test_each_keyword_has_its_message(
    schema: Any, value: Any, pointer: str, code: str, detail: str | None
) -> None:
    """Made of what the schema says; a name that was sent is in a pointer only."""
    (fault,) = faults(compiled(schema, Any={"properties": {"known": {}}}), value)
    assert (fault.place, fault.pointer, fault.code) == ("body", pointer, code)
    assert detail is None or fault.detail == detail
    assert SECRET not in fault.detail
    assert fault.detail != "Does not match the schema"


def test_text_that_is_no_unicode_is_refused() -> None:
    """As a name of a member, or where its characters are looked at."""
    for schema in ({"additionalProperties": False}, {"additionalProperties": {"maxLength": 1}}):
        found = wrong(compiled(schema), {"\ud800": "ab"})
        assert found in ([("", "unicode")], [("/\ud800", "additionalProperties")])
    made = compiled({"properties": {"a": {"pattern": "^a$"}}, "required": ["b"]})
    assert wrong(made, {"a": "\ud800"})


def test_pointers_can_be_written_and_have_a_bound() -> None:
    """As the names in them are the client's: a long one is left out."""
    made = compiled({"required": ["a"], "additionalProperties": {"additionalProperties": False}})
    pointers = [pointer for pointer, _ in wrong(made, {"x": {"y" * 2_000: 1, "z": 1}})]
    assert pointers == ["/a", "/x", "/x/z"]
    for pointer, _ in wrong(made, {"\ud800": {"\udfff": 1}}):
        assert pointer.encode().decode() == pointer


@pytest.mark.parametrize("value", [{1: 2}, {"a": b"x"}, {"a": object()}])
def test_what_is_no_json_is_refused(value: Any) -> None:
    """In other words than Python's."""
    made = compiled({"properties": {"a": {"type": "string"}}, "additionalProperties": False})
    assert wrong(made, value)


FORMS: list[Any] = [
    {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    {"type": "string", "maxLength": 2},
]


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": 1}, []),
        (None, [("", "FORMS")]),
        # the form that fits best: the other is of another type
        ({"a": "x"}, [("/a", "type")]),
        ({}, [("/a", "required")]),
    ],
)
def test_of_branches_the_closest_is_reported(
    keyword: str, value: Any, expected: list[tuple[str, str]]
) -> None:
    """Alone; where none is, an error says that it is of the branches."""
    found = wrong(compiled({keyword: FORMS}), value)
    assert found == [(pointer, code.replace("FORMS", keyword)) for pointer, code in expected]


def test_a_single_branch_is_reported_by_itself() -> None:
    """As there is no choice."""
    assert wrong(compiled({"anyOf": [{"type": "string"}]}), 1) == [("", "type")]


def test_fitting_two_of_one_is_reported() -> None:
    """In words of its own."""
    (fault,) = faults(compiled({"oneOf": [{"type": "integer"}, {"minimum": 1}]}), 5)
    assert (fault.code, fault.detail) == (
        "oneOf",
        "Matches more than one schema, but must match exactly one",
    )


def test_all_errors_are_reported_at_once_and_each_once() -> None:
    """Those of an object, of its members and of theirs, in the order of the value or schema."""
    item = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "tags": {"items": {"type": "string"}}},
        "required": ["name", "price"],
        "additionalProperties": False,
    }
    made = compiled({"allOf": [named("Item"), named("Item")]}, Item=item)
    assert sorted(wrong(made, {"name": 1, "tags": ["a", 1, 2], "x": 1})) == [
        ("/name", "type"),
        ("/price", "required"),
        ("/tags/1", "type"),
        ("/tags/2", "type"),
        ("/x", "additionalProperties"),
    ]


def test_no_more_errors_are_reported_than_the_limit() -> None:
    """Of items, of names, and of what is required."""
    compiler = SchemaCompiler({}, limits=BodyLimits(errors=3))
    for schema, value in (
        ({"items": {"type": "string"}}, list(range(10))),
        ({"items": {"type": "string"}}, list(range(100))),
        ({"additionalProperties": False}, dict.fromkeys("abcdef")),
        ({"additionalProperties": {"type": "string"}}, dict.fromkeys("abcdef")),
        ({"propertyNames": {"maxLength": 0}}, dict.fromkeys("abcdef")),
        ({"required": list("abcdef")}, {}),
        ({"anyOf": [{"required": list("abcdef"), "type": "object"}, {"type": "null"}]}, {}),
    ):
        assert len(wrong(compiler.compile(schema), value)) == 3


def test_the_work_for_errors_has_a_bound() -> None:
    """Forms within forms would be looked at two to the power of their depth times."""
    forms = {
        "oneOf": [
            {"properties": {"next": {"$ref": "#"}, name: {"const": 1}}, "required": [name]}
            for name in ("a", "b")
        ]
    }
    made = SchemaCompiler(forms).compile(forms)
    value: dict[str, Any] = {"c": 1}
    for _ in range(30):
        value = {"next": value, "a": 1}
    assert wrong(made, value)[0] == ("", "oneOf")


def test_a_large_array_is_left_at_the_limit() -> None:
    """What is behind is not looked at."""
    made = SchemaCompiler({}, limits=BodyLimits(errors=2)).compile(
        {"items": {"properties": {"a": False}}}
    )
    assert wrong(made, [{"a": 1}] * 100_000) == [("/0/a", "false"), ("/1/a", "false")]


def test_deep_values_are_reported_down_to_a_depth() -> None:
    """So that Python's own stack is never at its end."""
    schema = {"$defs": {"n": {"properties": {"a": {"$ref": "#/$defs/n"}}, "maxProperties": 1}}}
    made = SchemaCompiler({**schema, "$ref": "#/$defs/n"}).compile({"$ref": "#/$defs/n"})
    value: dict[str, Any] = {"a": 1, "b": 2}
    for _ in range(190):
        value = {"a": value}
    ((pointer, code),) = wrong(made, value)
    assert code == "schema"
    assert 10 < pointer.count("/") < 190


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", SECRET, "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=8,
)
types = st.sampled_from(["string", "integer", "array", "object", "null"])
leaves: st.SearchStrategy[Any] = (
    st.booleans()
    | st.fixed_dictionaries({}, optional={"type": types, "maxLength": st.just(1)})
    | st.fixed_dictionaries({}, optional={"enum": st.just([1, "a"]), "minimum": st.just(0)})
    | st.fixed_dictionaries({}, optional={"required": st.just(["a"]), "maxItems": st.just(1)})
)
schemas: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "contains": inner,
            "unevaluatedProperties": inner,
            "unevaluatedItems": inner,
            "propertyNames": leaves,
        },
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(schemas, values)
def test_whatever_is_refused_is_reported(schema: Any, value: Any) -> None:
    """By a keyword that the schema has, with a pointer into the value, and without the value."""
    made = SchemaCompiler(schema).compile(schema)
    before = json.dumps(value)
    for fault in faults(made, value):
        assert fault.code != "schema"
        assert fault.code in json.dumps(schema) or fault.code == "false"
        assert SECRET not in fault.detail
        parent, _, _ = fault.pointer.rpartition("/")
        here = value
        for token in parent.split("/")[1:]:
            here = here[int(token)] if isinstance(here, list) else here[token]
    assert json.dumps(value) == before


def test_a_place_is_reported_as_it_was_given() -> None:
    """The schema does not know where its values stand."""
    with pytest.raises(ValidationFailed) as caught:
        compiled({"type": "object"}).check(1, "query")
    assert caught.value.errors == (ErrorItem("query", "", "type", "Must be of type object"),)


def test_validators_of_parts_are_kept_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory does not grow with all that clients are wrong by."""
    monkeypatch.setattr("mantlet.guard.jsonschema.validators._MAX_CACHED", 4)
    members = {f"m{number}": {"type": "string"} for number in range(20)}
    made = compiled({"properties": members, "anyOf": [{"required": [name]} for name in members]})
    for _ in range(2):
        assert len(wrong(made, dict.fromkeys(members))) == 20


def test_it_is_over_when_enough_has_been_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has been found until then is told, or that the value is wrong."""
    monkeypatch.setattr("mantlet.guard.jsonschema.errors._MAX_VISITS", 5)
    members = {f"m{number}": {"anyOf": [{"type": "string"}, False]} for number in range(20)}
    schema = {"properties": members, "additionalProperties": {"not": {}}}
    assert 0 < len(wrong(compiled(schema), dict.fromkeys(members, 1))) < 8
    assert wrong(compiled(schema), {"x": 1})
    right = dict.fromkeys(members, "x")
    assert wrong(compiled({"allOf": [schema, {"maxProperties": 3}]}), right)


NULLABLE: Any = [{"type": "integer", "minimum": 2}, {"type": "null"}]


@pytest.mark.parametrize(
    ("schema", "value", "errors"),
    [
        ({"anyOf": NULLABLE}, "x", [("anyOf", "Must be of type integer or null")]),
        ({"anyOf": NULLABLE}, 1, [("minimum", "Must be at least 2")]),
        ({"oneOf": [{"const": 1}, {"const": "a"}]}, 2, [("oneOf", 'Must be one of 1, "a"')]),
        (
            {"anyOf": [{"enum": ["a", "b"]}, {"enum": ["b", "c"]}, {"type": "null"}]},
            1,
            [("anyOf", 'Must be of type null, or one of "a", "b", "c"')],
        ),
        (
            {"anyOf": [{"type": "object"}, {"type": ["null", "string"]}]},
            1,
            [("anyOf", "Must be of type object or null or string")],
        ),
        (
            {"anyOf": [{"oneOf": [{"type": "array"}, {"type": "null"}]}, {"const": 0}]},
            1,
            [("anyOf", "Must be of type array or null, or one of 0")],
        ),
        (
            {"anyOf": [{"not": {"minimum": 0}}, {"maximum": 0}]},
            1,
            [("anyOf", "Must match at least one of the allowed schemas")],
        ),
        ({"enum": ["a", "a", "b"]}, 1, [("enum", 'Must be one of "a", "b"')]),
        (
            {"enum": [f"v{n}" for n in range(50)]},
            1,
            [
                (
                    "enum",
                    "Must be one of "
                    + ", ".join(f'"v{n}"' for n in range(10))
                    + ", ... (50 values)",
                )
            ],
        ),
        ({"type": ["string", "null"]}, 1, [("type", "Must be of type string or null")]),
    ],
    ids=range(10),
)
def test_branches_are_named_in_plain_words(
    schema: Any, value: Any, errors: list[tuple[str, str]]
) -> None:
    """Once, with all types and constants; a branch of the value's own type has its own error."""
    made = compiled(schema)
    with pytest.raises(ValidationFailed) as caught:
        made.check(value, "body")
    assert [(one.code, one.detail) for one in caught.value.errors] == errors


def test_branches_that_refer_to_each_other_are_described_in_bounds() -> None:
    """Without an end they are not named."""
    assert describe_kinds([{"$ref": "a"}], {"a": {"type": "object"}}.__getitem__) == (
        "of type object"
    )
    loop: Any = {"a": {"$ref": "b"}, "b": {"anyOf": [{"$ref": "a"}, {"$ref": "b"}]}}
    assert describe_kinds([{"$ref": "a"}, {"type": "null"}], loop.__getitem__) == ""
