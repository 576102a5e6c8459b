"""Compiled operations: the declared parts of requests and responses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mantlet.guard.parameters.group import ParameterGroup
from mantlet.guard.readers import BodyReader, Schema

__all__ = [
    "DeclaredBody",
    "DeclaredResponse",
    "Operation",
    "PendingOperation",
    "Requirement",
    "SecurityScheme",
]


@dataclass(frozen=True, slots=True)
class DeclaredBody:
    """The body that an operation takes.

    Args:
        readers: by media range in lower case: ``"application/json"``, ``"application/*+json"``,
            ``"image/*"``, ``"*/*"``.
        required: whether to reject a request without a body.
        untyped: the media type of a body without a ``Content-Type``; ``""`` rejects it.
        check_absence: validates the absence of a body, instead of ``required``.
    """

    readers: Mapping[str, BodyReader]
    required: bool = True
    untyped: str = ""
    check_absence: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class DeclaredResponse:
    """The declared response of a status.

    Args:
        content: schemas by media range; None for a type whose content is not validated. Without
            any, the response has no body.
        headers: a schema of an object of all declared headers, or None.
        header_names: the declared headers, in lower case.
    """

    content: Mapping[str, Schema | None] = field(default_factory=dict)
    headers: Schema | None = None
    header_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecurityScheme:
    """A security scheme: the place and form of its credential.

    Args:
        name: the document's name of the scheme.
        kind: ``"apiKey"``, ``"http"``, ``"oauth2"``, ``"openIdConnect"`` or ``"mutualTLS"``.
        place: for an API key, ``"header"``, ``"query"`` or ``"cookie"``.
        field: for an API key, the name of the header, query parameter or cookie.
        scheme: for HTTP, the authentication scheme in lower case, such as ``"bearer"``.
    """

    name: str
    kind: str
    place: str = ""
    field: str = ""
    scheme: str = ""


#: Schemes that must all be satisfied, each with the required scopes.
Requirement = tuple[tuple[SecurityScheme, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    Args:
        method: in upper case; ``"WS"`` for a WebSocket.
        template: the path, as declared.
        path: the path parameters; this and the next three are None if none are declared.
        query: the query parameters; without any, the query must be empty unless it is allowed.
        headers: the headers.
        cookies: the cookies.
        body: the declared body, or None.
        message: the schema of a WebSocket's incoming messages.
        outgoing: the schema of a WebSocket's outgoing messages.
        responses: by status as written in the document: ``"200"``, ``"2XX"``, ``"default"``; None
            if responses are not declared.
        security: alternatives, one of which must be satisfied; empty for an open operation.
        pointer: its place in the document, or ``""``.
        operation_id: its name in the document, or None.
        bases: the base paths of the document's servers: ``""`` for the root, or such as ``"/v1"``.
        opened: the models that allow or ignore undeclared members themselves, after their parts.
        notes: parts that are not checked, for the coverage report.
        is_pattern: whether the template is a route pattern's, in which ``*`` at the end is a rest.
        faults: faults of its declaration, which then is not compiled: places and messages.
        is_open: whether requests for a faulty operation pass without validation.
        is_replaced: tells for a request whether the app has replaced a part of the declaration, so
            that it is not validated; None if that can't be.
    """

    method: str
    template: str
    path: ParameterGroup | None = None
    query: ParameterGroup | None = None
    headers: ParameterGroup | None = None
    cookies: ParameterGroup | None = None
    body: DeclaredBody | None = None
    message: Schema | None = None
    outgoing: Schema | None = None
    responses: Mapping[str, DeclaredResponse] | None = None
    security: tuple[Requirement, ...] = ()
    pointer: str = ""
    operation_id: str | None = None
    bases: tuple[str, ...] = ("",)
    opened: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_pattern: bool = False
    faults: tuple[tuple[str, str], ...] = ()
    is_open: bool = False
    is_replaced: Callable[[], bool] | None = None

    def compiled(self) -> "Operation":
        """Return the operation with all that validates requests for it."""
        return self

    @property
    def name(self) -> str:
        """The name of the operation, as in contracts."""
        return f"{self.method} {self.template}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingOperation(Operation):
    """An operation that is compiled at its first request; until then it has no parts.

    Args:
        compile: returns the operation without base paths, which is compiled once.
        has_matrix: whether a path parameter has the style ``matrix``.
    """

    compile: Callable[[], Operation]
    has_matrix: bool = False

    def compiled(self) -> Operation:
        """Return the operation with all that validates requests for it."""
        return replace(self.compile(), bases=self.bases)
