"""Validate an OpenAPI document against the specification.

The targets of references are validated as the type of object that the reference requires, so files
may hold bare schemas or parameters. Examples are not validated: they affect no request.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from mantlet.guard.openapi.diagnostics import (
    DocumentLocation,
    LocatedValue,
    ProblemList,
    WarningList,
)
from mantlet.guard.openapi.object_rules import OBJECT_RULES, SpecObject, Violations
from mantlet.guard.openapi.object_types import OBJECT_TYPES, SCALAR_TYPES, FieldSpec, ObjectType
from mantlet.guard.openapi.path_items import (
    AmbiguousFieldError,
    listed_parameters,
    operations_of,
    parameter_key,
    path_item_fields,
)
from mantlet.guard.openapi.references import ReferenceResolver
from mantlet.guard.openapi.schema_objects import SchemaObjectChecker

__all__ = ["template_names", "validate_document"]

_TYPE_NAMES: Final[Mapping[str, str]] = {"text": "a string", "flag": "true or false"}
#: Warnings about fields that do not affect requests, by name, or by object type and name.
_FIELD_WARNINGS: Final[Mapping[str, str]] = {
    "webhooks": "webhooks are ignored: they are requests that the app sends",
    "callbacks": "callbacks are ignored: they are requests that the app sends",
    "links": "links are ignored",
    "example": "examples are not validated against their schemas",
    "examples": "examples are not validated against their schemas",
    "encoding headers": "headers of multipart parts are not checked",
    "encoding encoding": "nested encodings are not supported",
    "prefixEncoding": "positional encodings are not supported",
    "itemEncoding": "positional encodings are not supported",
}
_NOT_VALIDATED: Final = frozenset({"any", "example"})


def validate_document(
    references: ReferenceResolver, version: str, problems: ProblemList, warnings: WarningList
) -> Mapping[str, DocumentLocation]:
    """Find all problems in a document and in everything it refers to.

    Args:
        references: the document and its files.
        version: ``"3.0"``, ``"3.1"`` or ``"3.2"``.
        problems: collects problems.
        warnings: collects warnings.

    Returns:
        The keywords of its schemas, and the first location of each.
    """
    keywords = _ObjectValidator(references, version, problems, warnings).run()
    root: dict[str, Any] = references.documents[""]
    paths_validator = _PathsValidator(references, version, problems, root)
    paths_validator.check_security(root.get("security"), DocumentLocation("", "/security"))
    paths = root.get("paths")
    if isinstance(paths, dict):
        location = DocumentLocation("", "/paths")
        for template, item in paths.items():
            if not template.startswith("x-"):
                paths_validator.check_path(template, LocatedValue(item, location.child(template)))
    return keywords


# -- single objects -------------------------------------------------------------------------------


class _ObjectValidator:
    """Validates each object by its type: its fields, and the rules for single objects."""

    def __init__(
        self,
        references: ReferenceResolver,
        version: str,
        problems: ProblemList,
        warnings: WarningList,
    ) -> None:
        self._references = references
        self._version = version
        self._problems = problems
        self._warnings = warnings
        #: Validated objects, by identity and type.
        self._seen: set[tuple[int, str]] = set()
        #: References to follow: the type of the target, the text and the location.
        self._pending: list[tuple[str, str, DocumentLocation]] = []
        self._schemas = SchemaObjectChecker(references, version, problems, warnings)

    def run(self) -> Mapping[str, DocumentLocation]:
        self._visit_object("document", self._references.documents[""], DocumentLocation())
        while self._pending:
            self._follow(*self._pending.pop())
        # Schemas come last: by then all names that their references may use are registered.
        self._schemas.follow_references()
        return self._schemas.keywords

    def _follow(self, type_name: str, reference: str, location: DocumentLocation) -> None:
        try:
            target = self._references.resolve(reference, location.document)
            self._references.follow(target)
        except ValueError as error:
            self._problems.add(location, f"the reference {reference!r} {error}")
            return
        self._visit(type_name, target.value, target.location)

    def _visit(self, type_name: str, value: Any, location: DocumentLocation) -> None:
        if type_name == "schema":
            self._schemas.visit(value, location)
        elif type_name in OBJECT_TYPES:
            self._visit_object(type_name, value, location)
        elif type_name in SCALAR_TYPES:
            if not isinstance(value, SCALAR_TYPES[type_name]):
                self._problems.add(location, f"must be {_TYPE_NAMES[type_name]}")
        elif type_name == "scopes" and not _is_string_array(value):
            self._problems.add(location, "must be an array of strings (scopes)")

    def _visit_object(self, type_name: str, value: Any, location: DocumentLocation) -> None:
        known = OBJECT_TYPES[type_name]
        if not isinstance(value, dict):
            self._problems.add(location, f"must be an object ({known.name})")
            return
        key = (id(value), type_name)
        if key in self._seen:
            return
        self._seen.add(key)
        if "$ref" in value and (known.referable or type_name == "item"):
            self._add_reference(type_name, value, location)
            if known.referable:
                return
        self._visit_fields(type_name, value, location)
        for name in known.required:
            if name not in value:
                self._problems.add(location, f"must have {name!r} ({known.name})")
        check = OBJECT_RULES.get(type_name, _no_rules)
        for path, message in check(SpecObject(value, self._version)):
            self._problems.add(location.child(*path), message)

    def _visit_fields(
        self, type_name: str, value: dict[str, Any], location: DocumentLocation
    ) -> None:
        known = OBJECT_TYPES[type_name]
        for name, member in value.items():
            field = known.fields.get(name)
            if field is None:
                self._visit_other_field(known, name, member, location)
            elif not (isinstance(member, field.scalars) and self._is_available(field)):
                # Most fields are scalars, which are done without building a location.
                self._visit_fixed_field(type_name, name, field, member, location.child(name))

    def _is_available(self, field: FieldSpec) -> bool:
        return field.since <= self._version < field.until

    def _visit_fixed_field(
        self, type_name: str, name: str, field: FieldSpec, value: Any, location: DocumentLocation
    ) -> None:
        if not self._is_available(field):
            is_new = field.since > self._version
            when = f"requires {field.since}" if is_new else f"was removed in {field.until}"
            self._problems.add(location, f"{when}, but the document uses OpenAPI {self._version}")
            return
        warning = _FIELD_WARNINGS.get(f"{type_name} {name}") or _FIELD_WARNINGS.get(name)
        if warning is not None:
            self._warnings.add(location, warning)
        if field.type_name not in _NOT_VALIDATED:
            self._visit_field_value(field, value, location)

    def _visit_field_value(self, field: FieldSpec, value: Any, location: DocumentLocation) -> None:
        if field.container == "one":
            self._visit(field.type_name, value, location)
        elif field.container == "list":
            if not isinstance(value, list):
                self._problems.add(location, "must be an array")
                return
            for index, item in enumerate(value):
                self._visit(field.type_name, item, location.child(index))
        elif not isinstance(value, dict):
            self._problems.add(location, "must be an object")
        else:
            for key, member in value.items():
                self._visit(field.type_name, member, location.child(key))

    def _visit_other_field(
        self, known: ObjectType, name: str, value: Any, location: DocumentLocation
    ) -> None:
        """Validate a patterned field or an extension."""
        if known.extensible and name.startswith("x-"):
            self._warnings.add(location.child(name), f"the extension {name!r} is ignored")
        elif known.patterned is not None:
            self._visit(known.patterned, value, location.child(name))
        else:
            self._problems.add(location.child(name), f"is not a field of the {known.name}")

    def _add_reference(
        self, type_name: str, value: dict[str, Any], location: DocumentLocation
    ) -> None:
        reference = value["$ref"]
        if not isinstance(reference, str):
            self._problems.add(location.child("$ref"), "must be a string (a URI reference)")
            return
        self._pending.append((type_name, reference, location.child("$ref")))
        if type_name != "item":
            for name in value:
                if name not in {"$ref", "summary", "description"} and not name.startswith("x-"):
                    self._warnings.add(
                        location.child(name), f"{name!r} beside $ref is ignored (Reference Object)"
                    )


def _no_rules(_: SpecObject) -> Violations:
    return iter(())


def _is_string_array(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


# -- paths ----------------------------------------------------------------------------------------

_EXPRESSION: Final = re.compile(r"\{([^{}]*)\}")


def template_names(template: str) -> list[str]:
    """Return the parameter names in a path template."""
    return _EXPRESSION.findall(template)


class _PathsValidator:
    """Validates rules across objects: path templates, parameters, operation ids and security."""

    def __init__(
        self,
        references: ReferenceResolver,
        version: str,
        problems: ProblemList,
        root: dict[str, Any],
    ) -> None:
        self._references = references
        self._version = version
        self._problems = problems
        components = root.get("components")
        schemes = components.get("securitySchemes") if isinstance(components, dict) else None
        self._schemes: dict[str, Any] = schemes if isinstance(schemes, dict) else {}
        #: Templates by the paths they match and the method.
        self._templates: dict[tuple[str, str], str] = {}
        self._operation_ids: dict[str, LocatedValue] = {}

    def check_path(self, template: str, item: LocatedValue) -> None:
        location = item.location
        self._check_template(template, location)
        try:
            fields = path_item_fields(self._references, item)
            shared = listed_parameters(self._references, fields.get("parameters"))
        except AmbiguousFieldError as error:
            self._problems.add(location.child("$ref"), str(error))
            return
        except ValueError:
            return  # broken references are reported already
        self._check_duplicates(shared, fields["parameters"].location if shared else location)
        for method, operation in operations_of(fields, self._version):
            self._check_collision(template, method, operation.location)
            if isinstance(operation.value, dict):
                self._check_operation(template, operation, shared)

    def _check_template(self, template: str, location: DocumentLocation) -> None:
        if not template.startswith("/"):
            self._problems.add(location, "must begin with a slash")
        if re.search(r"[{}?#]", _EXPRESSION.sub("", template)):
            self._problems.add(
                location, "must not have an unmatched brace, a query or a fragment in its template"
            )
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
        key = (_EXPRESSION.sub("{}", template), method)
        other = self._templates.setdefault(key, template)
        if other != template:
            self._problems.add(
                location, f"{method} {template!r} matches the same paths as {other!r}"
            )

    def _check_operation(
        self, template: str, operation: LocatedValue, shared: list[LocatedValue]
    ) -> None:
        value, location = operation
        listed = LocatedValue(value.get("parameters"), location.child("parameters"))
        try:
            own = listed_parameters(self._references, listed)
        except ValueError:
            own = None
        if own is not None:
            self._check_duplicates(own, listed.location)
            self._check_parameters(template, location, [*shared, *own])
        self.check_security(value.get("security"), location.child("security"))
        operation_id = value.get("operationId")
        if isinstance(operation_id, str):
            other = self._operation_ids.setdefault(operation_id, operation)
            if other.location != location:
                self._problems.add(
                    location.child("operationId"), f"must be unique, but {other.location} uses it"
                )

    def _check_parameters(
        self, template: str, location: DocumentLocation, merged: list[LocatedValue]
    ) -> None:
        keys = {key for one in merged if (key := parameter_key(one.value)) is not None}
        named = set(template_names(template))
        declared = {name for place, name in keys if place == "path"}
        for name in sorted(named - declared):
            self._problems.add(location, f"must declare the path parameter {name!r}")
        for name in sorted(declared - named):
            self._problems.add(
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
            if key is not None and known.setdefault(key, index) != index:
                place, name = key
                self._problems.add(
                    holder.child(index), f"duplicates the {place} parameter {name!r}"
                )

    def check_security(self, requirements: Any, location: DocumentLocation) -> None:
        if not isinstance(requirements, list):
            return
        for index, requirement in enumerate(requirements):
            for name in requirement if isinstance(requirement, dict) else ():
                if name not in self._schemes:
                    self._problems.add(
                        location.child(index, name),
                        f"the security scheme {name!r} is not in components.securitySchemes",
                    )
