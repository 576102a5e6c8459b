"""Compile the urlencoded forms of a document: bodies, and queries that are forms."""

from collections.abc import Collection, Iterable
from typing import Any, Final, NamedTuple

from mantlet.guard.bodies.forms import Form
from mantlet.guard.bodies.forms.errors import check_form_parameters
from mantlet.guard.bodies.forms.optional import OptionalFields
from mantlet.guard.bodies.strict_json import StrictJson
from mantlet.guard.errors import Place, ValidationFailed
from mantlet.guard.limits import BodyLimits
from mantlet.guard.openapi.diagnostics import LocatedValue
from mantlet.guard.openapi.forms.files import is_json
from mantlet.guard.openapi.model import MediaDescription
from mantlet.guard.openapi.schema_registry import SchemaRegistry, as_style
from mantlet.guard.options import OperationSettings
from mantlet.guard.parameters import TEXT, TEXTS, Coercer, Parameter, ParameterGroup, write_field
from mantlet.guard.readers import BodyReader, Schema
from mantlet.http.media_types import MediaType

__all__ = [
    "FREE_FORM",
    "FormParameters",
    "compile_parameter",
    "form_parameters",
    "urlencoded_form",
]

#: Styles that only arrays and objects have.
_STRUCTURED: Final = frozenset(("deepObject", "pipeDelimited", "spaceDelimited"))


FREE_FORM: Final = "the schema of the form names no fields, so fields of any names are accepted"


class FormParameters(NamedTuple):
    """The fields of a form as parameters, and the schema of all of them."""

    parameters: list[Parameter]
    schema: Schema


def form_parameters(
    schemas: SchemaRegistry,
    form: MediaDescription,
    limits: BodyLimits,
    keys: Collection[Parameter] = (),
    *,
    body: bool = False,
) -> FormParameters | None:
    """Return the fields of an urlencoded form; None if it has no schema, or an invalid one.

    The default style is ``form``, exploded. A field is JSON if its encoding says so, or if it is an
    object without a style; so are the items of an array of objects, or all of it.

    Args:
        schemas: the schemas of the document.
        form: the form.
        limits: the limits of JSON fields.
        keys: API keys among the fields, which the schema does not declare.
        body: whether the form is a body, whose empty optional fields count as absent.
    """
    schema = form.schema
    compiled = None if schema is None else schemas.schema(schema)
    if schema is None or compiled is None:
        return None
    required = schemas.required(schema)
    parser = StrictJson(limits)
    properties = schemas.properties(schema)
    fields = (
        _form_field(
            schemas, form, name, member, required=name in required, parser=parser, body=body
        )
        for name, member in properties.items()
    )
    parameters = [field for field in fields if field is not None]
    undeclared_keys = [key for key in keys if key.name not in properties]
    checked: Schema = OptionalFields(compiled, properties.keys() - required) if body else compiled
    additional = ""
    if schemas.allows_additional(schema):
        if not properties:
            schemas.warn(form.pointer, FREE_FORM)
        # Longer than any known name, so it cannot be the name of a field.
        names = [*properties, *(key.name for key in undeclared_keys)]
        additional = max(names, key=len, default="") + "*"
        others = schemas.shape(schema).additional or TEXT
        shape = Coercer(types=frozenset({"object"}), additional=others)
        parameters.append(Parameter(name=additional, place="query", shape=shape))
    if not additional and not undeclared_keys:
        return FormParameters(parameters, checked)
    key_names = frozenset(key.name for key in undeclared_keys)
    return FormParameters(
        [*parameters, *undeclared_keys], _OpenFormSchema(checked, additional, key_names)
    )


# Any: the arguments of `Parameter`.
def compile_parameter(
    schemas: SchemaRegistry, pointer: str, schema: LocatedValue | None, **options: Any
) -> Parameter | None:
    """Return a parameter; None if it is invalid, which is recorded as a problem.

    Args:
        schemas: collects problems and warnings.
        pointer: the location of the parameter.
        schema: the schema of its value.
        options: the arguments of `Parameter`.
    """
    if options.get("style") in _STRUCTURED and not options["shape"].structured:
        schemas.warn(pointer, f"the style {options['style']} has no scalars, so it is ignored")
        options |= {"style": "form", "explode": True}
    if options.get("style") == "deepObject" and schema is not None:
        options["deep"] = schemas.deep_shape(schema)
    try:
        parameter = Parameter(**options)
    except ValueError as error:
        schemas.add_problem(pointer, str(error))
        return None
    if parameter.deep is not None and (parameter.nested or "array" in parameter.shape.types):
        schemas.warn(pointer, "nested members and items are read as a[b][c], and a[0] or a[]")
    elif parameter.nested:
        schemas.warn(pointer, "values nested deeper than the style can express are rejected")
    return parameter


