"""Bounds on the work that schemas make."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mantlet.guard import BodyLimits
from mantlet.guard.errors import ValidationFailed
from mantlet.guard.jsonschema import SchemaCompiler
from mantlet.guard.jsonschema.errors import ErrorSearch


def codes(
    schema: Any, value: Any, *, node: Any = True, checks: int | None = None, formats: bool = False
) -> list[str]:
    """Return the codes of a value's errors; none if it is valid."""
    document = {"openapi": "3.1.0", "components": {"schemas": {"Node": node}}}
    limits = BodyLimits() if checks is None else BodyLimits(checks=checks)
    compiler = SchemaCompiler(document, version="3.1", limits=limits, formats=formats)
    try:
        compiler.compile(schema).load(json.dumps(value).encode(), value, "body")
    except ValidationFailed as failure:
        return [error.code for error in failure.errors]
    return []


UNIQUE: Any = {"type": "array", "uniqueItems": True}


@pytest.mark.parametrize("least", [2**62, 2**64, -(2**80), 10**80])
@pytest.mark.parametrize("within", [lambda one: one, lambda one: [one], lambda one: {"a": one}])
def test_unique_integers_of_one_double_are_refused(least: int, within: Any) -> None:
    """jsonschema-rs compares them with each other: 10,000 of them took a minute."""
    value = [within(least + at) for at in range(100)]
    assert codes(UNIQUE, value) == ["hash_collisions"]
    assert codes({"type": "array"}, value) == []


def test_other_unique_integers_are_accepted() -> None:
    """Small ones, and large ones that are not next to each other."""
    assert codes(UNIQUE, list(range(9_000))) == []
    assert codes(UNIQUE, [2**60 + 2**12 * at for at in range(9_000)]) == []
    assert codes(UNIQUE, [2**64, 2**64]) == ["uniqueItems"]


MULTIPLES: Any = {"type": "array", "items": {"type": "number", "multipleOf": 0.01}}


@pytest.mark.parametrize("number", ["1e300", "1.7976931348623157e308", "9" * 80, "1E+22"])
def test_multiples_of_extreme_numbers_are_bounded(number: str) -> None:
    """Their exact fractions are computed."""
    value = json.loads(f"[{','.join([number] * 2_000)}]")
    document = {"openapi": "3.1.0"}
    schema = SchemaCompiler(document, version="3.1").compile(MULTIPLES)
    with pytest.raises(ValidationFailed) as failure:
        schema.load(f"[{','.join([number] * 2_000)}]".encode(), value, "body")
    assert [error.code for error in failure.value.errors] == ["json_checks"]
    assert failure.value.errors[0].detail == "Needs too many checks"
    schema.load(f"[{','.join([number] * 100)}]".encode(), value[:100], "body")


def test_multiples_of_other_numbers_are_bounded_by_an_option() -> None:
    """Many of them pass."""
    assert codes(MULTIPLES, [1.25] * 9_000) == []
    assert codes(MULTIPLES, [1.25] * 9_000, checks=2_000) == ["json_checks"]
    assert codes(MULTIPLES, [1.25] * 100, checks=2_000) == []


NODE: Any = {"$ref": "#/components/schemas/Node"}
BRANCHES: Any = {
    "anyOf": [
        {"type": "object", "properties": {"a": NODE}},
        {"type": "object", "properties": {"a": NODE}, "required": ["b"]},
        {"type": "array", "items": {"type": "integer"}},
    ]
}


def nested(depth: int, leaf: Any) -> Any:
    for _ in range(depth):
        leaf = {"a": leaf, "b": 1}
    return leaf


@pytest.mark.parametrize("depth", [4, 12, 28])
def test_a_large_value_is_validated_a_few_times_in_search_of_its_errors(
    depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for each branch around it would be as many times as there are levels, and more."""
    large: list[Any] = []
    is_valid = ErrorSearch._is_valid

    def counted(self: ErrorSearch, schema: Any, value: Any) -> bool:
        if value.__class__ is list or (value.__class__ is dict and "a" in value):
            large.append(value)
        return is_valid(self, schema, value)

    monkeypatch.setattr(ErrorSearch, "_is_valid", counted)
    assert "anyOf" in codes(NODE, nested(depth, [1] * 9_000 + ["x"]), node=BRANCHES)
    assert len(large) < 60


def test_the_search_for_errors_is_bounded_by_the_size_of_the_text() -> None:
    """A few bytes are not worth thousands of visits."""
    visits = []
    for size in (100, 10_000, 1_000_000):
        search: list[float] = []

        def visit(self: ErrorSearch, *_: Any, kept: list[float] = search) -> None:
            kept.append(self.budget)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(ErrorSearch, "visit", visit)
            value = ["x" * size]
            codes({"type": "integer"}, value)
        visits.append(search[0])
    assert visits[0] < visits[1] < visits[2] <= 2_000


def test_missing_items_of_a_long_array_are_counted_at_once() -> None:
    """By the library, not one after the other."""
    schema = {"contains": {"const": 1}, "minContains": 2, "maxContains": 3}
    assert codes(schema, [0] * 9_000) == ["minContains"]
    assert codes(schema, [1] * 9_000) == ["maxContains"]
    assert codes({"contains": {"const": 1}}, [0] * 9_000) == ["contains"]
    assert codes(schema, [1] * 3) == []


def test_decimals_have_no_huge_exponents() -> None:
    """Where formats are asserted."""
    schema = {"type": "string", "format": "decimal"}
    assert codes(schema, "1e999999999", formats=True) == ["format"]
    assert codes(schema, "9" * 1_001, formats=True) == ["format"]
    assert codes(schema, "-12.50", formats=True) == []
    assert codes(schema, "1e10", formats=True) == []
