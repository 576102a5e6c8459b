"""Repair Schema Objects whose meaning is plain although their keywords have wrong types.

Generators write ``"10"`` for 10 and ``[]`` for an empty object, and YAML without a value is null.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

__all__ = ["repair_schema"]

#: Returned by a repair for a keyword that is removed.
_REMOVED: Final = object()
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?")
_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
_FLAGS: Final[Mapping[str, bool]] = {"true": True, "false": False}
#: Keywords whose value may be null.
_MAY_BE_NULL: Final = frozenset({"default", "example", "const"})


def repair_schema(schema: dict[str, Any], version: str) -> Iterable[tuple[str, str]]:
    """Repair a schema, but not its subschemas, in place.

    Args:
        schema: the schema.
        version: the version of OpenAPI.

    Returns:
        The keywords that were repaired, and messages.
    """
    # Nearly all schemas need no repair, and large documents have a million.
    for keyword, value in schema.items():
        expected = _REPAIRS.get(keyword)
        if value is None or (
            expected is not None
            and not isinstance(value, expected[0])
            and expected[1](value) is not value
        ):
            return list(_repair(schema, version))
    if "exclusiveMinimum" in schema or "exclusiveMaximum" in schema:
        return list(_repair(schema, version))
    return ()


def _repair(schema: dict[str, Any], version: str) -> Iterator[tuple[str, str]]:
    is_file = schema.get("type") == "file"
    for keyword, value in list(schema.items()):
        if value is None:
            if keyword not in _MAY_BE_NULL and not keyword.startswith("x-"):
                del schema[keyword]
                yield keyword, "is null, so it is ignored"
            continue
        expected = _REPAIRS.get(keyword)
        if expected is None or isinstance(value, expected[0]):
            continue
        repaired = expected[1](value)
        if repaired is _REMOVED:
            del schema[keyword]
            yield keyword, f"is {_shown(value)}, which has no meaning here: it is ignored"
        elif repaired is not value:
            schema[keyword] = repaired
            yield keyword, f"is {_shown(value)}, and is read as {_shown(repaired)}"
    if version != "3.0":
        yield from _repair_exclusive(schema)
    if is_file:
        schema["format"] = "binary"


def _repair_exclusive(schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Repair exclusive bounds that are booleans, as they were until 3.0."""
    for keyword, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        value = schema.get(keyword)
        if isinstance(value, bool):
            del schema[keyword]
            if value and bound in schema:
                schema[keyword] = schema.pop(bound)
            yield keyword, f"is a boolean, and is read as in OpenAPI 3.0, together with {bound!r}"


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}..."


# Any: keywords are plain JSON of any type.
def _number(value: Any) -> Any:
    match = _NUMBER.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    return int(value) if match[1] is None else float(value)


def _flag(value: Any) -> Any:
    return _FLAGS.get(value.lower(), value) if isinstance(value, str) else value


def _type(value: Any) -> Any:
    if value == "any":
        return _REMOVED
    if value == "file":
        return "string"  # of the format "binary"
    known = isinstance(value, str) and value.lower() in _TYPES
    return value.lower() if known and value not in _TYPES else value


def _required(value: Any) -> Any:
    if isinstance(value, bool) or value == {}:
        return _REMOVED  # a property does not say itself whether it is required
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        names = dict.fromkeys(value)
        return value if len(names) == len(value) else list(names)
    return value


def _map(value: Any) -> Any:
    return {} if value == [] else value


def _properties(value: Any) -> Any:
    if value == []:
        return {}
    if isinstance(value, dict) and (None in value.values() or [] in value.values()):
        return {name: {} if one is None or one == [] else one for name, one in value.items()}
    return value


def _list(value: Any) -> Any:
    return _REMOVED if value in ([], {}) else value


def _text(value: Any) -> Any:
    return _REMOVED if isinstance(value, bool | int | float) else value


#: The types of keywords that need no repair, and what repairs another value.
_REPAIRS: Final[Mapping[str, tuple[tuple[type, ...], Callable[[Any], Any]]]] = {
    **dict.fromkeys(
        (
            "maxLength",
            "minLength",
            "maxItems",
            "minItems",
            "maxProperties",
            "minProperties",
            "maximum",
            "minimum",
            "multipleOf",
        ),
        ((int, float), _number),
    ),
    **dict.fromkeys(
        ("uniqueItems", "nullable", "readOnly", "writeOnly"),
        ((bool,), _flag),
    ),
    **dict.fromkeys(
        ("exclusiveMaximum", "exclusiveMinimum"),
        ((bool, int, float), lambda value: _flag(_number(value))),
    ),
    "additionalProperties": ((bool, dict), lambda value: _map(_flag(value))),
    "type": ((list,), _type),
    "required": ((), _required),
    "properties": ((), _properties),
    "items": ((dict, bool), _map),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), ((), _list)),
    "format": ((str,), _text),
    "discriminator": (
        (dict,),
        lambda value: {"propertyName": value} if isinstance(value, str) else value,
    ),
}
