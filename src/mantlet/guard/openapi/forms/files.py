"""Find the files among the fields of a document's multipart form."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from mantlet.guard.bodies.forms import File
from mantlet.guard.limits import BodyLimits
from mantlet.guard.openapi.diagnostics import LocatedValue
from mantlet.guard.openapi.model import EncodingDescription
from mantlet.guard.openapi.schema_registry import SchemaRegistry
from mantlet.http.media_types import read_media_type

__all__ = ["ANNOTATIONS", "FileField", "find_file", "is_json"]

#: Keywords that do not constrain a value.
ANNOTATIONS: Final = frozenset(
    {"default", "deprecated", "description", "example", "examples", "nullable", "title"}
)
#: How deep alternatives and arrays of a file may be nested.
_MAX_DEPTH: Final = 8


class FileField(NamedTuple):
    """A field of a form that is a file, or an array of files.

    Attributes:
        schemas: the values of the schemas of one file, any of which it may have.
        arrays: those of the arrays; empty for a field that is one file.
    """

    schemas: tuple[Mapping[str, Any], ...]  # plain JSON
    arrays: tuple[Mapping[str, Any], ...] = ()

    def rule(self, limits: BodyLimits, *, required: bool, types: list[str] | None = None) -> File:
        """Return the rule of the files.

        Args:
            limits: ``file`` and ``body`` apply.
            required: whether the form must have the file.
            types: the allowed media types, or None for any.

        Raises:
            ValueError: a type is neither text nor has a known signature.
        """
        sizes = [_bound(one, "maxLength") for one in self.schemas]
        most = None if None in sizes else max(size for size in sizes if size is not None)
        if most is not None and not limits.body_is_default:
            most = min(most, limits.body)
        least = min(_bound(one, "minLength") or 0 for one in self.schemas)
        counts = [_bound(one, "maxItems") for one in self.arrays]
        min_count = min((_bound(one, "minItems") or 0 for one in self.arrays), default=0)
        if len(self.arrays) < len(self.schemas):
            min_count = 0
        return File(
            required=required,
            types=types,
            max_size=most or None,
            min_size=least if most is None else min(least, most or least),
            many=bool(self.arrays),
            min_count=min_count or None,
            max_count=None
            if None in counts or not counts
            else max(filter(None, counts), default=1),
            unique=bool(self.arrays) and all(one.get("uniqueItems") for one in self.arrays),
        )


def find_file(
    schemas: SchemaRegistry, schema: LocatedValue, encoding: EncodingDescription | None
) -> FileField | None:
    """Return the files that a field is declared to have; None for a field of another kind.

    A file is a string with ``format: binary``; one with a ``contentMediaType`` and no
    ``contentEncoding``; or, from 3.1 on, one with an empty schema. It may be an item of an array.
    Alternatives are files if all of them are, null aside: a file or null is an optional file.

    Args:
        schemas: the schemas of the document.
        schema: the schema of the field.
        encoding: its encoding, or None. A JSON field is not a file, unless its format says so.
    """
    return _find(schemas, schema, is_json(encoding), _MAX_DEPTH)


def _find(
    schemas: SchemaRegistry, schema: LocatedValue, json: bool, depth: int
) -> FileField | None:
    value, location = schemas.follow(schema)
    if value is True:
        value = {}
    if not isinstance(value, dict) or depth == 0:
        return None
    found = [
        _find(schemas, one, json, depth - 1) for one in _alternatives(schemas, value, location)
    ]
    if found:
        files = [one for one in found if one is not None]
        if len(files) < len(found):
            return None
        return FileField(
            tuple({**value, **one} for file in files for one in file.schemas),
            tuple(one for file in files for one in file.arrays),
        )
    parts = [
        _find(schemas, LocatedValue(part, location.child("allOf", index)), json, depth - 1)
        for index, part in enumerate(value.get("allOf", ()))
    ]
    if any(parts):
        return next(filter(None, parts))
    if "items" in value and "array" in _types(value, "array"):
        items = LocatedValue(value["items"], location.child("items"))
        file = _find(schemas, items, json, depth - 1)
        return None if file is None or file.arrays else FileField(file.schemas, (value,))
    return FileField((value,)) if _is_file(schemas.version, value, json) else None


def _alternatives(schemas: SchemaRegistry, value: Any, location: Any) -> Iterator[LocatedValue]:
    """Yield the schemas of which at least one must hold, but for those of null."""
    for keyword in ("anyOf", "oneOf"):
        for index, part in enumerate(value.get(keyword, ())):
            one = LocatedValue(part, location.child(keyword, index))
            if not _is_null(schemas.follow(one).value):
                yield one


def _is_null(value: Any) -> bool:
    return isinstance(value, dict) and (
        value.get("type") in ("null", ["null"])
        or value.get("enum") == [None]
        or value.get("const", 0) is None
    )


def _types(value: Mapping[str, Any], default: str) -> list[Any]:
    stated = value.get("type") or default
    return stated if isinstance(stated, list) else [stated]


def _is_file(version: str, value: Mapping[str, Any], json: bool) -> bool:
    if "string" not in _types(value, "string"):
        return False
    if value.get("format") == "binary":
        return True
    if json:
        return False
    if "contentMediaType" in value and "contentEncoding" not in value:
        return True
    return version != "3.0" and value.keys() <= ANNOTATIONS


def is_json(encoding: EncodingDescription | None) -> bool:
    """Return whether a field is JSON by its encoding."""
    names = encoding.content_types if encoding is not None else ()
    media = [read_media_type(name) for name in names]
    return bool(media) and all(one is not None and one.is_json for one in media)


def _bound(value: Mapping[str, Any], keyword: str) -> int | None:
    bound = value.get(keyword)
    return int(bound) if isinstance(bound, int | float) and bound >= 0 else None
