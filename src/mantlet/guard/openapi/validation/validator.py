"""Validate an OpenAPI document against the specification.

The targets of references are validated as the type of object that the reference requires, so files
may hold bare schemas or parameters. Examples are not validated: they affect no request.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from mantlet.guard.openapi.diagnostics import (
    DocumentLocation,
    ProblemList,
    WarningList,
)
from mantlet.guard.openapi.faults import FaultGraph
from mantlet.guard.openapi.references import ReferenceResolver
from mantlet.guard.openapi.validation.object_rules import OBJECT_RULES, Note, SpecObject, Violations
from mantlet.guard.openapi.validation.object_types import (
    OBJECT_TYPES,
    SCALAR_TYPES,
    FieldSpec,
    ObjectType,
)
from mantlet.guard.openapi.validation.path_rules import PathsValidator
from mantlet.guard.openapi.validation.schema_objects import SchemaObjectChecker

__all__ = ["ValidatedDocument", "validate_document"]

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


#: Fields that no request meets: violations in them are notes. By name, or by object type and name.
_INERT: Final = frozenset({
    "bearerFormat",
    "deprecated",
    "description",
    "encoding headers",
    "example",
    "examples",
    "externalDocs",
    "flows",
    "info",
    "oauth2MetadataUrl",
    "openIdConnectUrl",
    "operationId",
    "summary",
    "tags",
})  # fmt: skip
#: Where faults concern the whole document: there is nothing that could be left out.
_WHOLE: Final = frozenset({"", "/paths", "/jsonSchemaDialect"})
#: How alike a misspelt name is: "securty" is, and neither "produces" nor "host".
_MISSPELT: Final = 0.8
#: Texts that YAML and JSON writers use for booleans.
_FLAGS: Final[Mapping[str, bool]] = {"true": True, "false": False}


class ValidatedDocument(NamedTuple):
    """The findings of a validation.

    Attributes:
        problems: all violations.
        faults: the operations that the faults among them concern.
        warnings: warnings about content that is ignored.
        keywords: the keywords of all schemas, and the first location of each.
    """

    problems: ProblemList
    faults: FaultGraph
    warnings: WarningList
    keywords: Mapping[str, DocumentLocation]


def validate_document(
    references: ReferenceResolver, version: str, faults: Iterable[tuple[str, str]] = ()
) -> ValidatedDocument:
    """Find all violations in a document and in everything it refers to.

    The document is repaired where its meaning is plain.

    Args:
        references: the document and its files.
        version: ``"3.0"``, ``"3.1"`` or ``"3.2"``.
        faults: faults that are known already: JSON Pointers into the document, and messages.

    Raises:
        DocumentError: a fault concerns the whole document.
    """
    problems, warnings = ProblemList(), WarningList()
    for pointer, message in faults:
        problems.add(DocumentLocation("", pointer), message)
    objects = _ObjectValidator(references, version, problems, warnings)
    keywords = objects.run()
    problems.raise_if_whole(_WHOLE)
    paths = PathsValidator(references, version, problems)
    paths.run()
    graph = FaultGraph(problems.faults, [*objects.links, *paths.links], paths.parts)
    return ValidatedDocument(problems, graph, warnings, keywords)


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
        #: Validated objects, by identity and type, and whether they were inert.
        self._seen: set[tuple[int, str, bool]] = set()
        #: References to follow: the type of the target, the text, the location, and inertness.
        self._pending: list[tuple[str, str, DocumentLocation, bool]] = []
        self._links: list[tuple[DocumentLocation, DocumentLocation]] = []
        self._schemas = SchemaObjectChecker(references, version, problems, warnings)

    @property
    def links(self) -> list[tuple[DocumentLocation, DocumentLocation]]:
        """The locations of all references, each with that of its target."""
        return [*self._links, *self._schemas.links]

    def run(self) -> Mapping[str, DocumentLocation]:
        self._visit_object("document", self._references.documents[""], DocumentLocation())
        while self._pending:
            type_name, reference, location, inert = self._pending.pop()
            with self._problems.inert(inert):
                self._follow(type_name, reference, location)
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
        if not self._problems.is_inert:
            self._links.append((location, target.location))
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
        key = (id(value), type_name, self._problems.is_inert)
        if key in self._seen:
            return
        self._seen.add(key)
        if "$ref" in value and (known.referable or type_name == "item"):
            self._add_reference(type_name, value, location)
            if known.referable:
                return
        if None in value.values():
            self._drop_nulls(known, value, location)
        # Rules come first, since they may repair fields.
        check = OBJECT_RULES.get(type_name, _no_rules)
        for violation in check(SpecObject(value, self._version)):
            path, message = violation
            add = self._problems.note if isinstance(violation, Note) else self._problems.add
            add(location.child(*path), message)
        for name in known.required:
            if name not in value:
                add = self._problems.note if name in _INERT else self._problems.add
                add(location, f"must have {name!r} ({known.name})")
        self._visit_fields(type_name, value, location)

    def _drop_nulls(
        self, known: ObjectType, value: dict[str, Any], location: DocumentLocation
    ) -> None:
        """Remove fields that are null, as YAML without a value is, since these are absent."""
        for name in [name for name, member in value.items() if member is None]:
            field = known.fields.get(name)
            type_name = known.patterned if field is None else field.type_name
            if type_name in _NOT_VALIDATED or (field is None and name.startswith("x-")):
                continue
            self._problems.note(location.child(name), "is null, so it is ignored")
            del value[name]

    def _visit_fields(
        self, type_name: str, value: dict[str, Any], location: DocumentLocation
    ) -> None:
        known = OBJECT_TYPES[type_name]
        for name, member in list(value.items()):
            field = known.fields.get(name)
            if field is None:
                self._visit_other_field(known, name, value, location)
            elif not (isinstance(member, field.scalars) and self._is_available(field)):
                # Most fields are scalars, which are done without building a location.
                self._visit_fixed_field(type_name, name, field, value, location.child(name))

    def _is_available(self, field: FieldSpec) -> bool:
        return field.since <= self._version < field.until

    def _visit_fixed_field(
        self,
        type_name: str,
        name: str,
        field: FieldSpec,
        holder: dict[str, Any],
        location: DocumentLocation,
    ) -> None:
        if not self._is_available(field):
            is_new = field.since > self._version
            when = f"requires {field.since}" if is_new else f"was removed in {field.until}"
            self._problems.note(
                location, f"{when}, but the document uses OpenAPI {self._version}: it is ignored"
            )
            del holder[name]
            return
        self._repair(name, field, holder, location)
        warning = _FIELD_WARNINGS.get(f"{type_name} {name}") or _FIELD_WARNINGS.get(name)
        if warning is not None:
            self._warnings.add(location, warning)
        if field.type_name in _NOT_VALIDATED:
            return
        if _INERT.isdisjoint((name, f"{type_name} {name}")):
            self._visit_field_value(field, holder[name], location)
            return
        with self._problems.inert():
            self._visit_field_value(field, holder[name], location)
        if field.scalars and not isinstance(holder[name], field.scalars):
            del holder[name]

    def _repair(
        self, name: str, field: FieldSpec, holder: dict[str, Any], location: DocumentLocation
    ) -> None:
        """Repair a boolean that is a string, a string that is a number, and ``[]`` for ``{}``."""
        value = holder[name]
        if field.scalars == (bool,) and isinstance(value, str) and value.lower() in _FLAGS:
            self._problems.note(location, f"must be a boolean, and is read as {value.lower()}")
            holder[name] = _FLAGS[value.lower()]
        elif field.scalars == (str,) and type(value) in (int, float):
            self._problems.note(location, f"must be a string: write {str(value)!r}")
            holder[name] = str(value)
        elif field.container == "list" and value == {} and name != "security":
            # No requirements would open an operation, which may be meant otherwise.
            self._problems.note(location, "must be an array, and is read as an empty one")
            holder[name] = []
        elif field.container == "map" and value == []:
            self._problems.note(location, "must be an object, and is read as an empty one")
            holder[name] = {}

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
        self, known: ObjectType, name: str, holder: dict[str, Any], location: DocumentLocation
    ) -> None:
        """Validate a patterned field or an extension."""
        if known.extensible and name.startswith("x-"):
            self._warnings.add(location.child(name), f"the extension {name!r} is ignored")
        elif known.patterned is not None:
            self._visit(known.patterned, holder[name], location.child(name))
        else:
            self._report_unknown_field(known, name, location.child(name))

    def _report_unknown_field(
        self, known: ObjectType, name: str, location: DocumentLocation
    ) -> None:
        """Report a field that the object does not have: a fault if it may be a misspelt one."""
        message = f"{name!r} is not a field of the {known.name}"
        meant = _closest_field(known, name)
        if meant is None:
            self._problems.note(location, f"{message}, so it is ignored")
        else:
            add = self._problems.note if meant in _INERT else self._problems.add
            add(location, f"{message}: write {meant!r} if that is meant")

    def _add_reference(
        self, type_name: str, value: dict[str, Any], location: DocumentLocation
    ) -> None:
        reference = value["$ref"]
        if not isinstance(reference, str):
            self._problems.add(location.child("$ref"), "must be a string (a URI reference)")
            return
        self._pending.append(
            (type_name, reference, location.child("$ref"), self._problems.is_inert)
        )
        if type_name != "item":
            for name in value:
                if name not in {"$ref", "summary", "description"} and not name.startswith("x-"):
                    self._warnings.add(
                        location.child(name), f"{name!r} beside $ref is ignored (Reference Object)"
                    )


def _closest_field(known: ObjectType, name: str) -> str | None:
    """Return the field that a name may be a misspelling of."""
    fields = {field.lower(): field for field in known.fields}
    found = get_close_matches(name.lower(), fields, 1, _MISSPELT)
    return fields[found[0]] if found else None


def _no_rules(_: SpecObject) -> Violations:
    return iter(())


def _is_string_array(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
