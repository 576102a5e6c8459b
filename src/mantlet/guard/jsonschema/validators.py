"""Build and cache validators for converted schemas and parts of them.

A validator contains the definitions that its schema refers to, except for those that refer to many
others themselves: these are linked. A linked definition has one validator in a document, which is
built when a value first gets there, however many schemas refer to it. So the memory and the time
for all schemas of a document grow with its size, and not with its square.
"""

from collections.abc import Callable, Mapping
from threading import local
from typing import Any, Final

from mantlet.guard.jsonschema.backend import DRAFT_2020_12, Validator, ValidatorBuilder
from mantlet.guard.jsonschema.keywords import (
    CODE_ANNOTATION,
    LISTS,
    MAPS,
    SINGLES,
    iter_subschemas,
    references_in,
)

__all__ = ["LinkedValidator", "ValidatorCache"]

#: How many validators each cache keeps, to bound the memory.
_MAX_CACHED: Final = 512
#: Keywords whose cost is not linear in the size of a value.
_COSTLY: Final = frozenset({"multipleOf", "uniqueItems"})
#: A definition that refers to more than this many others, directly or not, is linked.
_MAX_INLINED: Final = 32
_SUBSCHEMA_KEYWORDS: Final = SINGLES | LISTS | MAPS
#: The keyword in place of a reference to a linked definition; its value is the number.
_LINK: Final = "x-mantlet-link"
#: Keywords whose result depends on adjacent schemas, also in other definitions.
_UNEVALUATED: Final = frozenset({"unevaluatedItems", "unevaluatedProperties"})
_INVALID: Final = ValueError("invalid")


class _Failure(local):
    """The exception of a linked validator, in this thread.

    jsonschema-rs takes any exception of a keyword for an invalid value, which a schema such as
    ``not`` would turn into a valid one.
    """

    error: BaseException | None = None


class LinkedValidator:
    """A validator with links to others.

    Args:
        validator: the validator.
        failure: holds the exception of a link.
    """

    __slots__ = ("_failure", "_validator")

    def __init__(self, validator: Validator, failure: _Failure) -> None:
        self._validator = validator
        self._failure = failure

    # Any: a value is plain JSON.
    def is_valid(self, value: Any) -> bool:
        """Return whether a value is valid.

        Raises:
            Exception: from a custom format.
        """
        is_valid = self._validator.is_valid(value)
        error = self._failure.error
        if error is not None:
            self._failure.error = None
            raise error
        return is_valid


