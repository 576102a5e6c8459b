"""Audit schemas: which keywords are checked, and which values have no bound on their size."""

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from mantlet.guard.jsonschema.backend import PatternChecker
from mantlet.guard.jsonschema.dialects import Dialect, OpenApiVersion
from mantlet.guard.jsonschema.documents import SchemaDocuments, SchemaLocation, SchemaProblem
from mantlet.guard.jsonschema.formats import BUILT_IN_FORMATS, NUMBER_FORMATS
from mantlet.guard.jsonschema.keywords import (
    ANNOTATIONS,
    ASSERTIONS,
    CODE_ANNOTATION,
    LISTS,
    MAPS,
    SINGLES,
    iter_children,
)

__all__ = ["LENIENT_PATTERN", "KeywordCoverage", "find_coverage", "find_unbounded"]

#: The beginning of the notes on patterns that are checked, though they are not of the standard.
LENIENT_PATTERN: Final = "the pattern is not one"
_REFERENCES: Final = frozenset({"$dynamicRef", "$ref"})
_CHECKED: Final = (ASSERTIONS | LISTS | MAPS | SINGLES | _REFERENCES | {"dependencies"}) - {
    "$defs", "additionalItems", "contentSchema", "definitions", "format",
}  # fmt: skip
_IGNORED: Final = ANNOTATIONS | {"$defs", "definitions"}
_OPENAPI_KEYWORDS: Final = frozenset({"discriminator", "readOnly", "writeOnly"})
_UNSUPPORTED: Final[Mapping[str, str]] = {
    "contentEncoding": "encoded content is not decoded",
    "contentMediaType": "embedded content is not parsed",
    "contentSchema": "embedded content is not parsed",
    "xml": "XML is not supported",
}


# -- keywords -------------------------------------------------------------------------------------


class KeywordCoverage(NamedTuple):
    """Which keywords of a schema are checked.

    Attributes:
        checked: the names of the keywords that are.
        unchecked: the keywords that are not, with locations and reasons.
    """

    checked: tuple[str, ...]
    unchecked: tuple[SchemaProblem, ...]


# Any: schemas are plain JSON.
def find_coverage(
    schemas: Iterable[tuple[SchemaLocation, Any]],
    documents: SchemaDocuments,
    *,
    dialect: Dialect,
    version: OpenApiVersion,
    formats: Container[str] | None,
    patterns: PatternChecker,
) -> KeywordCoverage:
    """Return the coverage of schemas as written, and of all schemas they refer to, each once.

    Args:
        schemas: the schemas and their locations.
        documents: the targets of references.
        dialect: the dialect of schemas without a ``$schema``.
        version: the version of OpenAPI.
        formats: the string formats asserted besides the built-in ones; None if none are asserted.
        patterns: reads the patterns.
    """
    auditor = _KeywordAuditor(dialect, version, formats, patterns)
    checked: set[str] = set()
    unchecked: list[SchemaProblem] = []
    for at, found in _reachable(schemas, documents, dialect):
        for keyword in found:
            reason = auditor.unchecked_reason(keyword, found)
            if reason is not None:
                unchecked.append(SchemaProblem(str(at.child(keyword)), reason))
            if keyword not in _IGNORED and (reason is None or reason.startswith(LENIENT_PATTERN)):
                checked.add(keyword)
    return KeywordCoverage(tuple(sorted(checked)), tuple(unchecked))


def _reachable(
    schemas: Iterable[tuple[SchemaLocation, Any]], documents: SchemaDocuments, dialect: Dialect
) -> Iterator[tuple[SchemaLocation, Mapping[str, Any]]]:
    seen: set[int] = set()
    for schema in schemas:
        pending = [schema]
        while pending:
            at, found = pending.pop()
            if not isinstance(found, Mapping) or id(found) in seen:
                continue
            seen.add(id(found))
            yield at, found
            if isinstance(found.get("$ref"), str):
                with suppress(LookupError):  # reported by the conversion
                    pending.append(documents.resolve(found["$ref"], at.base))
                if dialect.ref_overrides:
                    continue
            pending += [
                (at.child(*path), child)
                for path, child in iter_children(found)
                if path[0] not in ("$defs", "definitions", "contentSchema")
            ]


