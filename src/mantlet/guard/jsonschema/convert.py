"""Schemas of any dialect turned into JSON Schema 2020-12, which is what is compiled.

A converted schema has its references as ``#/$defs/<number>``, each naming what one spot of the
documents is for one direction. Annotations are left out, except ``default``.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from mantlet.guard.errors import pointer
from mantlet.guard.jsonschema.backend import meta_faults
from mantlet.guard.jsonschema.dialects import Dialect, Version, find_dialect, upgrade
from mantlet.guard.jsonschema.discriminators import discriminate
from mantlet.guard.jsonschema.documents import Documents, Spot
from mantlet.guard.jsonschema.keywords import ASSERTIONS
from mantlet.guard.jsonschema.loops import find_loops
from mantlet.guard.jsonschema.number_formats import hold_format
from mantlet.guard.jsonschema.patterns import Patterns
from mantlet.guard.jsonschema.problems import Problem, SchemaError
from mantlet.guard.jsonschema.read_write_only import CODES, Direction, Directions, drop_required

__all__ = ["CODE", "Converter", "View"]

#: The annotation, in a converted schema, that names the code of whatever is there.
CODE: Final = "x-mantlet-code"
_NOTHING: Final[frozenset[str]] = frozenset()
_REFUSED: Final[Mapping[Direction, dict[str, Any]]] = {
    direction: {"not": {}, CODE: code} for direction, code in CODES.items()
}
_KEPT: Final = ASSERTIONS | {"default"}
#: What can't be honoured, as what it means depends on the way by which a schema was reached, or
#: on a URI that a schema gives itself.
_REFUSED_KEYWORDS: Final = {
    "$recursiveRef": "use $ref",
    "$id": "a schema within a document is named by its place; refer to it by its JSON Pointer",
}


class View(NamedTuple):
    """How a schema is looked at.

    Attributes:
        base: the URI of the document that it stands in.
        dialect: that it is written in.
        direction: that messages go; None where members that go one way are as all others.
        exact: whether a value may be let through because this schema does not hold.
        member: whether it says what a member of an object is.
        dropped: members that are not required here, as they must not be sent.
    """

    base: str
    dialect: Dialect
    direction: Direction | None
    exact: bool = False
    member: bool = False
    dropped: frozenset[str] = _NOTHING


class Converter:
    """Converts schemas, each spot that is referred to once.

    Args:
        documents: where references lead.
        version: of OpenAPI.
        dialect: of schemas that don't name theirs.
        patterns: the patterns that there have been.

    Attributes:
        definitions: what has been referred to, converted, by number.
        spots: where each of them stands.
    """

    def __init__(
        self, documents: Documents, version: Version, dialect: Dialect, patterns: Patterns
    ) -> None:
        self.documents = documents
        self.definitions: dict[str, Any] = {}
        self.spots: dict[str, Spot] = {}
        self._version = version
        self._dialect = dialect
        self._patterns = patterns
        self._directions = Directions(documents, dialect.alone)
        self._numbers: dict[tuple[Spot, View], str] = {}
        self._waiting: list[tuple[str, Any, Spot, View]] = []
        self._problems: list[Problem] = []

    # Any: schemas are plain JSON.
    def convert(self, schema: Any, spot: Spot, direction: Direction) -> Any:
        """Return a schema converted, and have all that it refers to among the definitions.

        Raises:
            SchemaError: with all that is wrong.
        """
        if not isinstance(schema, Mapping | bool):
            raise SchemaError([Problem(str(spot), "a schema must be an object, true or false")])
        self._problems, known = [], set(self.definitions)
        way = None if self._version is None else direction
        made = self.schema(schema, spot.pointer, View(spot.base, self._dialect, way))
        self._check(made, spot)
        while self._waiting:
            number, found, where, view = self._waiting.pop()
            self.definitions[number] = self.schema(found, where.pointer, view)
            self._check(self.definitions[number], where)
        new = [number for number in self.definitions if number not in known]
        for number in find_loops(self.definitions, iter(new)):
            words = "it refers to itself for the same value, which never ends"
            self._problems.append(Problem(str(self.spots[number]), words))
        if self._problems:
            # So that whoever refers to what is wrong is told again.
            for number in new:
                del self.definitions[number]
            self._numbers = {k: v for k, v in self._numbers.items() if v in known}
            raise SchemaError(dict.fromkeys(self._problems))
        return made

    def problem(self, at: str, view: View, words: str) -> None:
        """Note something that is wrong."""
        self._problems.append(Problem(str(Spot(view.base, at)), words))

    def schema(self, schema: Any, at: str, view: View) -> Any:
        """Return one schema converted."""
        if not isinstance(schema, Mapping):
            if not isinstance(schema, bool):
                self.problem(at, view, "a schema must be an object, true or false")
            return schema is True
        if "$schema" in schema:
            view = self._with_dialect(schema, at, view)
        if view.direction is not None:
            if view.member and self._directions.refuses(schema, view.base, view.direction):
                return _REFUSED[view.direction]
            own = self._directions.names(schema, view.base, view.direction)
            if own - view.dropped:
                view = view._replace(dropped=view.dropped | own)
        if view.dialect.alone and "$ref" in schema:
            return self._reference(schema["$ref"], at, view)
        return self._object(upgrade(schema, view.dialect), at, view)

    def _object(self, schema: dict[str, Any], at: str, view: View) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for keyword, value in schema.items():
            make = _MAKERS.get(keyword)
            if make is not None:
                made[keyword] = make(self, value, f"{at}/{keyword}", view)
            elif keyword in _KEPT:
                made[keyword] = value
            elif keyword == "$ref":
                made.update(self._reference(value, at, view))
            elif keyword == "$dynamicRef":
                made.setdefault("allOf", []).append(self._dynamic(value, at, view))
            elif keyword in _REFUSED_KEYWORDS and at:
                words = f"{keyword} can't be honoured: {_REFUSED_KEYWORDS[keyword]}"
                self.problem(f"{at}/{keyword}", view, words)
        self._finish(schema, made, at, view)
        return made

    def _finish(self, schema: Mapping[str, Any], made: dict[str, Any], at: str, view: View) -> None:
        if "pattern" in made:
            self._pattern(made["pattern"], f"{at}/pattern", view.exact, view)
        if view.dropped:
            drop_required(made, view.dropped)
        if self._version is not None:
            hold_format(made)
            if "discriminator" in schema:
                discriminate(self, schema, made, at, view)

    # -- references ---------------------------------------------------------------------------

    def reference(self, spot: Spot, found: Any, view: View) -> dict[str, Any]:
        """Return a reference to what is at a spot, which will be among the definitions."""
        dropped = view.dropped
        if dropped:
            dropped &= self._directions.requires(found, spot.base)
            if view.direction is not None:
                dropped -= self._directions.names(found, spot.base, view.direction)
        dialect = view.dialect if spot.base == view.base else self._dialect
        view = view._replace(base=spot.base, dialect=dialect, dropped=dropped)
        number = self._numbers.get((spot, view))
        if number is None:
            number = self._numbers[spot, view] = str(len(self.spots))
            self.spots[number] = spot
            self._waiting.append((number, found, spot, view))
        return {"$ref": f"#/$defs/{number}"}

    def _reference(self, reference: Any, at: str, view: View) -> dict[str, Any]:
        try:
            spot, found = self.documents.find(reference, view.base)
        except LookupError as error:
            self.problem(f"{at}/$ref", view, str(error.args[0]))
            return {}
        return self.reference(spot, found, view)

    def _dynamic(self, reference: Any, at: str, view: View) -> dict[str, Any]:
        """Return a plain reference for a dynamic one that can lead to one place only."""
        try:
            spot, found = self.documents.find(reference, view.base)
            name = found.get("$dynamicAnchor") if isinstance(found, Mapping) else None
            if name is None or self.documents.only(name) == spot:
                return self.reference(spot, found, view)
            words = "$dynamicRef can't be honoured: several schemas have its $dynamicAnchor"
        except LookupError as error:
            words = str(error.args[0])
        self.problem(f"{at}/$dynamicRef", view, words)
        return {}

    def _with_dialect(self, schema: Mapping[str, Any], at: str, view: View) -> View:
        try:
            return view._replace(dialect=find_dialect(schema["$schema"]))
        except LookupError as error:
            self.problem(f"{at}/$schema", view, str(error.args[0]))
            return view

    # -- checks -------------------------------------------------------------------------------

    def _pattern(self, pattern: Any, at: str, exact: bool, view: View) -> None:
        if isinstance(pattern, str):
            words = self._patterns.fault(pattern, exact=exact)
            if words is not None:
                self.problem(at, view, words)

    def _check(self, made: Any, spot: Spot) -> None:
        if isinstance(made, dict):
            for way, words in meta_faults(made):
                self._problems.append(Problem(str(spot.down(*way)), words))

    # -- keywords -----------------------------------------------------------------------------

    def _same_value(self, value: Any, at: str, view: View) -> Any:
        return self.schema(value, at, view)

    def _reversed(self, value: Any, at: str, view: View) -> Any:
        # What must not be sent is as all else where not holding is what counts.
        return self.schema(value, at, View(view.base, view.dialect, None, exact=True))

    def _member(self, value: Any, at: str, view: View) -> Any:
        return self.schema(value, at, view._replace(member=True, dropped=_NOTHING))

    def _item(self, value: Any, at: str, view: View) -> Any:
        return self.schema(value, at, view._replace(member=False, dropped=_NOTHING))

    def _every(self, value: Any, at: str, view: View) -> Any:
        if not isinstance(value, list):
            return value
        return [self.schema(part, f"{at}/{index}", view) for index, part in enumerate(value)]

    def _one_of(self, value: Any, at: str, view: View) -> Any:
        return self._every(value, at, view._replace(exact=True))

    def _prefix(self, value: Any, at: str, view: View) -> Any:
        return self._every(value, at, view._replace(member=False, dropped=_NOTHING))

    def _members(self, value: Any, at: str, view: View) -> Any:
        return self._named(value, at, view._replace(member=True, dropped=_NOTHING))

    def _patterns_of(self, value: Any, at: str, view: View) -> Any:
        if isinstance(value, Mapping):
            for pattern in value:
                self._pattern(pattern, at + pointer((pattern,)), True, view)
        return self._members(value, at, view)

    def _named(self, value: Any, at: str, view: View) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {
            name: self.schema(part, at + pointer((name,)), view) for name, part in value.items()
        }


_MAKERS: Final[dict[str, Callable[[Converter, Any, str, View], Any]]] = {
    "additionalProperties": Converter._member,
    "allOf": Converter._every,
    "anyOf": Converter._every,
    "contains": Converter._reversed,
    "dependentSchemas": Converter._named,
    "else": Converter._same_value,
    "if": Converter._reversed,
    "items": Converter._item,
    "not": Converter._reversed,
    "oneOf": Converter._one_of,
    "patternProperties": Converter._patterns_of,
    "prefixItems": Converter._prefix,
    "properties": Converter._members,
    "propertyNames": Converter._item,
    "then": Converter._same_value,
    "unevaluatedItems": Converter._item,
    "unevaluatedProperties": Converter._member,
}
