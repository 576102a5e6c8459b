"""Treat empty optional fields of a form as absent: browsers send every field."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from mantlet.guard.errors import Place, ValidationFailed
from mantlet.guard.readers import Schema
from mantlet.http.json_pointer import escape_token

__all__ = ["OptionalFields"]

#: How often a value is validated again: each time names at most `BodyLimits.errors` fields.
_MAX_ROUNDS: Final = 5


class OptionalFields:
    """The schema of a form in which an empty optional field counts as absent; a `Schema`.

    A field counts as absent if it is optional, its text is empty, and the schema rejects that: an
    integer, or a string with ``minLength``. An empty string that the schema allows stays one. So
    does an app: Django's forms, WTForms and FastAPI give such a field its default.

    Args:
        schema: the schema of the fields.
        optional: the names of the optional fields.
    """

    __slots__ = ("_optional", "_schema")

    def __init__(self, schema: Schema, optional: Collection[str]) -> None:
        self._schema = schema
        self._optional: Final = frozenset(optional)

    # Any: required by the protocol.
    def check(self, value: Any, place: Place) -> Any:
        """Validate the fields, without empty optional ones.

        Raises:
            ValidationFailed: with 422.
        """
        for _ in range(_MAX_ROUNDS):
            try:
                return self._schema.check(value, place)
            except ValidationFailed as failure:
                empty = self._empty(value, failure)
                if not empty:
                    raise
                value = {name: item for name, item in value.items() if name not in empty}
        return self._schema.check(value, place)

    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Validate the fields; see `check()`."""
        return self.check(value, place)

    def dump(self, value: Any) -> bytes:
        """Serialize the fields as JSON."""
        return self._schema.dump(value)

    def _empty(self, value: Mapping[str, Any], failure: ValidationFailed) -> set[str]:
        """Return the empty optional fields that the schema has rejected."""
        rejected = {error.pointer.partition("/")[2].partition("/")[0] for error in failure.errors}
        return {
            name
            for name in self._optional
            if value.get(name) in ("", [""]) and escape_token(name) in rejected
        }
