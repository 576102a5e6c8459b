"""What is wrong with the members of an object and the items of an array."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mantlet.guard.jsonschema.errors import Explanation, Path

__all__ = ["explain_items", "explain_members"]

#: From how many on it is asked of each whether it is allowed before it is looked into.
_MANY: Final = 16
_DEEPEST: Final = 16


# Any: schemas and values are plain JSON.
def explain_members(
    explanation: "Explanation", schema: Mapping[str, Any], value: dict[str, Any], path: "Path"
) -> None:
    """Find what is wrong with the members of an object."""
    properties = schema.get("properties", {})
    for name in properties if len(properties) < len(value) else value:
        if name in properties and name in value:
            explanation.visit(properties[name], value[name], (*path, name))
    for name, part in schema.get("dependentSchemas", {}).items():
        if name in value:
            explanation.visit(part, value, path)
    _named(explanation, schema, value, path)
    _others(explanation, schema, value, path)
    if "unevaluatedProperties" in schema:
        _unevaluated(explanation, schema, value, path)


def _named(
    explanation: "Explanation", schema: Mapping[str, Any], value: dict[str, Any], path: "Path"
) -> None:
    if "propertyNames" in schema:
        for name in value:
            if explanation.is_over():
                return
            if not explanation.allows(schema["propertyNames"], name):
                explanation.add((*path, name), "propertyNames")


def _others(
    explanation: "Explanation", schema: Mapping[str, Any], value: dict[str, Any], path: "Path"
) -> None:
    """Find what is wrong with members that no property is for."""
    properties = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    additional = schema.get("additionalProperties", True)
    if additional is True and not patterns:
        return
    for name, member in value.items():
        if explanation.is_over():
            return
        matched = False
        for pattern, part in patterns.items():
            if explanation.validators.matches(pattern, name):
                matched = True
                _look(explanation, part, member, (*path, name))
        if matched or name in properties:
            continue
        if additional is False:
            explanation.add((*path, name), "additionalProperties")
        else:
            _look(explanation, additional, member, (*path, name))


def _look(explanation: "Explanation", schema: Any, value: Any, path: "Path") -> None:
    if not explanation.allows(schema, value):
        explanation.visit(schema, value, path)


def _unevaluated(
    explanation: "Explanation", schema: Mapping[str, Any], value: dict[str, Any], path: "Path"
) -> None:
    """Find members that nothing in a schema is for.

    Which these are depends on which forms hold; so those are told that are in none of them.
    """
    if explanation.allows(schema, value):
        return
    known: set[str] = set()
    if not _names(explanation, schema, known, 0):
        known.update(value)
    unknown = [name for name in value if name not in known]
    for name in unknown:
        if schema["unevaluatedProperties"] is False:
            explanation.add((*path, name), "unevaluatedProperties")
        else:
            _look(explanation, schema["unevaluatedProperties"], value[name], (*path, name))
    if not explanation.faults:
        explanation.add(path, "unevaluatedProperties")


def _names(explanation: "Explanation", schema: Any, known: set[str], depth: int) -> bool:
    """Collect the names that a schema has, and return whether there are no others by pattern."""
    if not isinstance(schema, Mapping):
        return True
    if depth > _DEEPEST or "patternProperties" in schema or "additionalProperties" in schema:
        return False
    known.update(schema.get("properties", {}))
    parts = [part for key in ("allOf", "anyOf", "oneOf") for part in schema.get(key, ())]
    parts += [schema[key] for key in ("if", "then", "else") if key in schema]
    parts += schema.get("dependentSchemas", {}).values()
    if "$ref" in schema:
        parts.append(explanation.validators.follow(schema["$ref"]))
    return all(_names(explanation, part, known, depth + 1) for part in parts)


def explain_items(
    explanation: "Explanation", schema: Mapping[str, Any], value: list[Any], path: "Path"
) -> None:
    """Find what is wrong with the items of an array."""
    prefix = schema.get("prefixItems", [])
    for index, (part, item) in enumerate(zip(prefix, value, strict=False)):
        explanation.visit(part, item, (*path, index))
    items = schema.get("items", True)
    if items is False and len(value) > len(prefix):
        explanation.add((*path, len(prefix)), "items")
    elif items is not True:
        many = len(value) > _MANY
        for index in range(len(prefix), len(value)):
            if explanation.is_over():
                return
            if not many or not explanation.allows(items, value[index]):
                explanation.visit(items, value[index], (*path, index))
    if "contains" in schema:
        _contained(explanation, schema, value, path)
    if "unevaluatedItems" in schema and not explanation.allows(schema, value):
        explanation.add(path, "unevaluatedItems")


def _contained(
    explanation: "Explanation", schema: Mapping[str, Any], value: list[Any], path: "Path"
) -> None:
    found = sum(explanation.allows(schema["contains"], item) for item in value)
    if found < schema.get("minContains", 1):
        code = "minContains" if "minContains" in schema else "contains"
        explanation.add(path, code, schema.get(code))
    elif "maxContains" in schema and found > schema["maxContains"]:
        explanation.add(path, "maxContains", schema["maxContains"])
