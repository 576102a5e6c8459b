"""A multipart form of a document: fields, parts of JSON, and files."""

from collections.abc import Mapping
from typing import Any, Final

from mantlet.guard.errors import ErrorItem
from mantlet.guard.forms import File, FormFields, MultipartForm
from mantlet.guard.openapi.locations import Located
from mantlet.guard.openapi.model import EncodingDescription, MediaDescription
from mantlet.guard.openapi.schema_registry import Parts
from mantlet.guard.options import OperationSettings
from mantlet.guard.parameters import TEXT, Shape
from mantlet.guard.readers import BodyReader, Schema
from mantlet.guard.strict_json import StrictJson
from mantlet.http.forms import Pairs
from mantlet.http.media_types import read_media_type

__all__ = ["is_json", "multipart_form"]

#: What says nothing of a value.
_WORDS: Final = frozenset({"description", "title", "example", "examples", "deprecated"})
#: The keywords of a form's schema that are checked though files are no part of the value.
_OF_FIELDS: Final = frozenset(
    {"$ref", "additionalProperties", "allOf", "properties", "required", "type"}
)


def multipart_form(
    parts: Parts, described: MediaDescription, settings: OperationSettings
) -> BodyReader | None:
    """Return the reader of a multipart form.

    A file is a field of bytes: ``format: binary`` (3.0), a ``contentMediaType`` without a
    ``contentEncoding``, or a schema that says nothing (3.1). An object, and what has an encoding of
    JSON, is a part of JSON.
    """
    schema = described.schema
    if schema is None or not parts.compiles(schema):
        return None
    required = parts.required(schema)
    limits = settings.limits
    structure = StrictJson(limits)
    files: dict[str, File] = {}
    shapes: dict[str, Shape] = {}
    json: dict[str, Any] = {}
    for name, member in parts.properties(schema).items():
        encoding = described.encoding.get(name)
        one = _item(parts, member)
        if _is_file(parts, one, encoding):
            files[name] = _file(
                parts, described, encoding, required=name in required, many=one is not member
            )
            continue
        shapes[name] = parts.shape(member)
        if is_json(encoding) or parts.shape(one).types <= {"object"}:
            json[name] = structure.parse
    if any(encoding.style is not None for encoding in described.encoding.values()):
        parts.note(described.pointer, "styles of parts are not read: they are text or JSON")
    arrays = {name for name, shape in shapes.items() if "array" in shape.types}
    other = parts.additional(schema)
    closed = "query" not in settings.allow and not parts.opens(schema)
    plain = FormFields(shapes.keys() - arrays - json.keys(), arrays - json.keys(), closed=closed)
    fields = FormFields(
        set(shapes) - arrays,
        arrays,
        json,
        closed=closed,
        decode=_Coercing(plain, shapes, TEXT if other is None else parts.shape(other)),
    )
    return MultipartForm(fields, files, _without(parts, schema, files), limits)


def _without(parts: Parts, schema: Located, files: Mapping[str, File]) -> Schema | None:
    """Return the schema of a form's fields: files are checked apart, and not required by it."""
    if not files:
        return parts.schema(schema)
    others = sorted(parts.keywords(schema) - _OF_FIELDS - _WORDS)
    if others:
        parts.note(
            str(schema.location),
            f"beside files these keywords of a form are not checked: {', '.join(others)}",
        )
    members = {
        name: member for name, member in parts.properties(schema).items() if name not in files
    }
    return parts.fields(schema, members, sorted(parts.required(schema) - files.keys()))


class _Coercing:
    """Makes values of the texts of fields, as their schemas say."""

    def __init__(self, plain: FormFields, shapes: Mapping[str, Shape], other: Shape) -> None:
        self._plain = plain
        self._shapes = shapes
        self._other = other

    def __call__(self, pairs: Pairs) -> tuple[dict[str, Any], list[ErrorItem]]:
        values, faults = self._plain.read(pairs)
        return {name: self._coerced(name, value) for name, value in values.items()}, faults

    def _coerced(self, name: str, value: Any) -> Any:
        shape = self._shapes.get(name, self._other)
        if isinstance(value, list):
            return [shape.item(index).read(text) for index, text in enumerate(value)]
        return shape.read(value)


def _item(parts: Parts, member: Located) -> Located:
    """Return the schema of an array's items, else the schema itself."""
    value, place = parts.follow(member)
    if isinstance(value, dict) and "items" in value and "array" in value.get("type", ()):
        return parts.follow(Located(value["items"], place.child("items")))
    return member


def is_json(encoding: EncodingDescription | None) -> bool:
    """Return whether a field is JSON by its encoding."""
    kinds = encoding.content_types if encoding is not None else ()
    media = [read_media_type(kind) for kind in kinds]
    return bool(media) and all(one is not None and one.is_json for one in media)


def _is_file(parts: Parts, schema: Located, encoding: EncodingDescription | None) -> bool:
    value = parts.follow(schema).value
    if not isinstance(value, dict):
        return parts.version != "3.0" and value is True and not is_json(encoding)
    if value.get("format") == "binary":
        return True
    if parts.version == "3.0" or is_json(encoding):
        return False
    if "contentMediaType" in value and "contentEncoding" not in value:
        return "string" in value.get("type", "string")
    return value.keys() <= _WORDS


def _file(
    parts: Parts,
    described: MediaDescription,
    encoding: EncodingDescription | None,
    *,
    required: bool,
    many: bool,
) -> File:
    kinds = [kind for kind in (encoding.content_types if encoding else ()) if kind != "*/*"]
    known = [kind.lower() for kind in kinds if kind != "application/octet-stream"]
    options: dict[str, Any] = {"required": required, "many": many, "min_size": 0}
    if known and len(known) == len(kinds):
        try:
            return File(types=known, **options)
        except ValueError as error:
            where = encoding.pointer if encoding else described.pointer
            parts.note(where, f"files are taken whatever they are: {error}")
    return File(**options)
