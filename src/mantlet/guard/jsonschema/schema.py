"""`JsonSchema`: a compiled schema that validates the values of requests and responses."""

import json
import math
import re
from collections.abc import Callable
from typing import Any, Final

from mantlet.guard.bodies.hash_collisions import share_doubles
from mantlet.guard.errors import ErrorItem, Place, ValidationFailed, too_complex
from mantlet.guard.jsonschema.defaults import DefaultsCompiler
from mantlet.guard.jsonschema.errors import find_errors, message_for
from mantlet.guard.jsonschema.formats import FormatCheckFailed
from mantlet.guard.jsonschema.read_write_only import Direction
from mantlet.guard.jsonschema.validators import ValidatorCache

__all__ = ["JsonSchema"]

#: Checks the text of a value, and the value, before it is validated.
_Check = Callable[[bytes, Any, Place], None]
#: Bytes of a text for each number that it may always have.
_BYTES_PER_CHECK: Final = 10
#: An integer that a double may not hold.
_LARGE_INTEGER: Final = re.compile(rb"[0-9]{16}")
#: A number with an exponent, or many digits.
_EXTREME: Final = re.compile(rb"[0-9][eE]\+?[0-9]|[0-9]{19}")
#: How many checks `multipleOf` costs for such a number, whose fraction is computed exactly.
_EXTREME_CHECKS: Final = 80
_encode: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=False
).encode


