"""The keywords of JSON Schema by what their values are, and the subschemas of a schema.

Sources: JSON Schema 2020-12 Core, 10 and 11, and Validation, 6; the drafts before it; the Schema
Objects of OpenAPI 3.0, 3.1 and 3.2.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mantlet.guard.errors import pointer

__all__ = [
    "ANNOTATIONS",
    "ASSERTIONS",
    "LISTS",
    "MAPS",
    "SINGLES",
    "children",
    "walk",
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
#: Keywords that are checked on the value itself.
ASSERTIONS: Final = frozenset({
    "const", "dependentRequired", "enum", "exclusiveMaximum", "exclusiveMinimum", "format",
    "maxContains", "maxItems", "maxLength", "maxProperties", "maximum", "minContains", "minItems",
    "minLength", "minProperties", "minimum", "multipleOf", "pattern", "required", "type",
    "uniqueItems",
})  # fmt: skip
#: Keywords that say something to people and tools, and allow every value.
ANNOTATIONS: Final = frozenset({
    "$anchor", "$comment", "$dynamicAnchor", "$id", "$recursiveAnchor", "$schema", "$vocabulary",
    "default", "deprecated", "description", "example", "examples", "externalDocs", "id", "title",
})  # fmt: skip


# Any: a schema is plain JSON.
def children(schema: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Iterate over the subschemas that a schema has written in it, each with the way to it."""
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


def walk(schema: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Iterate over a schema and all that is written in it, each with its pointer.

    Booleans, and what is no schema, are left out.
    """
    waiting = [(at, schema)]
    while waiting:
        here, found = waiting.pop()
        if isinstance(found, dict):
            yield here, found
            waiting += [(here + pointer(way), child) for way, child in children(found)]
