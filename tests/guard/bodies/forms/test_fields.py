"""What forms declare of their fields."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mantlet.guard.bodies.forms import FormFields
from mantlet.guard.errors import ErrorItem, ValidationFailed

from .building import refused


def load(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValidationFailed(
            400, [ErrorItem("query", "/x", "json", "Bad.")], {"X": "y"}
        ) from None


def test_arrays_are_lists_whatever_their_length() -> None:
    """An array of one item is no scalar."""
    fields = FormFields(["a"], ["b"])
    assert fields.read([("b", "1"), ("a", "2")]) == ({"b": ["1"], "a": "2"}, [])
    assert fields.read([]) == ({}, [])


def test_json_fields_are_read_by_what_is_handed_in() -> None:
    """A JSON field is its value, and an array of them is a list of such values."""
    fields = FormFields([], ["b"], {"a": load, "b": load})
    pairs = [("a", '{"x":1}'), ("b", "[1]"), ("b", "null")]
    assert fields.read(pairs) == ({"a": {"x": 1}, "b": [[1], None]}, [])


@pytest.mark.parametrize(
    ("pairs", "pointer"), [([("a", "{")], "/a/x"), ([("b", "1"), ("b", "{")], "/b/1/x")]
)
def test_what_is_wrong_inside_of_a_json_field_is_found_there(
    pairs: list[tuple[str, str]], pointer: str
) -> None:
    """A pointer into a field's value is one into the form."""
    with pytest.raises(ValidationFailed) as caught:
        FormFields([], ["b"], {"a": load, "b": load}).read(pairs)
    assert refused(caught.value) == (400, [(pointer, "json")])
    assert caught.value.headers == {"X": "y"}
    assert caught.value.__cause__ is None


def test_a_json_field_that_is_no_array_comes_once() -> None:
    """A JSON field is a scalar unless it is declared as an array."""
    with pytest.raises(ValidationFailed) as caught:
        FormFields(json={"a": load}).read([("a", "1"), ("a", "2")])
    assert refused(caught.value) == (400, [("/a", "duplicate_field")])


def test_names_are_known_that_may_come() -> None:
    """A closed form knows its names, an open one all, one with a decoder leaves that to it."""
    assert FormFields(["a"], ["b"], {"c": load}).names == {"a", "b", "c"}
    assert not FormFields(["a"]).knows("b")
    assert FormFields(["a"], closed=False).knows("b")
    assert FormFields(decode=lambda _: ({}, [])).knows("b")


def test_what_a_decoder_finds_wrong_is_told() -> None:
    """Faults of a decoder are the form's."""
    wrong = ErrorItem("body", "/a", "odd", "Odd.")
    fields = FormFields(decode=lambda _: ({}, [wrong]))
    assert fields.read([("a", "1")]) == ({}, [wrong])


def test_a_value_is_written_as_it_was_said() -> None:
    """Numbers, truth values and JSON are texts; null, which no form can say, is left out."""
    fields = FormFields(["a", "b", "n"], ["c"], {"j": load})
    value = {"a": 1.5, "b": True, "n": None, "c": ["x", 2, None], "j": {"é": [1]}}
    assert fields.write(value) == [
        ("a", "1.5"),
        ("b", "true"),
        ("c", "x"),
        ("c", "2"),
        ("j", '{"é":[1]}'),
    ]


@pytest.mark.parametrize("value", [{"a": {"b": 1}}, {"a": [1]}, {"c": [[1]]}])
def test_an_object_can_not_be_written_without_an_encoder(value: dict[str, Any]) -> None:
    """What no field can say is never written as something else."""
    with pytest.raises(TypeError, match="encode"):
        FormFields(["a"], ["c"]).write(value)


@pytest.mark.parametrize("names", [(["a"], ["a"]), ([""], []), ([], [""])])
def test_bad_names_are_errors_at_construction(names: tuple[list[str], list[str]]) -> None:
    """A name is a field's, and one of one kind."""
    with pytest.raises(ValueError, match=r"field|scalars"):
        FormFields(*names)
