"""Models as schemas: what is closed, where a fault is, and what is told of it."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.models.schema import ModelSchema


class Inner(BaseModel):
    x: int


@dataclass
class Data:
    q: int


class Typed(TypedDict):
    w: int


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Outer(BaseModel):
    inner: Inner
    some: list[Inner] = []
    either: Inner | int = 3
    data: Data | None = None
    typed: Typed | None = None
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    by_name: dict[str, int] = {}

    @field_validator("either")
    @classmethod
    def check_either(cls, value: Any) -> Any:
        if value == 13:
            raise ValueError(f"not {value}")
        return value


def schema_of(kind: Any, **options: Any) -> ModelSchema:
    return ModelSchema(kind, name="a test", errors=20, **options)


def told(kind: Any, value: Any, **options: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationFailed) as caught:
        schema_of(kind, **options).load(json.dumps(value).encode(), value, "body")
    assert caught.value.status == 422
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return [(fault.as_json()["pointer"], fault.code) for fault in caught.value.errors]


GOOD = {"x": 1}


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"inner": GOOD, "more": 1}, [("/more", "extra_forbidden")]),
        ({"inner": {"x": 1, "y": 2}}, [("/inner/y", "extra_forbidden")]),
        ({"inner": GOOD, "some": [GOOD, {"x": 1, "y": 2}]}, [("/some/1/y", "extra_forbidden")]),
        ({"inner": GOOD, "data": {"q": 1, "r": 1}}, [("/data/r", "unexpected_keyword_argument")]),
        ({"inner": GOOD, "typed": {"w": 1, "r": 1}}, [("/typed/r", "extra_forbidden")]),
    ],
)
def test_undeclared_members_are_refused_at_every_depth(value: Any, wanted: Any) -> None:
    """In models, dataclasses and typed dicts."""
    assert told(Outer, value) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({}, [("/inner", "missing")]),
        ({"inner": {}}, [("/inner/x", "missing")]),
        ({"inner": {"x": "a"}, "some": [GOOD, {}]},
         [("/inner/x", "int_parsing"), ("/some/1/x", "missing")]),
        ({"inner": GOOD, "either": {"x": "b"}},
         [("/either/x", "int_parsing")]),
        ({"inner": GOOD, "either": 13}, [("/either", "value_error")]),
        ({"inner": GOOD, "pet": {"kind": "cow"}}, [("/pet", "union_tag_invalid")]),
        ({"inner": GOOD, "pet": {"kind": "cat", "lives": "x"}}, [("/pet/lives", "int_parsing")]),
        ({"inner": GOOD, "by_name": {"a/b~c": "x"}}, [("/by_name/a~1b~0c", "int_parsing")]),
        ([], [("", "model_type")]),
    ],
)  # fmt: skip
def test_a_pointer_leads_through_the_value(value: Any, wanted: Any) -> None:
    """It has names and indices of what the client has sent, and none of pydantic's own."""
    assert told(Outer, value) == wanted


def test_nothing_of_the_input_or_of_the_app_is_told() -> None:
    """Neither values, nor words of validators, nor names of classes."""
    value = {"inner": {"x": "seeded"}, "either": 13, "pet": {"kind": "seeded"}, "by_name": []}
    with pytest.raises(ValidationFailed) as caught:
        schema_of(Outer).load(json.dumps(value).encode(), value, "body")
    words = " ".join(fault.detail for fault in caught.value.errors)
    for secret in ("seeded", "13", "Inner", "Cat"):
        assert secret not in words
    with pytest.raises(ValidationFailed) as caught:
        schema_of(Outer).check([], "query")
    assert caught.value.errors == (
        ErrorItem("query", "", "model_type", "Input should be an object"),
    )


def test_long_and_unprintable_names_are_cut() -> None:
    """A client chooses them."""
    assert told(Inner, {"x": 1, "a" * 100: 1}) == [(f"/{'a' * 64}...", "extra_forbidden")]
    assert told(Inner, {"x": 1, "a\n\u202eb": 1}) == [("/a\ufffd\ufffdb", "extra_forbidden")]


class Ignoring(BaseModel):
    model_config = ConfigDict(extra="ignore")
    x: int


class Forbidding(BaseModel):
    model_config = ConfigDict(extra="forbid")
    inner: Inner


@pytest.mark.parametrize(
    ("kind", "opened"),
    [
        (Inner, False),
        (Data, False),
        (Typed, False),
        (Outer, False),
        (Forbidding, False),
        (Ignoring, True),
        (list[Ignoring], True),
    ],
)
def test_a_model_that_says_itself_what_becomes_of_members_is_left(kind: Any, opened: bool) -> None:
    """All others are closed."""
    assert bool(schema_of(kind).opened) is opened


def test_members_can_be_opened() -> None:
    """By option."""
    value = {"x": 1, "y": 2}
    assert schema_of(Inner, closed=False).load(b'{"x":1,"y":2}', value, "body") == Inner(x=1)


def test_texts_stand_for_numbers_where_there_is_no_json() -> None:
    """As in a query; the canonical form has what they stand for."""
    schema = schema_of(Inner)
    assert schema.check({"x": "5"}, "query") == Inner(x=5)
    assert schema.dump(Inner(x=5)) == b'{"x":5}'


@pytest.mark.parametrize("kind", [object(), "Nowhere", 5])
def test_what_is_no_model_is_refused(kind: Any) -> None:
    """At construction, with the place where it was given."""
    with pytest.raises(TypeError, match=r"^a test (is not a type that|must be a model)"):
        schema_of(kind)
