"""Rules across the objects of a document: path templates, parameters, names and security."""

import re
from collections import Counter
from typing import Any, Final
from urllib.parse import parse_qsl

from mantlet.guard.openapi.diagnostics import DocumentLocation, LocatedValue, ProblemList
from mantlet.guard.openapi.faults import OperationPart, PartLocations
from mantlet.guard.openapi.references import ReferenceResolver
from mantlet.guard.openapi.validation.object_types import OBJECT_TYPES
from mantlet.guard.openapi.validation.path_items import (
    AmbiguousFieldError,
    PathItemFields,
    listed_parameters,
    operations_of,
    parameter_key,
    path_item_fields,
)
from mantlet.http.routing import foreign_parameter

__all__ = ["PathsValidator", "path_of", "template_names"]

#: The location of the security of all operations that have none of their own.
_SECURITY: Final = DocumentLocation("", "/security")
_EXPRESSION: Final = re.compile(r"\{([^{}]*)\}")
#: A template up to its query or fragment.
_PATH: Final = re.compile(r"(?:[^{}?#]|\{[^{}]*\}?|\})*+")


def template_names(template: str) -> list[str]:
    """Return the parameter names in a path template."""
    return _EXPRESSION.findall(path_of(template))


def path_of(template: str) -> str:
    """Return the path of a template: with a leading slash, without a query and a fragment.

    A fragment never reaches a server, and a query is not part of a path. A URL is returned as it
    is.
    """
    if "://" in template:
        return template
    match = _PATH.match(template)
    path = template if match is None else match[0]
    return f"/{path}" if path[:1] != "/" and template else path


