"""What the same keywords mean in OpenAPI 3.0, 3.1 and 3.2, and in the dialects of JSON Schema."""

from __future__ import annotations

import importlib
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.guard.jsonschema import SchemaCompiler, SchemaError, backend
from tests.guard.jsonschema.asking import VERSIONS, compiled, named, wrong

if TYPE_CHECKING:
    from mantlet.guard.jsonschema.dialects import OpenApiVersion


@pytest.mark.parametrize(
    ("schema", "valid", "invalid"),
    [
        ({"type": "string", "nullable": True}, [None, "x"], [1]),
        ({"type": "string", "nullable": False}, ["x"], [None]),
        # 3.0.3: it adds null to a type that stands beside it, and to nothing else
        ({"type": "string", "nullable": True, "enum": ["a"]}, ["a"], [None]),
        ({"type": "string", "nullable": True, "enum": ["a", None]}, ["a", None], ["b"]),
        ({"nullable": True, "allOf": [{"type": "string"}]}, ["x"], [None]),
        ({"minimum": 1, "exclusiveMinimum": True}, [2], [1]),
        ({"minimum": 1, "exclusiveMinimum": False}, [1], [0]),
        ({"maximum": 1, "exclusiveMaximum": True}, [0], [1]),
        ({"type": "array", "items": {"type": "integer"}}, [[1]], [["x"]]),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, [{"a": 1}], [{"a": "x"}]),
        # what stands beside a reference is void
        ({**named("Text"), "minLength": 9}, ["x"], [1]),
        ({"type": "string", "example": 1, "xml": {}, "x-any": 1}, ["x"], [1]),
    ],
)
def test_3_0_has_its_own_dialect(schema: Any, valid: list[Any], invalid: list[Any]) -> None:
    """As OpenAPI 3.0.3 says of its Schema Object."""
    made = compiled(schema, "3.0", Text={"type": "string"})
    assert [wrong(made, value) for value in valid] == [[] for _ in valid]
    assert all(wrong(made, value) for value in invalid)


@pytest.mark.parametrize("version", ["3.1", "3.2"])
def test_3_1_and_3_2_are_json_schema_2020_12(version: OpenApiVersion) -> None:
    """With types in arrays, keywords beside references, tuples and what is not evaluated."""
    made = compiled({**named("Text"), "minLength": 2}, version, Text={"type": ["string", "null"]})
    assert [wrong(made, value) for value in (None, "xx", "x", 1)] == [
        [],
        [],
        [("", "minLength")],
        [("", "type")],
    ]
    pair = compiled({"prefixItems": [{"type": "string"}], "items": False}, version)
    assert wrong(pair, ["x"]) == []
    assert wrong(pair, [1]) == [("/0", "type")]
    assert wrong(pair, ["x", 1]) == [("/1", "items")]
    assert wrong(compiled({"type": "string", "nullable": True}, version), None) == [("", "type")]


def test_a_document_says_its_dialect() -> None:
    """``jsonSchemaDialect`` is that of all schemas without ``$schema`` (3.1.1, 4.8.1)."""
    document = {"jsonSchemaDialect": "http://json-schema.org/draft-07/schema#"}
    schema = {"items": [{"type": "string"}], "additionalItems": {"type": "integer"}}
    made = SchemaCompiler(document, version="3.1").compile(schema)
    assert wrong(made, ["x", 1]) == []
    assert wrong(made, [1, "x"]) == [("/0", "type"), ("/1", "type")]


def test_a_schema_says_its_dialect() -> None:
    """Draft 4's flags, and its references that stand alone, within a document of 2020-12."""
    old = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "properties": {"a": {"minimum": 1, "exclusiveMinimum": True}},
        "dependencies": {"a": ["b"], "c": {"required": ["d"]}},
    }
    made = compiled(old)
    assert wrong(made, {"a": 1, "b": 1}) == [("/a", "exclusiveMinimum")]
    assert wrong(made, {"a": 2}) == [("/b", "required")]
    assert wrong(made, {"c": 2}) == [("/d", "required")]


@pytest.mark.parametrize("version", [*VERSIONS[1:], None])
def test_an_unknown_dialect_is_reported_at_once(version: OpenApiVersion) -> None:
    """Whether it is the document's or a schema's."""
    keyword = "jsonSchemaDialect" if version else "$schema"
    with pytest.raises(ValueError, match=rf"{re.escape(keyword)}: unknown dialect 'urn:x'"):
        SchemaCompiler({keyword: "urn:x"}, version=version)
    with pytest.raises(SchemaError, match=r"/\$schema: unknown dialect 'urn:x'"):
        SchemaCompiler({}, version=version).compile({"$schema": "urn:x"})


def test_an_unknown_version_is_reported_at_once() -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match=r'version must be "3\.0", "3\.1", "3\.2" or None'):
        SchemaCompiler({}, version="2.0")  # type: ignore[arg-type]  # what the test is about


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is optional."""
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    monkeypatch.delitem(sys.modules, backend.__name__)
    with pytest.raises(ImportError, match=re.escape("pip install 'mantlet[openapi]'")):
        importlib.import_module(backend.__name__)
