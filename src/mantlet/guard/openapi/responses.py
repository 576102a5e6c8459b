"""Compile the responses that an operation declares."""

from collections.abc import Iterable, Mapping
from typing import Any

from mantlet.guard.bodies.strict_json import StrictJson
from mantlet.guard.errors import ErrorItem, Place, ValidationFailed
from mantlet.guard.limits import BodyLimits
from mantlet.guard.openapi.duplicate_media import is_same_content
from mantlet.guard.openapi.model import HeaderDescription, MediaDescription, ResponseDescription
from mantlet.guard.openapi.schema_registry import SchemaRegistry
from mantlet.guard.operation import DeclaredResponse
from mantlet.guard.parameters import TEXT, Parameter
from mantlet.guard.parameters.collector import ParameterReader
from mantlet.guard.parameters.decoding import UndecodableText, decode_header
from mantlet.guard.readers import Schema
from mantlet.http.json_pointer import join_pointer
from mantlet.http.media_types import read_media_type

__all__ = ["compile_responses"]


def compile_responses(
    schemas: SchemaRegistry, responses: Mapping[str, ResponseDescription], limits: BodyLimits
) -> dict[str, DeclaredResponse]:
    """Return the responses of an operation, by status.

    Args:
        schemas: the schemas of the document.
        responses: the responses as declared, by status.
        limits: the limits of JSON in headers.
    """
    return {
        status: _compile_response(schemas, response, limits)
        for status, response in responses.items()
    }


def _compile_response(
    schemas: SchemaRegistry, response: ResponseDescription, limits: BodyLimits
) -> DeclaredResponse:
    content: dict[str, Schema | None] = {}
    known: dict[str, MediaDescription] = {}
    for media in response.content:
        media_type = read_media_type(media.media)
        if media_type is None:
            continue  # reported by the validation
        schema = None if media.schema is None else schemas.schema(media.schema, "response")
        first = known.setdefault(media_type.kind, media)
        if first is not media and not is_same_content(first, media):
            # They differ in parameters, which do not tell which one a response has.
            words = (
                "responses of a media type declared twice with different content are not checked"
            )
            schemas.warn(media.pointer, words)
            schema = None
        if media.item_schema is not None:
            schemas.warn(media.pointer, "the items of a response are not checked")
        content[media_type.kind] = schema
    headers = {header.name.lower(): header for header in response.headers}
    if not headers:
        return DeclaredResponse(content)
    schema = schemas.object_schema(
        {name: header.schema for name, header in headers.items()},
        response.pointer,
        "response",
    )
    readers = [_header_reader(schemas, name, header, limits) for name, header in headers.items()]
    return DeclaredResponse(
        content,
        None if schema is None else _ResponseHeaders(filter(None, readers), headers, schema),
        tuple(headers),
    )


def _header_reader(
    schemas: SchemaRegistry, name: str, header: HeaderDescription, limits: BodyLimits
) -> ParameterReader | None:
    """Return the reader of a header, or None if its style is not supported."""
    decode = None
    if header.content is not None:
        media_type = read_media_type(header.content)
        decode = _json_decoder(limits) if media_type is not None and media_type.is_json else str
    try:
        parameter = Parameter(
            name=name,
            place="header",
            explode=header.explode,
            shape=TEXT
            if header.schema is None or decode is not None
            else schemas.shape(header.schema, "response"),
            decode=decode,
        )
    except ValueError as error:
        schemas.warn(header.pointer, f"the response header is not checked: {error}")
        return None
    return ParameterReader(parameter, decode_header)


def _json_decoder(limits: BodyLimits) -> Any:
    read = StrictJson(limits).parse
    return lambda text: read(text.encode(), "header")


class _ResponseHeaders:
    """Parses and validates the declared headers of a response; a `Schema`."""

    def __init__(
        self,
        readers: Iterable[ParameterReader],
        headers: Mapping[str, HeaderDescription],
        schema: Schema,
    ) -> None:
        self._schema = schema
        self._required = [name for name, header in headers.items() if header.required]
        self._readers = {reader.name: reader for reader in readers}

    # Any: required by the protocol.
    def check(self, value: Any, place: Place) -> Any:
        """Validate the headers.

        Raises:
            ValidationFailed: with 422.
        """
        errors = [
            ErrorItem(place, join_pointer([name]), "missing_header", "Required header is missing")
            for name in self._required
            if name not in value
        ]
        values: dict[str, Any] = {}
        for name, text in value.items():
            reader = self._readers.get(name)
            try:
                if reader is not None:
                    values[name] = reader.read(text)
            except UndecodableText as error:
                errors.append(ErrorItem(place, join_pointer([name]), error.code, error.detail))
            except ValidationFailed as error:
                errors += error.errors
        try:
            checked = self._schema.check(values, place)
        except ValidationFailed as error:
            errors += error.errors
        if errors:
            raise ValidationFailed(422, errors)
        return checked

    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Validate the headers; see `check()`."""
        return self.check(value, place)

    def dump(self, value: Any) -> bytes:
        """Return the headers as JSON."""
        return self._schema.dump(value)
