"""Use pydantic models as schemas: any type that ``TypeAdapter`` supports.

Members that a model does not declare are rejected, in it and in nested models. A model that
configures them itself (``extra`` in its configuration) is left as it is; those around it and within
it are closed all the same.

pydantic makes all errors of a value before any can be read. So a larger text is first validated by
a copy of the schema whose collections stop at their first invalid item. Only if the text can't have
more than a few thousand errors are all of them made. A text is not validated at all if it has more
arrays and objects than `BodyLimits.checks` allows for the schema's unions.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaValidator

from mantlet.guard.bodies.hash_collisions import collides
from mantlet.guard.bodies.json_limits import hide_escapes, without_strings
from mantlet.guard.errors import ErrorItem, Place, ValidationFailed, too_complex
from mantlet.guard.hints import check_model
from mantlet.guard.models.checks import check_round_trip, check_unions
from mantlet.guard.models.rewriting import hashes_numbers, needs_bounds, open_models, rewrite
from mantlet.guard.models.wording import ErrorWording
from mantlet.guard.models.work_estimate import estimate_work
from mantlet.guard.options import ValidatorMessages

__all__ = ["ModelSchema"]

#: How many errors a text may lead to for all of them to be made; it takes up to a millisecond.
_MAX_ERRORS: Final = 2_000
#: pydantic describes all errors or none, which takes longer than making them.
_MAX_DESCRIBED: Final = 200
_TOO_MANY: Final = "Too many invalid values"
_COLLISIONS: Final = "Contains different numbers of the same hash"
#: A longer text takes milliseconds, in which other threads must run.
_LONG: Final = 64 * 1024
#: A text of at most this many bytes has no more colliding numbers than are harmless.
_SMALL: Final = 500


class ModelSchema:
    """One model, compiled.

    Args:
        kind: a model, a dataclass, a TypedDict, a union of them, ``list[Item]``, ...; or the
            ``TypeAdapter`` of one.
        name: its name in error messages.
        errors: the maximum number of errors to report.
        closed: whether to reject undeclared members.
        serialized: whether the app will read the result of `dump()`.
        checks: the maximum number of checks that a JSON text may need; see `BodyLimits`.
        messages: which messages of the model's validators to show; see `ErrorWording`.
        python: whether `load()` validates the parsed value in pydantic's Python mode, as FastAPI
            does, instead of the text in its JSON mode.

    Attributes:
        opened: the models that allow or ignore undeclared members themselves, with their setting.

    Raises:
        TypeError: pydantic does not support the type.
        ValueError: the model has a recursive union without a discriminator, or unions of too many
            alternatives, or is to be serialized and can't be read again.
    """

    __slots__ = (
        "_adapter",
        "_check",
        "_checks",
        "_closed",
        "_errors",
        "_extra",
        "_first",
        "_hashes_numbers",
        "_load",
        "_python",
        "_small",
        "_switching",
        "_wording",
        "_work",
        "kind",
        "name",
        "opened",
    )

    # Any: any type that pydantic supports.
    def __init__(
        self,
        kind: Any,
        *,
        name: str,
        errors: int,
        closed: bool = True,
        serialized: bool = False,
        checks: int = 100_000,
        messages: ValidatorMessages = "safe",
        python: bool = False,
    ) -> None:
        check_model(kind, name)
        try:
            self._adapter = kind if isinstance(kind, TypeAdapter) else TypeAdapter(kind)
            if not self._adapter.pydantic_complete:  # a forward reference is not resolved yet
                self._adapter.rebuild(raise_errors=True)
            schema: Any = self._adapter.core_schema
        except (PydanticUserError, TypeError, NameError) as error:
            reason = str(error).partition("\n")[0]
            raise TypeError(f"{name} is not a type that pydantic supports: {reason}") from error
        check_unions(schema, name)
        if serialized:
            check_round_trip(schema, name)
        self.kind = kind
        self.name = name
        self.opened = open_models(schema) if closed else []
        self._closed = closed
        self._python = python
        #: pydantic's option for undeclared members: an argument, since a `partial` costs more.
        self._extra: Literal["forbid"] | None = None
        # Any: with a plugin of pydantic it is of a class of its own.
        every: Any = self._adapter.validator
        if needs_bounds(schema) or (closed and self.opened):
            every = self._rewritten(fail_fast=False)
        elif closed:  # all models alike, so they need not be compiled again
            self._extra = "forbid"
        self._check: Callable[..., Any] = every.validate_python
        # Any: a text, or in Python mode its value.
        self._load: Callable[..., Any] = every.validate_json
        if python:
            self._check = self._load = partial(every.validate_python, from_attributes=True)
        #: The validator that stops at the first invalid item, once a larger text has needed it.
        self._first: Callable[[Any], Any] | None = None
        #: The same for long texts, while which other threads run.
        self._switching: Callable[[Any], Any] | None = None
        self._errors = errors
        self._wording = ErrorWording(schema, messages)
        self._checks = checks
        self._hashes_numbers = hashes_numbers(schema)
        self._work = work = estimate_work(schema, name)
        #: A text of at most this many bytes has no more errors, checks or colliding numbers than
        #: are harmless. An array takes two bytes and a comma, and a scalar one and a comma.
        self._small = int(
            min(
                3 * _MAX_ERRORS / (work.errors + 1),
                2 * checks / (work.container + work.scalar),
                _SMALL if self._hashes_numbers else _MAX_ERRORS,
            )
        )

    # Any: plain JSON values in, models out.
    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Return the model of a JSON text, by default in pydantic's JSON mode.

        Raises:
            ValidationFailed: with 422; with 400 for a text that needs too many checks.
        """
        if len(text) > self._small:
            return self._load_large(text, value, place)
        try:
            return self._load(value if self._python else text, extra=self._extra)
        except ValidationError as error:
            if error.error_count() <= _MAX_DESCRIBED:
                raise self._invalid(error, value, place, is_json=True) from None
        return self._load_large(text, value, place)

    def _load_large(self, text: bytes, value: Any, place: Place) -> Any:
        work = self._work
        containers = text.count(b"{") + text.count(b"[")
        scalars = text.count(b",")
        if containers * work.container + scalars * work.scalar > self._checks:
            # Some of them may be in strings.
            outside = without_strings(hide_escapes(text))
            containers = outside.count(b"{") + outside.count(b"[")
            scalars = outside.count(b",")
            if containers * work.container + scalars * work.scalar > self._checks:
                raise too_complex(place)
        if self._hashes_numbers:
            self._check_collisions(value, place)
        source = value if self._python else text
        first = self._switching if len(text) > _LONG else self._first
        if first is None:
            first = self._fail_fast(switching=len(text) > _LONG)
        try:
            return first(source)
        except ValidationError as error:
            invalid = self._invalid(error, value, place, is_json=True)
        if containers * work.errors + scalars * (work.scalar + 1) <= _MAX_ERRORS:
            try:
                return self._load(source, extra=self._extra)
            except ValidationError as error:
                if error.error_count() <= _MAX_DESCRIBED:
                    invalid = self._invalid(error, value, place, is_json=True)
        try:
            raise invalid
        finally:
            del invalid

    def _fail_fast(self, *, switching: bool) -> Callable[[Any], Any]:
        validator = self._rewritten(fail_fast=True, switching=switching)
        first: Callable[[Any], Any] = validator.validate_json
        if self._python:
            first = partial(validator.validate_python, from_attributes=True)
        if switching:
            self._switching = first
        else:
            self._first = first
        return first

    # Any: mypy doesn't know the option.
    def _rewritten(self, *, fail_fast: bool, switching: bool = False) -> Any:
        """Return a validator of other rules; it takes milliseconds to compile."""
        build: Any = partial(SchemaValidator, _use_prebuilt=False)
        schema = self._adapter.core_schema
        rules = {"closed": self._closed, "fail_fast": fail_fast, "switching": switching}
        return build(rewrite(schema, **rules))

    def check(self, value: Any, place: Place) -> Any:
        """Return the model of a value, whose texts may stand for numbers and the like.

        Raises:
            ValidationFailed: with 422.
        """
        if self._hashes_numbers:
            self._check_collisions(value, place)
        try:
            return self._check(value, extra=self._extra)
        except ValidationError as error:
            raise self._invalid(error, value, place, is_json=False) from None

    def _check_collisions(self, value: Any, place: Place) -> None:
        """Reject numbers that were chosen to have the same hash."""
        if collides(value):
            raise ValidationFailed(422, [ErrorItem(place, "", "hash_collisions", _COLLISIONS)])

    def dump(self, value: Any) -> bytes:
        """Serialize a model as JSON that it can be read from, without computed fields."""
        return self._adapter.dump_json(value, by_alias=True, round_trip=True)

    @property
    def core_schema(self) -> Mapping[str, Any]:
        """Pydantic's own description of the type."""
        return self._adapter.core_schema

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of valid input."""
        return self._adapter.json_schema(mode="validation")

    def _invalid(
        self, error: ValidationError, value: Any, place: Place, *, is_json: bool
    ) -> ValidationFailed:
        if error.error_count() > _MAX_ERRORS:
            return ValidationFailed(422, [ErrorItem(place, "", "too_many_errors", _TOO_MANY)])
        found = error.errors(include_url=False, include_input=False)
        items = self._wording.items(found, value, place, self._errors, is_json=is_json)
        return ValidationFailed(422, items, values={place: value})
