"""One operation of an API, compiled: what a request for it may bring."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mantlet.guard.readers import BodyReader
from mantlet.guard.schemas import Schema

if TYPE_CHECKING:
    from mantlet.guard.parameters.group import Group

__all__ = ["Body", "Operation", "Requirement", "ResponseShape", "Scheme"]


@dataclass(frozen=True, slots=True)
class Body:
    """The body that an operation takes.

    Args:
        readers: by media range in lower case: ``"application/json"``, ``"image/*"``, ``"*/*"``.
        required: whether a request without one is refused.
    """

    readers: Mapping[str, BodyReader]
    required: bool = True


@dataclass(frozen=True, slots=True)
class ResponseShape:
    """What an answer of some status may be.

    Args:
        content: schemas by media range; None for a type whose content is not looked at. An answer
            without any has no body.
        headers: a schema of an object of all declared header fields, or None.
        header_names: the declared fields, in lower case.
    """

    content: Mapping[str, Schema | None] = field(default_factory=dict)
    headers: Schema | None = None
    header_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scheme:
    """A security scheme, as far as its credential's form goes.

    Args:
        name: the document's for it.
        kind: ``"apiKey"``, ``"http"``, ``"oauth2"``, ``"openIdConnect"`` or ``"mutualTLS"``.
        place: of an API key: ``"header"``, ``"query"`` or ``"cookie"``.
        field: of an API key: the name of the field, query parameter or cookie.
        scheme: of HTTP: the authentication scheme in lower case, such as ``"bearer"``.
    """

    name: str
    kind: str
    place: str = ""
    field: str = ""
    scheme: str = ""


#: Schemes that must all be satisfied, each with the scopes that it must give.
Requirement = tuple[tuple[Scheme, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    Args:
        method: in upper case; ``"WS"`` for a WebSocket.
        template: the path, as declared.
        path: the parameters in each place, or None where none are declared. A query that none are
            declared for must be empty, unless that is opened.
        body: None where none is declared.
        message: what a WebSocket message from the client must be, and `outgoing` one to it.
        responses: by status as the document has them: ``"200"``, ``"2XX"``, ``"default"``; None
            where answers are not declared.
        security: alternatives, one of which must be satisfied; none for an open operation.
        pointer: where it stands in the document, or ``""``.
        operation_id: its name in the document, or None.
        base: what the path begins with besides what is declared, by the document's servers.
        opened: the parts whose models say themselves what becomes of undeclared members.
    """

    method: str
    template: str
    path: "Group | None" = None
    query: "Group | None" = None
    headers: "Group | None" = None
    cookies: "Group | None" = None
    body: Body | None = None
    message: Schema | None = None
    outgoing: Schema | None = None
    responses: Mapping[str, ResponseShape] | None = None
    security: tuple[Requirement, ...] = ()
    pointer: str = ""
    operation_id: str | None = None
    base: str = ""
    opened: tuple[str, ...] = ()

    def under(self, base: str) -> "Operation":
        """Return the same operation under another path."""
        return replace(self, template=base + self.template, base=base) if base else self

    @property
    def name(self) -> str:
        """The operation as contracts name it."""
        return f"{self.method} {self.template}"

    @property
    def declared(self) -> tuple[str, str]:
        """The method and the path as they were declared."""
        return self.method, self.template.removeprefix(self.base)