def _form_field(
    schemas: SchemaRegistry,
    form: MediaDescription,
    name: str,
    member: LocatedValue,
    *,
    required: bool,
    parser: StrictJson,
    body: bool,
) -> Parameter | None:
    encoding = form.encoding.get(name)
    style = as_style(encoding.style if encoding is not None else None)
    shape = schemas.shape(member)
    options: dict[str, Any] = {
        "name": name,
        "place": "query",
        "required": required,
        # An empty text is not a number; as null it would hide the default.
        "allow_empty": body and not required and "string" not in shape.types,
    }
    if (style is None and is_json(encoding)) or (shape.types <= {"object"} and style is None):
        return Parameter(**options, decode=lambda text: parser.parse(text.encode(), "body"))
    items = shape.items
    if style is None and items is not None and items.types <= {"object"} and "array" in shape.types:
        shape = _json_items(shape, parser)
    if encoding is not None and style is not None:
        options |= {
            "style": style,
            "explode": encoding.explode,
            "allow_reserved": encoding.allow_reserved,
        }
    return compile_parameter(
        schemas,
        encoding.pointer if encoding else str(member.location),
        member,
        **options,
        shape=shape,
    )


def _json_items(shape: Coercer, parser: StrictJson) -> Coercer:
    """Return the shape of an array whose items are JSON, or that is JSON itself."""

    def item(text: str) -> Any:
        return parser.parse(text.encode(), "body")

    def array(text: str) -> Any:
        return item(text) if text.startswith("[") else text

    objects = Coercer(types=frozenset({"object"}), parse=item)
    return Coercer(types=shape.types, items=objects, parse=array)


class _OpenFormSchema:
    """The schema of a form with more fields than it names; a `Schema`.

    Args:
        schema: the schema of the form.
        additional: the name that additional fields are collected under; empty for a closed form.
        keys: the names of API keys, which the schema does not declare.
    """

    __slots__ = ("_additional", "_keys", "_schema")

    def __init__(self, schema: Schema, additional: str, keys: frozenset[str]) -> None:
        self._schema = schema
        self._additional = additional
        self._keys = keys

    # Any: required by the protocol.
    def check(self, value: Any, place: Place) -> Any:
        """Validate the fields, including additional ones.

        Raises:
            ValidationFailed: with 422.
        """
        fields = {**value.pop(self._additional, {}), **value}
        keys = {name: fields.pop(name) for name in self._keys & fields.keys()}
        return {**self._schema.check(fields, place), **keys}

    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Validate the fields; see `check()`."""
        return self.check(value, place)

    def dump(self, value: Any) -> bytes:
        """Return the fields as JSON."""
        return self._schema.dump(value)


def urlencoded_form(
    schemas: SchemaRegistry, form: MediaDescription, settings: OperationSettings
) -> BodyReader | None:
    """Return the reader of an urlencoded body; None if it has no schema, or an invalid one."""
    fields = form_parameters(schemas, form, settings.limits, body=True)
    if fields is None:
        return None
    limits = settings.limits
    body_limits = BodyLimits.of(limits, query=limits.decoded, parameters=limits.fields)
    try:
        group = ParameterGroup(
            "query",
            fields.parameters,
            fields.schema,
            body_limits,
            closed="members" not in settings.allow,
            unique="duplicates" not in settings.allow,
            body=True,
        )
    except ValueError as error:
        schemas.add_problem(form.pointer, str(error))
        return None
    return _StyledForm(group, fields.parameters)


class _StyledForm:
    """Reads an urlencoded body whose fields are serialized like query parameters.

    A `WholeReader`.
    """

    __slots__ = ("_group", "_parameters")

    def __init__(self, group: ParameterGroup, parameters: Iterable[Parameter]) -> None:
        self._group = group
        self._parameters = {parameter.name: parameter for parameter in parameters}

    def read(self, body: bytes, media: MediaType) -> Form:
        """Parse and validate a body.

        Raises:
            ValidationFailed: with 400, 413, 415 or 422.
        """
        check_form_parameters(media)
        try:
            return Form(self._group.read_query(body))
        except ValidationFailed as invalid:
            status = 413 if invalid.status == 414 else invalid.status
            errors = [error._replace(place="body") for error in invalid.errors]
            raise ValidationFailed(status, errors) from None

    def dump(self, value: Form) -> bytes:
        """Serialize a form as in WHATWG URL, 5.2, each field in its style."""
        pairs: list[str] = []
        for name, item in value.value.items():
            parameter = self._parameters.get(name)
            if parameter is None:
                parameter = Parameter(name=name, place="query", shape=TEXTS)
            pairs += write_field(parameter, item)
        return "&".join(pairs).encode()
