"""Pydantic models as schemas: anything that a ``TypeAdapter`` takes.

Members that a model does not declare are refused, in it and in the models within it. A model that
says itself what to do with them (``extra`` in its configuration) is left as it is, and so are those
that it stands together with, since pydantic takes one word for all of them.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from mantlet._internal.pydantic_errors import public_error
from mantlet.guard.errors import Fault, Invalid, Place, pointer
from mantlet.guard.models.checks import check_written
from mantlet.guard.models.unions import check_unions

__all__ = ["ModelSchema"]

#: pydantic tells of all errors or of none; so many take it a few hundredths of a second.
_MOST: Final = 10_000
_TOO_MANY: Final = f"More than {_MOST} values are not valid"
#: What is said where pydantic's own words may hold the input, or what a validator of the app says.
_NO_WORDS: Final = "The value is not valid."
#: What is said in place of pydantic's words that name classes of the app's.
_OWN_WORDS: Final = dict.fromkeys(
    ("model_type", "model_attributes_type", "dataclass_type"), "Input should be an object"
)


class ModelSchema:
    """One model, compiled.

    Args:
        kind: a model, a dataclass, a TypedDict, a union of them, ``list[Item]``, ...
        name: what it is called in an error.
        errors: how many faults are told at most.
        closed: whether members that no model declares are refused.
        written: whether the app is to read what `dump()` returns.

    Raises:
        TypeError: pydantic can't make a schema of it.
        ValueError: it has a union that takes time by the power of its depth, or is to be written
            and would not be read again.
    """

    __slots__ = ("_adapter", "_check", "_errors", "_load", "kind", "name", "opened")

    # Any: whatever pydantic takes for a type.
    def __init__(
        self, kind: Any, *, name: str, errors: int, closed: bool = True, written: bool = False
    ) -> None:
        try:
            self._adapter = TypeAdapter(kind)
            if not self._adapter.pydantic_complete:  # a name in it is not known yet
                self._adapter.rebuild(raise_errors=True)
            validator = self._adapter.validator
        except (PydanticUserError, TypeError, NameError) as error:
            raise TypeError(f"{name} is no model that pydantic can compile: {error}") from error
        check_unions(self._adapter.core_schema, name)
        if written:
            check_written(self._adapter.core_schema, name)
        self.kind = kind
        self.name = name
        #: Whether a model says itself that members it does not declare may come.
        self.opened = closed and any(
            word != "forbid" for word in _words_on_members(self._adapter.core_schema)
        )
        options: dict[str, Any] = {"extra": "forbid"} if closed and not self.opened else {}
        # Any: mypy takes the options for arguments by position.
        asked: Any = validator
        self._load: Callable[[bytes], Any] = partial(asked.validate_json, **options)
        self._check: Callable[[Any], Any] = partial(asked.validate_python, **options)
        self._errors = errors

    # Any: plain JSON values in, models out.
    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Return the model that a JSON text states, in pydantic's JSON mode.

        Raises:
            Invalid: with 422.
        """
        try:
            return self._load(text)
        except ValidationError as error:
            raise self._invalid(error, value, place) from None

    def check(self, value: Any, place: Place) -> Any:
        """Return the model that a value is, whose texts may stand for numbers and the like.

        Raises:
            Invalid: with 422.
        """
        try:
            return self._check(value)
        except ValidationError as error:
            raise self._invalid(error, value, place) from None

    def dump(self, value: Any) -> bytes:
        """Return a model as JSON that it could be read from, without what it computes itself."""
        return self._adapter.dump_json(value, by_alias=True, round_trip=True)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what is taken."""
        return self._adapter.json_schema(mode="validation")

    def _invalid(self, error: ValidationError, value: Any, place: Place) -> Invalid:
        if error.error_count() > _MOST:
            return Invalid(422, [Fault(place, "", "too_many_errors", _TOO_MANY)])
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return Invalid(422, [_fault(entry, value, place) for entry in found[: self._errors]])


def _fault(entry: Mapping[str, Any], value: Any, place: Place) -> Fault:
    code, words = public_error(entry)
    tokens = _tokens(entry["loc"], value, missing=code == "missing")
    return Fault(place, pointer(tokens), code, words or _OWN_WORDS.get(code, _NO_WORDS))


def _tokens(where: tuple[Any, ...], value: Any, *, missing: bool) -> Iterator[Any]:
    """Yield those tokens of a place that lead through the value.

    The others name members of unions and the like, which a client does not know.
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


def _words_on_members(schema: Any) -> Iterator[str]:
    """Yield what a core schema, and all within it, say of undeclared members themselves."""
    later = [schema]
    while later:
        node = later.pop()
        if isinstance(node, dict):
            config = node.get("config") or {}
            words = [config.get("extra_fields_behavior"), node.get("extra_behavior")]
            if node.get("type") == "typed-dict" and words[1] == "ignore":
                words.pop()  # which every one of them says that says nothing
            yield from filter(None, words)
            # What a model keeps for pydantic's own use may hold anything.
            later += [inner for key, inner in node.items() if key not in ("metadata", "config")]
        elif isinstance(node, (list, tuple)):
            later += node
