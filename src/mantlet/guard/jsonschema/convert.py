"""Convert schemas of any dialect to JSON Schema 2020-12, the dialect that is compiled.

In a converted schema, references read ``#/$defs/<number>``; each number stands for one location in
the documents, seen in one context. Annotations are dropped, except ``default``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from mantlet.guard.jsonschema.backend import PatternChecker, metaschema_errors
from mantlet.guard.jsonschema.dialects import (
    Dialect,
    OpenApiVersion,
    find_dialect,
    upgrade_schema,
)
from mantlet.guard.jsonschema.discriminators import apply_discriminator
from mantlet.guard.jsonschema.documents import (
    SchemaDocuments,
    SchemaError,
    SchemaLocation,
    SchemaProblem,
)
from mantlet.guard.jsonschema.formats import bound_number_format
from mantlet.guard.jsonschema.keywords import (
    ASSERTIONS,
    CODE_ANNOTATION,
    PATTERN_ANNOTATION,
    iter_children,
    references_in,
)
from mantlet.guard.jsonschema.read_write_only import (
    DIRECTION_CODES,
    Direction,
    ReadWriteOnly,
    drop_required,
)
from mantlet.http.json_pointer import join_pointer

__all__ = ["SchemaContext", "SchemaConverter"]

_NO_NAMES: Final[frozenset[str]] = frozenset()
_FORBIDDEN: Final[Mapping[Direction, dict[str, Any]]] = {
    direction: {"not": {}, CODE_ANNOTATION: code} for direction, code in DIRECTION_CODES.items()
}
_KEPT: Final = ASSERTIONS | {"default"}
#: Keywords whose meaning depends on the evaluation path or on a URI that a schema declares.
_UNSUPPORTED: Final = {
    "$recursiveRef": "use $ref",
    "$id": "refer to a schema within a document by its JSON Pointer",
}
#: Keywords that apply a subschema to the same value.
_IN_PLACE: Final = frozenset({
    "allOf", "anyOf", "dependentSchemas", "else", "if", "not", "oneOf", "then",
})  # fmt: skip


class SchemaContext(NamedTuple):
    """The context that a schema is converted in.

    Attributes:
        base: the URI of its document.
        dialect: its dialect.
        direction: the direction of the messages; None if ``readOnly`` and ``writeOnly`` properties
            are treated as any other.
        exact: whether a value may be accepted because it does *not* match this schema.
        is_property: whether it is the schema of an object's property.
        unrequired: properties that are not required here because they must not be sent.
    """

    base: str
    dialect: Dialect
    direction: Direction | None
    exact: bool = False
    is_property: bool = False
    unrequired: frozenset[str] = _NO_NAMES


class SchemaConverter:
    """Converts schemas, and each location that they refer to once.

    Args:
        documents: the targets of references.
        version: the version of OpenAPI.
        dialect: the dialect of schemas without a ``$schema``.
        patterns: checks the patterns.

    Attributes:
        definitions: the converted targets of references, by number.
        locations: the locations of the definitions, by number.
    """

    def __init__(
        self,
        documents: SchemaDocuments,
        version: OpenApiVersion,
        dialect: Dialect,
        patterns: PatternChecker,
    ) -> None:
        self._documents = documents
        self.definitions: dict[str, Any] = {}
        self.locations: dict[str, SchemaLocation] = {}
        self._version = version
        self._dialect = dialect
        self._patterns = patterns
        self._read_write_only = ReadWriteOnly(documents, dialect.ref_overrides)
        self._numbers: dict[tuple[SchemaLocation, SchemaContext], str] = {}
        self._pending: list[tuple[str, Any, SchemaLocation, SchemaContext]] = []
        self._problems: list[SchemaProblem] = []
        self._faults = _FaultyDefinitions()
        self._cycles = _CycleSearch(self.definitions)

    # Any: schemas are plain JSON.
    def convert(self, schema: Any, location: SchemaLocation, direction: Direction) -> Any:
        """Return a converted schema, and add everything it refers to to the definitions.

        Raises:
            SchemaError: with the problems of the schema and of the schemas it refers to. Of those
                that earlier schemas refer to as well, it has one.
        """
        if not isinstance(schema, Mapping | bool):
            message = "a schema must be an object or a boolean"
            raise SchemaError([SchemaProblem(str(location), message)])
        self._read_write_only.prepare(schema)
        effective = None if self._version is None or direction == "parameter" else direction
        context = SchemaContext(location.base, self._dialect, effective)
        converted, problems = self._convert_one(schema, location, context)
        added: list[str] = []
        while self._pending:
            number, found, where, context = self._pending.pop()
            self.definitions[number], own = self._convert_one(found, where, context)
            added.append(number)
            if own:
                self._faults.add(number, own)
                problems += own
        for number in self._cycles.find(added):
            message = "it refers to itself for the same value, so validation would never end"
            own = [SchemaProblem(str(self.locations[number]), message)]
            self._faults.add(number, own)
            problems += own
        self._faults.spread(self.definitions, added)
        problems = problems or self._faults.among(references_in(converted))
        if problems:
            raise SchemaError(dict.fromkeys(problems))
        return converted

    def _convert_one(
        self, schema: Any, location: SchemaLocation, context: SchemaContext
    ) -> tuple[Any, list[SchemaProblem]]:
        """Return a converted schema and its problems, without those that it refers to."""
        self._problems = []
        converted = self._schema(schema, location.pointer, context)
        self._check_metaschema(converted, location)
        return converted, self._problems

    def _add_problem(self, at: str, context: SchemaContext, message: str) -> None:
        location = SchemaLocation(context.base, at)
        self._problems.append(SchemaProblem(str(location), message))

    def _schema(self, schema: Any, at: str, context: SchemaContext) -> Any:
        if not isinstance(schema, Mapping):
            if not isinstance(schema, bool):
                self._add_problem(at, context, "a schema must be an object or a boolean")
            return schema is True
        if "$schema" in schema:
            context = self._with_dialect(schema, at, context)
        direction = context.direction
        if direction is not None:
            if context.is_property and self._read_write_only.is_forbidden(
                schema, context.base, direction
            ):
                return _FORBIDDEN[direction]
            own = self._read_write_only.forbidden_properties(schema, context.base, direction)
            if own - context.unrequired:
                context = context._replace(unrequired=context.unrequired | own)
        if context.dialect.ref_overrides and "$ref" in schema:
            return self._resolve(schema["$ref"], at, context)
        return self._object(upgrade_schema(schema, context.dialect), at, context)

    def _object(self, schema: dict[str, Any], at: str, context: SchemaContext) -> dict[str, Any]:
        converted: dict[str, Any] = {}
        for keyword, value in schema.items():
            convert = _CONVERSIONS.get(keyword)
            if convert is not None:
                converted[keyword] = convert(self, value, f"{at}/{keyword}", context)
            elif keyword in _KEPT:
                converted[keyword] = value
            elif keyword == "$ref":
                converted.update(self._resolve(value, at, context))
            elif keyword == "$dynamicRef":
                converted.setdefault("allOf", []).append(self._resolve_dynamic(value, at, context))
            elif keyword in _UNSUPPORTED and at:
                message = f"{keyword} is not supported: {_UNSUPPORTED[keyword]}"
                self._add_problem(f"{at}/{keyword}", context, message)
        self._finish(schema, converted, at, context)
        return converted

    def _finish(
        self, schema: Mapping[str, Any], converted: dict[str, Any], at: str, context: SchemaContext
    ) -> None:
        pattern = converted.get("pattern")
        if isinstance(pattern, str):
            self._check_pattern(pattern, f"{at}/pattern", context.exact, context)
            converted["pattern"] = self._patterns.read(pattern).text
            if converted["pattern"] != pattern:
                converted[PATTERN_ANNOTATION] = pattern
        if context.unrequired:
            drop_required(converted, context.unrequired)
        if self._version is not None:
            bound_number_format(converted)
            if "discriminator" in schema:
                problems = apply_discriminator(self._documents, schema, context.base, converted)
                for path, message in problems:
                    self._add_problem(at + path, context, message)

    # -- references ---------------------------------------------------------------------------

    def _reference(
        self, location: SchemaLocation, found: Any, context: SchemaContext
    ) -> dict[str, Any]:
        """Return a reference to the schema at a location, and schedule its conversion."""
        unrequired = context.unrequired
        if unrequired:
            unrequired &= self._read_write_only.required_properties(found, location.base)
            if context.direction is not None:
                unrequired -= self._read_write_only.forbidden_properties(
                    found, location.base, context.direction
                )
        dialect = context.dialect if location.base == context.base else self._dialect
        # Contexts that make no difference to the schema are the same.
        context = SchemaContext(
            location.base,
            dialect,
            context.direction,
            exact=context.exact and self._patterns.is_bounded,
            is_property=context.is_property
            and context.direction is not None
            and self._read_write_only.concerns(found, location.base),
            unrequired=unrequired,
        )
        number = self._numbers.get((location, context))
        if number is None:
            number = self._numbers[location, context] = str(len(self.locations))
            self.locations[number] = location
            self._pending.append((number, found, location, context))
        return {"$ref": f"#/$defs/{number}"}

    def _resolve(self, reference: Any, at: str, context: SchemaContext) -> dict[str, Any]:
        try:
            location, found = self._documents.resolve(reference, context.base)
        except LookupError as error:
            self._add_problem(f"{at}/$ref", context, str(error.args[0]))
            return {}
        return self._reference(location, found, context)

    def _resolve_dynamic(self, reference: Any, at: str, context: SchemaContext) -> dict[str, Any]:
        """Return a static reference for a dynamic one that has only one possible target."""
        try:
            location, found = self._documents.resolve(reference, context.base)
            name = found.get("$dynamicAnchor") if isinstance(found, Mapping) else None
            if name is None or self._documents.sole_dynamic_anchor(name) == location:
                return self._reference(location, found, context)
            message = "$dynamicRef is not supported if several schemas have its $dynamicAnchor"
        except LookupError as error:
            message = str(error.args[0])
        self._add_problem(f"{at}/$dynamicRef", context, message)
        return {}

    def _with_dialect(
        self, schema: Mapping[str, Any], at: str, context: SchemaContext
    ) -> SchemaContext:
        try:
            return context._replace(dialect=find_dialect(schema["$schema"]))
        except LookupError as error:
            self._add_problem(f"{at}/$schema", context, str(error.args[0]))
            return context

    # -- checks -------------------------------------------------------------------------------

    def _check_pattern(self, pattern: str, at: str, exact: bool, context: SchemaContext) -> None:
        message = self._patterns.problem(pattern, exact=exact)
        if message is not None:
            self._add_problem(at, context, message)

    def _check_metaschema(self, converted: Any, location: SchemaLocation) -> None:
        if isinstance(converted, dict):
            for path, message in metaschema_errors(converted):
                self._problems.append(SchemaProblem(str(location.child(*path)), message))

    # -- keywords -----------------------------------------------------------------------------

    def _same_value(self, value: Any, at: str, context: SchemaContext) -> Any:
        return self._schema(value, at, context)

    def _negatable(self, value: Any, at: str, context: SchemaContext) -> Any:
        # Where a failed match may accept a value, the direction of properties is ignored.
        context = SchemaContext(context.base, context.dialect, None, exact=True)
        return self._schema(value, at, context)

    def _property(self, value: Any, at: str, context: SchemaContext) -> Any:
        return self._schema(value, at, context._replace(is_property=True, unrequired=_NO_NAMES))

    def _item(self, value: Any, at: str, context: SchemaContext) -> Any:
        return self._schema(value, at, context._replace(is_property=False, unrequired=_NO_NAMES))

    def _list(self, value: Any, at: str, context: SchemaContext) -> Any:
        if not isinstance(value, list):
            return value
        return [self._schema(part, f"{at}/{index}", context) for index, part in enumerate(value)]

    def _one_of(self, value: Any, at: str, context: SchemaContext) -> Any:
        return self._list(value, at, context._replace(exact=True))

    def _item_list(self, value: Any, at: str, context: SchemaContext) -> Any:
        return self._list(value, at, context._replace(is_property=False, unrequired=_NO_NAMES))

    def _map(self, value: Any, at: str, context: SchemaContext) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {
            name: self._schema(part, at + join_pointer((name,)), context)
            for name, part in value.items()
        }

    def _property_map(self, value: Any, at: str, context: SchemaContext) -> Any:
        return self._map(value, at, context._replace(is_property=True, unrequired=_NO_NAMES))

    def _pattern_map(self, value: Any, at: str, context: SchemaContext) -> Any:
        if isinstance(value, Mapping):
            for pattern in value:
                self._check_pattern(pattern, at + join_pointer((pattern,)), True, context)
        found = self._property_map(value, at, context)
        if isinstance(value, Mapping):
            found = self._merged_patterns(found)
        return found

    def _merged_patterns(self, schemas: dict[str, Any]) -> dict[str, Any]:
        """Return the schemas by their patterns as the engine reads them."""
        merged: dict[str, Any] = {}
        for pattern, schema in schemas.items():
            text = self._patterns.read(pattern).text
            merged[text] = {"allOf": [merged[text], schema]} if text in merged else schema
        return merged


_CONVERSIONS: Final[dict[str, Callable[[SchemaConverter, Any, str, SchemaContext], Any]]] = {
    "additionalProperties": SchemaConverter._property,
    "allOf": SchemaConverter._list,
    "anyOf": SchemaConverter._list,
    "contains": SchemaConverter._negatable,
    "dependentSchemas": SchemaConverter._map,
    "else": SchemaConverter._same_value,
    "if": SchemaConverter._negatable,
    "items": SchemaConverter._item,
    "not": SchemaConverter._negatable,
    "oneOf": SchemaConverter._one_of,
    "patternProperties": SchemaConverter._pattern_map,
    "prefixItems": SchemaConverter._item_list,
    "properties": SchemaConverter._property_map,
    "propertyNames": SchemaConverter._item,
    "then": SchemaConverter._same_value,
    "unevaluatedItems": SchemaConverter._item,
    "unevaluatedProperties": SchemaConverter._property,
}


# -- definitions ----------------------------------------------------------------------------------


class _FaultyDefinitions:
    """The definitions that have problems, or refer to others that have, each with some of them."""

    def __init__(self) -> None:
        self._problems: dict[str, list[SchemaProblem]] = {}
        #: The definitions that refer to each definition.
        self._referrers: dict[str, list[str]] = {}

    def add(self, number: str, problems: list[SchemaProblem]) -> None:
        """Add the problems of a definition itself."""
        self._problems.setdefault(number, []).extend(problems)

    def among(self, numbers: Iterable[str]) -> list[SchemaProblem]:
        """Return the problems of some definitions."""
        return [problem for number in numbers for problem in self._problems.get(number, ())]

    def spread(self, definitions: Mapping[str, Any], added: list[str]) -> None:
        """Pass the problems of definitions on to those among the new ones that refer to them.

        Args:
            definitions: all converted schemas by number.
            added: the new ones. No earlier definition refers to them.
        """
        pending = [number for number in added if number in self._problems]
        for number in added:
            for target in references_in(definitions[number]):
                self._referrers.setdefault(target, []).append(number)
                if target in self._problems:
                    pending.append(target)
        while pending:
            number = pending.pop()
            for referrer in self._referrers.get(number, ()):
                if referrer not in self._problems:
                    self._problems[referrer] = self._problems[number]
                    pending.append(referrer)


class _CycleSearch:
    """Finds definitions that refer to themselves for the same value (2020-12 Core, 9.4.1).

    Args:
        definitions: converted schemas by number; each is searched once.
    """

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._done: set[str] = set()

    def find(self, starts: list[str]) -> list[str]:
        """Return one definition of each cycle that is reached from some definitions."""
        definitions, done = self._definitions, self._done
        found: list[str] = []
        for start in starts:
            if start in done:
                continue
            path = [(start, _references_in_place(definitions[start]))]
            on_path = {start}
            while path:
                number, rest = path[-1]
                following = next(rest, None)
                if following is None:
                    path.pop()
                    on_path.discard(number)
                    done.add(number)
                elif following in on_path:
                    found.append(following)
                elif following not in done:
                    on_path.add(following)
                    path.append((following, _references_in_place(definitions[following])))
        return found


def _references_in_place(schema: Any) -> Iterator[str]:
    """Iterate over the definitions that a schema applies to the same value."""
    pending = [schema]
    while pending:
        found = pending.pop()
        if isinstance(found, Mapping):
            if "$ref" in found:
                yield found["$ref"].rpartition("/")[2]
            pending += [child for path, child in iter_children(found) if path[0] in _IN_PLACE]
