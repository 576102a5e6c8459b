"""The Schema Objects of a document: that they are some, and that what they refer to is there.

What their keywords mean is for the compiler.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mantlet.guard.openapi.diagnostics import Problems
from mantlet.guard.openapi.locations import Located, Location
from mantlet.guard.openapi.notes import Notes
from mantlet.guard.openapi.references import References
from mantlet.guard.openapi.subschemas import subschemas

__all__ = ["SchemaWalk"]


class _Reference(NamedTuple):
    """A reference to a schema: the object and the member that it is, and where it stands."""

    holder: dict[str, Any]
    name: str
    location: Location
    base: str

    @property
    def text(self) -> str:
        text: str = self.holder[self.name]
        return text

    @property
    def is_plain(self) -> bool:
        """Whether it leads into its own document by a pointer."""
        return not self.base and self.text.startswith("#/")


class SchemaWalk:
    """Goes through schemas, each once.

    Args:
        references: finds what they refer to, and is told of their names.
        version: of OpenAPI.
        problems: takes what is wrong.
        notes: takes what is of no consequence.

    Attributes:
        keywords: those that are there, and where each is first.
    """

    def __init__(
        self, references: References, version: str, problems: Problems, notes: Notes
    ) -> None:
        self._references = references
        self._version = version
        self._problems = problems
        self._notes = notes
        self._seen: set[int] = set()
        self.keywords: dict[str, Location] = {}
        #: Schemas with an ``$id``.
        self._named: list[dict[str, Any]] = []
        self._pending: list[_Reference] = []
        self._followed: list[tuple[_Reference, Located]] = []

    def visit(self, schema: Any, location: Location, base: str = "") -> None:
        """Check a schema and those in it; references wait until `follow_all()`."""
        if not isinstance(schema, dict):
            if not (isinstance(schema, bool) and self._version != "3.0"):
                self._problems.add(location, "must be an object, the Schema Object")
            return
        if id(schema) in self._seen:
            return
        self._seen.add(id(schema))
        for keyword in schema.keys() - self.keywords.keys():
            self.keywords[keyword] = location.child(keyword)
        if self._version != "3.0":
            base = self._names(schema, location, base)
        if "$ref" in schema:
            self._refer(schema, location, base)
            if self._version == "3.0":
                return
        if "discriminator" in schema:
            self._discriminator(schema["discriminator"], location.child("discriminator"), base)
        self._visit_inner(schema, location, base)

    def _visit_inner(self, schema: dict[str, Any], location: Location, base: str) -> None:
        for tokens, inner in subschemas(schema, self._version):
            # In 3.0 and 3.1 alike a boolean is a schema behind additionalProperties.
            if not (isinstance(inner, bool) and tokens[0] == "additionalProperties"):
                self.visit(inner, location.child(*tokens), base)

    def follow_all(self) -> None:
        """Follow all references, and check what they lead to.

        Those that are not a pointer into their own document are written as one into the document
        that they lead to, by its name: whoever compiles the schemas need not know of ``$id``,
        anchors and paths.
        """
        while self._pending:
            reference = self._pending.pop()
            try:
                found = self._references.find(
                    reference.text, reference.location.document, reference.base
                )
            except ValueError as error:
                self._wrong(reference, error)
            else:
                self._followed.append((reference, found))
                self.visit(found.value, found.location)
        for reference, found in self._followed:
            if not reference.is_plain:
                reference.holder[reference.name] = self._references.name(
                    found.location, reference.location.document
                )
        for holder in self._named:
            del holder["$id"]
        for reference, found in self._followed:
            self._check_circle(reference, found)

    def _check_circle(self, reference: _Reference, found: Located) -> None:
        value = found.value
        # A schema that says more than $ref ends nowhere either, but its circle is the compiler's.
        if isinstance(value, dict) and (len(value) == 1 or self._version == "3.0"):
            try:
                self._references.follow(found)
            except ValueError as error:
                self._wrong(reference, error)

    def _wrong(self, reference: _Reference, error: ValueError) -> None:
        self._problems.add(reference.location, f"the reference {reference.text!r} {error}")

    def _refer(self, schema: dict[str, Any], location: Location, base: str) -> None:
        if isinstance(schema["$ref"], str):
            self._pending.append(_Reference(schema, "$ref", location.child("$ref"), base))
        else:
            self._problems.add(location.child("$ref"), "must be a string, a URI reference")
        for name in schema if self._version == "3.0" else ():
            if name not in {"$ref", "summary", "description"} and not name.startswith("x-"):
                self._notes.add(
                    location.child(name), f"{name!r} beside $ref is ignored (OpenAPI 3.0)"
                )

    def _names(self, schema: dict[str, Any], location: Location, base: str) -> str:
        here = Located(schema, location)
        try:
            if isinstance(schema.get("$id"), str):
                base = self._references.declare_id(schema["$id"], base, here)
                self._named.append(schema)
        except ValueError as error:
            self._problems.add(location.child("$id"), f"the name {schema['$id']!r} {error}")
        for keyword in ("$anchor", "$dynamicAnchor"):
            try:
                if isinstance(schema.get(keyword), str):
                    self._references.declare_anchor(schema[keyword], base, here)
            except ValueError as error:
                self._problems.add(
                    location.child(keyword), f"the anchor {schema[keyword]!r} {error}"
                )
        return base

    def _discriminator(self, value: Any, location: Location, base: str) -> None:
        if not isinstance(value, dict):
            self._problems.add(location, "must be an object, the Discriminator Object")
            return
        if not isinstance(value.get("propertyName"), str):
            self._problems.add(location, "must have 'propertyName', a string")
        mapping = value.get("mapping", {})
        texts = isinstance(mapping, dict) and all(isinstance(to, str) for to in mapping.values())
        if not texts:
            self._problems.add(location.child("mapping"), "must be an object of strings")
            return
        targets = [(mapping, name, location.child("mapping", name)) for name in mapping]
        if self._version >= "3.2" and isinstance(value.get("defaultMapping"), str):
            targets.append((value, "defaultMapping", location.child("defaultMapping")))
        named = self._components()
        for holder, name, where in targets:
            if holder[name] not in named:
                self._pending.append(_Reference(holder, name, where, base))

    def _components(self) -> Mapping[str, Any]:
        components = self._references.documents[""].get("components")
        named = components.get("schemas") if isinstance(components, dict) else None
        return named if isinstance(named, dict) else {}
