"""The fields of FastAPI's parameters, found and validated as FastAPI does.

A field is validated by its own pydantic validator, in pydantic's Python mode, as FastAPI calls it.
How its value is found in a request follows `fastapi.dependencies.utils`: the names that it has, the
values that count as missing, and the members that a model takes.

Nothing here imports FastAPI: its fields are known by their attributes.
"""

import types
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import is_dataclass
from typing import Annotated, Any, Final, NamedTuple, Union, get_args, get_origin

from pydantic import AliasChoices, AliasPath, BaseModel, Json

from mantlet.guard.apps.files import file_converter
from mantlet.guard.errors import ErrorItem, Place, ValidationFailed, pointer
from mantlet.guard.models.schema import ModelSchema

__all__ = [
    "MISSING",
    "AppField",
    "Names",
    "field_names",
    "form_models",
    "is_json_field",
    "model_names",
    "model_of",
    "read_fields",
]

#: The value of a field that the request does not have.
MISSING: Final = object()
#: Codes of missing values: of parameters, as for other declarations, and of members.
_MISSING_CODES: Final = {"body": ("missing", "Field required")}
_MISSING_PARAMETER: Final = ("missing_parameter", "Missing required parameter")

_UNIONS: Final = (Union, types.UnionType)
_SEQUENCES: Final = (Sequence, list, tuple, set, frozenset, deque)


class Names(NamedTuple):
    """The names that one field has in a request.

    Attributes:
        field: the name in the app.
        aliases: pairs in the order of preference: the name that its model reads, and the name in
            the request, in lower case for a header.
        sequence: whether its value is a list of all values of that name.
        convert: converts an uploaded file to the app's type; None for other fields.
    """

    field: str
    aliases: tuple[tuple[str, str], ...]
    sequence: bool
    convert: Callable[[Any], Any] | None = None


# -- annotations ----------------------------------------------------------------------------------

# Any: annotations, which may be any object.


def is_sequence(annotation: Any) -> bool:
    """Return whether FastAPI reads a field as a list of values."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return is_sequence(get_args(annotation)[0])
    if origin in _UNIONS:
        return any(map(is_sequence, get_args(annotation)))
    kind = origin or annotation
    return isinstance(kind, type) and issubclass(kind, _SEQUENCES) and not _is_text(kind)


def _is_text(kind: type) -> bool:
    return issubclass(kind, (str, bytes))


def is_json_field(info: Any) -> bool:
    """Return whether a field is JSON in a text (`pydantic.Json`)."""
    return any(type(item) is Json for item in info.metadata)


def model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model of an annotation, which may be optional."""
    if get_origin(annotation) in _UNIONS:
        others = [one for one in get_args(annotation) if one is not type(None)]
        annotation = others[0] if len(others) == 1 else annotation
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation if is_model else None


def form_models(annotation: Any) -> tuple[type[BaseModel], ...]:
    """Return the models of a form: one, which may be optional, or those of a union."""
    model = model_of(annotation)
    if model is not None:
        return (model,)
    if get_origin(annotation) not in _UNIONS:
        return ()
    models = []
    for choice in get_args(annotation):
        kind = get_args(choice)[0] if get_origin(choice) is Annotated else choice
        if kind is type(None):
            continue
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return ()
        models.append(kind)
    return tuple(models)


# -- names ----------------------------------------------------------------------------------------


