"""The answers that an operation of a document declares."""

from collections.abc import Iterable, Mapping
from typing import Any

from mantlet.guard.errors import ErrorItem, Place, ValidationFailed, pointer
from mantlet.guard.limits import BodyLimits
from mantlet.guard.openapi.model import HeaderDescription, ResponseDescription
from mantlet.guard.openapi.schema_registry import Parts
from mantlet.guard.operation import ResponseShape
from mantlet.guard.parameters import TEXT, Parameter
from mantlet.guard.parameters.collector import ParameterReader
from mantlet.guard.parameters.decoding import UndecodableText, decode_header
from mantlet.guard.readers import Schema
from mantlet.guard.strict_json import StrictJson
from mantlet.http.media_types import read_media_type

__all__ = ["answers_of"]


def answers_of(
    parts: Parts, described: Mapping[str, ResponseDescription], limits: BodyLimits
) -> dict[str, ResponseShape]:
    """Return what the answers may be, by status.

    Args:
        parts: the schemas of the document.
        described: the responses, by status.
        limits: bounds on header fields that are JSON.
    """
    return {status: _shape(parts, response, limits) for status, response in described.items()}


def _shape(parts: Parts, response: ResponseDescription, limits: BodyLimits) -> ResponseShape:
    content: dict[str, Schema | None] = {}
    for media in response.content:
        read = read_media_type(media.media)
        if read is None:
            continue  # which has been told of
        schema = None if media.schema is None else parts.schema(media.schema, "response")
        if read.kind in content:
            # They differ in parameters, which say nothing of which one an answer is of.
            parts.note(media.pointer, "answers of a type that is there twice are not read")
            schema = None
        if media.item_schema is not None:
            parts.note(media.pointer, "the items of answers are not looked at")
        content[read.kind] = schema
    headers = {header.name.lower(): header for header in response.headers}
    if not headers:
        return ResponseShape(content)
    schema = parts.combined(
        {name: header.schema for name, header in headers.items()},
        response.pointer,
        "response",
    )
    entries = [_entry(parts, name, header, limits) for name, header in headers.items()]
    return ResponseShape(
        content,
        None if schema is None else _Fields(filter(None, entries), headers, schema),
        tuple(headers),
    )


def _entry(
    parts: Parts, name: str, header: HeaderDescription, limits: BodyLimits
) -> ParameterReader | None:
    """Return what reads a header field; None for one that can't be read."""
    decode = None
    if header.content is not None:
        media = read_media_type(header.content)
        decode = _json(limits) if media is not None and media.is_json else str
    try:
        parameter = Parameter(
            name=name,
            place="header",
            explode=header.explode,
            shape=TEXT
            if header.schema is None or decode is not None
            else parts.shape(header.schema, "response"),
            decode=decode,
        )
    except ValueError as error:
        parts.note(header.pointer, f"the header field of answers is not read: {error}")
        return None
    return ParameterReader(parameter, decode_header)


def _json(limits: BodyLimits) -> Any:
    read = StrictJson(limits).parse
    return lambda text: read(text.encode(), "header")


class _Fields:
    """The declared header fields of an answer, whose texts become what their schemas say."""

    def __init__(
        self,
        entries: Iterable[ParameterReader],
        headers: Mapping[str, HeaderDescription],
        schema: Schema,
    ) -> None:
        self._schema = schema
        self._required = [name for name, header in headers.items() if header.required]
        self._entries = {entry.name: entry for entry in entries}

    # Any: the interface's.
    def check(self, value: Any, place: Place) -> Any:
        """Check the fields.

        Raises:
            ValidationFailed: with 422.
        """
        faults = [
            ErrorItem(place, pointer([name]), "missing_header", "The header field is required")
            for name in self._required
            if name not in value
        ]
        values: dict[str, Any] = {}
        for name, text in value.items():
            entry = self._entries.get(name)
            try:
                if entry is not None:
                    values[name] = entry.read(text)
            except UndecodableText as error:
                faults.append(ErrorItem(place, pointer([name]), error.code, error.detail))
            except ValidationFailed as error:
                faults += error.errors
        try:
            checked = self._schema.check(values, place)
        except ValidationFailed as error:
            faults += error.errors
        if faults:
            raise ValidationFailed(422, faults)
        return checked

    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Check the fields; see `check()`."""
        return self.check(value, place)

    def dump(self, value: Any) -> bytes:
        """Return the fields as JSON."""
        return self._schema.dump(value)
