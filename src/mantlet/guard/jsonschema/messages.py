"""The messages of JSON Schema errors, built from the schema and never from a value."""

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

__all__ = ["KINDS", "describe_kinds", "list_values", "message_for"]

#: The beginning of the message that names the types and constants of branches.
KINDS: Final = "Must be "
#: The longest value of the schema in a message.
_MAX_VALUE_LENGTH: Final = 200
#: The values that a message lists.
_MAX_VALUES: Final = 10
#: The branches, and references and branches within them, that are described.
_MAX_BRANCHES: Final = 50


# Any: bounds and values of a schema are plain JSON.
def _abbreviate(value: Any) -> str:
    """Return a value from the schema as JSON of at most 200 characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_VALUE_LENGTH else text[: _MAX_VALUE_LENGTH - 1] + "…"


def list_values(values: Iterable[Any]) -> str:
    """Return values of the schema, each once: at most ten of them, in at most 200 characters."""
    texts = list(dict.fromkeys(_abbreviate(value) for value in values))
    shown: list[str] = []
    size = 0
    for text in texts[:_MAX_VALUES]:
        size += len(text) + 2
        if shown and size > _MAX_VALUE_LENGTH:
            break
        shown.append(text)
    if len(shown) < len(texts):
        shown.append(f"... ({len(texts)} values)")
    return f"one of {', '.join(shown)}"


def _types(names: Iterable[str]) -> str:
    return "of type " + " or ".join(dict.fromkeys(names))


def _type_message(value: Any) -> str:
    return f"Must be {_types(value if isinstance(value, list) else [value])}"


def describe_kinds(branches: Iterable[Any], resolve: Callable[[str], Any]) -> str:
    """Return the types and constants that branches are meant for; empty if one has neither.

    Args:
        branches: the schemas of an ``anyOf`` or ``oneOf``.
        resolve: returns the schema of a reference.
    """
    types: list[str] = []
    values: list[Any] = []
    later = list(branches)
    for _ in range(_MAX_BRANCHES):
        if not later:
            return ", or ".join(
                [*([_types(types)] if types else []), *([list_values(values)] if values else [])]
            )
        branch = later.pop(0)
        if not isinstance(branch, dict):
            return ""
        if "const" in branch:
            values.append(branch["const"])
        elif "enum" in branch:
            values += branch["enum"]
        elif "type" in branch:
            types += branch["type"] if isinstance(branch["type"], list) else [branch["type"]]
        elif "$ref" in branch:
            later.insert(0, resolve(branch["$ref"]))
        elif "anyOf" in branch or "oneOf" in branch:
            later = [*branch.get("anyOf", ()), *branch.get("oneOf", ()), *later]
        elif "allOf" in branch and len(branch["allOf"]) == 1:
            later.insert(0, branch["allOf"][0])
        else:
            return ""
    return ""


def _count(verb: str, bound: str, singular: str, plural: str) -> Callable[[Any], str]:
    def message(count: Any) -> str:
        return f"Must {verb} at {bound} {count} {singular if count == 1 else plural}"

    return message


_MESSAGES: Final[dict[str, Callable[[Any], str]]] = {
    "additionalProperties": lambda _: "Unknown property",
    "anyOf": lambda _: "Must match at least one of the allowed schemas",
    "const": lambda value: f"Must be {_abbreviate(value)}",
    "contains": lambda _: "Must contain at least 1 matching item",
    "discriminator": lambda values: f"Must be {list_values(values)}",
    "enum": lambda values: f"Must be {list_values(values)}",
    "exclusiveMaximum": lambda bound: f"Must be less than {bound}",
    "exclusiveMinimum": lambda bound: f"Must be greater than {bound}",
    "false": lambda _: "No value is allowed here",
    "finite": lambda _: "Must be a finite number",
    "format": lambda name: f"Must match the format {_abbreviate(name)}",
    "format_failed": lambda _: "Could not be validated",
    "items": lambda _: "Too many items",
    "kinds": lambda kinds: f"{KINDS}{kinds}",
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
    "pattern": lambda pattern: f"Must match the pattern {_abbreviate(pattern)}",
    "propertyNames": lambda _: "Invalid property name",
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
