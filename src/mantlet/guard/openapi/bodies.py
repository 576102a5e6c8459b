"""The bodies that an operation of a document takes: a reader for each media type."""

from collections.abc import Iterator
from typing import Any, Final

from mantlet.guard.ndjson import Framing, JsonLinesReader
from mantlet.guard.openapi.forms import multipart_form
from mantlet.guard.openapi.model import BodyDescription, MediaDescription
from mantlet.guard.openapi.schema_registry import Parts
from mantlet.guard.openapi.urlencoded import urlencoded_form
from mantlet.guard.operation import Body
from mantlet.guard.options import OperationSettings
from mantlet.guard.readers import BodyReader, RawBodyReader, Schema
from mantlet.guard.strict_json import JsonBodyReader
from mantlet.http.media_types import MediaType, read_media_type

__all__ = ["body_of"]

_LINES: Final = frozenset({"application/x-ndjson", "application/jsonl", "application/x-jsonlines"})
_FORMS: Final = {
    "application/x-www-form-urlencoded": urlencoded_form,
    "multipart/form-data": multipart_form,
}


def body_of(parts: Parts, described: BodyDescription, settings: OperationSettings) -> Body:
    """Return the body that an operation takes."""
    readers: dict[str, BodyReader] = {}
    for media in described.content:
        for kind, reader in _readers(parts, media, settings):
            if kind in readers:
                parts.problems[media.pointer, f"the media type {kind!r} is there twice"] = None
            readers[kind] = reader
    return Body(readers, required=described.required)


def _readers(
    parts: Parts, described: MediaDescription, settings: OperationSettings
) -> Iterator[tuple[str, BodyReader]]:
    media = read_media_type(described.media)
    if media is None:
        parts.problems[described.pointer, f"{described.media!r} is no media type"] = None
        return
    if media.parameters:
        parts.note(described.pointer, "the parameters of the media type are not looked at")
    kind = media.kind
    if kind in _FORMS:
        form = _FORMS[kind](parts, described, settings)
        if form is None:
            parts.note(described.pointer, "a form without a schema is bounded in size alone")
        yield kind, form or RawBodyReader()
    elif kind in _LINES or kind == "application/json-seq":
        item = _schema(parts, described, described.item_schema)
        framing: Framing = "lines" if kind in _LINES else "sequence"
        yield kind, JsonLinesReader(item, settings.limits, framing)
        if described.schema is not None and described.item_schema is None:
            parts.note(
                described.pointer,
                "of a sequence of JSON texts only itemSchema is checked",
            )
    elif media.is_json:
        schema = _schema(parts, described, described.schema)
        yield kind, JsonBodyReader(schema, settings.limits)
    elif "*" in kind:
        schema = _schema(parts, described, described.schema)
        yield kind, _RangeBody(JsonBodyReader(schema, settings.limits))
    else:
        parts.note(described.pointer, f"{kind} is bounded in size, and not looked into")
        yield kind, RawBodyReader()


def _schema(parts: Parts, described: MediaDescription, schema: Any) -> Schema:
    """Return a schema; that of anything where there is none, or where it is a problem."""
    found = None if schema is None else parts.schema(schema)
    if found is None:
        found = parts.anything(described.pointer)
    return found


class _RangeBody:
    """Reads a body of any type of a range: JSON as such, others in size alone; a `WholeReader`."""

    __slots__ = ("_json", "_raw")

    def __init__(self, json: JsonBodyReader) -> None:
        self._json = json
        self._raw = RawBodyReader()

    # Any: the interface's.
    def read(self, body: bytes, media: MediaType) -> Any:
        """Return what the app gets.

        Raises:
            ValidationFailed: it is JSON that the schema does not allow.
        """
        return (self._json if media.is_json else self._raw).read(body, media)

    def dump(self, value: Any) -> bytes:
        """Return it in its canonical form."""
        return value if isinstance(value, bytes) else self._json.dump(value)
