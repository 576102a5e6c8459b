"""The operations of a document, with references followed and defaults filled in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mantlet.guard.openapi.diagnostics import LocatedValue

__all__ = [
    "BodyDescription",
    "EncodingDescription",
    "HeaderDescription",
    "MediaDescription",
    "OperationDescription",
    "ParameterDescription",
    "ParameterIn",
    "RequirementDescription",
    "ResponseDescription",
    "SchemeDescription",
]

#: The values of a parameter's ``in``.
ParameterIn = Literal["path", "query", "querystring", "header", "cookie"]

#: Security schemes that must all be satisfied, each with its scopes; empty if anonymous.
RequirementDescription = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterDescription:
    """A parameter.

    Attributes:
        pointer: its location.
        style: how a value of ``schema`` is serialized; ``""`` with ``content``.
        schema: the schema of its value.
        content: the media type of its value, if it has no style.
        encoding: the encodings of properties, by name, if the media type is a form.
    """

    name: str
    place: ParameterIn
    pointer: str
    required: bool
    style: str
    explode: bool
    allow_reserved: bool
    allow_empty: bool
    deprecated: bool
    schema: LocatedValue | None
    content: str | None
    encoding: "Mapping[str, EncodingDescription]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderDescription:
    """A header of a response."""

    name: str
    pointer: str
    required: bool
    explode: bool
    schema: LocatedValue | None
    content: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingDescription:
    """The encoding of one property of a form.

    Attributes:
        content_types: the allowed media types as written; empty for the default.
        style: None if the document sets none of ``style``, ``explode`` and ``allowReserved``, so
            that ``content_types`` applies (OpenAPI, "Encoding Object").
    """

    pointer: str
    content_types: tuple[str, ...]
    style: str | None
    explode: bool
    allow_reserved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaDescription:
    """A body of one media type or range.

    Attributes:
        media: the media type or range as written.
        schema: the schema of the whole body.
        item_schema: the schema of each item of a sequence (3.2).
        encoding: the encodings of properties, by name.
    """

    media: str
    pointer: str
    schema: LocatedValue | None
    item_schema: LocatedValue | None
    encoding: Mapping[str, EncodingDescription]


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyDescription:
    """The body of a request."""

    pointer: str
    required: bool
    content: tuple[MediaDescription, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseDescription:
    """A response: its headers, and its body by media type; without content it has no body."""

    pointer: str
    headers: tuple[HeaderDescription, ...]
    content: tuple[MediaDescription, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemeDescription:
    """A security scheme.

    Attributes:
        kind: ``"apiKey"``, ``"http"``, ``"mutualTLS"``, ``"oauth2"`` or ``"openIdConnect"``.
        place: the ``in`` of an API key: ``"query"``, ``"header"`` or ``"cookie"``.
        parameter: the name of the API key's parameter.
        scheme: the scheme of HTTP authentication, in lower case.
        value: the whole Security Scheme Object.
    """

    name: str
    pointer: str
    kind: str
    place: str | None
    parameter: str | None
    scheme: str | None
    value: Mapping[str, Any]  # plain JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationDescription:
    """An operation.

    Attributes:
        method: in upper case; for an additional operation (3.2) as written.
        template: the path template, relative to the root of the app.
        base_paths: the prefixes from the servers, such as ``""`` or ``"/v1"``.
        parameters: those of the path item and its own, without the headers ``Accept``,
            ``Content-Type`` and ``Authorization``, which OpenAPI ignores.
        responses: by status, such as ``"200"``, ``"2XX"`` or ``"default"``.
        security: alternative requirements; empty for anonymous access.
        has_security: whether the document says anything about them.
        faults: faults of the declaration of its requests, which then is not described.
        response_faults: the same for its responses.
        security_faults: the same for its security.
    """

    method: str
    template: str
    pointer: str
    operation_id: str | None
    base_paths: tuple[str, ...]
    parameters: tuple[ParameterDescription, ...]
    body: BodyDescription | None
    responses: Mapping[str, ResponseDescription]
    security: tuple[RequirementDescription, ...]
    has_security: bool
    deprecated: bool = field(default=False)
    faults: tuple[tuple[str, str], ...] = ()
    response_faults: tuple[tuple[str, str], ...] = ()
    security_faults: tuple[tuple[str, str], ...] = ()
