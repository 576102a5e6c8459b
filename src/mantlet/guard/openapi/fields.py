"""The fields of an urlencoded form as parameters: of a body, or of a whole query."""

from collections.abc import Collection
from typing import Any, NamedTuple

from mantlet.guard.errors import Place
from mantlet.guard.limits import BodyLimits
from mantlet.guard.openapi.forms import is_json
from mantlet.guard.openapi.locations import Located
from mantlet.guard.openapi.model import MediaDescription
from mantlet.guard.openapi.schema_registry import Parts, style_of
from mantlet.guard.parameters import Parameter, Shape
from mantlet.guard.readers import Schema
from mantlet.guard.strict_json import StrictJson

__all__ = ["Fields", "fields_of_form", "parameter_of"]


class Fields(NamedTuple):
    """The fields of a form, and what checks them together."""

    parameters: list[Parameter]
    schema: Schema


def fields_of_form(
    parts: Parts, described: MediaDescription, limits: BodyLimits, keys: Collection[Parameter] = ()
) -> Fields | None:
    """Return the fields of an urlencoded form; None where it has no schema, or a wrong one.

    Their style is that of ``form``, exploded, where the document says none; a field of JSON is one
    whose encoding says so, or an object without a style.

    Args:
        parts: the schemas of the document.
        described: the form.
        limits: bounds on fields of JSON.
        keys: credentials that stand among the fields, and that its schema knows nothing of.
    """
    schema = described.schema
    checked = None if schema is None else parts.schema(schema)
    if schema is None or checked is None:
        return None
    required = parts.required(schema)
    structure = StrictJson(limits)
    members = parts.properties(schema)
    fields = (
        _field(parts, described, name, member, required=name in required, structure=structure)
        for name, member in members.items()
    )
    parameters = [field for field in fields if field is not None]
    beside = [key for key in keys if key.name not in members]
    others = ""
    if parts.opens(schema):
        # Longer than any name that is known, so the name of none.
        others = max([*members, *(key.name for key in beside)], key=len, default="") + "*"
        shape = Shape(types=frozenset({"object"}), additional=parts.shape(schema).additional)
        parameters.append(Parameter(name=others, place="query", shape=shape))
    if not others and not beside:
        return Fields(parameters, checked)
    names = frozenset(key.name for key in beside)
    return Fields([*parameters, *beside], _Gathered(checked, others, names))


# Any: the arguments of `Parameter`.
def parameter_of(parts: Parts, pointer: str, **options: Any) -> Parameter | None:
    """Return a parameter; None where it is wrong, which is then a problem.

    Args:
        parts: takes what is wrong.
        pointer: where it stands.
        options: those of `Parameter`.
    """
    try:
        made = Parameter(**options)
    except ValueError as error:
        parts.problems[pointer, str(error)] = None
        return None
    if made.nested:
        parts.note(pointer, "values that nest deeper than the style can say are refused")
    return made


def _field(
    parts: Parts,
    described: MediaDescription,
    name: str,
    member: Located,
    *,
    required: bool,
    structure: StrictJson,
) -> Parameter | None:
    encoding = described.encoding.get(name)
    style = style_of(encoding.style if encoding is not None else None)
    shape = parts.shape(member)
    options: dict[str, Any] = {"name": name, "place": "query", "required": required}
    if (style is None and is_json(encoding)) or (shape.types <= {"object"} and style is None):
        return Parameter(**options, decode=lambda text: structure.parse(text.encode(), "body"))
    if encoding is not None and style is not None:
        options |= {
            "style": style,
            "explode": encoding.explode,
            "allow_reserved": encoding.allow_reserved,
        }
    return parameter_of(
        parts, encoding.pointer if encoding else str(member.location), **options, shape=shape
    )


class _Gathered:
    """The schema of a form that has more fields than it names; a `Schema`.

    Args:
        schema: of the form.
        others: the name that those which it does not name are gathered under.
        beside: those that are not its own.
    """

    __slots__ = ("_beside", "_others", "_schema")

    def __init__(self, schema: Schema, others: str, beside: frozenset[str]) -> None:
        self._schema = schema
        self._others = others
        self._beside = beside

    # Any: the interface's.
    def check(self, value: Any, place: Place) -> Any:
        """Check the fields, those that were gathered among them.

        Raises:
            ValidationFailed: with 422.
        """
        own = {**value.pop(self._others, {}), **value}
        beside = {name: own.pop(name) for name in self._beside & own.keys()}
        return {**self._schema.check(own, place), **beside}

    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Check the fields; see `check()`."""
        return self.check(value, place)

    def dump(self, value: Any) -> bytes:
        """Return the fields as JSON."""
        return self._schema.dump(value)
