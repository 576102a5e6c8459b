"""The messages of validation errors, built from the schema and never from the client's values."""

import json
from collections.abc import Callable
from typing import Any, Final

__all__ = ["abbreviate", "message_for"]

_MAX_LENGTH: Final = 200


# Any: bounds and values of a schema are plain JSON.
def abbreviate(value: Any) -> str:
    """Return a value from the schema as JSON of at most 200 characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 1] + "…"


def _type_message(value: Any) -> str:
    names = value if isinstance(value, list) else [value]
    return "Must be of type " + " or ".join(names)


def _count(verb: str, bound: str, singular: str, plural: str) -> Callable[[Any], str]:
    def message(count: Any) -> str:
        return f"Must {verb} at {bound} {count} {singular if count == 1 else plural}"

    return message


_MESSAGES: Final[dict[str, Callable[[Any], str]]] = {
    "additionalProperties": lambda _: "Unknown property",
    "anyOf": lambda _: "Must match at least one of the allowed schemas",
    "const": lambda value: f"Must be {abbreviate(value)}",
    "contains": lambda _: "Must contain at least 1 matching item",
    "discriminator": lambda values: f"Must be one of {abbreviate(values)[1:-1]}",
    "enum": lambda values: f"Must be one of {abbreviate(values)[1:-1]}",
    "exclusiveMaximum": lambda bound: f"Must be less than {bound}",
    "exclusiveMinimum": lambda bound: f"Must be greater than {bound}",
    "false": lambda _: "No value is allowed here",
    "finite": lambda _: "Must be a finite number",
    "format": lambda name: f"Must match the format {abbreviate(name)}",
    "format_failed": lambda _: "Could not be validated",
    "items": lambda _: "Too many items",
    "maxContains": _count("contain", "most", "matching item", "matching items"),
    "maxItems": _count("have", "most", "item", "items"),
    "maxLength": _count("have", "most", "character", "characters"),
    "maxProperties": _count("have", "most", "property", "properties"),
    "maximum": lambda bound: f"Must be at most {bound}",
    "minContains": _count("contain", "least", "matching item", "matching items"),
    "minItems": _count("have", "least", "item", "items"),
    "minLength": _count("have", "least", "character", "characters"),
    "minProperties": _count("have", "least", "property", "properties"),
    "minimum": lambda bound: f"Must be at least {bound}",
    "multipleOf": lambda step: f"Must be a multiple of {step}",
    "not": lambda _: "Must not match the excluded schema",
    "oneOf": lambda _: "Must match exactly one of the allowed schemas",
    "oneOf_several": lambda _: "Matches more than one schema, but must match exactly one",
    "pattern": lambda pattern: f"Must match the pattern {abbreviate(pattern)}",
    "propertyNames": lambda _: "ValidationFailed property name",
    "read_only": lambda _: "Read-only: must not be sent in a request",
    "required": lambda _: "Required property is missing",
    "schema": lambda _: "Does not match the schema",
    "type": _type_message,
    "unevaluatedItems": lambda _: "Has unexpected items",
    "unevaluatedProperties": lambda _: "Unknown property",
    "unicode": lambda _: "Contains invalid Unicode",
    "uniqueItems": lambda _: "Items must be unique",
    "write_only": lambda _: "Write-only: must not be in a response",
}


def message_for(code: str, operand: Any = None) -> str:
    """Return the message for an error.

    Args:
        code: the keyword, or one of Mantlet's own codes.
        operand: the value of the keyword in the schema.
    """
    return _MESSAGES.get(code, _MESSAGES["schema"])(operand)
