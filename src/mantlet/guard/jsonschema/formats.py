"""Formats of numbers, which are always asserted, and of strings, which are asserted on demand.

jsonschema-rs knows all string formats of JSON Schema (2020-12 Validation, 7.3); OpenAPI's format
registry adds those of numbers and a few of strings.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from mantlet.exceptions import MantletError
from mantlet.guard.jsonschema.keywords import RANGE_ANNOTATION

__all__ = [
    "BUILT_IN_FORMATS",
    "NUMBER_FORMATS",
    "FormatCheck",
    "FormatCheckFailed",
    "FormatOption",
    "asserted_formats",
    "bound_number_format",
]

#: Returns whether a string has a format.
FormatCheck = Callable[[str], bool]
#: Whether string formats are asserted; a mapping also adds custom formats.
FormatOption = bool | Mapping[str, FormatCheck]

# RFC 4648, 4 and 5; base64url may omit the padding where the length is known (3.2).
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*+={0,2}")
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*+={0,2}")
#: One character of base64 is too short for a byte.
_ONE_CHARACTER: Final = 1
# A huge exponent would make a number of gigabytes from a few bytes.
_DECIMAL: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_MAX_DECIMAL: Final = 1_000

#: The string formats that jsonschema-rs knows.
BUILT_IN_FORMATS: Final = frozenset({
    "date", "date-time", "duration", "email", "hostname", "idn-email", "idn-hostname", "ipv4",
    "ipv6", "iri", "iri-reference", "json-pointer", "regex", "relative-json-pointer", "time", "uri",
    "uri-reference", "uri-template", "uuid",
})  # fmt: skip

#: The minimum and maximum of each number format.
NUMBER_FORMATS: Final[Mapping[str, tuple[float, float]]] = {
    **{f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    # RFC 7493, 2.2: the integers that a double represents exactly.
    "double-int": (-(2**53) + 1, 2**53 - 1),
    # IEEE 754: the largest finite numbers.
    "float": (-3.4028234663852886e38, 3.4028234663852886e38),
    "double": (-1.7976931348623157e308, 1.7976931348623157e308),
}
_REAL_FORMATS: Final = ("float", "double")
_OTHER_TYPES: Final = ("null", "boolean", "object", "array", "string")


# -- numbers --------------------------------------------------------------------------------------


# Any: a schema is plain JSON.
def bound_number_format(schema: dict[str, Any]) -> None:
    """Replace the number format of a 2020-12 schema, if it has one, by bounds; in place."""
    name = schema.get("format")
    if not isinstance(name, str) or name not in NUMBER_FORMATS:
        return
    least, largest = NUMBER_FORMATS[name]
    if name in _REAL_FORMATS:
        schema[RANGE_ANNOTATION] = "float_range"
    else:
        schema[RANGE_ANNOTATION] = "int_range"
        types = schema.get("type", [*_OTHER_TYPES, "integer"])
        if types == "number":
            schema["type"] = "integer"
        elif isinstance(types, list):
            integral = ["integer" if one == "number" else one for one in types]
            # Without duplicates; the meta-schema reports invalid types.
            schema["type"] = [one for at, one in enumerate(integral) if one not in integral[:at]]
    if _is_number(schema.get("minimum", least)):
        schema["minimum"] = max(schema.get("minimum", least), least)
    if _is_number(schema.get("maximum", largest)):
        schema["maximum"] = min(schema.get("maximum", largest), largest)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# -- strings --------------------------------------------------------------------------------------


class FormatCheckFailed(MantletError):
    """The function of a custom format raised, so the value could not be validated."""


def asserted_formats(formats: FormatOption) -> dict[str, FormatCheck] | None:
    """Return the asserted string formats besides the built-in ones; None if none are asserted.

    Raises:
        TypeError: ``formats`` is neither a boolean nor a mapping of names to functions.
    """
    if formats is False:
        return None
    # Any: a configuration may have any type, regardless of its annotation.
    custom: Any = {} if formats is True else formats
    if not isinstance(custom, Mapping) or not all(
        isinstance(name, str) and callable(function) for name, function in custom.items()
    ):
        raise TypeError(
            "formats must be a bool, or a mapping of names to functions of one string, "
            f"not {formats!r}"
        )
    return {
        **_OPENAPI_FORMATS,
        **{name: _guarded(name, function) for name, function in custom.items()},
    }


def _guarded(name: str, function: FormatCheck) -> FormatCheck:
    """Wrap a custom format so that its exceptions do not leak the value."""

    def check(text: str) -> bool:
        try:
            return bool(function(text))
        except Exception:  # noqa: BLE001  # the user's function may raise anything
            raise FormatCheckFailed(f"the function for the format {name!r} raised") from None

    return check


def _is_base64(text: str) -> bool:
    return len(text) % 4 == 0 and _BASE64.fullmatch(text) is not None


def _is_base64url(text: str) -> bool:
    if _BASE64URL.fullmatch(text) is None:
        return False
    rest = len(text) % 4
    # Four characters stand for three bytes, and one alone for none.
    return rest == 0 or (rest != _ONE_CHARACTER and not text.endswith("="))


def _is_decimal(text: str) -> bool:
    return len(text) <= _MAX_DECIMAL and _DECIMAL.fullmatch(text) is not None


def _is_any_string(_: str) -> bool:
    return True


# OpenAPI's format registry: binary and password are any string.
_OPENAPI_FORMATS: Final[Mapping[str, FormatCheck]] = {
    "base64url": _is_base64url,
    "binary": _is_any_string,
    "byte": _is_base64,
    "decimal": _is_decimal,
    "decimal128": _is_decimal,
    "password": _is_any_string,
}
