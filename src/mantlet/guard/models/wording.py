"""Write pydantic's errors for clients: one for each place, and never with a value of the input.

pydantic reports the errors of every choice of a union. If the value has the type of none of them,
one error names them all; if it is an object or an array that one choice reads, the errors are those
of that choice.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, get_args

from pydantic_core import core_schema

from mantlet._internal.pydantic_errors import public_error, value_list
from mantlet.guard.errors import ErrorItem, Place, pointer
from mantlet.guard.models.core_schemas import nodes
from mantlet.guard.models.nullable import NULLS, allows_null
from mantlet.guard.models.validator_messages import MessageFilter, MessageReading
from mantlet.guard.options import ValidatorMessages

__all__ = ["ErrorWording"]

#: The detail in place of pydantic's messages that may contain input.
_GENERIC: Final = "Invalid value"
#: Details in place of pydantic's messages that name classes of the app, or Python's types.
_DETAILS: Final = dict.fromkeys(
    ("model_type", "model_attributes_type", "dataclass_type", "dict_type", "mapping_type"),
    "Input should be an object",
) | {
    "list_type": "Input should be an array",
    "none_required": "Input should be null",
    "union_tag_invalid": "Input is not of an allowed kind",
    "union_tag_not_found": "Input has no discriminator",
}
_KNOWN: Final = frozenset(get_args(core_schema.ErrorType))
_VALIDATORS: Final = {"value_error": "Value error, ", "assertion_error": "Assertion failed, "}

_SHOULD_BE: Final = "Input should be "
#: How pydantic's messages continue about the input.
_READINGS: Final = (", unable to ", ", got ")
_MAX_CHOICES: Final = 8
#: The tokens of a location up to which unions are followed, far within Python's recursion limit.
_MAX_DEPTH: Final = 120
#: The maximum number of pydantic's errors that are read.
_MAX_FOUND: Final = 400
#: pydantic's name for the key of a dict, in a location.
_KEY: Final = "[key]"


class _Error(NamedTuple):
    path: tuple[Any, ...]
    code: str
    detail: str

    @property
    def is_of_type(self) -> bool:
        """Whether the value is of another type, so that no choice has read it further."""
        return self.detail.startswith(_SHOULD_BE) and (
            self.code.endswith(("_type", "_parsing", "_from_float"))
            or self.code in ("enum", "literal_error", "none_required", "union")
        )


class ErrorWording:
    """Writes the errors of one model.

    Args:
        schema: the model's core schema.
        messages: which messages of the model's own validators to show: those that hold nothing of
            the input (``"safe"``), also the others with the input stripped (``"stripped"``), or
            ``"none"``.
    """

    __slots__ = ("_allows_null", "_filter", "_schema")

    # Any: pydantic's core schema.
    def __init__(self, schema: Mapping[str, Any], messages: ValidatorMessages = "safe") -> None:
        self._schema = schema
        self._allows_null: bool | None = None  # found out once there is an error
        self._filter = None if messages == "none" else MessageFilter(schema, messages == "stripped")

    # Any: plain values.
    def items(
        self,
        found: Sequence[Mapping[str, Any]],
        value: Any,
        place: Place,
        limit: int,
        *,
        is_json: bool,
    ) -> list[ErrorItem]:
        """Return the error items.

        Args:
            found: the result of ``ValidationError.errors()``, with contexts.
            value: the input.
            place: its place.
            limit: the maximum number of items.
            is_json: whether the input can be null; else it is text.
        """
        messages = None if self._filter is None else self._filter.reading(value)
        items: dict[ErrorItem, None] = {}
        errors: Iterable[_Error]
        if len(found) == 1:  # the usual case
            errors = (_flat_error(found[0], 0, value, (), messages),)
        else:
            errors = _within(found[:_MAX_FOUND], 0, value, (), messages)
        for error in errors:
            detail = _without_reading(error.detail)
            if (
                is_json
                and self._has_null()
                and error.is_of_type
                and not detail.endswith("null")
                and allows_null(self._schema, error.path)
            ):
                detail += ", or null"
                error = error._replace(detail=detail)  # noqa: PLW2901  # the same, in other words
            items[ErrorItem(place, pointer(error.path), error.code, error.detail)] = None
            if len(items) >= limit:
                break
        return list(items)

    def _has_null(self) -> bool:
        """Return whether the model allows null anywhere."""
        if self._allows_null is None:
            self._allows_null = any(node.get("type") in NULLS for node in nodes(self._schema))
        return self._allows_null


def _within(
    found: Iterable[Mapping[str, Any]],
    index: int,
    value: Any,
    path: tuple[Any, ...],
    messages: MessageReading | None,
) -> Iterator[_Error]:
    """Yield the errors in a value.

    Args:
        found: pydantic's errors.
        index: how many tokens of their locations lead to the value.
        value: the value.
        path: the tokens that lead through the input to the value.
        messages: shows the messages of validators.
    """
    if index >= _MAX_DEPTH:
        yield from (_flat_error(entry, index, value, path, messages) for entry in found)
        return
    groups: dict[tuple[bool, Any], list[Mapping[str, Any]]] = {}
    for entry in found:
        where = entry["loc"]
        if index == len(where):
            groups.setdefault((True, None), []).append(entry)
        else:
            groups.setdefault((_leads(value, where[index]), where[index]), []).append(entry)
    choices: list[list[_Error]] = []
    for (leads, token), entries in groups.items():
        if token is None:
            yield from (_error(entry, path, messages) for entry in entries)
        elif leads:
            yield from _within(entries, index + 1, value[token], (*path, token), messages)
        elif len(entries[0]["loc"]) == index + 1 and entries[0]["type"] == "missing":
            yield _error(entries[0], (*path, token), messages)
        elif token == _KEY:
            yield _error(entries[0], path, messages)
        else:
            choices.append(list(_within(entries, index + 1, value, path, messages)))
    if choices:
        yield from _of_choices(choices, path)


def _flat_error(
    entry: Mapping[str, Any],
    index: int,
    value: Any,
    path: tuple[Any, ...],
    messages: MessageReading | None,
) -> _Error:
    """Return one error, whatever unions lead to it: the only one, or that of a very deep value."""
    for token in entry["loc"][index:]:
        if _leads(value, token):
            value = value[token]
            path = (*path, token)
    if entry["type"] == "missing" and entry["loc"]:
        path = (*path, entry["loc"][-1])
    return _error(entry, path, messages)


def _error(
    entry: Mapping[str, Any], path: tuple[Any, ...], messages: MessageReading | None
) -> _Error:
    code, detail = public_error(entry)
    if code in _DETAILS:
        detail = _DETAILS[code]
        if code.startswith("union_tag"):
            detail = _of_tags(code, entry.get("ctx") or {}) or detail
    elif detail is None and (code in _VALIDATORS or code not in _KNOWN):
        message = str(entry["msg"]).removeprefix(_VALIDATORS.get(code, ""))
        raised = (entry.get("ctx") or {}).get("error")
        detail = None if messages is None else messages.show(message, raised)
    return _Error(path, code, detail or _GENERIC)


# Any: plain values.
def _leads(value: Any, token: Any) -> bool:
    """Return whether a token leads into a value; else it names a choice of a union."""
    if isinstance(value, dict):
        return token in value
    return isinstance(value, list) and isinstance(token, int) and 0 <= token < len(value)


def _without_reading(detail: str) -> str:
    for reading in _READINGS:
        detail = detail.partition(reading)[0]
    return detail


def _of_choices(choices: list[list[_Error]], path: tuple[Any, ...]) -> list[_Error]:
    """Return the errors of a union, by those of each of its choices."""
    if len(choices) == 1:
        return choices[0]
    read = [errors for errors in choices if not all(_is_root(one, path) for one in errors)]
    if len(read) > 1:
        return _closest(read, path)
    return read[0] if read else [_of_types([one for errors in choices for one in errors], path)]


def _is_root(error: _Error, path: tuple[Any, ...]) -> bool:
    return error.path == path and error.is_of_type


def _closest(choices: list[list[_Error]], path: tuple[Any, ...]) -> list[_Error]:
    """Return the errors of the choice that fits best; one error if several fit equally."""
    ranked = sorted(choices, key=_misfit)
    if _misfit(ranked[0]) < _misfit(ranked[1]):
        return ranked[0]
    tied = [errors for errors in ranked if _misfit(errors) == _misfit(ranked[0])]
    if all(errors == tied[0] for errors in tied):
        return tied[0]
    detail = f"Input matches none of the {len(choices)} alternatives"
    needs = [_needed(errors) for errors in tied]
    if len(tied) <= _MAX_CHOICES and all(needs):
        detail += f": it needs {', or '.join(dict.fromkeys(needs))}"
    return [_Error(path, "union", detail)]


def _misfit(errors: list[_Error]) -> tuple[int, int]:
    """Return how badly a choice fits: another literal is another kind of object."""
    others = sum(error.code in ("literal_error", "enum") for error in errors)
    return others, len(errors)


def _needed(errors: list[_Error]) -> str:
    names = [str(error.path[-1]) for error in errors if error.code == "missing"]
    return " and ".join(names[:_MAX_CHOICES])


def _of_types(errors: list[_Error], path: tuple[Any, ...]) -> _Error:
    """Return one error that names the types of all choices."""
    shown: list[str] = []
    listed: list[str] = []
    for error in errors:
        phrase = _without_reading(error.detail)[len(_SHOULD_BE) :]
        is_list = error.code in ("enum", "literal_error") and not phrase.startswith("one of ")
        (listed if is_list else shown).append(phrase)
    if listed:
        shown.insert(0, value_list(" or ".join(listed)))
    shown = list(dict.fromkeys(shown))
    codes = {error.code for error in errors}
    if len(shown) > _MAX_CHOICES:
        shown = [*shown[:_MAX_CHOICES], f"one of {len(shown) - _MAX_CHOICES} more"]
    code = errors[0].code if len(codes) == 1 else "union"
    return _Error(path, code, _SHOULD_BE + ", or ".join(shown))


def _of_tags(code: str, context: Mapping[str, Any]) -> str | None:
    """Return the detail for a wrong or missing discriminator; None for one that is a function."""
    name = str(context.get("discriminator", ""))
    if not name.startswith("'"):
        return None
    if code == "union_tag_not_found":
        return f"The member {name} is required: it selects the kind of the object"
    return f"The member {name} should be {value_list(str(context.get('expected_tags', '')))}"