class _KeywordAuditor(NamedTuple):
    dialect: Dialect
    version: OpenApiVersion
    formats: Container[str] | None
    patterns: PatternChecker

    def unchecked_reason(self, keyword: str, schema: Mapping[str, Any]) -> str | None:
        """Return why a keyword is not checked; None if it is, or if it allows every value."""
        if keyword in _IGNORED:
            return None
        if self.dialect.ref_overrides and "$ref" in schema and keyword != "$ref":
            return "$ref overrides it"
        if keyword in ("pattern", "patternProperties"):
            return self._lenient_pattern(schema[keyword])
        if keyword == "format":
            return self._unchecked_format(schema[keyword])
        if keyword in _CHECKED or (keyword == "additionalItems" and self.dialect.items_arrays):
            return None
        return _UNSUPPORTED.get(keyword) or self._unchecked_other(keyword, schema)

    def _lenient_pattern(self, value: Any) -> str | None:
        patterns = value if isinstance(value, Mapping) else (value,)
        for pattern in patterns:
            if isinstance(pattern, str) and self.patterns.read(pattern).is_lenient:
                return f"{LENIENT_PATTERN} of ECMA-262 with the flag u: it is read as is plain"
        return None

    def _unchecked_format(self, name: Any) -> str | None:
        if not isinstance(name, str) or (self.version is not None and name in NUMBER_FORMATS):
            return None
        if self.formats is None:
            return "string formats are not asserted"
        return None if name in BUILT_IN_FORMATS or name in self.formats else "unknown format"

    def _unchecked_other(self, keyword: str, schema: Mapping[str, Any]) -> str | None:
        if keyword == "nullable" and self.dialect.nullable:
            return None if "type" in schema else "nullable has no effect without a type beside it"
        if keyword in _OPENAPI_KEYWORDS and self.version is not None:
            has_effect = keyword != "discriminator" or {"anyOf", "oneOf"} & schema.keys()
            return None if has_effect else "no anyOf or oneOf beside it to pick from"
        if keyword in ("readOnly", "writeOnly"):
            return "it has no effect outside OpenAPI"
        return "it is an extension" if keyword.startswith("x-") else "unknown keyword"


# -- bounds ---------------------------------------------------------------------------------------

_FIXED_VALUES: Final = frozenset({"const", "enum"})
#: Keywords that bound a value of each type; a format or a pattern is assumed to.
_BOUNDS: Final[Mapping[str, frozenset[str]]] = {
    "string": _FIXED_VALUES | {"maxLength", "format", "pattern"},
    "array": _FIXED_VALUES | {"maxItems"},
    "object": _FIXED_VALUES | {"maxProperties"},
}
_ALTERNATIVES: Final = frozenset({"allOf", "anyOf", "oneOf", "then", "else", "dependentSchemas"})
_NOT_ADMITTING: Final = frozenset({"not", "if", "contains", "propertyNames"})
_MAX_DEPTH: Final = 64
#: How many combinations of alternatives are searched per value, to bound the time.
_MAX_COMBINATIONS: Final = 2_000

#: A schema that applies to a value, and its location.
_LocatedSchema = tuple[Mapping[str, Any], SchemaLocation]


def find_unbounded(
    schemas: Iterable[tuple[SchemaLocation, Any]],
    definitions: Mapping[str, Any],
    locations: Mapping[str, SchemaLocation],
) -> list[str]:
    """Return the locations of schemas that allow strings, arrays or objects of any size.

    Objects are bounded by ``maxProperties``, or by allowing only the properties they list. A schema
    with too many combinations of alternatives to search counts as unbounded.

    Args:
        schemas: the locations and the converted schemas.
        definitions: the converted targets of references, by number.
        locations: the locations of the definitions.
    """
    search = _BoundsSearch(definitions, locations)
    for location, schema in schemas:
        search.run(schema, location)
    return list(search.found)


