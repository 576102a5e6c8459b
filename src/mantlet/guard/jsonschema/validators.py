"""Validators of converted schemas, or of parts of them, each with what it refers to."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mantlet.guard.jsonschema.backend import DRAFT, Build, Validator
from mantlet.guard.jsonschema.keywords import LISTS, MAPS, SINGLES, children

__all__ = ["Validators"]

#: How many validators of parts are kept, so that memory has a bound.
_KEPT: Final = 512
_DEEP: Final = SINGLES | LISTS | MAPS


# Any: schemas are plain JSON.
class Validators:
    """Makes and keeps validators.

    Args:
        definitions: what references lead to, by number.
        build: how they are made.
    """

    __slots__ = ("_build", "_definitions", "_leads", "_matchers", "_shallow", "_whole")

    def __init__(self, definitions: Mapping[str, Any], build: Build) -> None:
        self._definitions = definitions
        self._build = build
        self._leads: dict[str, tuple[str, ...]] = {}
        self._matchers: dict[str, dict[str, Any]] = {}
        # By identity, beside the schema itself, which so stays alive.
        self._whole: dict[int, tuple[Any, Validator]] = {}
        self._shallow: dict[int, tuple[Any, Validator]] = {}

    @property
    def hold_formats(self) -> bool:
        """Whether formats of strings are asserted."""
        return self._build.holds_formats

    def follow(self, reference: str) -> Any:
        """Return what a reference of a converted schema leads to."""
        return self._definitions[reference.rpartition("/")[2]]

    def make(self, schema: Any) -> Validator:
        """Return a new validator of a schema.

        Raises:
            ValueError: it can't be compiled.
        """
        return self._build.validator(self.standing_alone(schema))

    def standing_alone(self, schema: Any) -> Any:
        """Return a schema together with all that it refers to."""
        if isinstance(schema, bool):
            return schema
        import_extra = dict.fromkeys(_references(schema))
        waiting = list(import_extra)
        while waiting:
            for number in self._led(waiting.pop()):
                if number not in import_extra:
                    import_extra[number] = None
                    waiting.append(number)
        definitions = {number: self._definitions[number] for number in import_extra}
        return {"$schema": DRAFT, **schema, "$defs": definitions}

    def matches(self, pattern: str, name: str) -> bool:
        """Whether a member's name matches a pattern."""
        key = self._matchers.setdefault(pattern, {"pattern": pattern})
        return self._keep(self._shallow, key, key).is_valid(name)

    def whole(self, schema: Any) -> Validator:
        """Return the validator of a part of a schema."""
        return self._keep(self._whole, schema, schema)

    def shallow(self, schema: Mapping[str, Any]) -> Validator:
        """Return a validator of what a schema says of the value itself, not of what is in it.

        It is to be asked about a value whose members and items are all null.
        """
        kept = self._shallow.get(id(schema))
        if kept is not None:
            return kept[1]
        plain = {key: value for key, value in schema.items() if key not in _DEEP and key != "$ref"}
        if schema.get("additionalProperties") is False:
            plain["additionalProperties"] = False
            plain["properties"] = dict.fromkeys(schema.get("properties", {}), True)
            plain["patternProperties"] = dict.fromkeys(schema.get("patternProperties", {}), True)
        if schema.get("items") is False:
            plain["items"] = False
            plain["prefixItems"] = [True for _ in schema.get("prefixItems", [])] or [False]
        return self._keep(self._shallow, schema, plain)

    def _keep(self, kept: dict[int, tuple[Any, Validator]], key: Any, schema: Any) -> Validator:
        found = kept.get(id(key))
        if found is None:
            if len(kept) >= _KEPT:
                kept.clear()
            found = kept[id(key)] = (key, self.make(schema))
        return found[1]

    def _led(self, number: str) -> tuple[str, ...]:
        if number not in self._leads:
            self._leads[number] = tuple(dict.fromkeys(_references(self._definitions[number])))
        return self._leads[number]


def _references(schema: Any) -> Iterator[str]:
    """Iterate over the numbers of all that a converted schema refers to itself."""
    waiting = [schema]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            if "$ref" in found:
                yield found["$ref"].rpartition("/")[2]
            waiting += [child for _, child in children(found)]
