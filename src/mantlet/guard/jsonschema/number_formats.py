"""Formats of numbers, which are always held (OpenAPI's format registry)."""

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["CODE", "FORMATS", "hold_format", "lift_flags"]

#: The annotation, in a converted schema, that names the code of a number out of its format.
CODE: Final = "x-mantlet-range"

#: The least and the largest of each format.
FORMATS: Final[Mapping[str, tuple[float, float]]] = {
    **{f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    # RFC 7493, 2.2: the integers that a double holds exactly.
    "double-int": (-(2**53) + 1, 2**53 - 1),
    # IEEE 754: the largest finite ones.
    "float": (-3.4028234663852886e38, 3.4028234663852886e38),
    "double": (-1.7976931348623157e308, 1.7976931348623157e308),
}
_REAL: Final = ("float", "double")
_TYPES: Final = ("null", "boolean", "object", "array", "string")


# Any: a schema is plain JSON.
def hold_format(schema: dict[str, Any]) -> None:
    """Bound the numbers of a schema of 2020-12, in place, by their format if it has one."""
    name = schema.get("format")
    if not isinstance(name, str) or name not in FORMATS:
        return
    least, largest = FORMATS[name]
    if name in _REAL:
        schema[CODE] = "float_range"
    else:
        schema[CODE] = "int_range"
        types = schema.get("type", [*_TYPES, "integer"])
        if types == "number":
            schema["type"] = "integer"
        elif isinstance(types, list):
            whole = ["integer" if one == "number" else one for one in types]
            # Without one twice; what is no text is told of by the meta-schema.
            schema["type"] = [one for at, one in enumerate(whole) if one not in whole[:at]]
    if _is_number(schema.get("minimum", least)):
        schema["minimum"] = max(schema.get("minimum", least), least)
    if _is_number(schema.get("maximum", largest)):
        schema["maximum"] = min(schema.get("maximum", largest), largest)


def lift_flags(schema: dict[str, Any]) -> None:
    """Turn draft 4's exclusive bounds, which are flags, into those of 2020-12, in place."""
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        flag = schema.get(exclusive)
        if isinstance(flag, bool):
            del schema[exclusive]
            if flag and bound in schema:
                schema[exclusive] = schema.pop(bound)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
