"""The fields of a model as parameters: their names on the wire, and which may be repeated."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic.errors import PydanticUserError

from mantlet.guard.errors import Invalid, Place
from mantlet.guard.models.schema import ModelSchema
from mantlet.guard.options import Settings
from mantlet.guard.parameters import Group, Parameter, shape_of

__all__ = ["GroupPlace", "group_of", "names_of"]

#: Where the parameters of a group may stand.
GroupPlace = Literal["path", "query", "header", "cookie"]


def names_of(model: ModelSchema, *, arrays: bool = False) -> tuple[str, ...]:
    """Return the names of a model's fields as the wire has them, in their order.

    Args:
        model: of an object.
        arrays: only those of lists.
    """
    fields = _Fields(model)
    return tuple(
        name
        for name, schema in fields.schemas.items()
        if not arrays or "array" in shape_of(schema, fields.resolve).types
    )


def group_of(place: GroupPlace, model: ModelSchema, settings: Settings) -> Group:
    """Return the parameters of one place that a model declares.

    A header's name is the field's with hyphens: ``x_token`` stands for ``X-Token``. Numbers and the
    like are made of text by pydantic.
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
    return Group(
        place,
        parameters,
        _Renamed(model, {wire[name]: name for name in wire}) if place == "header" else model,
        settings.limits,
        closed="query" not in settings.allow,
        unique="duplicates" not in settings.allow,
    )


class _Fields:
    """The fields of a model, as its JSON Schema has them.

    Raises:
        TypeError: the model has none, as it is no object.
    """

    def __init__(self, model: ModelSchema) -> None:
        try:
            self._root = root = model.json_schema()
        except PydanticUserError as error:
            raise TypeError(f"{model.name} has a field of no JSON type: {error}") from error
        if "$ref" in root:  # of a model that has itself within it
            root = dict(self.resolve(root["$ref"]))
        if root.get("type") != "object" or not root.get("properties"):
            raise TypeError(f"{model.name} must be a model with fields, not {model.kind!r}")
        self.schemas: Mapping[str, Any] = root["properties"]
        self.required = frozenset(root.get("required", ()))

    def resolve(self, reference: str) -> Mapping[str, Any]:
        """Return what pydantic refers to, which is always a definition."""
        found: Mapping[str, Any] = self._root["$defs"][reference.rpartition("/")[2]]
        return found


class _Renamed:
    """A model whose fields have other names on the wire.

    Args:
        model: the model.
        names: of its fields, by those on the wire.
    """

    __slots__ = ("_model", "_names", "_wire")

    def __init__(self, model: ModelSchema, names: Mapping[str, str]) -> None:
        self._model = model
        self._names = names
        self._wire = {name: on_wire for on_wire, name in names.items()}

    # Any: the interface's.
    def check(self, value: Any, place: Place) -> Any:
        """Return the model that the values make."""
        names = self._names
        try:
            return self._model.check(
                {names.get(name, name): item for name, item in value.items()}, place
            )
        except Invalid as invalid:
            faults = [
                fault._replace(pointer=self._on_wire(fault.pointer)) for fault in invalid.faults
            ]
            raise Invalid(invalid.status, faults) from None

    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Return the model that a JSON text states, by the model's own names."""
        return self._model.load(text, value, place)

    def dump(self, value: Any) -> bytes:
        """Return a model as JSON."""
        return self._model.dump(value)

    def _on_wire(self, pointer: str) -> str:
        _, name, *rest = pointer.split("/") if pointer else ("", "")
        return "/".join(("", self._wire.get(name, name), *rest)) if name else pointer