class JsonSchema:
    """A schema whose validator is compiled on first use; created by `SchemaCompiler.compile()`.

    Valid values are returned as they are, or as copies with the defaults of the schema, if it has
    any. Defaults of object properties apply at any depth, through references and ``allOf``, but
    not through ``anyOf`` and ``oneOf``, unless these have one branch besides null or a
    discriminator picks one.

    Attributes:
        converted: the schema in JSON Schema 2020-12.
        direction: the direction of the messages that it is for.
        location: its location in the document.
        validators: validators for parts of it.
    """

    __slots__ = (
        "_checks",
        "_defaults",
        "_fill_defaults",
        "_is_valid",
        "_max_errors",
        "_precheck",
        "converted",
        "direction",
        "location",
        "validators",
    )

    # Any: schemas and values are plain JSON.
    def __init__(
        self,
        converted: Any,
        validators: ValidatorCache,
        defaults: DefaultsCompiler,
        *,
        direction: Direction,
        location: str,
        max_errors: int,
        checks: int = 100_000,
    ) -> None:
        self.converted = converted
        self.validators = validators
        self._defaults = defaults
        self.direction = direction
        self.location = location
        self._max_errors = max_errors
        self._checks = checks
        self._precheck: _Check | None = self._prepare_and_check
        self._is_valid: Callable[[Any], bool] = self._prepare_and_validate
        self._fill_defaults: Callable[[Any], Any] | None = None

    def __repr__(self) -> str:
        return f"JsonSchema({self.location!r}, direction={self.direction!r})"

    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Validate a value that was parsed from JSON.

        Args:
            text: its text, which is only measured; empty if it was not parsed from JSON.
            value: plain JSON without non-finite numbers.
            place: the part of the message that holds the value, for error items.

        Returns:
            The value with the defaults of the schema; the argument is not changed.

        Raises:
            ValidationFailed: with 422 and the errors, at most as many as the limit allows; with 400
                for a text that needs too many checks.
        """
        if self._precheck is not None:
            self._precheck(text, value, place)
        try:
            if self._is_valid(value):
                fill = self._fill_defaults
                return value if fill is None else self._with_defaults(value, fill)
        except (ValueError, RecursionError, FormatCheckFailed) as error:
            raise ValidationFailed(422, (_undecidable(error, place),)) from None
        errors = self._errors(value, place, len(text))
        raise ValidationFailed(422, errors, values={place: value}) from None

    def check(self, value: Any, place: Place) -> Any:
        """Validate a value that was not parsed from JSON.

        Like `load()`, but rejects non-finite numbers, which JSON does not have.
        """
        if not _is_finite(value):
            raise ValidationFailed(422, (ErrorItem(place, "", "finite", message_for("finite")),))
        return self.load(b"", value, place)

    def dump(self, value: Any) -> bytes:
        """Return a value as compact UTF-8 JSON, with properties in their original order."""
        return _encode(value).encode()

    def bundled(self) -> Any:
        """Return the schema in JSON Schema 2020-12, with all definitions that it refers to."""
        return self.validators.bundle(self.converted)

    def _check_multiples(self, text: bytes, _value: Any, place: Place) -> None:
        """Bound the numbers in a text, since ``multipleOf`` is expensive for each."""
        if len(text) * _EXTREME_CHECKS <= self._checks:
            return
        checks = max(self._checks, len(text) // _BYTES_PER_CHECK)
        extreme = sum(1 for _ in _EXTREME.finditer(text))
        if text.count(b",") + extreme * _EXTREME_CHECKS > checks:
            raise too_complex(place)

    def prepare(self) -> None:
        """Compile the validator and the defaults now rather than on first use.

        Raises:
            ValueError: the schema cannot be compiled.
        """
        self._fill_defaults = self._defaults.compile(self.converted)
        self._is_valid = self.validators.build(self.converted).is_valid
        checks: dict[str, _Check] = {
            "multipleOf": self._check_multiples,
            "uniqueItems": _check_unique_items,
        }
        used = [checks[keyword] for keyword in self.validators.costly_keywords(self.converted)]
        self._precheck = None if not used else used[0] if len(used) == 1 else _all_of(used)

    def _prepare_and_check(self, text: bytes, value: Any, place: Place) -> None:
        try:
            self.prepare()
        except ValueError as error:
            raise ValidationFailed(422, (_undecidable(error, place),)) from None
        if self._precheck is not None:
            self._precheck(text, value, place)

    def _prepare_and_validate(self, value: Any) -> bool:
        self.prepare()
        return self._is_valid(value)

    def _with_defaults(self, value: Any, fill: Callable[[Any], Any]) -> Any:
        filled = fill(value)
        # Another part of the schema may not allow a default.
        return filled if filled is value or self._is_valid(filled) else value

    def _errors(self, value: Any, place: Place, size: int) -> list[ErrorItem]:
        try:
            return find_errors(
                self.converted, value, place, self.validators, self._max_errors, size=size
            )
        except (ValueError, RecursionError, FormatCheckFailed) as error:
            return [_undecidable(error, place)]


# Any: a value of JSON.
def _check_unique_items(text: bytes, value: Any, place: Place) -> None:
    """Reject integers that ``uniqueItems`` compares with each other one by one."""
    if (not text or _LARGE_INTEGER.search(text)) and share_doubles(value):
        detail = "Contains different numbers of the same hash"
        raise ValidationFailed(422, [ErrorItem(place, "", "hash_collisions", detail)])


def _all_of(checks: list[_Check]) -> _Check:
    def check(text: bytes, value: Any, place: Place) -> None:
        for one in checks:
            one(text, value, place)

    return check


def _undecidable(error: Exception, place: Place) -> ErrorItem:
    """Return the error item for a value that the validator failed on."""
    if isinstance(error, FormatCheckFailed):
        return ErrorItem(place, "", "format", message_for("format_failed"))
    if isinstance(error, UnicodeError):
        return ErrorItem(place, "", "unicode", message_for("unicode"))
    return ErrorItem(place, "", "schema", message_for("schema"))


def _is_finite(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        value = value.values()
    elif kind is not list:
        return kind is not float or math.isfinite(value)
    for one in value:
        kind = type(one)
        if kind is float:
            if not math.isfinite(one):
                return False
        elif (kind is dict or kind is list) and not _is_finite(one):
            return False
    return True
