"""Schemas of a document as its operations need them: compiled, each once."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from mantlet.guard.jsonschema import Compiler, JsonSchema, SchemaError
from mantlet.guard.jsonschema.read_write_only import Direction
from mantlet.guard.openapi.document import Document
from mantlet.guard.openapi.locations import Located, Location
from mantlet.guard.parameters import Shape, Style, shape_of

__all__ = ["Parts", "style_of"]

#: Keywords whose schemas all hold for the same value, and those of which some do.
_ALL: Final = frozenset({"allOf"})
_ALTERNATIVES: Final = frozenset({"anyOf", "oneOf", "then", "else"})


class Parts:
    """Compiles the schemas of a document.

    Args:
        document: the document.
        compiler: of its schemas.

    Attributes:
        version: of OpenAPI.
        problems: what can't be compiled, as `DocumentError` takes it.
    """

    def __init__(self, document: Document, compiler: Compiler) -> None:
        self.version = document.version
        self.problems: dict[tuple[str, str], None] = {}
        #: What is not checked: where it stands, and words.
        self.unchecked: dict[tuple[str, str], None] = {}
        self._references = document.references
        self._compiler = compiler
        self._compiled: dict[tuple[Location, Direction], JsonSchema | None] = {}
        self._values: dict[Location, Any] = {}
        #: Schemas that stand nowhere in a document.
        self._made: set[Location] = set()
        self._shapes: dict[tuple[Location, Direction], Shape] = {}

    def note(self, pointer: str, words: str) -> None:
        """Note that something is not checked, or otherwise than one may think."""
        self.unchecked[pointer, words] = None

    def schema(self, located: Located, direction: Direction = "request") -> JsonSchema | None:
        """Return a schema; None where it can't be compiled, which is then a problem."""
        key = located.location, direction
        if key not in self._compiled:
            self._values[located.location] = located.value
            self._compiled[key] = self._compile(located.value, self._at(located), direction)
        return self._compiled[key]

    def compiles(self, located: Located) -> bool:
        """Return whether a schema can be compiled, of which perhaps not all will be checked."""
        return self._compile(located.value, self._at(located), "request") is not None

    def anything(self, location: str) -> JsonSchema:
        """Return the schema of whatever there is."""
        return self._compiler.compile(True, location=location)

    def combined(
        self,
        members: Mapping[str, Located | None],
        location: str,
        direction: Direction = "request",
    ) -> JsonSchema | None:
        """Return the schema of an object of so many members, none of which is required.

        Args:
            members: their schemas; None for a member that may be anything.
            location: where they stand.
            direction: which way they go.
        """
        properties = {
            name: True if schema is None else self._refer(schema)
            for name, schema in members.items()
        }
        return self._compile({"type": "object", "properties": properties}, location, direction)

    def fields(
        self, whole: Located, members: Mapping[str, Located], required: list[str]
    ) -> JsonSchema | None:
        """Return the schema of a form without its files.

        Args:
            whole: the schema of all of it, for where it stands.
            members: its fields.
            required: those that must be there.
        """
        properties = {name: self._refer(schema) for name, schema in members.items()}
        schema: dict[str, Any] = {
            "type": "object",
            "properties": properties,
            "required": required,
        }
        other = self.additional(whole)
        if other is not None:
            value = other.value
            schema["additionalProperties"] = value if value is True else self._refer(other)
        return self._compile(schema, self._at(whole), "request")

    def shape(self, located: Located, direction: Direction = "request") -> Shape:
        """Return what the text of a value of a schema may become."""
        key = located.location, direction
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = self._shape(self.schema(located, direction))
        return shape

    def _shape(self, schema: JsonSchema | None) -> Shape:
        alone: Any = True if schema is None else schema.standing_alone()

        def resolve(reference: str) -> Any:
            definitions: Any = alone["$defs"]
            return definitions[reference.rpartition("/")[2]]

        return shape_of(alone, resolve)

    def properties(self, located: Located) -> dict[str, Located]:
        """Return the members that a schema names, wherever it does for the same value.

        A member that is named several times has all of these schemas, or one of those that are
        alternatives. The schema must have been compiled.
        """
        together = self._named(self._together(located, _ALL))
        anywhere = self._named(self._together(located, _ALL | _ALTERNATIVES))
        return {
            name: self._one(
                together.get(name) or schemas,
                "allOf" if name in together else "anyOf",
                located.location.child("properties", name),
            )
            for name, schemas in anywhere.items()
        }

    def required(self, located: Located) -> frozenset[str]:
        """Return the members that a schema requires, also by references and ``allOf``."""
        return frozenset(
            name
            for schema in self._together(located, _ALL)
            for name in schema.value.get("required", ())
        )

    def opens(self, located: Located) -> bool:
        """Whether a schema says itself that there may be other members than it names."""
        return any(
            schema.value.get("patternProperties")
            or schema.value.get("additionalProperties", False) is not False
            or schema.value.get("unevaluatedProperties", False) is not False
            for schema in self._together(located, _ALL)
        )

    def additional(self, located: Located) -> Located | None:
        """Return the schema of other members than are named, where it is said once."""
        found = [
            Located(one.value["additionalProperties"], one.location.child("additionalProperties"))
            for one in self._together(located, _ALL)
            if one.value.get("additionalProperties", False) is not False
        ]
        return found[0] if len(found) == 1 else None

    def keywords(self, located: Located) -> frozenset[str]:
        """Return the keywords that a schema has, also by references and ``allOf``."""
        return frozenset(
            keyword for schema in self._together(located, _ALL) for keyword in schema.value
        )

    def follow(self, located: Located) -> Located:
        """Return what a part is once its reference is followed."""
        return self._references.follow(located)

    def find_unbounded(self) -> None:
        """Note as a problem what a compiled schema lets grow without a bound."""
        for schema in self._compiled.values():
            if schema is not None and schema.direction == "request":
                for pointer in self._compiler.unbounded(schema):
                    self.problems[pointer, "has no bound"] = None

    def coverage(self) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
        """Return the keywords of all compiled schemas that are checked, and what is not."""
        checked: set[str] = set()
        unchecked: dict[tuple[str, str], None] = {}
        for (location, _), schema in self._compiled.items():
            if schema is not None:
                value = self._values[location]
                found = self._compiler.coverage(value, location=schema.location)
                checked.update(found.checked)
                unchecked |= dict.fromkeys((one.pointer, one.words) for one in found.unchecked)
        return tuple(sorted(checked)), list(unchecked)

    def _together(self, located: Located, keywords: frozenset[str]) -> Iterator[Located]:
        """Yield a schema and those that keywords of it apply to the same value, each once."""
        later, seen = [located], set[Location]()
        while later:
            value, place = schema = later.pop()
            if place in seen or not isinstance(value, dict):
                continue
            seen.add(place)
            yield schema
            if "$ref" in value:
                later.append(self._references.find(value["$ref"], place.document))
                if self.version == "3.0":
                    continue  # what stands beside it is void
            for keyword in keywords & value.keys():
                inner, at = value[keyword], place.child(keyword)
                if isinstance(inner, list):
                    later += [Located(one, at.child(index)) for index, one in enumerate(inner)]
                else:
                    later.append(Located(inner, at))

    def _named(self, schemas: Iterator[Located]) -> dict[str, list[Located]]:
        found: dict[str, list[Located]] = {}
        for value, place in schemas:
            if self.version == "3.0" and "$ref" in value:
                continue
            for name, member in value.get("properties", {}).items():
                found.setdefault(name, []).append(Located(member, place.child("properties", name)))
        return found

    def _one(self, schemas: list[Located], keyword: str, place: Location) -> Located:
        if len(schemas) == 1:
            return schemas[0]
        made = Located({keyword: [self._refer(schema) for schema in schemas]}, place.child(keyword))
        self._made.add(made.location)
        return made

    def _compile(self, schema: Any, location: str, direction: Direction) -> JsonSchema | None:
        try:
            return self._compiler.compile(schema, direction=direction, location=location)
        except SchemaError as error:
            for pointer, words in error.problems:
                self.problems[pointer, words] = None
            return None

    def _at(self, located: Located) -> str:
        if located.location in self._made:  # what it refers to is seen from the document
            return str(located.location)
        return self._reference(located.location).removeprefix("#")

    def _refer(self, located: Located) -> Any:
        """Return a schema that is as good as one, from within the document."""
        if located.location in self._made:
            return located.value
        return {"$ref": self._reference(located.location)}

    def _reference(self, location: Location) -> str:
        """Return the reference to a place from the document."""
        if location.document:
            return self._references.name(location, "")
        return f"#{location.pointer}"


def style_of(text: str | None) -> Style | None:
    """Return a style that the document has, which has been checked; None for no style."""
    return cast("Style", text) if text else None
