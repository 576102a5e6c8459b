"""Whether a new schema allows every value that an old one allows."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.guard.jsonschema import SchemaCompiler
from mantlet.guard.openapi.diff import accepts_all
from tests.guard.jsonschema.asking import compiled, named


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        ({"type": "string"}, {"type": ["string", "null"]}, True),
        ({"type": ["string", "null"]}, {"type": "string"}, False),
        ({"maxLength": 5}, {"maxLength": 6}, True),
        ({"maxLength": 6}, {"maxLength": 5}, False),
        ({"type": "object"}, {"type": "object", "required": ["a"]}, False),
        ({"type": "object", "required": ["a"]}, {"type": "object"}, True),
        (named("Old"), named("Old"), True),
        ({"format": "int32"}, {"format": "int64"}, True),
        ({"format": "int64"}, {"format": "int32"}, False),
        ({"pattern": "^a+$"}, {"pattern": "^a*$"}, None),
    ],
)
def test_a_new_schema_may_accept_all_that_the_old_one_did(
    old: Any, new: Any, answer: bool | None
) -> None:
    """Or not, or it can't be decided."""
    schemas: dict[str, Any] = {"Old": {"type": "object", "properties": {"a": named("Old")}}}
    assert accepts_all(compiled(old, **schemas), compiled(new, **schemas)) is answer


def test_what_can_not_be_compared_is_not_decided() -> None:
    """Such as patterns that are not of linear time."""
    compiler = SchemaCompiler({}, version="3.1", regex_lookaround="bounded")
    old, new = compiler.compile({"type": "null"}), compiler.compile({"pattern": "(?=a)"})
    assert accepts_all(old, new) is None
    assert accepts_all(old, compiler.compile(True)) is True


def test_formats_count_where_they_are_asserted() -> None:
    """And those that only one of two documents holds count there."""
    loose, strict = (
        SchemaCompiler({}, version="3.1"),
        SchemaCompiler({}, version="3.1", formats=True),
    )
    text = {"type": "string"}
    for name, answer in (("date", False), ("byte", None)):
        dated = {"type": "string", "format": name}
        assert accepts_all(loose.compile(text), loose.compile(dated)) is True
        assert accepts_all(loose.compile(dated), strict.compile(dated)) is answer
        assert accepts_all(strict.compile(text), strict.compile(dated)) is answer
        assert accepts_all(strict.compile(dated), strict.compile(dated)) is True
        assert accepts_all(strict.compile(dated), loose.compile(dated)) is True


def test_directions_and_discriminators_count() -> None:
    """As they refuse what there is without them."""
    free = compiled({"properties": {"id": {"type": "integer"}}})
    bound = compiled({"properties": {"id": {"type": "integer", "readOnly": True}}})
    assert accepts_all(bound, free) is True
    assert accepts_all(free, bound) is False
    forms = {"A": {"required": ["k"], "type": "object"}, "B": {"required": ["b"], "type": "object"}}
    plain = {"anyOf": [named("A"), named("B")]}
    picked = {**plain, "discriminator": {"propertyName": "k"}}
    assert (
        accepts_all(
            compiled(plain, "3.1", A=forms["A"], B=forms["B"]),
            compiled(picked, "3.1", A=forms["A"], B=forms["B"]),
        )
        is not True
    )


def test_schemas_that_name_themselves_are_compared() -> None:
    """As they are written."""
    schema = {"$id": "https://example.org/a", "type": "string"}
    made = SchemaCompiler(schema).compile(schema)
    assert accepts_all(made, made) is True
