"""`SchemaRegistry`: the schemas of a document, each compiled once, and questions about them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from mantlet.guard.jsonschema import JsonSchema, SchemaCompiler, SchemaError
from mantlet.guard.jsonschema.read_write_only import Direction
from mantlet.guard.openapi.diagnostics import DocumentLocation, LocatedValue
from mantlet.guard.openapi.references import ReferenceResolver
from mantlet.guard.parameters import TEXT, Coercer, DeepShape, Style, shape_of

__all__ = ["SchemaRegistry", "as_style"]

#: Keywords whose schemas all apply to the same value, and those of which only some do.
_CONJUNCTIONS: Final = frozenset({"allOf"})
_ALTERNATIVES: Final = frozenset({"anyOf", "oneOf", "then", "else"})


class SchemaRegistry:
    """Compiles the schemas of a document, and collects the problems and warnings on the way.

    Args:
        version: the version of OpenAPI.
        references: the document and its files.
        compiler: compiles the schemas.
        booleans: the texts of booleans in parameters and forms; None for those of JSON.

    Attributes:
        version: the version of OpenAPI.
        problems: the problems of the operation that is compiled: locations and messages.
        warnings: warnings about unchecked parts: locations and messages.
    """

    def __init__(
        self,
        version: str,
        references: ReferenceResolver,
        compiler: SchemaCompiler,
        *,
        booleans: Mapping[str, bool] | None = None,
    ) -> None:
        self.version = version
        self.problems: dict[tuple[str, str], None] = {}
        self.warnings: dict[tuple[str, str], None] = {}
        self._references = references
        self._compiler = compiler
        self._booleans = booleans
        #: The schemas that the operation uses.
        self._used: set[tuple[DocumentLocation, Direction]] = set()
        self._compiled: dict[tuple[DocumentLocation, Direction], JsonSchema | SchemaError] = {}
        self._values: dict[DocumentLocation, Any] = {}
        #: Generated schemas, which are not in any document.
        self._generated: set[DocumentLocation] = set()
        self._shapes: dict[tuple[DocumentLocation, Direction], Coercer] = {}

    def begin_operation(self) -> None:
        """Begin to compile an operation: forget the problems of the one before."""
        self.problems.clear()
        self._used.clear()

    def add_problem(self, pointer: str, message: str) -> None:
        """Add a problem."""
        self.problems[pointer, message] = None

    def warn(self, pointer: str, message: str) -> None:
        """Add a warning that something is not checked, or not as expected."""
        self.warnings[pointer, message] = None

    # -- compiled schemas -------------------------------------------------------------------------

    def schema(self, located: LocatedValue, direction: Direction = "request") -> JsonSchema | None:
        """Return a compiled schema; None if it has problems, which are collected each time."""
        key = located.location, direction
        self._used.add(key)
        found = self._compiled.get(key)
        if found is None:
            self._values[located.location] = located.value
            found = self._compiled[key] = self._try_compile(
                located.value, self._compiler_location(located), direction
            )
        return self._usable(found)

    def compiles(self, located: LocatedValue) -> bool:
        """Return whether a schema can be compiled, without recording it as checked."""
        return self._compile(located.value, self._compiler_location(located), "request") is not None

    def any_schema(self, location: str) -> JsonSchema:
        """Return a schema that allows any value."""
        return self._compiler.compile(True, location=location)

    def object_schema(
        self,
        properties: Mapping[str, LocatedValue | None],
        location: str,
        direction: Direction = "request",
    ) -> JsonSchema | None:
        """Return the schema of an object with optional properties.

        Args:
            properties: the schema of each property; None allows any value.
            location: the location for problems.
            direction: the direction of the messages.
        """
        schemas = {
            name: True if schema is None else self._as_schema(schema)
            for name, schema in properties.items()
        }
        return self._compile({"type": "object", "properties": schemas}, location, direction)

    def form_schema(
        self, form: LocatedValue, fields: Mapping[str, LocatedValue], required: list[str]
    ) -> JsonSchema | None:
        """Return the schema of some fields of a form.

        Args:
            form: the schema of the whole form.
            fields: the schemas of the fields.
            required: the names of the required fields.
        """
        properties = {name: self._as_schema(schema) for name, schema in fields.items()}
        schema: dict[str, Any] = {
            "type": "object",
            "properties": properties,
            "required": required,
        }
        additional = self.additional_schema(form)
        if additional is not None:
            schema["additionalProperties"] = (
                True if additional.value is True else self._as_schema(additional)
            )
        return self._compile(schema, self._compiler_location(form), "request")

    def shape(self, located: LocatedValue, direction: Direction = "request") -> Coercer:
        """Return how to coerce the text of a value to the types that a schema allows."""
        key = located.location, direction
        schema = self.schema(located, direction)
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = self._shape(schema)
        return shape

    def _shape(self, schema: JsonSchema | None) -> Coercer:
        if schema is None:
            return TEXT
        try:
            shape = shape_of(schema.converted, schema.validators.resolve)
        except ValueError as error:
            self.add_problem(schema.location, str(error))
            return TEXT
        return shape if self._booleans is None else shape.with_booleans(self._booleans)

    def deep_shape(self, located: LocatedValue) -> DeepShape:
        """Return how to coerce the texts of a value's members and items at any depth."""
        schema = self.schema(located, "parameter")
        if schema is None:
            return DeepShape(lambda: ([True], str))
        return DeepShape(lambda: ([schema.converted], schema.validators.resolve))

    # -- questions about schemas as written -------------------------------------------------------

    def properties(self, located: LocatedValue) -> dict[str, LocatedValue]:
        """Return the schemas of the properties that a schema names for the same value.

        A property that is named several times has all of these schemas, or any of them if they are
        alternatives. A required property that none of them names is a text, unless the schema says
        what others are. The schema must have been compiled.
        """
        certain = self._named_properties(self._applied(located, _CONJUNCTIONS))
        possible = self._named_properties(self._applied(located, _CONJUNCTIONS | _ALTERNATIVES))
        properties = located.location.child("properties")
        named = {
            name: self._combine(
                certain.get(name) or schemas,
                "allOf" if name in certain else "anyOf",
                properties.child(name),
            )
            for name, schemas in possible.items()
        }
        if not self.allows_additional(located):
            for name in sorted(self._required(located) - named.keys()):
                named[name] = LocatedValue({"type": "string"}, properties.child(name))
        return named

    def required(self, located: LocatedValue) -> frozenset[str]:
        """Return the properties that requests must have: those required that are not read-only."""
        required = self._required(located)
        if not required:
            return required
        properties = self._named_properties(self._applied(located, _CONJUNCTIONS))
        return frozenset(
            name
            for name in required
            if not any(
                part.value.get("readOnly") is True
                and not (self.version == "3.0" and "$ref" in part.value)
                for member in properties.get(name, ())
                for part in self._applied(member, _CONJUNCTIONS)
            )
        )

    def _required(self, located: LocatedValue) -> frozenset[str]:
        """Return the properties that a schema requires, also through references and ``allOf``."""
        return frozenset(
            name
            for schema in self._applied(located, _CONJUNCTIONS)
            for name in schema.value.get("required", ())
        )

    def allows_additional(self, located: LocatedValue) -> bool:
        """Return whether a form may have properties that its schema does not name.

        The schema must say so, or name no properties at all.
        """
        others = [
            schema.value.get(keyword)
            for schema in self._applied(located, _CONJUNCTIONS)
            for keyword in ("additionalProperties", "unevaluatedProperties", "patternProperties")
        ]
        if any(other not in (None, False) for other in others):
            return True
        possible = self._applied(located, _CONJUNCTIONS | _ALTERNATIVES)
        return False not in others and not self._named_properties(possible)

    def additional_schema(self, located: LocatedValue) -> LocatedValue | None:
        """Return the schema of additional properties, if exactly one is declared."""
        found = [
            LocatedValue(
                one.value["additionalProperties"], one.location.child("additionalProperties")
            )
            for one in self._applied(located, _CONJUNCTIONS)
            if one.value.get("additionalProperties", False) is not False
        ]
        return found[0] if len(found) == 1 else None

    def keywords(self, located: LocatedValue) -> frozenset[str]:
        """Return the keywords of a schema, also through references and ``allOf``."""
        return frozenset(
            keyword for schema in self._applied(located, _CONJUNCTIONS) for keyword in schema.value
        )

    def follow(self, located: LocatedValue) -> LocatedValue:
        """Return a value with its references followed."""
        return self._references.follow(located)

    # -- audits -----------------------------------------------------------------------------------

    def require_bounds(self) -> None:
        """Add a problem for each request schema of the operation that allows any size."""
        used = [self._compiled[key] for key in self._used]
        requests = [
            schema
            for schema in used
            if isinstance(schema, JsonSchema) and schema.direction != "response"
        ]
        for pointer in self._compiler.unbounded(requests):
            self.add_problem(pointer, "must have a bound")

    def coverage(self) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
        """Return the keywords of all compiled schemas that are checked, and those that are not."""
        found = self._compiler.coverage(
            (schema.location, self._values[location])
            for (location, _), schema in self._compiled.items()
            if isinstance(schema, JsonSchema)
        )
        unchecked = dict.fromkeys((one.pointer, one.message) for one in found.unchecked)
        return found.checked, list(unchecked)

    # -- helpers ----------------------------------------------------------------------------------

    def _applied(self, located: LocatedValue, keywords: frozenset[str]) -> Iterator[LocatedValue]:
        """Iterate over a schema and those that some keywords apply to the same value."""
        pending, seen = [located], set[DocumentLocation]()
        while pending:
            value, location = schema = pending.pop()
            if location in seen or not isinstance(value, dict):
                continue
            seen.add(location)
            yield schema
            if "$ref" in value:
                pending.append(self._references.resolve(value["$ref"], location.document))
                if self.version == "3.0":
                    continue  # $ref overrides all siblings
            for keyword in keywords & value.keys():
                inner, at = value[keyword], location.child(keyword)
                if isinstance(inner, list):
                    pending += [
                        LocatedValue(one, at.child(index)) for index, one in enumerate(inner)
                    ]
                else:
                    pending.append(LocatedValue(inner, at))

    def _named_properties(self, schemas: Iterator[LocatedValue]) -> dict[str, list[LocatedValue]]:
        found: dict[str, list[LocatedValue]] = {}
        for value, location in schemas:
            if self.version == "3.0" and "$ref" in value:
                continue
            for name, member in value.get("properties", {}).items():
                found.setdefault(name, []).append(
                    LocatedValue(member, location.child("properties", name))
                )
        return found

    def _combine(
        self, schemas: list[LocatedValue], keyword: str, location: DocumentLocation
    ) -> LocatedValue:
        if len(schemas) == 1:
            return schemas[0]
        combined = LocatedValue(
            {keyword: [self._as_schema(schema) for schema in schemas]}, location.child(keyword)
        )
        self._generated.add(combined.location)
        return combined

    def _compile(self, schema: Any, location: str, direction: Direction) -> JsonSchema | None:
        return self._usable(self._try_compile(schema, location, direction))

    def _try_compile(
        self, schema: Any, location: str, direction: Direction
    ) -> JsonSchema | SchemaError:
        try:
            return self._compiler.compile(schema, direction=direction, location=location)
        except SchemaError as error:
            return error.with_traceback(None)  # which would keep the frames alive

    def _usable(self, found: JsonSchema | SchemaError) -> JsonSchema | None:
        """Return a schema, or collect its problems."""
        if not isinstance(found, SchemaError):
            return found
        for pointer, message in found.problems:
            self.add_problem(pointer, message)
        return None

    def _compiler_location(self, located: LocatedValue) -> str:
        if located.location in self._generated:  # its references are relative to the document
            return str(located.location)
        return self._reference_to(located.location).removeprefix("#")

    def _as_schema(self, located: LocatedValue) -> Any:
        """Return a schema equivalent to one, for use in the document."""
        if located.location in self._generated:
            return located.value
        return {"$ref": self._reference_to(located.location)}

    def _reference_to(self, location: DocumentLocation) -> str:
        """Return a reference to a location from the document."""
        if location.document:
            return self._references.reference_to(location, "")
        return f"#{location.pointer}"


# Any: plain JSON.
def as_style(text: str | None) -> Style | None:
    """Return a style from a validated document; None for no style."""
    return cast("Style", text) if text else None
