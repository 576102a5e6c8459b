"""From a document that has been checked to descriptions of its operations."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from mantlet.guard.openapi.content import Contents
from mantlet.guard.openapi.diagnostics import Problems
from mantlet.guard.openapi.locations import Located, Location
from mantlet.guard.openapi.model import (
    BodyDescription,
    OperationDescription,
    ParameterDescription,
    Requirement,
    ResponseDescription,
    SchemeDescription,
)
from mantlet.guard.openapi.notes import Notes
from mantlet.guard.openapi.path_items import (
    Fields,
    fields_of,
    key_of,
    listed_parameters,
    operations_in,
)
from mantlet.guard.openapi.references import References
from mantlet.guard.openapi.servers import base_paths

__all__ = ["Descriptions"]

T = TypeVar("T")

_DEFAULT_STYLES: Final = {"path": "simple", "query": "form", "header": "simple", "cookie": "form"}
#: Parameters of these names are ignored (OpenAPI, "Parameter Object").
_IGNORED: Final = frozenset({"accept", "content-type", "authorization"})


class Descriptions:
    """Describes the operations of a document.

    Args:
        references: the document, in which nothing is wrong.
        version: of OpenAPI.
        templates: other names of its templates: ``{"/files/{p}": "/files/{p:path}"}``.
        problems: takes what can't be described.
        notes: takes what is of no consequence.
    """

    def __init__(
        self,
        references: References,
        version: str,
        templates: Mapping[str, str],
        problems: Problems,
        notes: Notes,
    ) -> None:
        self._references = references
        self._version = version
        self._templates = templates
        self._problems = problems
        self._notes = notes
        self._root: dict[str, Any] = references.documents[""]
        self._contents = Contents(references)
        #: What many operations refer to is described once.
        self._known: dict[tuple[str, Location], Any] = {}

    def operations(self) -> tuple[OperationDescription, ...]:
        """Describe all operations, in the document's order."""
        made: list[OperationDescription] = []
        for template, item in self._root.get("paths", {}).items():
            if template.startswith("x-"):
                continue
            fields = fields_of(
                self._references, Located(item, Location("", "/paths").child(template))
            )
            shared = listed_parameters(self._references, fields.get("parameters"))
            made.extend(
                self._operation(method, template, operation, fields, shared)
                for method, operation in operations_in(fields, self._version)
            )
        return tuple(made)

    def schemes(self) -> Mapping[str, SchemeDescription]:
        """Describe the security schemes, by name."""
        schemes = self._root.get("components", {}).get("securitySchemes", {})
        location = Location("", "/components/securitySchemes")
        return {
            name: self._scheme(name, self._references.follow(Located(value, location.child(name))))
            for name, value in schemes.items()
        }

    def _scheme(self, name: str, scheme: Located) -> SchemeDescription:
        value = scheme.value
        kind = value["type"]
        return SchemeDescription(
            name=name,
            pointer=str(scheme.location),
            kind=kind,
            place=value.get("in") if kind == "apiKey" else None,
            parameter=value.get("name") if kind == "apiKey" else None,
            scheme=value["scheme"].lower() if kind == "http" else None,
            value=value,
        )

    def _operation(
        self,
        method: str,
        template: str,
        operation: Located,
        fields: Fields,
        shared: list[Located],
    ) -> OperationDescription:
        value, location = operation
        own = listed_parameters(
            self._references, Located(value.get("parameters"), location.child("parameters"))
        )
        # One of the operation's own takes the place of the path item's.
        merged = {key_of(parameter.value): parameter for parameter in [*shared, *own]}
        body = value.get("requestBody")
        security = value.get("security", self._root.get("security", []))
        return OperationDescription(
            method=method,
            template=self._templates.get(template, template),
            pointer=str(location),
            operation_id=value.get("operationId"),
            base_paths=self._base_paths(operation, fields),
            parameters=tuple(
                self._once("parameter", parameter, self._parameter)
                for parameter in merged.values()
                if not self._is_ignored(parameter)
            ),
            body=None
            if body is None
            else self._shared("body", Located(body, location.child("requestBody")), self._body),
            responses={
                status: self._shared(
                    "response",
                    Located(response, location.child("responses", status)),
                    self._response,
                )
                for status, response in value.get("responses", {}).items()
                if not status.startswith("x-")
            },
            security=tuple(map(_requirement, security)),
            deprecated=value.get("deprecated", False),
        )

    def _base_paths(self, operation: Located, fields: Fields) -> tuple[str, ...]:
        value, location = operation
        if "servers" in value:
            servers = Located(value["servers"], location.child("servers"))
        else:
            servers = fields.get("servers") or Located(
                self._root.get("servers"), Location("", "/servers")
            )
        return self._once("servers", servers, lambda found: base_paths(found, self._problems))

    # -- parts ------------------------------------------------------------------------------------

    def _shared(self, kind: str, part: Located, describe: Callable[[Located], T]) -> T:
        return self._once(kind, self._references.follow(part), describe)

    def _once(self, kind: str, part: Located, describe: Callable[[Located], T]) -> T:
        key = (kind, part.location)
        if key not in self._known:
            self._known[key] = describe(part)
        made: T = self._known[key]
        return made

    def _is_ignored(self, parameter: Located) -> bool:
        value, location = parameter
        ignored = value["in"] == "header" and value["name"].lower() in _IGNORED
        if ignored:
            self._notes.add(
                location, f"the header parameter {value['name']!r} is ignored (Parameter Object)"
            )
        return ignored

    def _parameter(self, parameter: Located) -> ParameterDescription:
        value, location = parameter
        place = value["in"]
        schema, content = self._contents.schema_or_content(parameter)
        style = "" if content is not None else value.get("style", _DEFAULT_STYLES.get(place, ""))
        # That of deepObject is false, with which it has no meaning (3.1.1, "Parameter Object").
        explode = value.get("explode", style in {"form", "cookie", "deepObject"})
        return ParameterDescription(
            name=value["name"],
            place=place,
            pointer=str(location),
            required=value.get("required", False),
            style=style,
            explode=explode,
            allow_reserved=value.get("allowReserved", False),
            allow_empty=value.get("allowEmptyValue", False),
            deprecated=value.get("deprecated", False),
            schema=schema,
            content=None if content is None else content.media,
            encoding={} if content is None else content.encoding,
        )

    def _body(self, body: Located) -> BodyDescription:
        value, location = body
        return BodyDescription(
            pointer=str(location),
            required=value.get("required", False),
            content=self._contents.media(body),
        )

    def _response(self, response: Located) -> ResponseDescription:
        return ResponseDescription(
            pointer=str(response.location),
            headers=self._contents.headers(response),
            content=self._contents.media(response),
        )


def _requirement(requirement: Mapping[str, list[str]]) -> Requirement:
    return tuple((name, tuple(scopes)) for name, scopes in requirement.items())
