"""Compile the multipart forms of a document."""

from collections.abc import Mapping
from typing import Any, Final

from mantlet.guard.bodies.forms import File, FormFields, MultipartForm
from mantlet.guard.bodies.forms.file import limits_for_files
from mantlet.guard.bodies.forms.optional import OptionalFields
from mantlet.guard.bodies.strict_json import StrictJson
from mantlet.guard.limits import BodyLimits
from mantlet.guard.openapi.diagnostics import LocatedValue
from mantlet.guard.openapi.forms.files import ANNOTATIONS, FileField, find_file, is_json
from mantlet.guard.openapi.forms.urlencoded import FREE_FORM, compile_parameter
from mantlet.guard.openapi.model import EncodingDescription, MediaDescription
from mantlet.guard.openapi.schema_registry import SchemaRegistry, as_style
from mantlet.guard.options import OperationSettings
from mantlet.guard.parameters import TEXT, Parameter, PartsReader
from mantlet.guard.readers import BodyReader, Schema

__all__ = ["multipart_form"]

#: Keywords of a form's schema that are checked although files are not part of the value.
_FIELD_KEYWORDS: Final = frozenset(
    {"$ref", "additionalProperties", "allOf", "properties", "required", "type"}
)


def multipart_form(
    schemas: SchemaRegistry, form: MediaDescription, settings: OperationSettings
) -> BodyReader | None:
    """Return the reader of a multipart body; None if it has no schema, or an invalid one.

    Objects, and fields with a JSON encoding, are JSON parts; for files see `find_file()`. A field
    with a style is text in that style.
    """
    schema = form.schema
    if schema is None or not schemas.compiles(schema):
        return None
    limits = settings.limits
    nameless = find_file(schemas, schema, None)
    if nameless is not None and schemas.shape(schema).types.isdisjoint({"object"}):
        return _nameless_files(schemas, form, nameless, limits)
    declared = _Fields(schemas, form, schema, limits)
    if declared.has_nameless:
        schemas.add_problem(form.pointer, "a field of a form must have a name")
        return None
    additional = schemas.additional_schema(schema)
    closed = "members" not in settings.allow and not schemas.allows_additional(schema)
    if not closed and not declared.names and not declared.files:
        schemas.warn(form.pointer, FREE_FORM)
    other = TEXT if additional is None else schemas.shape(additional)
    fields_schema: Schema | None = _schema_without_files(schemas, schema, declared.files)
    if fields_schema is not None:
        fields_schema = OptionalFields(fields_schema, declared.optional)
    try:
        parts = PartsReader(
            declared.parameters,
            declared.optional,
            None if closed else other,
            limits.errors,
            unique="duplicates" not in settings.allow,
        )
        fields = FormFields(
            declared.names - declared.json_arrays,
            declared.json_arrays,
            declared.json,
            whole=declared.whole,
            closed=closed,
            decode=parts,
            encode=parts.write,
        )
        return MultipartForm(fields, declared.files, fields_schema, limits)
    except ValueError as error:
        schemas.add_problem(form.pointer, str(error))
        return None


def _nameless_files(
    schemas: SchemaRegistry, form: MediaDescription, found: FileField, limits: BodyLimits
) -> BodyReader:
    """Return the reader of a form that is declared as a file instead of an object, as by Litestar.

    Such an app takes the files of any fields, so they are bounded, and texts are rejected.
    """
    schemas.warn(form.pointer, "the schema is that of a file, so files may have any name")
    fields = FormFields(closed=False, decode=PartsReader([], (), None, limits.errors))
    rule = found.rule(limits, required=False)
    return MultipartForm(fields, {}, None, limits_for_files(limits, {"file": rule}))


class _Fields:
    """The fields of a form, each by how it is read.

    Attributes:
        files: the files.
        parameters: the texts.
        names: the names of all fields but files.
        json: the parsers of JSON fields.
        json_arrays: the names of those that may be repeated.
        whole: the names of those whose only value may be the whole array.
        optional: the names of the optional fields.
    """

    def __init__(
        self,
        schemas: SchemaRegistry,
        form: MediaDescription,
        schema: LocatedValue,
        limits: BodyLimits,
    ) -> None:
        required = schemas.required(schema)
        parser = StrictJson(limits)
        self.files: dict[str, File] = {}
        self.parameters: list[Parameter] = []
        self.names: set[str] = set()
        self.json: dict[str, Any] = {}
        self.json_arrays: set[str] = set()
        self.whole: set[str] = set()
        for name, member in schemas.properties(schema).items():
            encoding = form.encoding.get(name)
            found = find_file(schemas, member, encoding)
            if found is not None:
                self.files[name] = _file(
                    schemas, form, encoding, found, limits=limits, required=name in required
                )
                continue
            self.names.add(name)
            items = schemas.shape(_item_schema(schemas, member)).types
            styled = encoding is not None and encoding.style is not None
            if styled or not (is_json(encoding) or items <= {"object"}):
                self.parameters += _part(schemas, form, name, member)
                continue
            self.json[name] = parser.parse
            if "array" in schemas.shape(member).types:
                self.json_arrays.add(name)
                if "array" not in items:
                    self.whole.add(name)
        self.optional = self.names - required

    @property
    def has_nameless(self) -> bool:
        """Whether a field has the empty name."""
        return "" in self.names or "" in self.files


def _part(
    schemas: SchemaRegistry, form: MediaDescription, name: str, member: LocatedValue
) -> list[Parameter]:
    """Return the field as a parameter; nothing if it is invalid, which is recorded as a problem."""
    encoding = form.encoding.get(name)
    options: dict[str, Any] = {"name": name, "place": "query", "shape": schemas.shape(member)}
    style = None if encoding is None else as_style(encoding.style)
    if encoding is not None and style is not None:
        options |= {"style": style, "explode": encoding.explode}
    pointer = encoding.pointer if encoding is not None else str(member.location)
    made = compile_parameter(schemas, pointer, member, **options)
    return [] if made is None else [made]


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
