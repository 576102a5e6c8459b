"""Faults in our own words: made of what the schema says, never of what the client sent."""

import json
from collections.abc import Callable
from typing import Any, Final

__all__ = ["short", "tell"]

_LONGEST: Final = 200


# Any: bounds and values of a schema are plain JSON.
def short(value: Any) -> str:
    """Return a value of the schema as JSON, cut where it gets long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _types(value: Any) -> str:
    names = value if isinstance(value, list) else [value]
    return "Must be of the type " + " or ".join(names) + "."


def _count(what: str, one: str, many: str) -> Callable[[Any], str]:
    def told(bound: Any) -> str:
        return f"Must have at {what} {bound} {one if bound == 1 else many}."

    return told


_TOLD: Final[dict[str, Callable[[Any], str]]] = {
    "additionalProperties": lambda _: "No member of this name is allowed.",
    "const": lambda value: f"Must be {short(value)}.",
    "enum": lambda values: f"Must be one of {short(values)[1:-1]}.",
    "exclusiveMaximum": lambda bound: f"Must be less than {bound}.",
    "exclusiveMinimum": lambda bound: f"Must be greater than {bound}.",
    "false": lambda _: "Nothing is allowed here.",
    "format": lambda name: f"Must be of the format {short(name)}.",
    "items": lambda _: "There are more items than are allowed.",
    "maxItems": _count("most", "item", "items"),
    "maxLength": _count("most", "character", "characters"),
    "maxProperties": _count("most", "member", "members"),
    "maximum": lambda bound: f"Must be at most {bound}.",
    "minItems": _count("least", "item", "items"),
    "minLength": _count("least", "character", "characters"),
    "minProperties": _count("least", "member", "members"),
    "minimum": lambda bound: f"Must be at least {bound}.",
    "multipleOf": lambda step: f"Must be a multiple of {step}.",
    "not": lambda _: "Must not be what is excluded here.",
    "pattern": lambda pattern: f"Must match the pattern {short(pattern)}.",
    "propertyNames": lambda _: "No member of this name is allowed.",
    "read_only": lambda _: "Must not be sent: it is read-only.",
    "required": lambda _: "Is required.",
    "schema": lambda _: "Is not what is declared.",
    "type": _types,
    "unevaluatedItems": lambda _: "No item is allowed here.",
    "unevaluatedProperties": lambda _: "No member of this name is allowed.",
    "uniqueItems": lambda _: "All items must be different.",
    "write_only": lambda _: "Must not be in a response: it is write-only.",
    "anyOf": lambda _: "Fits none of the allowed forms.",
    "oneOf": lambda _: "Fits none of the allowed forms.",
    "oneOf_several": lambda _: "Fits more than one of the forms of which it must be one.",
    "contains": lambda _: "Must have an item of a certain form.",
    "minContains": lambda bound: f"Must have at least {bound} items of a certain form.",
    "maxContains": lambda bound: f"Must have at most {bound} items of a certain form.",
    "discriminator": lambda values: f"Must be one of {short(values)[1:-1]}.",
    "format_failed": lambda _: "Could not be checked.",
    "unicode": lambda _: "Has text that is no Unicode.",
    "finite": lambda _: "Must be a finite number.",
}


def tell(code: str, said: Any = None) -> str:
    """Return the detail of a fault.

    Args:
        code: the keyword, or a code of our own.
        said: what the schema says with it.
    """
    return _TOLD.get(code, _TOLD["schema"])(said)
