"""Reject ``readOnly`` properties in requests and ``writeOnly`` properties in responses.

OpenAPI 3.0.4, 4.7.24.2 and JSON Schema 2020-12 Validation, 9.4: the owner of a read-only property
may reject attempts to set it, and Mantlet does. A property that must not be sent is not required.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from mantlet.guard.jsonschema.documents import SchemaDocuments, mentions

__all__ = ["DIRECTION_CODES", "Direction", "ReadWriteOnly", "drop_required"]

#: The direction of a message. Parameters are no members of a resource, so neither keyword holds.
Direction = Literal["request", "response", "parameter"]

_KEYWORDS: Final[Mapping[Direction, str]] = {"request": "readOnly", "response": "writeOnly"}
_NO_NAMES: Final[frozenset[str]] = frozenset()
_DIRECTIONS: Final = frozenset(_KEYWORDS.values())
#: The error codes for properties that must not be sent in a direction.
DIRECTION_CODES: Final[Mapping[Direction, str]] = {
    "request": "read_only",
    "response": "write_only",
}


# Any: schemas are plain JSON.
class ReadWriteOnly:
    """Finds the properties that messages in one direction must not have.

    Args:
        documents: the targets of references.
        ref_overrides: whether ``$ref`` overrides its sibling keywords.
    """

    __slots__ = (
        "_concerned",
        "_documents",
        "_forbidden",
        "_forbidden_properties",
        "_is_used",
        "_ref_overrides",
    )

    def __init__(self, documents: SchemaDocuments, ref_overrides: bool) -> None:
        self._documents = documents
        self._is_used = documents.mention(_DIRECTIONS)
        self._ref_overrides = ref_overrides
        # By the identity of the schema, which the entry keeps alive: Python reuses the identities
        # of deleted objects.
        self._forbidden: dict[tuple[int, Direction], tuple[Any, bool]] = {}
        self._concerned: dict[int, tuple[Any, bool]] = {}
        self._forbidden_properties: dict[tuple[int, Direction], tuple[Any, frozenset[str]]] = {}

    def prepare(self, schema: Any) -> None:
        """Prepare for a schema, which need not be in the documents."""
        self._is_used = self._is_used or mentions(schema, _DIRECTIONS)

    def is_forbidden(self, schema: Any, base: str, direction: Direction) -> bool:
        """Return whether messages must not have a property with this schema."""
        if not self._is_used:
            return False
        key = (id(schema), direction)
        if key not in self._forbidden:
            keyword = _KEYWORDS[direction]
            forbidden = any(
                part.get(keyword) is True and not self._is_overridden(part)
                for part, _ in self._applied(schema, base)
            )
            self._forbidden[key] = (schema, forbidden)
        return self._forbidden[key][1]

    def forbidden_properties(self, schema: Any, base: str, direction: Direction) -> frozenset[str]:
        """Return the names of the properties that an object of this schema must not have."""
        if not self._is_used:
            return _NO_NAMES
        key = (id(schema), direction)
        if key not in self._forbidden_properties:
            found = frozenset(
                name
                for part, part_base in self._applied(schema, base)
                if isinstance(part.get("properties"), Mapping) and not self._is_overridden(part)
                for name, member in part["properties"].items()
                if self.is_forbidden(member, part_base, direction)
            )
            self._forbidden_properties[key] = (schema, found)
        return self._forbidden_properties[key][1]

    def concerns(self, schema: Any, base: str) -> bool:
        """Return whether it matters that a schema is that of an object's property.

        It does if a schema that it applies to the same value, perhaps, is ``readOnly`` or
        ``writeOnly``.
        """
        if not self._is_used:
            return False
        if id(schema) not in self._concerned:
            concerned = any(
                _DIRECTIONS & part.keys()
                for part, _ in self._applied(schema, base, alternatives=True)
            )
            self._concerned[id(schema)] = (schema, concerned)
        return self._concerned[id(schema)][1]

    def required_properties(self, schema: Any, base: str) -> frozenset[str]:
        """Return the names that a schema, or an alternative in it, requires of an object."""
        return frozenset(
            name
            for part, _ in self._applied(schema, base, alternatives=True)
            if isinstance(part.get("required"), list)
            for name in part["required"]
            if isinstance(name, str)
        )

    def _applied(
        self, schema: Any, base: str, *, alternatives: bool = False
    ) -> Iterator[tuple[Mapping[str, Any], str]]:
        """Iterate over a schema and the schemas it applies to the same value.

        Args:
            schema: the schema.
            base: the URI of its document.
            alternatives: whether to include schemas that only apply to some values.

        Yields:
            Each schema with the URI of its document.
        """
        seen: set[int] = set()
        pending = [(schema, base)]
        while pending:
            part, part_base = pending.pop()
            if isinstance(part, Mapping) and id(part) not in seen:
                seen.add(id(part))
                yield part, part_base
                pending += self._parts(part, part_base)
                if alternatives:
                    pending += self._alternatives(part, part_base)

    def _parts(self, schema: Mapping[str, Any], base: str) -> Iterator[tuple[Any, str]]:
        reference = schema.get("$ref")
        if isinstance(reference, str):
            try:
                location, found = self._documents.resolve(reference, base)
            except LookupError:
                return  # reported by the conversion
            yield found, location.base
            if self._ref_overrides:
                return
        parts = schema.get("allOf")
        if isinstance(parts, list):
            for part in parts:
                yield part, base

    def _alternatives(self, schema: Mapping[str, Any], base: str) -> Iterator[tuple[Any, str]]:
        for keyword in ("anyOf", "oneOf"):
            if isinstance(schema.get(keyword), list):
                yield from ((part, base) for part in schema[keyword])
        yield from ((schema[keyword], base) for keyword in ("then", "else") if keyword in schema)
        dependent = schema.get("dependentSchemas")
        if isinstance(dependent, Mapping):
            yield from ((part, base) for part in dependent.values())

    def _is_overridden(self, schema: Mapping[str, Any]) -> bool:
        return self._ref_overrides and "$ref" in schema


def drop_required(converted: dict[str, Any], names: frozenset[str]) -> None:
    """Remove names from the required properties of a converted schema, in place."""
    if "required" in converted:
        converted["required"] = _without(converted["required"], names)
    dependent = converted.get("dependentRequired")
    if isinstance(dependent, Mapping):
        converted["dependentRequired"] = {
            name: _without(required, names) for name, required in dependent.items()
        }


def _without(required: Any, names: frozenset[str]) -> Any:
    if not isinstance(required, list):
        return required
    return [name for name in required if not (isinstance(name, str) and name in names)]
