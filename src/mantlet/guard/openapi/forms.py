"""Compile the forms of a document: urlencoded and multipart bodies, and queries that are forms."""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from mantlet.guard.errors import ErrorItem, Place, ValidationFailed
from mantlet.guard.forms import File, Form, FormFields, MultipartForm
from mantlet.guard.forms.errors import check_form_parameters
from mantlet.guard.forms.optional import OptionalFields
from mantlet.guard.limits import BodyLimits
from mantlet.guard.openapi.diagnostics import LocatedValue
from mantlet.guard.openapi.model import EncodingDescription, MediaDescription
from mantlet.guard.openapi.schema_registry import SchemaRegistry, as_style
from mantlet.guard.openapi.uploads import ANNOTATIONS, FileField, find_file, is_json
from mantlet.guard.options import OperationSettings
from mantlet.guard.parameters import TEXT, Coercer, Parameter, ParameterGroup
from mantlet.guard.readers import BodyReader, Schema
from mantlet.guard.strict_json import StrictJson
from mantlet.http.forms import Pairs
from mantlet.http.media_types import MediaType

__all__ = [
    "FormParameters",
    "compile_parameter",
    "form_parameters",
    "multipart_form",
    "urlencoded_form",
]


# -- urlencoded -----------------------------------------------------------------------------------


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
    object without a style.

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
        # Longer than any known name, so it cannot be the name of a field.
        names = [*properties, *(key.name for key in undeclared_keys)]
        additional = max(names, key=len, default="") + "*"
        shape = Coercer(types=frozenset({"object"}), additional=schemas.shape(schema).additional)
        parameters.append(Parameter(name=additional, place="query", shape=shape))
    if not additional and not undeclared_keys:
        return FormParameters(parameters, checked)
    key_names = frozenset(key.name for key in undeclared_keys)
    return FormParameters(
        [*parameters, *undeclared_keys], _OpenFormSchema(checked, additional, key_names)
    )


# Any: the arguments of `Parameter`.
def compile_parameter(schemas: SchemaRegistry, pointer: str, **options: Any) -> Parameter | None:
    """Return a parameter; None if it is invalid, which is recorded as a problem.

    Args:
        schemas: collects problems and warnings.
        pointer: the location of the parameter.
        options: the arguments of `Parameter`.
    """
    try:
        parameter = Parameter(**options)
    except ValueError as error:
        schemas.add_problem(pointer, str(error))
        return None
    if parameter.nested:
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
    if encoding is not None and style is not None:
        options |= {
            "style": style,
            "explode": encoding.explode,
            "allow_reserved": encoding.allow_reserved,
        }
    return compile_parameter(
        schemas, encoding.pointer if encoding else str(member.location), **options, shape=shape
    )


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
            closed="query" not in settings.allow,
            unique="duplicates" not in settings.allow,
            body=True,
        )
    except ValueError as error:
        schemas.add_problem(form.pointer, str(error))
        return None
    return _StyledForm(group)


class _StyledForm:
    """Reads an urlencoded body whose fields are serialized like query parameters.

    A `WholeReader`.
    """

    __slots__ = ("_group",)

    def __init__(self, group: ParameterGroup) -> None:
        self._group = group

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
        """Serialize a form as in WHATWG URL, 5.2; objects in the style ``deepObject``."""
        pairs: list[tuple[str, str]] = []
        for name, item in value.value.items():
            if isinstance(item, Mapping):
                pairs += [(f"{name}[{key}]", _text(inner)) for key, inner in item.items()]
            else:
                items = item if isinstance(item, list) else [item]
                pairs += [(name, _text(one)) for one in items if one is not None]
        return urlencode(pairs).encode()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


# -- multipart ------------------------------------------------------------------------------------

#: Keywords of a form's schema that are checked although files are not part of the value.
_FIELD_KEYWORDS: Final = frozenset(
    {"$ref", "additionalProperties", "allOf", "properties", "required", "type"}
)


