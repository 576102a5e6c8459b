"""Check the Schema Objects of a document, and rewrite their references for the compiler.

Only the structure and the references are checked here; the compiler interprets the keywords.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from mantlet.guard.openapi.diagnostics import (
    DocumentLocation,
    LocatedValue,
    ProblemList,
    WarningList,
)
from mantlet.guard.openapi.references import ReferenceResolver
from mantlet.guard.openapi.validation.schema_repairs import repair_schema

__all__ = ["SchemaObjectChecker"]


class _PendingReference(NamedTuple):
    """A reference to a schema: the member of an object that holds it, and its location.

    Attributes:
        discriminated: the schema whose discriminator maps a value to it, or None.
    """

    holder: dict[str, Any]
    name: str
    location: DocumentLocation
    base: str
    discriminated: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        text: str = self.holder[self.name]
        return text

    @property
    def is_local_pointer(self) -> bool:
        """Whether it is a JSON Pointer into its own document."""
        return not self.base and self.text.startswith("#/")


class SchemaObjectChecker:
    """Checks schemas, each once.

    Args:
        references: resolves references, and registers the names that schemas declare.
        version: the version of OpenAPI.
        problems: collects problems.
        warnings: collects warnings.

    Attributes:
        keywords: the keywords in use, and the first location of each.
    """

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
        self._seen: set[int] = set()
        self.keywords: dict[str, DocumentLocation] = {}
        #: Schemas with an ``$id``.
        self._with_id: list[dict[str, Any]] = []
        self._pending: list[_PendingReference] = []
        self._resolved: list[tuple[_PendingReference, LocatedValue]] = []
        #: The locations of references, each with that of its target.
        self.links: list[tuple[DocumentLocation, DocumentLocation]] = []

    def visit(self, schema: Any, location: DocumentLocation, base: str = "") -> None:
        """Check a schema and its subschemas; references wait for `follow_references()`."""
        if not isinstance(schema, dict):
            self._visit_boolean(schema, location)
            return
        if id(schema) in self._seen:
            return
        self._seen.add(id(schema))
        for keyword, message in repair_schema(schema, self._version):
            self._problems.note(location.child(keyword), message)
        for keyword in schema.keys() - self.keywords.keys():
            self.keywords[keyword] = location.child(keyword)
        if self._version != "3.0":
            base = self._declare_names(schema, location, base)
        if "$ref" in schema:
            self._add_reference(schema, location, base)
            if self._version == "3.0":
                return
        if "discriminator" in schema:
            self._check_discriminator(schema, location.child("discriminator"), base)
        self._visit_subschemas(schema, location, base)

    def _visit_boolean(self, schema: Any, location: DocumentLocation) -> None:
        if not isinstance(schema, bool):
            self._problems.add(location, "must be an object (Schema Object)")
        elif self._version == "3.0":
            self._problems.note(location, "must be an object (Schema Object): read as in 3.1")

    def _visit_subschemas(
        self, schema: dict[str, Any], location: DocumentLocation, base: str
    ) -> None:
        for path, subschema in _subschemas(schema, self._version):
            # Both 3.0 and 3.1 allow a boolean for additionalProperties.
            if not (isinstance(subschema, bool) and path[0] == "additionalProperties"):
                self.visit(subschema, location.child(*path), base)

    def follow_references(self) -> None:
        """Follow all references, and check their targets.

        References other than JSON Pointers into their own document are rewritten as pointers into
        the document of their target, so that the compiler need not know ``$id``, anchors and paths.
        """
        while self._pending:
            reference = self._pending.pop()
            try:
                found = self._references.resolve(
                    reference.text, reference.location.document, reference.base
                )
            except ValueError as error:
                self._add_broken(reference, error)
            else:
                self._resolved.append((reference, found))
                self.links.append((reference.location, found.location))
                self.visit(found.value, found.location)
        for reference, found in self._resolved:
            if not reference.is_local_pointer:
                reference.holder[reference.name] = self._references.reference_to(
                    found.location, reference.location.document
                )
        for holder in self._with_id:
            del holder["$id"]
        for reference, found in self._resolved:
            self._check_cycle(reference, found)

    def _check_cycle(self, reference: _PendingReference, found: LocatedValue) -> None:
        value = found.value
        # The compiler detects cycles of schemas that have other keywords beside $ref.
        if isinstance(value, dict) and (len(value) == 1 or self._version == "3.0"):
            try:
                self._references.follow(found)
            except ValueError as error:
                self._add_broken(reference, error)

    def _add_broken(self, reference: _PendingReference, error: ValueError) -> None:
        message = f"the reference {reference.text!r} {error}"
        if reference.discriminated is None:
            self._problems.add(reference.location, message)
        else:
            # It only says which of the schemas under oneOf or anyOf to try, and these remain.
            self._problems.note(reference.location, f"{message}, so the discriminator is ignored")
            reference.discriminated.pop("discriminator", None)

    def _add_reference(self, schema: dict[str, Any], location: DocumentLocation, base: str) -> None:
        if isinstance(schema["$ref"], str):
            self._pending.append(_PendingReference(schema, "$ref", location.child("$ref"), base))
        else:
            self._problems.add(location.child("$ref"), "must be a string (a URI reference)")
        for name in schema if self._version == "3.0" else ():
            if name not in {"$ref", "summary", "description"} and not name.startswith("x-"):
                self._warnings.add(
                    location.child(name), f"{name!r} beside $ref is ignored (OpenAPI 3.0)"
                )

    def _declare_names(self, schema: dict[str, Any], location: DocumentLocation, base: str) -> str:
        located = LocatedValue(schema, location)
        try:
            if isinstance(schema.get("$id"), str):
                base = self._references.declare_id(schema["$id"], base, located)
                self._with_id.append(schema)
        except ValueError as error:
            self._problems.add(location.child("$id"), f"the $id {schema['$id']!r} {error}")
        for keyword in ("$anchor", "$dynamicAnchor"):
            try:
                if isinstance(schema.get(keyword), str):
                    self._references.declare_anchor(schema[keyword], base, located)
            except ValueError as error:
                self._problems.add(
                    location.child(keyword), f"the anchor {schema[keyword]!r} {error}"
                )
        return base

    def _check_discriminator(
        self, schema: dict[str, Any], location: DocumentLocation, base: str
    ) -> None:
        value = schema["discriminator"]
        if not isinstance(value, dict):
            self._problems.add(location, "must be an object (Discriminator Object)")
            return
        if not isinstance(value.get("propertyName"), str):
            self._problems.add(location, "must have 'propertyName', a string")
        mapping = value.get("mapping", {})
        is_valid = isinstance(mapping, dict) and all(
            isinstance(target, str) for target in mapping.values()
        )
        if not is_valid:
            self._problems.add(location.child("mapping"), "must be an object of strings")
            return
        targets = [(mapping, name, location.child("mapping", name)) for name in mapping]
        if self._version >= "3.2" and isinstance(value.get("defaultMapping"), str):
            targets.append((value, "defaultMapping", location.child("defaultMapping")))
        components = self._component_schemas()
        for holder, name, where in targets:
            if holder[name] not in components:
                self._pending.append(_PendingReference(holder, name, where, base, schema))

    def _component_schemas(self) -> Mapping[str, Any]:
        components = self._references.documents[""].get("components")
        schemas = components.get("schemas") if isinstance(components, dict) else None
        return schemas if isinstance(schemas, dict) else {}


# -- subschemas -----------------------------------------------------------------------------------

# OpenAPI 3.0.4, "Schema Object", has a selection of keywords.
_SINGLES_3_0: Final = ("items", "additionalProperties", "not")
_LISTS_3_0: Final = ("allOf", "anyOf", "oneOf")
_MAPS_3_0: Final = ("properties",)
# JSON Schema 2020-12 Core, 10 and 11, and Validation, 8; definitions of earlier drafts.
_SINGLES: Final = (
    *_SINGLES_3_0,
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
)
_LISTS: Final = (*_LISTS_3_0, "prefixItems")
_MAPS: Final = (
    *_MAPS_3_0,
    "patternProperties",
    "$defs",
    "definitions",
    "dependentSchemas",
)


# Any: schemas are plain JSON, and may be wrong.
def _subschemas(
    schema: dict[str, Any], version: str
) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Iterate over the direct subschemas of a schema, valid or not, each with its path."""
    singles, lists, maps = (
        (_SINGLES_3_0, _LISTS_3_0, _MAPS_3_0) if version == "3.0" else (_SINGLES, _LISTS, _MAPS)
    )
    for keyword, value in schema.items():
        if keyword in singles:
            yield (keyword,), value
        elif keyword in lists:
            if isinstance(value, list):
                for index, item in enumerate(value):
                    yield (keyword, index), item
        elif keyword in maps and isinstance(value, dict):
            for name, item in value.items():
                yield (keyword, name), item
