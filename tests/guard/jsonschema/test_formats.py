"""Formats of numbers, always asserted, and of strings, asserted on demand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.guard.errors import ValidationFailed
from mantlet.guard.jsonschema import SchemaCompiler
from tests.guard.jsonschema.asking import VERSIONS, compiled, faults, wrong

if TYPE_CHECKING:
    from mantlet.guard.jsonschema.dialects import OpenApiVersion
    from mantlet.guard.jsonschema.formats import FormatOption


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("name", "least", "largest"),
    [
        ("int8", -128, 127),
        ("int16", -32768, 32767),
        ("int32", -2147483648, 2147483647),
        ("int64", -9223372036854775808, 9223372036854775807),
        ("uint8", 0, 255),
        ("uint64", 0, 18446744073709551615),
        ("double-int", -9007199254740991, 9007199254740991),
    ],
)
def test_integers_have_their_range(
    version: OpenApiVersion, name: str, least: int, largest: int
) -> None:
    """Exactly, whether the type is said or not, and whether it is integer or number."""
    for kind in ({"type": "integer"}, {"type": "number"}, {}):
        made = compiled({**kind, "format": name}, version)
        assert [wrong(made, value) for value in (least, 0, largest)] == [[], [], []]
        for value in (least - 1, largest + 1, 10**30, -(10**30)):
            assert wrong(made, value) == [("", "int_range")]
        assert wrong(made, 1.5) == [("", "type")]
    assert wrong(compiled({"format": name}, version), "text") == []
    (fault,) = faults(compiled({"format": name}, version), largest + 1)
    assert fault.detail == f"Must be at most {largest}"


def test_a_narrower_bound_of_the_schema_holds() -> None:
    """And a wider one does not."""
    narrow = compiled({"type": "integer", "format": "int32", "minimum": 1, "maximum": 5})
    assert wrong(narrow, 0) == [("", "int_range")]
    assert wrong(narrow, 5) == []
    wide = compiled({"type": "integer", "format": "int32", "maximum": 2**40})
    assert wrong(wide, 2**31) == [("", "int_range")]
    exclusive = compiled({"format": "int32", "minimum": 1, "exclusiveMinimum": True}, "3.0")
    assert wrong(exclusive, 1) == [("", "int_range")]
    assert wrong(exclusive, 2) == []
    either = compiled({"type": ["number", "null"], "format": "int32"})
    assert [wrong(either, value) for value in (None, 1, 1.5)] == [[], [], [("", "type")]]


@pytest.mark.parametrize(("name", "largest"), [("float", 3.4e38), ("double", 1.79e308)])
def test_floats_are_finite_in_their_size(name: str, largest: float) -> None:
    """A number that is none in 32 or 64 bits is infinite there."""
    made = compiled({"type": "number", "format": name})
    assert wrong(made, largest) == wrong(made, -largest) == wrong(made, 1) == []
    assert wrong(made, 10**309) == wrong(made, -(10**309)) == [("", "float_range")]
    assert wrong(made, json.loads("1e999"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_of_parameters_are_finite(value: float) -> None:
    """Though the schema allows every number, as they could not be written as JSON."""
    made = compiled({})
    for whole in (value, [value], {"a": [{"b": value}]}):
        with pytest.raises(ValidationFailed) as caught:
            made.check(whole, "query")
        assert [fault.code for fault in caught.value.errors] == ["finite"]
    assert made.check({"a": [1.5, 1, "x", {}]}, "query") == {"a": [1.5, 1, "x", {}]}


def test_formats_of_numbers_are_openapis() -> None:
    """JSON Schema alone does not know them."""
    assert wrong(SchemaCompiler({}).compile({"format": "int32"}), 2**31) == []


VALUES = [
    ("date", "2024-02-29", "2023-02-29"),
    ("date-time", "2024-02-29T12:00:00Z", "2024-02-29 12:00"),
    ("email", "a@b.org", "a"),
    ("uuid", "6b5a1d5c-7ff2-4d6c-9d3a-0c3c0f5ccf10", "6b5a"),
    ("ipv4", "127.0.0.1", "127.0.0.256"),
    ("uri", "https://a.org", "a b"),
    ("byte", "YWI=", "YWI"),
    ("byte", "", "YWI=\n"),
    ("base64url", "YWI", "YWI+"),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("name", "right", "bad"), VALUES)
def test_strings_have_theirs_by_option_only(
    version: OpenApiVersion, name: str, right: str, bad: str
) -> None:
    """It is off unless it is asked for, as in JSON Schema."""
    schema = {"type": "string", "format": name}
    loose = SchemaCompiler({}, version=version).compile(schema)
    strict = SchemaCompiler({}, version=version, formats=True).compile(schema)
    assert wrong(loose, right) == wrong(loose, bad) == wrong(strict, right) == []
    (fault,) = faults(strict, bad)
    assert (fault.code, fault.detail) == ("format", f'Must match the format "{name}"')


@pytest.mark.parametrize("name", ["binary", "password", "unheard-of"])
def test_formats_that_say_nothing_of_a_string_allow_all(name: str) -> None:
    """And so do unknown ones, which the coverage tells of."""
    assert (
        wrong(SchemaCompiler({}, version="3.0", formats=True).compile({"format": name}), "\0") == []
    )


def test_formats_are_added_and_replaced() -> None:
    """By functions, beside those that are known."""
    compiler = SchemaCompiler(
        {}, version="3.1", formats={"even": lambda s: len(s) % 2 == 0, "date": lambda _: True}
    )
    assert wrong(compiler.compile({"format": "even"}), "abc") == [("", "format")]
    assert wrong(compiler.compile({"format": "even"}), "ab") == []
    assert wrong(compiler.compile({"format": "date"}), "whenever") == []
    assert wrong(compiler.compile({"format": "uuid"}), "x") == [("", "format")]


@pytest.mark.parametrize("schema", [{"format": "odd"}, {"not": {"format": "odd"}}])
def test_a_function_that_raises_refuses_and_tells_nothing(schema: Any) -> None:
    """Also where not holding would let the value through."""

    def odd(text: str) -> bool:
        raise KeyError(text)

    made = SchemaCompiler({}, version="3.1", formats={"odd": odd}).compile(schema)
    with pytest.raises(ValidationFailed) as caught:
        made.load(b"", "s3cret", "body")
    assert [fault.code for fault in caught.value.errors] == ["format"]
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "s3cret" not in repr(caught.value.__context__)


@pytest.mark.parametrize("formats", [1, {"a": 1}, {1: len}, "date"])
def test_formats_that_are_invalid_are_reported(formats: Any) -> None:
    """When the compiler is made."""
    given: FormatOption = formats
    with pytest.raises(TypeError, match="formats must be a bool, or a mapping"):
        SchemaCompiler({}, version="3.1", formats=given)
