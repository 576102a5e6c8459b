"""JSON Schema keywords, grouped by the kind of their values, and iteration over subschemas.

Sources: JSON Schema 2020-12 Core, 10 and 11, and Validation, 6; earlier drafts; the Schema Objects
of OpenAPI 3.0, 3.1 and 3.2.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mantlet.http.json_pointer import join_pointer

__all__ = [
    "ANNOTATIONS",
    "ASSERTIONS",
    "CODE_ANNOTATION",
    "DISCRIMINATOR_ANNOTATION",
    "LISTS",
    "MAPS",
    "PATTERN_ANNOTATION",
    "RANGE_ANNOTATION",
    "SINGLES",
    "iter_children",
    "iter_subschemas",
    "references_in",
]

#: Keywords whose value is one schema.
SINGLES: Final = frozenset({
    "additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items",
    "not", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
#: Keywords whose value is an array of schemas.
LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
#: Keywords whose value is an object of schemas.
MAPS: Final = frozenset({
    "$defs", "definitions", "dependentSchemas", "patternProperties", "properties",
})  # fmt: skip
#: Keywords that constrain the value itself and hold no subschemas.
ASSERTIONS: Final = frozenset({
    "const", "dependentRequired", "enum", "exclusiveMaximum", "exclusiveMinimum", "format",
    "maxContains", "maxItems", "maxLength", "maxProperties", "maximum", "minContains", "minItems",
    "minLength", "minProperties", "minimum", "multipleOf", "pattern", "required", "type",
    "uniqueItems",
})  # fmt: skip
#: Keywords that inform people and tools but allow every value.
ANNOTATIONS: Final = frozenset({
    "$anchor", "$comment", "$dynamicAnchor", "$id", "$recursiveAnchor", "$schema", "$vocabulary",
    "default", "deprecated", "description", "example", "examples", "externalDocs", "id", "title",
})  # fmt: skip

# Mantlet's own annotations in converted schemas.
#: The error code for any value at this schema, which allows none.
CODE_ANNOTATION: Final = "x-mantlet-code"
#: The error code for a number outside the range of its format.
RANGE_ANNOTATION: Final = "x-mantlet-range"
#: The pattern as written, where the engine needs it written in another way.
PATTERN_ANNOTATION: Final = "x-mantlet-pattern"
#: How a discriminator picks a branch: the property name, the converted schema for each property
#: value, and the schema for all other values or None.
DISCRIMINATOR_ANNOTATION: Final = "x-mantlet-discriminator"


# Any: a schema is plain JSON.
def iter_children(schema: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Iterate over the direct subschemas of a schema, each with its path."""
    for keyword, value in schema.items():
        if keyword in SINGLES and not isinstance(value, list):
            yield (keyword,), value
        elif (keyword in LISTS or keyword in ("items", "dependencies")) and isinstance(value, list):
            for index, child in enumerate(value):
                yield (keyword, index), child
        elif (keyword in MAPS or keyword == "dependencies") and isinstance(value, Mapping):
            for name, child in value.items():
                if not isinstance(child, list):
                    yield (keyword, name), child


def iter_subschemas(schema: Any, root: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Iterate over a schema and all schemas nested in it, each with its JSON Pointer.

    Boolean schemas and invalid ones are skipped, and references are not followed.
    """
    pending = [(root, schema)]
    while pending:
        location, found = pending.pop()
        if isinstance(found, dict):
            yield location, found
            pending += [
                (location + join_pointer(path), child) for path, child in iter_children(found)
            ]


def references_in(converted: Any) -> Iterator[str]:
    """Iterate over the numbers of the definitions that a converted schema refers to directly."""
    pending = [converted]
    while pending:
        found = pending.pop()
        if isinstance(found, Mapping):
            if "$ref" in found:
                yield found["$ref"].rpartition("/")[2]
            pending += [child for _, child in iter_children(found)]
