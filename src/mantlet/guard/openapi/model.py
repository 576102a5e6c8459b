"""What a document says of its operations, with references followed and defaults filled in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mantlet.guard.openapi.locations import Located

__all__ = [
    "BodyDescription",
    "EncodingDescription",
    "HeaderDescription",
    "MediaDescription",
    "OperationDescription",
    "ParameterDescription",
    "ParameterPlace",
    "Requirement",
    "ResponseDescription",
    "SchemeDescription",
]

ParameterPlace = Literal["path", "query", "querystring", "header", "cookie"]

#: Security schemes that must all hold, each with its scopes; none at all is no demand.
Requirement = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterDescription:
    """One parameter.

    Attributes:
        pointer: where it stands.
        style: how a value of ``schema`` is written; ``""`` where ``content`` says it.
        schema: of its value, and where that stands.
        content: the media type that its value is written in, where it is not by a style.
        encoding: of properties, by name, where this is a form.
    """

    name: str
    place: ParameterPlace
    pointer: str
    required: bool
    style: str
    explode: bool
    allow_reserved: bool
    allow_empty: bool
    deprecated: bool
    schema: Located | None
    content: str | None
    encoding: "Mapping[str, EncodingDescription]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderDescription:
    """One header field of a response or of a part."""

    name: str
    pointer: str
    required: bool
    explode: bool
    schema: Located | None
    content: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingDescription:
    """How one property of a form is written.

    Attributes:
        content_types: those that are allowed, in the document's words; none is the default.
        style: None where neither it nor ``explode`` nor ``allowReserved`` is said, so that
            ``content_types`` hold (OpenAPI, "Encoding Object").
    """

    pointer: str
    content_types: tuple[str, ...]
    style: str | None
    explode: bool
    allow_reserved: bool
    headers: tuple[HeaderDescription, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaDescription:
    """What a body of one media type, or range of them, is.

    Attributes:
        media: the type or range as the document has it.
        schema: of all of it.
        item_schema: of each item of a sequence (3.2).
        encoding: of properties, by name.
    """

    media: str
    pointer: str
    schema: Located | None
    item_schema: Located | None
    encoding: Mapping[str, EncodingDescription]


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyDescription:
    """The body of a request."""

    pointer: str
    required: bool
    content: tuple[MediaDescription, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseDescription:
    """A response: its header fields, and its body by media type; none is no body."""

    pointer: str
    headers: tuple[HeaderDescription, ...]
    content: tuple[MediaDescription, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemeDescription:
    """A security scheme.

    Attributes:
        kind: ``"apiKey"``, ``"http"``, ``"mutualTLS"``, ``"oauth2"`` or ``"openIdConnect"``.
        place: where an API key stands: ``"query"``, ``"header"`` or ``"cookie"``.
        parameter: what it is called there.
        scheme: of HTTP authentication, in lower case.
        value: all that the document says of it.
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
    """One operation.

    Attributes:
        method: in upper case, or as an additional operation has it (3.2).
        template: the path template, from where the app is mounted.
        base_paths: what may stand before it, by the servers: ``""``, ``"/v1"``.
        parameters: the path item's and its own, without those of the header fields ``Accept``,
            ``Content-Type`` and ``Authorization``, which have no meaning.
        responses: by status, such as ``"200"``, ``"2XX"`` or ``"default"``.
        security: alternatives; none at all is no demand.
    """

    method: str
    template: str
    pointer: str
    operation_id: str | None
    base_paths: tuple[str, ...]
    parameters: tuple[ParameterDescription, ...]
    body: BodyDescription | None
    responses: Mapping[str, ResponseDescription]
    security: tuple[Requirement, ...]
    deprecated: bool = field(default=False)
