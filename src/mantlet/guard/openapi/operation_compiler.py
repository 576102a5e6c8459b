"""Compile the description of an operation: its parameters, body, responses and security."""

import itertools
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from mantlet.guard.bodies.ndjson import Framing, JsonLinesReader
from mantlet.guard.bodies.strict_json import JsonBodyReader, StrictJson
from mantlet.guard.errors import Place
from mantlet.guard.openapi.diagnostics import LocatedValue
from mantlet.guard.openapi.duplicate_media import is_same_content, read_by_both
from mantlet.guard.openapi.forms.multipart import multipart_form
from mantlet.guard.openapi.forms.urlencoded import (
    compile_parameter,
    form_parameters,
    urlencoded_form,
)
from mantlet.guard.openapi.model import (
    BodyDescription,
    MediaDescription,
    OperationDescription,
    ParameterDescription,
    RequirementDescription,
    SchemeDescription,
)
from mantlet.guard.openapi.responses import compile_responses
from mantlet.guard.openapi.schema_registry import SchemaRegistry, as_style
from mantlet.guard.operation import DeclaredBody, Operation, Requirement, SecurityScheme
from mantlet.guard.options import OperationSettings
from mantlet.guard.parameters import TEXT, Coercer, Parameter, ParameterGroup
from mantlet.guard.readers import BodyReader, MediaRangeReader, Schema, raw_body_reader
from mantlet.http.media_types import MediaType, read_media_type

__all__ = ["compile_operation", "compile_security"]

_URLENCODED: Final = "application/x-www-form-urlencoded"
_FORMS: Final = {_URLENCODED: urlencoded_form, "multipart/form-data": multipart_form}
_NDJSON: Final = frozenset({"application/x-ndjson", "application/jsonl", "application/x-jsonlines"})


def compile_operation(
    schemas: SchemaRegistry,
    described: OperationDescription,
    schemes: Mapping[str, SchemeDescription],
    settings: OperationSettings,
) -> Operation:
    """Compile an operation without faults in its description.

    Problems are added to ``schemas``.

    Args:
        schemas: the schemas of the document.
        described: the operation.
        schemes: the security schemes of the document.
        settings: the settings for the operation.
    """
    used = {name for requirement in described.security for name, _ in requirement}
    parameters = _ParameterCompiler(
        schemas,
        described.parameters,
        [schemes[name] for name in used],
        pointer=described.pointer,
        settings=settings,
    )
    return Operation(
        method=described.method,
        template=described.template,
        path=parameters.group("path"),
        query=parameters.group("query"),
        headers=parameters.group("header"),
        cookies=parameters.group("cookie"),
        body=None if described.body is None else _compile_body(schemas, described.body, settings),
        responses=compile_responses(schemas, described.responses, settings.limits)
        if described.responses and settings.responses != "off"
        else None,
        security=compile_security(described, schemes),
        pointer=described.pointer,
        operation_id=described.operation_id,
    )


def compile_security(
    described: OperationDescription, schemes: Mapping[str, SchemeDescription]
) -> tuple[Requirement, ...]:
    """Compile the security requirements of an operation."""
    return tuple(_compile_requirement(one, schemes) for one in described.security)


def _compile_requirement(
    requirement: RequirementDescription, schemes: Mapping[str, SchemeDescription]
) -> Requirement:
    return tuple((_compile_scheme(schemes[name]), scopes) for name, scopes in requirement)


def _compile_scheme(described: SchemeDescription) -> SecurityScheme:
    return SecurityScheme(
        described.name,
        described.kind,
        described.place or "",
        described.parameter or "",
        described.scheme or "",
    )


# -- parameters -----------------------------------------------------------------------------------