# Any: schemas are plain JSON.
class ValidatorCache:
    """Builds validators for converted schemas, and caches those for parts of schemas.

    Args:
        definitions: the targets of references, by number. They are complete: a definition may only
            be added together with all that it refers to.
        builder: builds the validators.
    """

    __slots__ = (
        "_builder",
        "_costly",
        "_definitions",
        "_failure",
        "_full",
        "_is_linked",
        "_keywords",
        "_parts",
        "_pattern_schemas",
        "_referenced",
        "_shallow",
        "_targets",
    )

    def __init__(self, definitions: Mapping[str, Any], builder: ValidatorBuilder) -> None:
        self._definitions = definitions
        self._builder = builder
        self._costly: dict[str, frozenset[str]] = {}
        self._referenced: dict[str, tuple[str, ...]] = {}
        self._pattern_schemas: dict[str, dict[str, Any]] = {}
        self._parts: dict[tuple[int, tuple[str, ...]], tuple[Any, Validator | LinkedValidator]] = {}
        # By the identity of the schema, which the entry keeps alive.
        self._full: dict[int, tuple[Any, Validator | LinkedValidator]] = {}
        self._shallow: dict[int, tuple[Any, Validator]] = {}
        self._is_linked: dict[str, bool] = {}
        #: The validators of definitions, each with whether it has links.
        self._targets: dict[str, tuple[Validator, bool]] = {}
        self._failure = _Failure()
        self._keywords = {_LINK: _link_keyword(self, self._failure)}

    @property
    def asserts_formats(self) -> bool:
        """Whether formats of strings are asserted."""
        return self._builder.asserts_formats

    def resolve(self, reference: str) -> Any:
        """Return the target of a reference in a converted schema."""
        return self._definitions[reference.rpartition("/")[2]]

    def build(self, schema: Any) -> Validator | LinkedValidator:
        """Return a validator for a schema; all schemas that only refer to one share it.

        Raises:
            ValueError: the schema cannot be compiled.
        """
        if isinstance(schema, Mapping) and schema.keys() == {"$ref"}:
            validator, has_links = self._target(schema["$ref"].rpartition("/")[2])
        else:
            validator, has_links = self._build(schema)
        return LinkedValidator(validator, self._failure) if has_links else validator

    def target(self, number: str) -> Validator:
        """Return the validator for a definition."""
        return self._target(number)[0]

    def bundle(self, schema: Any) -> Any:
        """Return a schema together with all definitions that it refers to."""
        if isinstance(schema, bool):
            return schema
        required = self._required(schema, include_linked=True)
        definitions = {number: self._definitions[number] for number in required}
        return {"$schema": DRAFT_2020_12, **schema, "$defs": definitions}

    def matches_pattern(self, pattern: str, name: str) -> bool:
        """Return whether a property name matches a pattern."""
        schema = self._pattern_schemas.setdefault(pattern, {"pattern": pattern})
        return self._cached_shallow(schema, schema).is_valid(name)

    def full(self, schema: Any) -> Validator | LinkedValidator:
        """Return the validator for a part of a schema."""
        found = self._full.get(id(schema))
        if found is None:
            if len(self._full) >= _MAX_CACHED:
                self._full.clear()
            found = self._full[id(schema)] = (schema, self.build(schema))
        return found[1]

    def part(
        self, schema: Mapping[str, Any], keywords: tuple[str, ...]
    ) -> Validator | LinkedValidator:
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
        return self._cached_shallow(schema, pruned)

    def costly_keywords(self, schema: Any) -> frozenset[str]:
        """Return the costly keywords in a schema and in those that it refers to."""
        found = _costly(schema)
        for number in self._required(schema, include_linked=True):
            if number not in self._costly:
                self._costly[number] = _costly(self._definitions[number])
            found |= self._costly[number]
        return found

    def _cached_shallow(self, key: Any, schema: Any) -> Validator:
        found = self._shallow.get(id(key))
        if found is None:
            if len(self._shallow) >= _MAX_CACHED:
                self._shallow.clear()
            found = self._shallow[id(key)] = (key, self._builder.build(schema))
        return found[1]

    # -- links ------------------------------------------------------------------------------------

    def _target(self, number: str) -> tuple[Validator, bool]:
        found = self._targets.get(number)
        if found is None:
            found = self._targets[number] = self._build(self._definitions[number])
        return found

    def _build(self, schema: Any) -> tuple[Validator, bool]:
        """Build a validator, and return it with whether it has links."""
        if isinstance(schema, bool):
            return self._builder.build(schema), False
        inlined = self._required(schema, include_linked=False)
        parts = [schema, *(self._definitions[number] for number in inlined)]
        has_links = any(self._links(number) for part in parts for number in references_in(part))
        if not has_links or any(map(_has_unevaluated, parts)):
            return self._builder.build(self.bundle(schema)), False
        definitions = {number: self._linked(self._definitions[number]) for number in inlined}
        linked = {"$schema": DRAFT_2020_12, **self._linked(schema), "$defs": definitions}
        return self._builder.build(linked, keywords=self._keywords), True

    def _required(self, schema: Any, *, include_linked: bool) -> list[str]:
        """Return the definitions that a schema refers to, also through each other."""
        required: dict[str, None] = {}
        pending = list(references_in(schema))
        while pending:
            number = pending.pop()
            if number not in required and (include_linked or not self._links(number)):
                required[number] = None
                pending += self._references_of(number)
        return list(required)

    def _links(self, number: str) -> bool:
        """Return whether a definition is linked."""
        known = self._is_linked.get(number)
        if known is None:
            reached, pending = {number}, [number]
            while pending and len(reached) <= _MAX_INLINED:
                following = set(self._references_of(pending.pop())) - reached
                reached |= following
                pending += following
            known = self._is_linked[number] = len(reached) > _MAX_INLINED
        return known

    def _references_of(self, number: str) -> tuple[str, ...]:
        found = self._referenced.get(number)
        if found is None:
            found = tuple(dict.fromkeys(references_in(self._definitions[number])))
            self._referenced[number] = found
        return found

    def _linked(self, schema: Any) -> Any:
        """Return a copy of a schema with links in place of references to linked definitions."""
        if not isinstance(schema, Mapping) or CODE_ANNOTATION in schema:
            return schema
        made: dict[str, Any] = {}
        for keyword, value in schema.items():
            if keyword == "$ref" and self._links(number := value.rpartition("/")[2]):
                made[_LINK] = number
            elif keyword in SINGLES:
                made[keyword] = self._linked(value)
            elif keyword in LISTS:
                made[keyword] = [self._linked(part) for part in value]
            elif keyword in MAPS:
                made[keyword] = {name: self._linked(part) for name, part in value.items()}
            elif not keyword.startswith("x-mantlet-") and keyword != "default":
                made[keyword] = value
        return made


def _link_keyword(validators: ValidatorCache, failure: _Failure) -> type:
    """Return the class of the keyword that validates a value by a linked definition."""

    class Link:
        def __init__(self, _schema: Any, number: str, _path: Any) -> None:
            self._number = number
            self._is_valid: Callable[[Any], bool] = self._build_and_validate

        def _build_and_validate(self, value: Any) -> bool:
            self._is_valid = validators.target(self._number).is_valid
            return self._is_valid(value)

        def validate(self, value: Any) -> None:
            try:
                is_valid = self._is_valid(value)
            except BaseException as error:
                failure.error = error  # raised again by the LinkedValidator
                raise
            if not is_valid:
                raise _INVALID

    return Link


def _has_unevaluated(schema: Any) -> bool:
    return any(_UNEVALUATED & part.keys() for _, part in iter_subschemas(schema))


def _costly(schema: Any) -> frozenset[str]:
    """Return the costly keywords in a schema itself."""
    return frozenset(
        keyword for _, part in iter_subschemas(schema) for keyword in _COSTLY & part.keys()
    )
