"""Content of a media type that a document declares twice, such as with and without a charset."""

from dataclasses import replace
from typing import Any, Final

from mantlet.guard.openapi.model import MediaDescription
from mantlet.guard.openapi.schema_registry import SchemaRegistry
from mantlet.guard.readers import (
    BodyReader,
    FullBodyReader,
    LargeBodyReader,
    MediaRangeReader,
    StreamingBodyReader,
)
from mantlet.http.media_types import MediaType

__all__ = ["is_same_content", "read_by_both"]

_NOT_FULL: Final = (MediaRangeReader, StreamingBodyReader)


def is_same_content(first: MediaDescription, second: MediaDescription) -> bool:
    """Return whether two media types have the same schemas and encodings."""

    def content(media: MediaDescription) -> tuple[Any, ...]:
        encoding = {name: replace(one, pointer="") for name, one in media.encoding.items()}
        # The values of references are relative to the document.
        schemas = [
            (one.value, one.location.document)
            for one in (media.schema, media.item_schema)
            if one is not None
        ]
        return schemas, media.schema is None, encoding

    return content(first) == content(second)


def read_by_both(
    schemas: SchemaRegistry,
    media: MediaDescription,
    kind: str,
    readers: tuple[BodyReader, BodyReader],
) -> BodyReader:
    """Return a reader of bodies of a media type that is declared twice with other content.

    Its parameters, such as a charset, do not tell an app which of them a body is, so a body must
    be valid by both.
    """
    first, second = readers
    both: BodyReader
    if isinstance(first, MediaRangeReader) and isinstance(second, MediaRangeReader):
        both = MediaRangeReader(_StrictestBody(first.json, second.json), first.other)
    elif isinstance(first, LargeBodyReader) and isinstance(second, LargeBodyReader):
        both = first  # neither has a schema
    elif isinstance(first, _NOT_FULL) or isinstance(second, _NOT_FULL):
        schemas.add_problem(media.pointer, f"duplicates the media type {kind!r}")
        return first
    else:
        both = _StrictestBody(first, second)
    schemas.warn(
        media.pointer, f"{kind!r} is declared twice with different content: bodies must fit both"
    )
    return both


class _StrictestBody:
    """Reads bodies that two readers must accept; a `FullBodyReader` like the first."""

    __slots__ = ("_first", "_second")

    def __init__(self, first: FullBodyReader, second: FullBodyReader) -> None:
        self._first = first
        self._second = second

    # Any: required by the protocol.
    def read(self, body: bytes, media: MediaType) -> Any:
        """Return the value for the app.

        Raises:
            ValidationFailed: one of the readers refuses the body.
        """
        self._second.read(body, media)
        return self._first.read(body, media)

    def dump(self, value: Any) -> bytes:
        """Return a body in its canonical form."""
        return self._first.dump(value)
