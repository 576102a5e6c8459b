"""`JsonSchema`: a schema of OpenAPI as the guard asks it."""

import json
import math
from collections.abc import Callable
from typing import Any, Final

from mantlet.guard.errors import ErrorItem, Place, ValidationFailed
from mantlet.guard.jsonschema.defaults import find_defaults
from mantlet.guard.jsonschema.errors import explain
from mantlet.guard.jsonschema.formats import FormatFailed
from mantlet.guard.jsonschema.messages import tell
from mantlet.guard.jsonschema.read_write_only import Direction
from mantlet.guard.jsonschema.validators import Validators

__all__ = ["JsonSchema"]

_encode: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=False
).encode


class JsonSchema:
    """One schema, compiled when it is first asked; `Compiler.compile()` makes it.

    What is handed on is the value itself, or a copy with the schema's defaults where it has any:
    of members of objects, within each other, through references and ``allOf``; not through
    ``anyOf`` and ``oneOf``, unless there is one form besides null or a discriminator picks one.

    Attributes:
        converted: the schema in JSON Schema 2020-12.
        direction: which way messages of it go.
        location: where it stands in the document.
        validators: of its parts.
    """

    __slots__ = ("_allows", "_errors", "_fill", "converted", "direction", "location", "validators")

    # Any: schemas and values are plain JSON.
    def __init__(
        self,
        converted: Any,
        validators: Validators,
        *,
        direction: Direction,
        location: str,
        errors: int,
    ) -> None:
        self.converted = converted
        self.validators = validators
        self.direction = direction
        self.location = location
        self._errors = errors
        self._allows: Callable[[Any], bool] = self._first_asked
        self._fill: Callable[[Any], Any] | None = None

    def __repr__(self) -> str:
        return f"JsonSchema({self.location!r}, direction={self.direction!r})"

    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Check the value that has been read of a JSON text.

        Args:
            text: not looked at.
            value: plain JSON, of finite numbers.
            place: where it stands, for the faults.

        Returns:
            The value with the schema's defaults; the one given is not changed.

        Raises:
            ValidationFailed: with 422, and at most as many faults as the limit says.
        """
        try:
            if self._allows(value):
                return value if self._fill is None else self._filled(value, self._fill)
        except (ValueError, FormatFailed) as error:
            raise ValidationFailed(422, (_unasked(error, place),)) from None
        raise ValidationFailed(422, self._faults(value, place)) from None

    def check(self, value: Any, place: Place) -> Any:
        """Check a value that has been read of something else than JSON.

        It is like `load()`, but for numbers that are not finite, which JSON has none of.
        """
        if not _is_finite(value):
            raise ValidationFailed(422, (ErrorItem(place, "", "finite", tell("finite")),))
        return self.load(b"", value, place)

    def dump(self, value: Any) -> bytes:
        """Return a value as JSON: compact, in UTF-8, members in their order."""
        return _encode(value).encode()

    def standing_alone(self) -> Any:
        """Return the schema in JSON Schema 2020-12, with all that it refers to."""
        return self.validators.standing_alone(self.converted)

    def prepare(self) -> None:
        """Make now what is otherwise made when the schema is first asked.

        Raises:
            ValueError: it can't be made.
        """
        self._fill = find_defaults(self.converted, self.validators)
        self._allows = self.validators.make(self.converted).is_valid

    def _first_asked(self, value: Any) -> bool:
        self.prepare()
        return self._allows(value)

    def _filled(self, value: Any, fill: Callable[[Any], Any]) -> Any:
        filled = fill(value)
        # A default may be what another part of the schema does not allow.
        return filled if filled is value or self._allows(filled) else value

    def _faults(self, value: Any, place: Place) -> list[ErrorItem]:
        try:
            return explain(self.converted, value, place, self.validators, self._errors)
        except (ValueError, FormatFailed) as error:
            return [_unasked(error, place)]


def _unasked(error: Exception, place: Place) -> ErrorItem:
    """Return the fault of a value that the validator can't be asked about."""
    if isinstance(error, FormatFailed):
        return ErrorItem(place, "", "format", tell("format_failed"))
    if isinstance(error, UnicodeError):
        return ErrorItem(place, "", "unicode", tell("unicode"))
    return ErrorItem(place, "", "schema", tell("schema"))


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
