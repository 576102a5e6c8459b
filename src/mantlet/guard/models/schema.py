"""Use pydantic models as schemas: any type that ``TypeAdapter`` supports.

Members that a model does not declare are rejected, in it and in nested models. A model that
configures them itself (``extra`` in its configuration) is left as it is, and so are all models of
the same schema, since pydantic has one setting for all of them.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from mantlet._internal.pydantic_errors import public_error
from mantlet.guard.errors import ErrorItem, Place, ValidationFailed, pointer
from mantlet.guard.models.checks import check_round_trip, check_unions

__all__ = ["ModelSchema"]

#: pydantic reports all errors or none; this many take it a few hundredths of a second.
_MAX_ERRORS: Final = 10_000
_TOO_MANY: Final = f"More than {_MAX_ERRORS} invalid values"
#: The detail in place of pydantic's messages that may contain input, or text of the app's
#: validators.
_GENERIC: Final = "Invalid value"
#: Details in place of pydantic's messages that name classes of the app.
_DETAILS: Final = dict.fromkeys(
    ("model_type", "model_attributes_type", "dataclass_type"), "Input should be an object"
)


class ModelSchema:
    """One model, compiled.

    Args:
        kind: a model, a dataclass, a TypedDict, a union of them, ``list[Item]``, ...
        name: its name in error messages.
        errors: the maximum number of errors to report.
        closed: whether to reject undeclared members.
        serialized: whether the app will read the result of `dump()`.

    Raises:
        TypeError: pydantic does not support the type.
        ValueError: the model has a recursive union without a discriminator, or is to be serialized
            and can't be read again.
    """

    __slots__ = ("_adapter", "_check", "_errors", "_load", "kind", "name", "opened")

    # Any: any type that pydantic supports.
    def __init__(
        self, kind: Any, *, name: str, errors: int, closed: bool = True, serialized: bool = False
    ) -> None:
        try:
            self._adapter = TypeAdapter(kind)
            if not self._adapter.pydantic_complete:  # a forward reference is not resolved yet
                self._adapter.rebuild(raise_errors=True)
            validator = self._adapter.validator
        except (PydanticUserError, TypeError, NameError) as error:
            raise TypeError(f"{name} is not a type that pydantic supports: {error}") from error
        check_unions(self._adapter.core_schema, name)
        if serialized:
            check_round_trip(self._adapter.core_schema, name)
        self.kind = kind
        self.name = name
        #: Whether a model itself allows or ignores undeclared members.
        self.opened = closed and any(
            setting != "forbid" for setting in _extra_settings(self._adapter.core_schema)
        )
        options: dict[str, Any] = {"extra": "forbid"} if closed and not self.opened else {}
        # Any: mypy takes the options for positional arguments.
        untyped: Any = validator
        self._load: Callable[[bytes], Any] = partial(untyped.validate_json, **options)
        self._check: Callable[[Any], Any] = partial(untyped.validate_python, **options)
        self._errors = errors

    # Any: plain JSON values in, models out.
    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Return the model of a JSON text, in pydantic's JSON mode.

        Raises:
            ValidationFailed: with 422.
        """
        try:
            return self._load(text)
        except ValidationError as error:
            raise self._invalid(error, value, place) from None

    def check(self, value: Any, place: Place) -> Any:
        """Return the model of a value, whose texts may stand for numbers and the like.

        Raises:
            ValidationFailed: with 422.
        """
        try:
            return self._check(value)
        except ValidationError as error:
            raise self._invalid(error, value, place) from None

    def dump(self, value: Any) -> bytes:
        """Serialize a model as JSON that it can be read from, without computed fields."""
        return self._adapter.dump_json(value, by_alias=True, round_trip=True)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of valid input."""
        return self._adapter.json_schema(mode="validation")

    def _invalid(self, error: ValidationError, value: Any, place: Place) -> ValidationFailed:
        if error.error_count() > _MAX_ERRORS:
            return ValidationFailed(422, [ErrorItem(place, "", "too_many_errors", _TOO_MANY)])
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return ValidationFailed(
            422, [_error_item(entry, value, place) for entry in found[: self._errors]]
        )


def _error_item(entry: Mapping[str, Any], value: Any, place: Place) -> ErrorItem:
    code, detail = public_error(entry)
    tokens = _tokens(entry["loc"], value, missing=code == "missing")
    return ErrorItem(place, pointer(tokens), code, detail or _DETAILS.get(code, _GENERIC))


def _tokens(where: tuple[Any, ...], value: Any, *, missing: bool) -> Iterator[Any]:
    """Yield the tokens of a location that lead through the value.

    The others name choices of unions and the like, which a client does not know.
    """
    for token in where:
        if isinstance(value, dict):
            if token in value:
                yield token
                value = value[token]
        elif isinstance(value, list) and isinstance(token, int) and 0 <= token < len(value):
            yield token
            value = value[token]
    if missing and where:
        yield where[-1]


def _extra_settings(schema: Any) -> Iterator[str]:
    """Yield the settings for undeclared members in a core schema and nested schemas."""
    later = [schema]
    while later:
        node = later.pop()
        if isinstance(node, dict):
            config = node.get("config") or {}
            settings = [config.get("extra_fields_behavior"), node.get("extra_behavior")]
            if node.get("type") == "typed-dict" and settings[1] == "ignore":
                settings.pop()  # the default of every typed dict
            yield from filter(None, settings)
            # Entries for pydantic's internal use may hold anything.
            later += [inner for key, inner in node.items() if key not in ("metadata", "config")]
        elif isinstance(node, (list, tuple)):
            later += node