def field_names(
    name: str,
    info: Any,
    config: Mapping[str, Any],
    *,
    place: Place,
    convert_underscores: bool = False,
) -> Names:
    """Return the names of a field in requests.

    Args:
        name: the field's name in the app.
        info: pydantic's ``FieldInfo``.
        config: the configuration of the model that it is a field of.
        place: the part of the request.
        convert_underscores: whether a header's name has hyphens in the place of underscores.
    """
    alias = info.validation_alias
    if not isinstance(alias, str) or not alias:
        alias = info.alias if info.alias is not None else name
    on_wire = alias.replace("_", "-") if convert_underscores and alias == name else alias
    aliases = [(alias, on_wire)]
    choices = info.validation_alias
    plain = not isinstance(choices, AliasPath)
    if isinstance(choices, AliasChoices) and place != "path":
        plain = not any(isinstance(one, AliasPath) for one in choices.choices)
        if plain:
            aliases = [(one, one) for one in choices.choices if isinstance(one, str)]
    if plain and place != "path":
        aliases = _with_own_name(aliases, name, config, convert_underscores=convert_underscores)
    if place == "header":
        aliases = [(own, wire.lower()) for own, wire in aliases]
    sequence = is_sequence(info.annotation) and not is_json_field(info)
    converter = file_converter(info) if place == "body" else None
    return Names(name, tuple(aliases), sequence, converter)


def _with_own_name(
    aliases: list[tuple[str, str]],
    name: str,
    config: Mapping[str, Any],
    *,
    convert_underscores: bool,
) -> list[tuple[str, str]]:
    """Add the field's own name where its model is validated by it."""
    only = config.get("validate_by_alias") is False
    own = name, name.replace("_", "-") if convert_underscores else name
    if only:
        return [own]
    by_name = config.get("validate_by_name", config.get("populate_by_name", False))
    return [*aliases, own] if by_name and name not in dict(aliases) else aliases


def model_names(
    model: type[BaseModel], place: Place, *, convert_underscores: bool = False
) -> tuple[Names, ...]:
    """Return the names of a model's fields, each of which is a parameter or a form field."""
    found = []
    for name, info in model.model_fields.items():
        kind = info.annotation
        nested = is_dataclass(kind) or (
            isinstance(kind, type) and issubclass(kind, (BaseModel, dict))
        )
        found.append(
            field_names(
                name,
                info,
                {} if nested else model.model_config,
                place=place,
                convert_underscores=place == "header"
                and getattr(info, "convert_underscores", convert_underscores),
            )
        )
    return tuple(found)


# -- values ---------------------------------------------------------------------------------------


