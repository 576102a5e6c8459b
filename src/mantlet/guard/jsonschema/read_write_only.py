"""Members that go one way only: ``readOnly`` is not sent in a request, ``writeOnly`` in no answer.

OpenAPI 3.0.4, 4.7.24.2 and JSON Schema 2020-12 Validation, 9.4: who owns a read-only member may
refuse to be sent it, and so does the guard. A member that must not be sent can't be required.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from mantlet.guard.jsonschema.documents import Documents

__all__ = ["CODES", "Direction", "Directions", "drop_required"]

#: Which way a message goes.
Direction = Literal["request", "response"]

_KEYWORDS: Final[Mapping[Direction, str]] = {"request": "readOnly", "response": "writeOnly"}
#: The codes of a member that goes the other way.
CODES: Final[Mapping[Direction, str]] = {"request": "read_only", "response": "write_only"}


# Any: schemas are plain JSON.
class Directions:
    """Which members a message must not have.

    Args:
        documents: where references lead.
        alone: whether ``$ref`` makes void what stands beside it.
    """

    __slots__ = ("_alone", "_documents", "_names", "_refused")

    def __init__(self, documents: Documents, alone: bool) -> None:
        self._documents = documents
        self._alone = alone
        # By identity, beside the schema itself: an identity is given again once its object is gone.
        self._refused: dict[tuple[int, Direction], tuple[Any, bool]] = {}
        self._names: dict[tuple[int, Direction], tuple[Any, frozenset[str]]] = {}

    def refuses(self, schema: Any, base: str, direction: Direction) -> bool:
        """Whether a member of this schema must not be in a message."""
        key = (id(schema), direction)
        if key not in self._refused:
            keyword = _KEYWORDS[direction]
            refused = any(
                part.get(keyword) is True and not self._is_void(part)
                for part, _ in self._together(schema, base)
            )
            self._refused[key] = (schema, refused)
        return self._refused[key][1]

    def names(self, schema: Any, base: str, direction: Direction) -> frozenset[str]:
        """Return the names of the members that an object of this schema must not have."""
        key = (id(schema), direction)
        if key not in self._names:
            found = frozenset(
                name
                for part, where in self._together(schema, base)
                if isinstance(part.get("properties"), Mapping) and not self._is_void(part)
                for name, member in part["properties"].items()
                if self.refuses(member, where, direction)
            )
            self._names[key] = (schema, found)
        return self._names[key][1]

    def requires(self, schema: Any, base: str) -> frozenset[str]:
        """Return the names that a schema requires, or a form of it for the same object."""
        return frozenset(
            name
            for part, _ in self._together(schema, base, forms=True)
            if isinstance(part.get("required"), list)
            for name in part["required"]
            if isinstance(name, str)
        )

    def _together(
        self, schema: Any, base: str, *, forms: bool = False
    ) -> Iterator[tuple[Mapping[str, Any], str]]:
        """Iterate over a schema and the parts of it that hold in any case, with their documents.

        Args:
            schema: the schema.
            base: the URI of its document.
            forms: take those in that may hold as well.
        """
        seen: set[int] = set()
        waiting = [(schema, base)]
        while waiting:
            part, where = waiting.pop()
            if isinstance(part, Mapping) and id(part) not in seen:
                seen.add(id(part))
                yield part, where
                waiting += self._parts(part, where)
                if forms:
                    waiting += self._forms(part, where)

    def _forms(self, schema: Mapping[str, Any], base: str) -> Iterator[tuple[Any, str]]:
        for keyword in ("anyOf", "oneOf"):
            if isinstance(schema.get(keyword), list):
                yield from ((part, base) for part in schema[keyword])
        yield from ((schema[keyword], base) for keyword in ("then", "else") if keyword in schema)

    def _is_void(self, schema: Mapping[str, Any]) -> bool:
        return self._alone and "$ref" in schema

    def _parts(self, schema: Mapping[str, Any], base: str) -> Iterator[tuple[Any, str]]:
        """Iterate over the parts of a schema that hold in any case, each with its document."""
        reference = schema.get("$ref")
        if isinstance(reference, str):
            try:
                spot, found = self._documents.find(reference, base)
            except LookupError:
                return  # the conversion tells of it
            yield found, spot.base
            if self._alone:
                return
        every = schema.get("allOf")
        if isinstance(every, list):
            for part in every:
                yield part, base


def drop_required(made: dict[str, Any], names: frozenset[str]) -> None:
    """Take names out of what a converted schema requires, in place."""
    if "required" in made:
        made["required"] = _without(made["required"], names)
    dependent = made.get("dependentRequired")
    if isinstance(dependent, Mapping):
        made["dependentRequired"] = {
            name: _without(import_extra, names) for name, import_extra in dependent.items()
        }


def _without(required: Any, names: frozenset[str]) -> Any:
    if not isinstance(required, list):
        return required
    return [name for name in required if not (isinstance(name, str) and name in names)]