class PathsValidator:
    """Validates path templates, parameters, operation ids and security.

    Args:
        references: the document and its files, whose single objects have been validated.
        version: the version of OpenAPI.
        problems: collects violations.

    Attributes:
        parts: where the parts of operations are declared.
        links: the locations of security schemes' names in requirements, each with the scheme's.
    """

    def __init__(
        self,
        references: ReferenceResolver,
        version: str,
        problems: ProblemList,
    ) -> None:
        self._references = references
        self._version = version
        self._problems = problems
        self.parts = PartLocations()
        root = self._root = references.documents[""]
        self.links: list[tuple[DocumentLocation, DocumentLocation]] = []
        components = root.get("components")
        schemes = components.get("securitySchemes") if isinstance(components, dict) else None
        self._schemes: dict[str, Any] = schemes if isinstance(schemes, dict) else {}
        #: Templates by the paths they match and the method.
        self._templates: dict[tuple[str, str], tuple[str, DocumentLocation]] = {}
        self._operation_ids: dict[str, LocatedValue] = {}

    def run(self) -> None:
        """Check all paths, and the security of the document."""
        self._check_security(self._root.get("security"), _SECURITY)
        location = DocumentLocation("", "/paths")
        for template, item in self._root.get("paths", {}).items():
            if not template.startswith("x-"):
                self._check_path(template, LocatedValue(item, location.child(template)))

    def _check_path(self, template: str, item: LocatedValue) -> None:
        location = item.location
        # Faults of the item count even if they hide its operations.
        part = OperationPart(str(location), "request")
        for at in (location, location.child("$ref")):
            self.parts.add_exact(at, part)
        self._check_template(template, location)
        try:
            fields = path_item_fields(self._references, item)
        except AmbiguousFieldError as error:
            self._problems.add(location.child("$ref"), str(error))
            return
        except ValueError:
            return  # broken references are reported already
        shared = self._parameters(fields.get("parameters"))
        for method, operation in operations_of(fields, self._version):
            self._add_parts(item, fields, operation)
            self._check_collision(template, method, operation.location)
            if isinstance(operation.value, dict):
                self._check_operation(template, operation, shared)

    def _parameters(self, holder: LocatedValue | None) -> list[LocatedValue] | None:
        """Return the parameters in a list without duplicates; None if a reference is broken."""
        try:
            found = listed_parameters(self._references, holder)
        except ValueError:
            return None  # it is reported already
        if holder is not None:
            self._check_duplicates(found, holder.location)
        return found

    def _add_parts(
        self, item: LocatedValue, fields: PathItemFields, operation: LocatedValue
    ) -> None:
        """Declare where the parts of an operation are."""
        value, location = operation
        request = OperationPart(str(location), "request")
        for at in (item.location, item.location.child("$ref"), location):
            self.parts.add_exact(at, request)
        root = LocatedValue(self._root, DocumentLocation())
        for type_name, holder in (("document", root), ("item", item), ("operation", operation)):
            # A misspelt field may be one that requests meet.
            for name in _unknown_fields(type_name, holder.value):
                self.parts.add_exact(holder.location.child(name), request)
        if "parameters" in fields:
            self.parts.add(fields["parameters"].location, request)
        for name in ("parameters", "requestBody"):
            self.parts.add(location.child(name), request)
        self.parts.add(location.child("responses"), OperationPart(str(location), "responses"))
        has_security = isinstance(value, dict) and "security" in value
        security = location.child("security") if has_security else _SECURITY
        self.parts.add(security, OperationPart(str(location), "security"))

    def _check_template(self, template: str, location: DocumentLocation) -> None:
        path = path_of(template)
        if not path.startswith("/"):
            self._problems.add(location, "must begin with a slash")
        elif path != template:
            rule = "begin with a slash" if path.endswith(template) else "have no query or fragment"
            self._problems.note(location, f"must {rule}, and is read as {path!r}")
        if re.search(r"[{}]", _EXPRESSION.sub("", path)):
            self._problems.add(location, "must not have an unmatched brace in its template")
        foreign = foreign_parameter(path)
        if foreign is not None:
            fault, meant = foreign
            self._problems.add(location, f"{fault}: write {meant!r}")
        for name, count in Counter(template_names(template)).items():
            if not name:
                self._problems.add(location, "must not have an empty parameter name")
            elif count > 1:
                self._problems.add(location, f"must not have the parameter {name!r} twice")
        if "}{" in template:
            self._problems.add(location, "must have a separator between parameters")

    def _check_collision(self, template: str, method: str, location: DocumentLocation) -> None:
        # Strictly, no two templates may match the same paths (OpenAPI, "Paths Object"), but real
        # documents have such templates and distinguish them by the method.
        key = (_EXPRESSION.sub("{}", path_of(template)), method)
        other, place = self._templates.setdefault(key, (template, location))
        if other == template:
            return
        self._problems.add(location, f"{method} {template!r} matches the same paths as {other!r}")
        if path_of(other) == path_of(template):
            # Whichever of them is meant, the path does not tell.
            self._problems.add(place, f"{method} {other!r} matches the same paths as {template!r}")

    def _check_constants(
        self, template: str, location: DocumentLocation, keys: set[tuple[str, str]]
    ) -> None:
        """Check that the names in a template's query are parameters."""
        match = _PATH.match(template)
        rest = "" if match is None else template[match.end() :]
        query = rest[1:].partition("#")[0] if rest.startswith("?") else ""
        for name, _ in parse_qsl(query, keep_blank_values=True):
            if ("query", name) not in keys:
                self._problems.add(
                    location, f"must declare the query parameter {name!r} of {template!r}"
                )

    def _check_operation(
        self, template: str, operation: LocatedValue, shared: list[LocatedValue] | None
    ) -> None:
        value, location = operation
        own = self._parameters(LocatedValue(value.get("parameters"), location.child("parameters")))
        if shared is not None and own is not None:
            self._check_parameters(template, location, [*shared, *own])
        self._check_security(value.get("security"), location.child("security"))
        operation_id = value.get("operationId")
        if isinstance(operation_id, str):
            other = self._operation_ids.setdefault(operation_id, operation)
            if other.location != location:
                self._problems.note(
                    location.child("operationId"), f"must be unique, but {other.location} uses it"
                )

    def _check_parameters(
        self, template: str, location: DocumentLocation, merged: list[LocatedValue]
    ) -> None:
        keys = {key for one in merged if (key := parameter_key(one.value)) is not None}
        self._check_constants(template, location, keys)
        named = set(template_names(template))
        declared = {name for place, name in keys if place == "path"}
        for name in sorted(named - declared):
            self._problems.note(
                location, f"must declare the path parameter {name!r}: any segment is accepted"
            )
        for name in sorted(declared - named):
            self._problems.note(
                location, f"declares the path parameter {name!r}, which is not in {template!r}"
            )
        places = Counter(place for place, _ in keys)
        if places["querystring"] and (places["query"] or places["querystring"] > 1):
            self._problems.add(
                location, "must have no other query parameters beside a querystring parameter"
            )

    def _check_duplicates(self, parameters: list[LocatedValue], holder: DocumentLocation) -> None:
        known: dict[tuple[str, str], int] = {}
        for index, parameter in enumerate(parameters):
            key = parameter_key(parameter.value)
            if key is None or known.setdefault(key, index) == index:
                continue
            is_same = parameters[known[key]].value == parameter.value
            add = self._problems.note if is_same else self._problems.add
            place, name = key
            add(holder.child(index), f"duplicates the {place} parameter {name!r}")

    def _check_security(self, requirements: Any, location: DocumentLocation) -> None:
        if not isinstance(requirements, list):
            return
        schemes = DocumentLocation("", "/components/securitySchemes")
        for index, requirement in enumerate(requirements):
            for name in requirement if isinstance(requirement, dict) else ():
                if name in self._schemes:
                    self.links.append((location.child(index, name), schemes.child(name)))
                else:
                    self._problems.add(
                        location.child(index, name),
                        f"the security scheme {name!r} is not in components.securitySchemes",
                    )


def _unknown_fields(type_name: str, value: Any) -> list[str]:
    if not isinstance(value, dict):
        return []
    return sorted(value.keys() - OBJECT_TYPES[type_name].fields.keys())