class AppField:
    """One field of a route: a parameter, a body, a form field, or a model of several of them.

    Args:
        declared: FastAPI's ``ModelField``.
        schema: the compiled type.
        place: the part of the request.
        names: its names, or those of the members of its models.
        models: the models whose fields are parameters or form fields of their own: one, or several
            of which a form has one.

    Attributes:
        name: the name in the app.
        required: whether a request without it is invalid.
    """

    __slots__ = (
        "_info",
        "_is_form",
        "_is_json",
        "_optional",
        "_place",
        "_takes_extra",
        "_whole",
        "extra_settings",
        "is_model",
        "name",
        "names",
        "required",
        "schema",
    )

    def __init__(
        self,
        declared: Any,
        schema: ModelSchema,
        place: Place,
        names: Sequence[Names],
        *,
        models: Sequence[type[BaseModel]] = (),
    ) -> None:
        self.name: str = declared.name
        self.schema = schema
        self.names = tuple(names)
        self.is_model = bool(models)
        self._info = declared.field_info
        self.required: bool = self._info.is_required()
        self._place: Place = place
        self._is_form = place == "body"
        self._is_json = is_json_field(self._info)
        self._whole = len(models) > 1
        self._optional = self.is_model and self._info.annotation is not models[0]
        if self._optional and self._is_form:
            self._optional = type(None) in get_args(self._info.annotation)
        #: The settings of its models for undeclared members, where they have any.
        self.extra_settings = {
            setting for model in models if (setting := model.model_config.get("extra"))
        }
        self._takes_extra = not self.extra_settings.isdisjoint(("allow", "forbid"))

    def read(self, values: Mapping[str, Any]) -> Any:
        """Return the validated value.

        Args:
            values: the texts of the request by name; lists of them for repeated names.

        Raises:
            ValidationFailed: with 422.
        """
        if self.is_model:
            return self._read_model(values)
        wire, value = self._find(self.names[0], values)
        return self.check(value, wire)

    def check(self, value: Any, *where: str, text: bytes = b"") -> Any:
        """Return the validated value of a field that has been found, or the default.

        Args:
            value: the value, or `MISSING`.
            where: the names that lead to it.
            text: the JSON text that it was read from, which bounds the number of errors.

        Raises:
            ValidationFailed: with 422; with 400 for a text that needs too many checks.
        """
        info = self._info
        if value is MISSING:
            if self.required:
                code, detail = _MISSING_CODES.get(self._place, _MISSING_PARAMETER)
                raise ValidationFailed(422, [ErrorItem(self._place, pointer(where), code, detail)])
            value = deepcopy(info.get_default(call_default_factory=True))
            if not info.validate_default:
                return value
        if self._is_json and isinstance(value, str):
            text = value.encode()
        try:
            if text:
                return self.schema.load(text, value, self._place)
            return self.schema.check(value, self._place)
        except ValidationFailed as failure:
            prefix = pointer(where)
            raise ValidationFailed(
                failure.status,
                [error._replace(pointer=prefix + error.pointer) for error in failure.errors],
            ) from None

    def _find(self, names: Names, values: Mapping[str, Any]) -> tuple[str, Any]:
        """Return the name in the request that counts, and its value."""
        aliases = names.aliases
        wire = aliases[0][1]
        if self._is_form:
            for _, wire in aliases:
                value = self._value(names, values.get(wire))
                if value is not MISSING:
                    return wire, value
            return aliases[0][1], MISSING
        if len(aliases) > 1:
            wire = next((one for _, one in aliases if one in values), wire)
        return wire, self._value(names, values.get(wire))

    def _value(self, names: Names, value: Any) -> Any:
        if value is None:
            return MISSING
        if names.sequence:
            if self._place != "cookie" and not isinstance(value, list):
                value = [value]
            if not value:
                return MISSING
            return [names.convert(one) for one in value] if names.convert else value
        if isinstance(value, list):
            value = value[-1]
        if self._is_form and isinstance(value, str) and not value:
            return MISSING
        return names.convert(value) if names.convert else value

    def _read_model(self, values: Mapping[str, Any]) -> Any:
        found: dict[str, Any] = {}
        used: set[str] = set()
        shown: dict[str, str] = {}
        if self._whole:
            found = {
                name: value[0] if isinstance(value, list) and len(value) == 1 else value
                for name, value in values.items()
            }
        else:
            for names in self.names:
                wire, value = self._find(names, values)
                alias = next(own for own, one in names.aliases if one == wire)
                used.add(wire)
                shown[alias] = wire
                if value is not MISSING:
                    found[alias] = value
            if self._takes_extra:
                found |= {name: value for name, value in values.items() if name not in used}
        if self._optional and not self._is_supplied(values, found):
            return self.check(MISSING)
        try:
            return self.check(found)
        except ValidationFailed as failure:
            raise ValidationFailed(
                422, [_renamed(error, shown) for error in failure.errors]
            ) from None

    def _is_supplied(self, values: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
        own = {wire for names in self.names for _, wire in names.aliases}
        return not own.isdisjoint(values) or (
            self._takes_extra and bool(values if self._is_form else found)
        )


def read_fields(
    fields: Iterable[AppField], values: Mapping[str, Any], limit: int
) -> dict[str, Any]:
    """Return the validated values of fields, by the names of the app's parameters.

    Args:
        fields: the fields.
        values: see `AppField.read()`.
        limit: the maximum number of errors to report.

    Raises:
        ValidationFailed: with 422 and the errors of all fields.
    """
    found: dict[str, Any] = {}
    errors: list[ErrorItem] = []
    for field in fields:
        try:
            found[field.name] = field.read(values)
        except ValidationFailed as failure:
            errors += failure.errors
    if errors:
        raise ValidationFailed(422, errors[:limit])
    return found


def _renamed(error: ErrorItem, shown: Mapping[str, str]) -> ErrorItem:
    """Return the error with the field's name in the request."""
    if not error.pointer:
        return error
    _, name, *rest = error.pointer.split("/")
    return error._replace(pointer="/".join(("", shown.get(name, name), *rest)))
