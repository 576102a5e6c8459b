"""Texts become what their schema says, written as JSON writes it, and nothing else."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.guard.parameters import TEXT, TEXTS, Coercer, coerce
from tests.guard.parameters.support import array, members, of


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("-0", 0), ("7", 7), ("-12", -12), ("9" * 100, int("9" * 100))],
)
def test_integers(text: str, value: int) -> None:
    """An integer is one of JSON's, of at most 100 characters."""
    read = coerce(text, of("integer"))
    assert read == value
    assert type(read) is int


NO_INTEGERS = [
    "", " ", "+1", "01", "-01", "1e3", "1E3", "1.0", "1.", "\uff11", "\u0663", "\xb2", "1_000",
    " 1", "1 ", "\t1", "1\n", "0x10", "0b1", "--1", "-", "1,000", "\u0661", "inf", "nan",
    "true", "null", "9" * 101, "1\x00",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_INTEGERS)
def test_no_integers(text: str) -> None:
    """What is not written as JSON writes integers stays text, for the schema to refuse."""
    assert coerce(text, of("integer")) is text


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ("1.0", 1.0), ("-0.5", -0.5), ("1e3", 1000.0), ("2E-2", 0.02)]
)
def test_numbers(text: str, value: float) -> None:
    """A number is one of JSON's; without fraction and exponent it is an integer."""
    read = coerce(text, of("number"))
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "inf", "-inf", "Infinity", "nan", "NaN", "1e999", "-1e999", ".5", "5.", "+1.5", "01.5",
        "1_0.0", "0x1p3", "1.5 ", "\uff11.\uff15", "1e", "1" + "0" * 100, "",
    ],
)  # fmt: skip
def test_no_numbers(text: str) -> None:
    """What is not finite, or not written as JSON writes numbers, stays text."""
    assert coerce(text, of("number")) is text
    assert coerce(text, of("number", "integer")) is text


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("false", False)]
    + [(text, text) for text in ("TRUE", "True", "1", "0", "yes", "on", "", "false ", "null")],
)
def test_booleans(text: str, value: Any) -> None:
    """A boolean is ``true`` or ``false``, in lower case."""
    assert coerce(text, of("boolean")) is value


def test_null() -> None:
    """Null is the empty text, where it is allowed; the word is text."""
    assert coerce("", of("null")) is None
    assert coerce("", of("null", "string")) is None
    assert coerce("", of("string")) == ""
    assert coerce("", of("integer")) == ""
    assert coerce("null", of("null")) == "null"


@given(st.text())
def test_strings(text: str) -> None:
    """A string is the text as it is."""
    assert coerce(text, TEXT) is text


@pytest.mark.parametrize(
    ("types", "text", "value"),
    [
        (("integer", "string"), "5", 5),
        (("integer", "string"), "05", "05"),
        (("integer", "number"), "5", 5),
        (("integer", "number"), "5.5", 5.5),
        (("integer", "boolean", "string"), "true", True),
        (("number", "null"), "", None),
        (("boolean", "null"), "x", "x"),
        (("string", "boolean", "null", "number"), "1e1", 10.0),
        (("array", "integer"), "5", 5),
        ((), "5", "5"),
    ],
)
def test_unions(types: tuple[str, ...], text: str, value: Any) -> None:
    """Of several types the most specific that the text can be counts."""
    read = coerce(text, of(*types))
    assert (read, type(read)) == (value, type(value))


def test_enumerated_strings_are_themselves() -> None:
    """A string that the schema enumerates stays text where it could be a number."""
    shape = Coercer(types=frozenset({"integer", "string", "null"}), texts=frozenset({"1", ""}))
    assert [coerce(text, shape) for text in ("1", "2", "")] == ["1", 2, ""]
    # without strings there are none
    assert coerce("1", Coercer(types=frozenset({"integer"}), texts=frozenset({"1"}))) == 1


@given(st.one_of(st.integers(-(2**200), 2**200), st.floats(), st.booleans(), st.text()))
def test_coercion_agrees_with_json(value: Any) -> None:
    """What becomes a number, a boolean or an integer is what a JSON parser reads there."""
    text = value if isinstance(value, str) else json.dumps(value)
    read = coerce(text, of("number", "integer", "boolean", "string"))
    if isinstance(read, str):
        assert read == text
    else:
        assert read == json.loads(text)
        assert math.isfinite(read)


def test_unknown_types_are_refused() -> None:
    """A shape has types of JSON only."""
    with pytest.raises(ValueError, match=r"types must be of .*, not \['float', 'string'\]"):
        of("string", "float")


def test_members_and_items() -> None:
    """Items and members have their own shapes, or those of the others, or are text."""
    integer = of("integer")
    assert Coercer(types=frozenset({"array"}), prefix=(integer,)).item(0) is integer
    assert Coercer(types=frozenset({"array"}), prefix=(integer,)).item(1) is TEXT
    assert array(integer).item(5) is integer
    assert members(a=integer).member("a") is integer
    assert members(a=integer).member("b") is TEXT
    assert members(additional=integer).member("b") is integer


def test_a_shape_can_not_be_changed() -> None:
    """What a shape was made from may change without it."""
    properties = {"a": TEXT}
    shape = Coercer(types=frozenset({"object"}), properties=properties)
    properties["b"] = TEXT
    assert set(shape.properties) == {"a"}


@pytest.mark.parametrize(
    ("shape", "types"),
    [
        (of("integer", "null"), {"string"}),
        (array(of("integer")), {"array"}),
        (array(of("integer"), "null"), {"array"}),
        (array(of("integer"), "integer"), {"array", "string"}),
        (members("null", a=of("boolean")), {"object"}),
        (of(), {"string"}),
    ],
)
def test_untyped(shape: Coercer, types: set[str]) -> None:
    """Without types all scalars are text, and an array that may be null is one."""
    untyped = shape.untyped()
    assert untyped.types == types
    assert all(child.types == {"string"} for child in untyped.children())


def test_untyped_keeps_structure() -> None:
    """Without types, items and members stay where they are."""
    shape = Coercer(
        types=frozenset({"array"}), prefix=(of("integer"),), items=members(additional=of("null"))
    )
    untyped = shape.untyped()
    assert untyped.prefix == (TEXT,)
    assert untyped.items == members(additional=TEXT)
    assert array(of("integer")).untyped() == TEXTS
