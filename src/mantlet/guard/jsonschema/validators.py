"""Build and cache validators for converted schemas and parts of them."""

from collections.abc import Mapping
from typing import Any, Final

from mantlet.guard.jsonschema.backend import DRAFT_2020_12, Validator, ValidatorBuilder
from mantlet.guard.jsonschema.keywords import LISTS, MAPS, SINGLES, iter_children, references_in

__all__ = ["ValidatorCache"]

#: How many validators each cache keeps, to bound the memory.
_MAX_CACHED: Final = 512
#: Keywords that take longer for a value than its size says.
_COSTLY: Final = frozenset({"multipleOf", "uniqueItems"})
_SUBSCHEMA_KEYWORDS: Final = SINGLES | LISTS | MAPS


# Any: schemas are plain JSON.
class ValidatorCache:
    """Builds validators for converted schemas, and caches those for parts of schemas.

    Args:
        definitions: the targets of references, by number.
        builder: builds the validators.
    """

    __slots__ = (
        "_builder",
        "_costly",
        "_definitions",
        "_full",
        "_parts",
        "_pattern_schemas",
        "_referenced",
        "_shallow",
    )

    def __init__(self, definitions: Mapping[str, Any], builder: ValidatorBuilder) -> None:
        self._definitions = definitions
        self._builder = builder
        self._costly: dict[str, frozenset[str]] = {}
        self._referenced: dict[str, tuple[str, ...]] = {}
        self._pattern_schemas: dict[str, dict[str, Any]] = {}
        self._parts: dict[tuple[int, tuple[str, ...]], tuple[Any, Validator]] = {}
        # By the identity of the schema, which the entry keeps alive.
        self._full: dict[int, tuple[Any, Validator]] = {}
        self._shallow: dict[int, tuple[Any, Validator]] = {}

    @property
    def asserts_formats(self) -> bool:
        """Whether formats of strings are asserted."""
        return self._builder.asserts_formats

    def resolve(self, reference: str) -> Any:
        """Return the target of a reference in a converted schema."""
        return self._definitions[reference.rpartition("/")[2]]

    def build(self, schema: Any) -> Validator:
        """Build a new validator for a schema.

        Raises:
            ValueError: the schema cannot be compiled.
        """
        return self._builder.build(self.bundle(schema))

    def bundle(self, schema: Any) -> Any:
        """Return a schema together with all definitions that it refers to."""
        if isinstance(schema, bool):
            return schema
        required = dict.fromkeys(references_in(schema))
        pending = list(required)
        while pending:
            for number in self._references_of(pending.pop()):
                if number not in required:
                    required[number] = None
                    pending.append(number)
        definitions = {number: self._definitions[number] for number in required}
        return {"$schema": DRAFT_2020_12, **schema, "$defs": definitions}

    def matches_pattern(self, pattern: str, name: str) -> bool:
        """Return whether a property name matches a pattern."""
        schema = self._pattern_schemas.setdefault(pattern, {"pattern": pattern})
        return self._cached(self._shallow, schema, schema).is_valid(name)

    def full(self, schema: Any) -> Validator:
        """Return the validator for a part of a schema."""
        return self._cached(self._full, schema, schema)

    def part(self, schema: Mapping[str, Any], keywords: tuple[str, ...]) -> Validator:
        """Return a validator for some keywords of a schema."""
        key = id(schema), keywords
        found = self._parts.get(key)
        if found is None:
            if len(self._parts) >= _MAX_CACHED:
                self._parts.clear()
            kept = {name: schema[name] for name in keywords if name in schema}
            found = self._parts[key] = schema, self.build(kept)
        return found[1]

    def shallow(self, schema: Mapping[str, Any]) -> Validator:
        """Return a validator for a value apart from its properties and items.

        Pass it values whose properties and items have been replaced by null.
        """
        cached = self._shallow.get(id(schema))
        if cached is not None:
            return cached[1]
        pruned = {
            key: value
            for key, value in schema.items()
            if key not in _SUBSCHEMA_KEYWORDS and key != "$ref"
        }
        if schema.get("additionalProperties") is False:
            pruned["additionalProperties"] = False
            pruned["properties"] = dict.fromkeys(schema.get("properties", {}), True)
            pruned["patternProperties"] = dict.fromkeys(schema.get("patternProperties", {}), True)
        if schema.get("items") is False:
            pruned["items"] = False
            pruned["prefixItems"] = [True for _ in schema.get("prefixItems", [])] or [False]
        return self._cached(self._shallow, schema, pruned)

    def costly_keywords(self, schema: Any) -> frozenset[str]:
        """Return the keywords in a schema, or in what it refers to, that take time for a value."""
        found = _costly(schema)
        if isinstance(schema, bool):
            return found
        for number in self.bundle(schema)["$defs"]:
            if number not in self._costly:
                self._costly[number] = _costly(self._definitions[number])
            found |= self._costly[number]
        return found

    def _cached(self, cache: dict[int, tuple[Any, Validator]], key: Any, schema: Any) -> Validator:
        found = cache.get(id(key))
        if found is None:
            if len(cache) >= _MAX_CACHED:
                cache.clear()
            found = cache[id(key)] = (key, self.build(schema))
        return found[1]

    def _references_of(self, number: str) -> tuple[str, ...]:
        if number not in self._referenced:
            references = dict.fromkeys(references_in(self._definitions[number]))
            self._referenced[number] = tuple(references)
        return self._referenced[number]


def _costly(schema: Any) -> frozenset[str]:
    """Return the costly keywords in a schema itself."""
    found = set[str]()
    pending = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            found |= _COSTLY & part.keys()
            pending += [child for _, child in iter_children(part)]
    return frozenset(found)
