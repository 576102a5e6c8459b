"""Which keywords of a schema hold further schemas."""

from collections.abc import Iterator
from typing import Any, Final

__all__ = ["subschemas"]

_ONE: Final = ("items", "additionalProperties", "not")
_LISTS: Final = ("allOf", "anyOf", "oneOf")
_MAPS: Final = ("properties",)
#: JSON Schema 2020-12, 10 and 11 (validation) 8; definitions and dependencies of earlier drafts.
_ONE_2020: Final = (
    *_ONE,
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
)
_LISTS_2020: Final = (*_LISTS, "prefixItems")
_MAPS_2020: Final = (
    *_MAPS,
    "patternProperties",
    "$defs",
    "definitions",
    "dependentSchemas",
)


# Any: schemas are plain JSON, and may be wrong.
def subschemas(schema: dict[str, Any], version: str) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield what stands directly in a schema where a schema should, with the tokens to it.

    Args:
        schema: a Schema Object.
        version: of OpenAPI; 3.0 has a selection of keywords (3.0.4, "Schema Object").
    """
    one, lists, maps = (
        (_ONE, _LISTS, _MAPS) if version == "3.0" else (_ONE_2020, _LISTS_2020, _MAPS_2020)
    )
    for keyword, value in schema.items():
        if keyword in one:
            yield (keyword,), value
        elif keyword in lists:
            if isinstance(value, list):
                for index, item in enumerate(value):
                    yield (keyword, index), item
        elif keyword in maps and isinstance(value, dict):
            for name, item in value.items():
                yield (keyword, name), item