def multipart_form(
    schemas: SchemaRegistry, form: MediaDescription, settings: OperationSettings
) -> BodyReader | None:
    """Return the reader of a multipart body; None if it has no schema, or an invalid one.

    Objects, and fields with a JSON encoding, are JSON parts; for files see `find_file()`.
    """
    schema = form.schema
    if schema is None or not schemas.compiles(schema):
        return None
    required = schemas.required(schema)
    limits = settings.limits
    parser = StrictJson(limits)
    files: dict[str, File] = {}
    shapes: dict[str, Coercer] = {}
    json: dict[str, Any] = {}
    for name, member in schemas.properties(schema).items():
        encoding = form.encoding.get(name)
        found = find_file(schemas, member, encoding)
        if found is not None:
            files[name] = _file(
                schemas, form, encoding, found, limits=limits, required=name in required
            )
            continue
        shapes[name] = schemas.shape(member)
        item = _item_schema(schemas, member)
        if is_json(encoding) or schemas.shape(item).types <= {"object"}:
            json[name] = parser.parse
    if any(encoding.style is not None for encoding in form.encoding.values()):
        schemas.warn(form.pointer, "styles of multipart parts are ignored: parts are text or JSON")
    arrays = {name for name, shape in shapes.items() if "array" in shape.types}
    optional = shapes.keys() - required
    additional = schemas.additional_schema(schema)
    closed = "query" not in settings.allow and not schemas.allows_additional(schema)
    if "" in {*shapes, *files}:
        schemas.add_problem(form.pointer, "a field of a form must have a name")
        return None
    text_fields = FormFields(
        shapes.keys() - arrays - json.keys(), arrays - json.keys(), closed=closed
    )
    other_shape = TEXT if additional is None else schemas.shape(additional)
    fields = FormFields(
        set(shapes) - arrays,
        arrays,
        json,
        closed=closed,
        decode=_FieldCoercion(text_fields, shapes, other_shape, optional),
    )
    fields_schema: Schema | None = _schema_without_files(schemas, schema, files)
    if fields_schema is not None:
        fields_schema = OptionalFields(fields_schema, optional)
    try:
        return MultipartForm(fields, files, fields_schema, limits)
    except ValueError as error:
        schemas.add_problem(form.pointer, str(error))
        return None


def _schema_without_files(
    schemas: SchemaRegistry, schema: LocatedValue, files: Mapping[str, File]
) -> Schema | None:
    """Return the schema of a form's fields; files are checked separately."""
    if not files:
        return schemas.schema(schema)
    unchecked = sorted(schemas.keywords(schema) - _FIELD_KEYWORDS - ANNOTATIONS)
    if unchecked:
        schemas.warn(
            str(schema.location),
            f"keywords not checked in a form with files: {', '.join(unchecked)}",
        )
    fields = {
        name: member for name, member in schemas.properties(schema).items() if name not in files
    }
    return schemas.form_schema(schema, fields, sorted(schemas.required(schema) - files.keys()))


class _FieldCoercion:
    """Coerces the texts of form fields to the types of their schemas.

    An empty text that stands for null is left out if the field is optional, for its default.
    """

    def __init__(
        self,
        fields: FormFields,
        shapes: Mapping[str, Coercer],
        other_shape: Coercer,
        optional: Collection[str],
    ) -> None:
        self._fields = fields
        self._shapes = shapes
        self._other_shape = other_shape
        self._optional = frozenset(optional)

    def __call__(self, pairs: Pairs) -> tuple[dict[str, Any], list[ErrorItem]]:
        values, errors = self._fields.read(pairs)
        coerced = {name: self._coerce(name, value) for name, value in values.items()}
        return {
            name: value
            for name, value in coerced.items()
            if value is not None or name not in self._optional
        }, errors

    def _coerce(self, name: str, value: Any) -> Any:
        shape = self._shapes.get(name, self._other_shape)
        if isinstance(value, list):
            return [shape.item(index).read(text) for index, text in enumerate(value)]
        return shape.read(value)


def _item_schema(schemas: SchemaRegistry, member: LocatedValue) -> LocatedValue:
    """Return the schema of the items of an array, or the schema itself."""
    value, location = schemas.follow(member)
    if isinstance(value, dict) and "items" in value and "array" in value.get("type", ()):
        return schemas.follow(LocatedValue(value["items"], location.child("items")))
    return member


def _file(
    schemas: SchemaRegistry,
    form: MediaDescription,
    encoding: EncodingDescription | None,
    found: FileField,
    *,
    limits: BodyLimits,
    required: bool,
) -> File:
    types = [one for one in (encoding.content_types if encoding else ()) if one != "*/*"]
    specific = [one.lower() for one in types if one != "application/octet-stream"]
    if specific and len(specific) == len(types):
        try:
            return found.rule(limits, required=required, types=specific)
        except ValueError as error:
            where = encoding.pointer if encoding else form.pointer
            schemas.warn(where, f"files of any type are accepted: {error}")
    return found.rule(limits, required=required)
