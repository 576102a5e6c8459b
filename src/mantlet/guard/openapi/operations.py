"""Describe the operations of a validated document."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from mantlet.guard.openapi.diagnostics import (
    DocumentLocation,
    LocatedValue,
)
from mantlet.guard.openapi.model import (
    BodyDescription,
    EncodingDescription,
    HeaderDescription,
    MediaDescription,
    OperationDescription,
    ParameterDescription,
    RequirementDescription,
    ResponseDescription,
    SchemeDescription,
)
from mantlet.guard.openapi.references import ReferenceResolver
from mantlet.guard.openapi.servers import base_paths
from mantlet.guard.openapi.validation.path_items import (
    PathItemFields,
    listed_parameters,
    operations_of,
    parameter_key,
    path_item_fields,
)
from mantlet.guard.openapi.validation.path_rules import path_of, template_names
from mantlet.guard.openapi.validation.validator import ValidatedDocument

__all__ = ["OperationDescriber"]

T = TypeVar("T")

_DEFAULT_STYLES: Final = {"path": "simple", "query": "form", "header": "simple", "cookie": "form"}
#: Header parameters that are ignored (OpenAPI, "Parameter Object").
_IGNORED_HEADERS: Final = frozenset({"accept", "content-type", "authorization"})


class OperationDescriber:
    """Describes the operations and security schemes of a document.

    Args:
        references: the validated document.
        version: the version of OpenAPI.
        templates: replacements for path templates: ``{"/files/{p}": "/files/{p:path}"}``.
        validated: the findings of the validation, to which notes and warnings are added. Parts of
            operations that have faults are not described.
    """

    def __init__(
        self,
        references: ReferenceResolver,
        version: str,
        templates: Mapping[str, str],
        validated: ValidatedDocument,
    ) -> None:
        self._references = references
        self._version = version
        self._templates = templates
        self._problems = validated.problems
        self._faults = validated.faults
        self._schemes: Mapping[str, SchemeDescription] | None = None
        self._warnings = validated.warnings
        self._root: dict[str, Any] = references.documents[""]
        self._content = _ContentDescriber(references)
        #: Objects that operations share are described once.
        self._described: dict[tuple[str, DocumentLocation], Any] = {}

    def operations(self) -> tuple[OperationDescription, ...]:
        """Describe all operations, in the order of the document."""
        made: list[OperationDescription] = []
        for template, item in self._root.get("paths", {}).items():
            if template.startswith("x-"):
                continue
            located = LocatedValue(item, DocumentLocation("", "/paths").child(template))
            try:
                fields = path_item_fields(self._references, located)
            except ValueError:
                continue  # its fault has no operation
            made.extend(
                self._operation(method, template, operation, fields)
                for method, operation in operations_of(fields, self._version)
            )
        return tuple(made)

    def schemes(self) -> Mapping[str, SchemeDescription]:
        """Describe the security schemes without faults, by name."""
        if self._schemes is None:
            self._schemes = self._describe_schemes()
        return self._schemes

    def _describe_schemes(self) -> Mapping[str, SchemeDescription]:
        components = self._root.get("components")
        schemes = components.get("securitySchemes") if isinstance(components, dict) else None
        location = DocumentLocation("", "/components/securitySchemes")
        made = {}
        for name, value in schemes.items() if isinstance(schemes, dict) else ():
            with suppress(ValueError):
                scheme = self._references.follow(LocatedValue(value, location.child(name)))
                if not self._problems.are_within(scheme.location):
                    made[name] = self._scheme(name, scheme)
        return made

    def _scheme(self, name: str, scheme: LocatedValue) -> SchemeDescription:
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
        self, method: str, template: str, operation: LocatedValue, fields: PathItemFields
    ) -> OperationDescription:
        value, location = operation
        faults = self._faults.of(str(location), "request")
        response_faults = self._faults.of(str(location), "responses")
        security_faults = self._faults.of(str(location), "security")
        is_object = isinstance(value, dict)
        return OperationDescription(
            method=method,
            template=self._templates.get(template, path_of(template)),
            pointer=str(location),
            operation_id=value.get("operationId") if is_object else None,
            base_paths=self._base_paths(operation, fields),
            parameters=() if faults else self._parameters(template, operation, fields),
            body=None if faults else self._operation_body(operation),
            responses={} if faults or response_faults else self._responses(operation),
            security=self._security(operation) if is_object else (),
            has_security="security" in self._root or (is_object and "security" in value),
            deprecated=is_object and value.get("deprecated", False),
            faults=faults,
            response_faults=response_faults,
            security_faults=security_faults,
        )

    def _parameters(
        self, template: str, operation: LocatedValue, fields: PathItemFields
    ) -> tuple[ParameterDescription, ...]:
        value, location = operation
        listed = LocatedValue(value.get("parameters"), location.child("parameters"))
        # The operation's own parameters override those of the path item.
        merged = {
            parameter_key(parameter.value): parameter
            for holder in (fields.get("parameters"), listed)
            for parameter in listed_parameters(self._references, holder)
        }
        names = template_names(template)
        described = [
            self._once("parameter", parameter, self._parameter)
            for parameter in merged.values()
            if not self._is_ignored(parameter)
            and (parameter.value["in"] != "path" or parameter.value["name"] in names)
        ]
        declared = {one.name for one in described if one.place == "path"}
        described += [_any_segment(name, location) for name in names if name not in declared]
        return tuple(described)

    def _operation_body(self, operation: LocatedValue) -> BodyDescription | None:
        value, location = operation
        if "requestBody" not in value:
            return None
        body = LocatedValue(value["requestBody"], location.child("requestBody"))
        return self._follow_once("body", body, self._body)

    def _responses(self, operation: LocatedValue) -> dict[str, ResponseDescription]:
        value, location = operation
        return {
            status: self._follow_once(
                "response",
                LocatedValue(response, location.child("responses", status)),
                self._response,
            )
            for status, response in value.get("responses", {}).items()
            if not status.startswith("x-")
        }

    def _security(self, operation: LocatedValue) -> tuple[RequirementDescription, ...]:
        """Describe the alternatives; those of which something is wrong are left out."""
        value = operation.value.get("security", self._root.get("security", []))
        alternatives = value if isinstance(value, list) else []
        known = self.schemes().keys()
        return tuple(
            _requirement(one)
            for one in alternatives
            if isinstance(one, dict) and one.keys() <= known and all(map(_are_scopes, one.values()))
        )

    def _base_paths(self, operation: LocatedValue, fields: PathItemFields) -> tuple[str, ...]:
        value, location = operation
        if isinstance(value, dict) and "servers" in value:
            servers = LocatedValue(value["servers"], location.child("servers"))
        else:
            servers = fields.get("servers") or LocatedValue(
                self._root.get("servers"), DocumentLocation("", "/servers")
            )
        return self._once("servers", servers, self._paths_of_servers)

    def _paths_of_servers(self, servers: LocatedValue) -> tuple[str, ...]:
        """Return the base paths of the servers that are valid."""
        value, location = servers
        valid = [
            server
            for index, server in enumerate(value if isinstance(value, list) else ())
            if not self._problems.are_within(location.child(index))
        ]
        return base_paths(LocatedValue(valid, location), self._problems)

    def _follow_once(
        self, kind: str, part: LocatedValue, describe: Callable[[LocatedValue], T]
    ) -> T:
        return self._once(kind, self._references.follow(part), describe)

    def _once(self, kind: str, part: LocatedValue, describe: Callable[[LocatedValue], T]) -> T:
        key = (kind, part.location)
        if key not in self._described:
            self._described[key] = describe(part)
        made: T = self._described[key]
        return made

    def _is_ignored(self, parameter: LocatedValue) -> bool:
        value, location = parameter
        ignored = value["in"] == "header" and value["name"].lower() in _IGNORED_HEADERS
        if ignored:
            self._warnings.add(
                location, f"the header parameter {value['name']!r} is ignored (Parameter Object)"
            )
        return ignored

    def _parameter(self, parameter: LocatedValue) -> ParameterDescription:
        value, location = parameter
        place = value["in"]
        schema, content = self._content.schema_or_content(parameter)
        style = "" if content is not None else value.get("style", _DEFAULT_STYLES.get(place, ""))
        # The default for deepObject is false, which has no meaning (3.1.1, "Parameter Object").
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

    def _body(self, body: LocatedValue) -> BodyDescription:
        value, location = body
        return BodyDescription(
            pointer=str(location),
            required=value.get("required", False),
            content=self._content.media_types(body),
        )

    def _response(self, response: LocatedValue) -> ResponseDescription:
        return ResponseDescription(
            pointer=str(response.location),
            headers=self._content.headers(response),
            content=self._content.media_types(response),
        )


def _are_scopes(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(scope, str) for scope in value)


def _any_segment(name: str, operation: DocumentLocation) -> ParameterDescription:
    """Describe a parameter that is in the path template and not declared."""
    return ParameterDescription(
        name=name,
        place="path",
        pointer=str(operation),
        required=True,
        style="simple",
        explode=False,
        allow_reserved=False,
        allow_empty=False,
        deprecated=False,
        schema=None,
        content=None,
    )


def _requirement(requirement: Mapping[str, list[str]]) -> RequirementDescription:
    return tuple((name, tuple(scopes)) for name, scopes in requirement.items())


# -- content and headers --------------------------------------------------------------------------


class _ContentDescriber:
    """Describes the ``content`` and ``headers`` of any object."""

    def __init__(self, references: ReferenceResolver) -> None:
        self._references = references

    def media_types(self, holder: LocatedValue) -> tuple[MediaDescription, ...]:
        """Describe the media types in ``content``."""
        content = holder.value.get("content", {})
        location = holder.location.child("content")
        return tuple(
            self._media(name, LocatedValue(value, location.child(name)))
            for name, value in content.items()
        )

    def headers(self, holder: LocatedValue) -> tuple[HeaderDescription, ...]:
        """Describe the headers; ``Content-Type`` is ignored (OpenAPI, "Response Object")."""
        headers = holder.value.get("headers", {})
        location = holder.location.child("headers")
        return tuple(
            self._header(name, LocatedValue(value, location.child(name)))
            for name, value in headers.items()
            if name.lower() != "content-type"
        )

    def schema_or_content(
        self, holder: LocatedValue
    ) -> tuple[LocatedValue | None, MediaDescription | None]:
        """Return the schema of a parameter or header, and its media type if it has ``content``."""
        value, location = holder
        if "content" not in value:
            return _member(value, location, "schema"), None
        (media,) = self.media_types(holder)
        return media.schema, media

    def _media(self, name: str, media: LocatedValue) -> MediaDescription:
        value, location = self._references.follow(media)
        return MediaDescription(
            media=name,
            pointer=str(location),
            schema=_member(value, location, "schema"),
            item_schema=_member(value, location, "itemSchema"),
            encoding={
                of: self._encoding(LocatedValue(encoding, location.child("encoding", of)))
                for of, encoding in value.get("encoding", {}).items()
            },
        )

    def _encoding(self, encoding: LocatedValue) -> EncodingDescription:
        value, location = encoding
        has_style = value.keys() & {"style", "explode", "allowReserved"}
        style = value.get("style", "form") if has_style else None
        types = value.get("contentType", "")
        return EncodingDescription(
            pointer=str(location),
            content_types=tuple(filter(None, map(str.strip, types.split(",")))),
            style=style,
            explode=value.get("explode", style in {None, "form", "deepObject"}),
            allow_reserved=value.get("allowReserved", False),
        )

    def _header(self, name: str, header: LocatedValue) -> HeaderDescription:
        header = self._references.follow(header)
        value, location = header
        schema, content = self.schema_or_content(header)
        return HeaderDescription(
            name=name,
            pointer=str(location),
            required=value.get("required", False),
            explode=value.get("explode", False),
            schema=schema,
            content=None if content is None else content.media,
        )


def _member(value: dict[str, Any], location: DocumentLocation, name: str) -> LocatedValue | None:
    return LocatedValue(value[name], location.child(name)) if name in value else None
