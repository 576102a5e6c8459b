"""Convert the fields of a model to parameters."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic.errors import PydanticUserError

from mantlet.guard.errors import Place, ValidationFailed
from mantlet.guard.models.schema import ModelSchema
from mantlet.guard.options import OperationSettings
from mantlet.guard.parameters import Parameter, ParameterGroup, shape_of

__all__ = ["GroupPlace", "optional_names", "parameter_group", "wire_names"]

#: The places of a group of parameters.
GroupPlace = Literal["path", "query", "header", "cookie"]


def wire_names(model: ModelSchema, *, arrays: bool = False) -> tuple[str, ...]:
    """Return the names of a model's fields on the wire, in order.

    Args:
        model: a model of an object.
        arrays: whether to return only those of lists.
    """
    fields = _Fields(model)
    return tuple(
        name
        for name, schema in fields.schemas.items()
        if not arrays or "array" in shape_of(schema, fields.resolve).types
    )


def optional_names(model: ModelSchema) -> tuple[str, ...]:
    """Return the names on the wire of a model's fields that need not be there."""
    fields = _Fields(model)
    return tuple(name for name in fields.schemas if name not in fields.required)


def parameter_group(
    place: GroupPlace, model: ModelSchema, settings: OperationSettings
) -> ParameterGroup:
    """Return the group of parameters that a model declares.

    A header's name is the field's with hyphens: ``x_token`` is ``X-Token``. pydantic converts text
    to numbers and the like.
    """
    fields = _Fields(model)
    wire = {name: name.replace("_", "-") if place == "header" else name for name in fields.schemas}
    parameters = [
        Parameter(
            name=wire[name],
            place=place,
            required=place == "path" or name in fields.required,
            style="cookie" if place == "cookie" else None,
            shape=shape_of(schema, fields.resolve).untyped(),
        )
        for name, schema in fields.schemas.items()
    ]
    return ParameterGroup(
        place,
        parameters,
        _Renamed(model, {wire[name]: name for name in wire}) if place == "header" else model,
        settings.limits,
        closed="query" not in settings.allow,
        unique="duplicates" not in settings.allow,
    )


class _Fields:
    """The fields of a model in its JSON Schema.

    Raises:
        TypeError: the model is not an object with fields.
    """

    def __init__(self, model: ModelSchema) -> None:
        try:
            self._root = root = model.json_schema()
        except PydanticUserError as error:
            raise TypeError(f"{model.name} has a field without a JSON type: {error}") from error
        if "$ref" in root:  # of a recursive model
            root = dict(self.resolve(root["$ref"]))
        if root.get("type") != "object" or not root.get("properties"):
            raise TypeError(f"{model.name} must be a model with fields, not {model.kind!r}")
        self.schemas: Mapping[str, Any] = root["properties"]
        self.required = frozenset(root.get("required", ()))

    def resolve(self, reference: str) -> Mapping[str, Any]:
        """Return the definition that pydantic refers to."""
        found: Mapping[str, Any] = self._root["$defs"][reference.rpartition("/")[2]]
        return found


class _Renamed:
    """A model whose fields have other names on the wire.

    Args:
        model: the model.
        names: its field names by names on the wire.
    """

    __slots__ = ("_model", "_names", "_wire")

    def __init__(self, model: ModelSchema, names: Mapping[str, str]) -> None:
        self._model = model
        self._names = names
        self._wire = {name: on_wire for on_wire, name in names.items()}

    # Any: the interface's.
    def check(self, value: Any, place: Place) -> Any:
        """Return the model of the values."""
        names = self._names
        try:
            return self._model.check(
                {names.get(name, name): item for name, item in value.items()}, place
            )
        except ValidationFailed as failure:
            errors = [
                error._replace(pointer=self._on_wire(error.pointer)) for error in failure.errors
            ]
            raise ValidationFailed(failure.status, errors, values={place: value}) from None

    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Return the model of a JSON text, by the model's own names."""
        return self._model.load(text, value, place)

    def dump(self, value: Any) -> bytes:
        """Serialize a model as JSON."""
        return self._model.dump(value)

    def _on_wire(self, pointer: str) -> str:
        _, name, *rest = pointer.split("/") if pointer else ("", "")
        return "/".join(("", self._wire.get(name, name), *rest)) if name else pointer