class _BoundsSearch:
    def __init__(
        self, definitions: Mapping[str, Any], locations: Mapping[str, SchemaLocation]
    ) -> None:
        self._definitions = definitions
        self._locations = locations
        self._seen: set[int] = set()
        self.found: dict[str, None] = {}
        self._budget = _MAX_COMBINATIONS

    def run(self, schema: Any, location: SchemaLocation) -> None:
        pending = [(schema, location)]
        while pending:
            found, at = pending.pop()
            if (
                isinstance(found, Mapping)
                and CODE_ANNOTATION not in found
                and id(found) not in self._seen
            ):
                self._seen.add(id(found))
                self._budget = _MAX_COMBINATIONS
                pending += self._search(found, at, (), 0)

    def _search(
        self,
        schema: Mapping[str, Any],
        at: SchemaLocation,
        enclosing: tuple[_LocatedSchema, ...],
        depth: int,
    ) -> list[tuple[Any, SchemaLocation]]:
        """Check all schemas that apply to one value; return those of its properties and items."""
        nested: list[tuple[Any, SchemaLocation]] = []
        self._budget -= 1
        if self._budget < 0:
            self.found[str(at)] = None
            return nested
        parts = list(self._parts(schema, at))
        applied = (*parts, *enclosing)
        has_alternatives = False
        for part, part_at in parts:
            for path, child in iter_children(part):
                if path[0] in _NOT_ADMITTING or path[0] == "allOf":
                    continue
                if path[0] not in _ALTERNATIVES:
                    nested.append((child, part_at.child(*path)))
                elif (
                    depth < _MAX_DEPTH
                    and isinstance(child, Mapping)
                    and CODE_ANNOTATION not in child
                ):
                    has_alternatives = True
                    nested += self._search(child, part_at.child(*path), applied, depth + 1)
        if not has_alternatives:
            self._check_bounds(applied, at)
        return nested

    def _parts(self, schema: Any, at: SchemaLocation) -> Iterator[_LocatedSchema]:
        """Iterate over a schema and the schemas that always apply to the same value."""
        pending, seen = [(schema, at)], set[int]()
        while pending:
            part, part_at = pending.pop()
            if not isinstance(part, Mapping) or id(part) in seen:
                continue
            seen.add(id(part))
            yield part, part_at
            following = [
                (inner, part_at.child("allOf", index))
                for index, inner in enumerate(part.get("allOf", ()))
            ]
            if "$ref" in part:
                number = part["$ref"].rpartition("/")[2]
                following.insert(0, (self._definitions[number], self._locations[number]))
            pending += reversed(following)

    def _check_bounds(self, parts: tuple[_LocatedSchema, ...], at: SchemaLocation) -> None:
        keywords = {keyword for part, _ in parts for keyword in part}
        types: set[str] | None = None
        for part, part_at in reversed(parts):
            declared = part.get("type")
            if declared is not None:
                names = {declared} if isinstance(declared, str) else set(declared)
                types = names if types is None else types & names
                at = part_at  # the best place for a bound
        for name, bounds in _BOUNDS.items():
            is_allowed = types is None or name in types
            if is_allowed and not bounds & keywords and not _is_closed(name, parts):
                self.found[str(at)] = None


def _is_closed(name: str, parts: tuple[_LocatedSchema, ...]) -> bool:
    """Return whether an object or array has only the properties or items that are listed."""
    if name == "array":
        return any(part.get("items") is False for part, _ in parts)
    return name == "object" and any(
        part.get(keyword) is False and "patternProperties" not in part
        for part, _ in parts
        for keyword in ("additionalProperties", "unevaluatedProperties")
    )