class _ParameterCompiler:
    """Compiles the parameters of one operation into a group for each place.

    Args:
        schemas: the schemas of the document.
        described: the parameters of all places.
        schemes: the security schemes that the operation may require; API keys are parameters too.
        pointer: the location of the operation.
        settings: the settings for the operation.
    """

    def __init__(
        self,
        schemas: SchemaRegistry,
        described: Sequence[ParameterDescription],
        schemes: Iterable[SchemeDescription],
        *,
        pointer: str,
        settings: OperationSettings,
    ) -> None:
        self._schemas = schemas
        self._described = described
        self._api_keys = [scheme for scheme in schemes if scheme.kind == "apiKey"]
        self._pointer = pointer
        self._settings = settings

    def group(self, place: Place) -> ParameterGroup | None:
        """Return the parameters of a place, or None if none are declared."""
        described = [one for one in self._described if one.place == place]
        querystring = [one for one in self._described if one.place == "querystring"]
        if place == "query" and querystring:
            return self._querystring(querystring[0])
        parameters = [made for made in map(self._parameter, described) if made is not None]
        if place == "query":
            parameters += self._undeclared_keys({one.name for one in described})
        if not parameters:
            return None
        schema = self._schemas.object_schema(
            {one.name: one.schema for one in described},
            f"{self._pointer}/parameters",
            "parameter",
        )
        return self._group(place, parameters, schema)

    def _undeclared_keys(self, names: Container[str]) -> list[Parameter]:
        """Return the API keys in the query, which otherwise would be undeclared parameters."""
        return [
            Parameter(name=key.parameter, place="query")
            for key in self._api_keys
            if key.place == "query" and key.parameter and key.parameter not in names
        ]

    def _group(
        self, place: Place, parameters: Sequence[Parameter], schema: Any
    ) -> ParameterGroup | None:
        allow = self._settings.allow
        try:
            return ParameterGroup(
                place,
                parameters,
                schema,
                self._settings.limits,
                closed="query" not in allow,
                unique="duplicates" not in allow,
            )
        except ValueError as error:
            self._schemas.add_problem(self._pointer, str(error))
            return None

    def _parameter(self, described: ParameterDescription) -> Parameter | None:
        schema = described.schema
        decode = None
        if described.content is not None:
            decode = self._decoder(described.content, described)
            if schema is not None:
                # For the coverage and the check of bounds.
                self._schemas.schema(schema, "parameter")
        style = as_style(described.style)
        shape = TEXT if schema is None or decode else self._schemas.shape(schema, "parameter")
        if described.place == "query" and style == "form" and described.explode:
            self._note_free_form(described, shape)
        return compile_parameter(
            self._schemas,
            described.pointer,
            name=described.name,
            place=described.place,
            style=style,
            explode=described.explode if style else None,
            required=described.required,
            allow_reserved=described.allow_reserved,
            allow_empty=described.allow_empty,
            shape=shape,
            schema=schema,
            decode=decode,
        )

    def _note_free_form(self, described: ParameterDescription, shape: Coercer) -> None:
        """Note an exploded object that takes all names that no other parameter declares."""
        if "object" in shape.types and shape.additional is not None:
            self._schemas.warn(
                described.pointer,
                f"undeclared names in the query are members of {described.name!r}",
            )

    def _querystring(self, described: ParameterDescription) -> ParameterGroup | None:
        """Return the group of a query that is a single value (3.2)."""
        content = described.content or ""
        if content == _URLENCODED and described.schema is not None:
            return self._query_form(described, described.schema)
        parameter = Parameter(
            name=described.name,
            place="querystring",
            required=described.required,
            decode=self._decoder(content, described),
        )
        if described.schema is not None:
            self._schemas.schema(described.schema)
        schema = self._schemas.object_schema({described.name: described.schema}, described.pointer)
        return self._group("query", [parameter], schema)

    def _query_form(
        self, described: ParameterDescription, schema: LocatedValue
    ) -> ParameterGroup | None:
        """Return the group of a query that is a form with a schema."""
        form = MediaDescription(
            media=_URLENCODED,
            pointer=described.pointer,
            schema=schema,
            item_schema=None,
            encoding=described.encoding,
        )
        fields = form_parameters(
            self._schemas, form, self._settings.limits, self._undeclared_keys(frozenset())
        )
        return None if fields is None else self._group("query", fields.parameters, fields.schema)

    def _decoder(self, content: str, described: ParameterDescription) -> Callable[[str], Any]:
        """Return the function that decodes the text of a parameter with ``content``."""
        media = read_media_type(content)
        if media is None or not media.is_json:
            return str
        read = StrictJson(self._settings.limits).parse
        place: Place = "query" if described.place == "querystring" else described.place

        def decode(text: str) -> Any:
            return read(text.encode(), place)

        return decode


# -- bodies ---------------------------------------------------------------------------------------


def _compile_body(
    schemas: SchemaRegistry, described: BodyDescription, settings: OperationSettings
) -> DeclaredBody:
    readers: dict[str, BodyReader] = {}
    known: dict[str, MediaDescription] = {}
    stated = [read_media_type(media.media) for media in described.content]
    for media in described.content:
        for kind, reader in _body_readers(schemas, media, settings, stated):
            first = known.setdefault(kind, media)
            if first is media:
                readers[kind] = reader
            elif is_same_content(first, media):
                schemas.warn(media.pointer, f"{kind!r} is declared twice, with the same content")
            else:
                readers[kind] = read_by_both(schemas, media, kind, (readers[kind], reader))
    return DeclaredBody(readers, required=described.required)


def _body_readers(
    schemas: SchemaRegistry,
    described: MediaDescription,
    settings: OperationSettings,
    stated: Iterable[MediaType | None],
) -> Iterator[tuple[str, BodyReader]]:
    media = read_media_type(described.media)
    if media is None:
        schemas.add_problem(described.pointer, f"{described.media!r} is not a media type")
        return
    if media.parameters:
        words = "the parameters of the media type may be sent, and are not required"
        schemas.warn(described.pointer, words)
    kind = media.kind
    if kind in _FORMS:
        form = _FORMS[kind](schemas, described, settings)
        if form is None:
            schemas.warn(described.pointer, "only the size of a form without a schema is checked")
        yield kind, form or raw_body_reader(settings.limits)
    elif kind in _NDJSON or kind == "application/json-seq":
        item = _schema_or_any(schemas, described, described.item_schema)
        framing: Framing = "lines" if kind in _NDJSON else "sequence"
        yield kind, JsonLinesReader(item, settings.limits, framing)
        if described.schema is not None and described.item_schema is None:
            schemas.warn(
                described.pointer,
                "the schema of a JSON sequence is ignored: use itemSchema",
            )
    elif media.is_json:
        schema = _schema_or_any(schemas, described, described.schema)
        declared = [one.parameters for one in stated if one is not None and one.kind == kind]
        yield kind, JsonBodyReader(schema, settings.limits, itertools.chain(*declared))
    elif "*" in kind:
        schema = _schema_or_any(schemas, described, described.schema)
        json = JsonBodyReader(schema, settings.limits)
        yield kind, MediaRangeReader(json, raw_body_reader(settings.limits))
    else:
        schemas.warn(described.pointer, f"only the size of {kind} bodies is checked")
        yield kind, raw_body_reader(settings.limits)


def _schema_or_any(
    schemas: SchemaRegistry, described: MediaDescription, schema: LocatedValue | None
) -> Schema:
    """Return a schema, or one that allows any value if it is missing or invalid."""
    found = None if schema is None else schemas.schema(schema)
    if found is None:
        found = schemas.any_schema(described.pointer)
    return found
