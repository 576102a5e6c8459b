"""How the tests of schemas ask: what a value is wrong by, in few words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mantlet.guard.errors import ValidationFailed
from mantlet.guard.jsonschema import SchemaCompiler

if TYPE_CHECKING:
    from mantlet.guard.errors import ErrorItem
    from mantlet.guard.jsonschema import JsonSchema
    from mantlet.guard.jsonschema.dialects import OpenApiVersion
    from mantlet.guard.jsonschema.read_write_only import Direction

VERSIONS: tuple[OpenApiVersion, ...] = ("3.0", "3.1", "3.2")


def document(**schemas: Any) -> dict[str, Any]:
    """Return a document of OpenAPI with these schemas."""
    return {"components": {"schemas": schemas}}


def named(name: str) -> dict[str, str]:
    """Return a reference to a schema of `document()`."""
    return {"$ref": f"#/components/schemas/{name}"}


def compiled(
    schema: Any,
    version: OpenApiVersion = "3.1",
    direction: Direction = "request",
    **schemas: Any,
) -> JsonSchema:
    """Return a schema compiled, beside others that it refers to by their names."""
    return SchemaCompiler(document(**schemas), version=version).compile(schema, direction=direction)


def faults(schema: JsonSchema, value: Any) -> list[ErrorItem]:
    """Return what is wrong with a value."""
    try:
        schema.load(b"", value, "body")
    except ValidationFailed as invalid:
        told = invalid
    else:
        return []
    assert told.status == 422
    assert told.__context__ is None or told.__suppress_context__
    return list(told.errors)


def wrong(schema: JsonSchema, value: Any) -> list[tuple[str, str]]:
    """Return the pointers and codes of what is wrong with a value."""
    return [(fault.pointer, fault.code) for fault in faults(schema, value)]
