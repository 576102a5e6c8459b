"""Derive the shape of a value from its JSON Schema (draft 2020-12).

A shape has only what decides how text is read: the types, and the content of arrays and objects. If
these are unknown, text stays text. The value is still validated by the schema, so a wrong guess can
reject a value, but never accept one.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final

from mantlet.guard.parameters.coercion import TEXT, TYPES, Coercer

__all__ = ["Resolve", "applied_schemas", "shape_of"]

# Any: JSON.
Resolve = Callable[[str], Any]

#: The levels of arrays and objects to derive: no style has more than an object of arrays (a form).
_LEVELS: Final = 2
#: The maximum depth and number of subschemas.
_MAX_DEPTH: Final = 100
_MAX_SUBSCHEMAS: Final = 50_000
#: The types of an integer.
_NUMBERS: Final = frozenset({"integer", "number"})


@dataclass(slots=True)
class _Known:
    """The known facts about a value; None if unknown."""

    types: frozenset[str] | None = None
    texts: frozenset[str] = frozenset()
    items: "_Known | None" = None
    prefix: "tuple[_Known, ...]" = ()
    properties: "dict[str, _Known]" = field(default_factory=dict)
    additional: "_Known | None" = None
    sealed: bool = False  # whether additional members are forbidden

    def shape(self) -> Coercer:
        types = self._types()
        additional = _shape(self.additional)
        if "object" in types and not self.properties and not self.sealed:
            additional = additional or TEXT
        return Coercer(
            types=types,
            texts=self.texts,
            items=_shape(self.items),
            prefix=tuple(item.shape() for item in self.prefix),
            properties={name: member.shape() for name, member in self.properties.items()},
            additional=additional,
        )

    def _types(self) -> frozenset[str]:
        if self.types is not None:
            return self.types
        # A schema with members and without a type means an object.
        if self.properties or self.additional is not None:
            return frozenset({"object"})
        return frozenset({"string" if self.items is None and not self.prefix else "array"})


def _shape(known: _Known | None) -> Coercer | None:
    return None if known is None else known.shape()


Join = Callable[["_Known", "_Known"], "_Known"]


def _merged(types: frozenset[str] | None, one: _Known, two: _Known, join: Join) -> _Known:
    def both(left: _Known | None, right: _Known | None) -> _Known | None:
        return join(left, right) if left is not None and right is not None else left or right

    return _Known(
        types=types,
        texts=one.texts | two.texts,
        items=both(one.items, two.items),
        prefix=one.prefix or two.prefix,
        properties={
            name: both(one.properties.get(name), two.properties.get(name)) or _Known()
            for name in one.properties | two.properties
        },
        additional=both(one.additional, two.additional),
        sealed=(one.sealed or two.sealed) if join is _all else (one.sealed and two.sealed),
    )


def _all(one: _Known, two: _Known) -> _Known:
    """Combine the facts about a value if both sets hold."""
    if one.types is None or two.types is None:
        types = two.types if one.types is None else one.types
    else:
        types = one.types & two.types
    return _merged(types, one, two, _all)


def _any(one: _Known, two: _Known) -> _Known:
    """Combine the facts about a value if one of two sets holds."""
    types = None if one.types is None or two.types is None else one.types | two.types
    return _merged(types, one, two, _any)


def shape_of(schema: Mapping[str, Any] | bool, resolve: Resolve) -> Coercer:
    """Return the shape of the values that a schema allows.

    A property without a schema of its own gets the combination of ``additionalProperties``,
    ``unevaluatedProperties`` and ``patternProperties``. Without these the object is closed, if it
    has any properties.

    Args:
        schema: a schema of JSON Schema 2020-12.
        resolve: returns the schema for a reference.

    Raises:
        ValueError: the schema has too many subschemas, or is nested too deeply.
    """
    return _Walk(resolve).derive(schema, 0, frozenset(), 0).shape()


def applied_schemas(schemas: Iterable[Any], resolve: Resolve) -> list[Mapping[str, Any]]:
    """Return schemas and those that they apply to the same value, always or sometimes.

    Args:
        schemas: schemas of JSON Schema 2020-12.
        resolve: returns the schema for a reference.

    Raises:
        ValueError: there are too many.
    """
    found: list[Mapping[str, Any]] = []
    pending, seen = list(schemas), set[int]()
    while pending:
        schema = pending.pop()
        if not isinstance(schema, Mapping) or id(schema) in seen:
            continue
        seen.add(id(schema))
        found.append(schema)
        if len(found) > _MAX_SUBSCHEMAS:
            raise ValueError("schema must have fewer subschemas")
        if isinstance(schema.get("$ref"), str):
            pending.append(resolve(schema["$ref"]))
        pending += schema.get("allOf", ())
        for parts in _alternatives(schema):
            pending += parts
    return found


class _Walk:
    """A walk through a schema that does not follow a reference within itself."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._left = _MAX_SUBSCHEMAS

    def derive(self, schema: Any, level: int, via: frozenset[str], depth: int) -> _Known:
        """Return the facts that a schema states.

        Args:
            schema: the schema.
            level: the number of arrays and objects around the value.
            via: the references that have been followed at this level.
            depth: the number of schemas around it.
        """
        if not isinstance(schema, Mapping):
            return _Known(types=frozenset()) if schema is False else _Known()
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            raise ValueError("schema must have fewer or less deeply nested subschemas")

        def derive(part: Any) -> _Known:
            return self.derive(part, level, via, depth + 1)

        known = _Known(*_types(schema))
        if level < _LEVELS:
            self._derive_content(known, schema, level, depth)
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference not in via:
            target = self._resolve(reference)
            known = _all(known, self.derive(target, level, via | {reference}, depth + 1))
        for part in schema.get("allOf", ()):
            known = _all(known, derive(part))
        for parts in _alternatives(schema):
            known = _all(known, reduce(_any, map(derive, parts)))
        return known

    def _derive_content(
        self, known: _Known, schema: Mapping[str, Any], level: int, depth: int
    ) -> None:
        def derive(part: Any) -> _Known:
            return self.derive(part, level + 1, frozenset(), depth + 1)

        if "items" in schema:
            known.items = derive(schema["items"])
        known.prefix = tuple(map(derive, schema.get("prefixItems", ())))
        known.properties = {
            name: derive(part) for name, part in schema.get("properties", {}).items()
        }
        others = [
            schema[keyword]
            for keyword in ("additionalProperties", "unevaluatedProperties")
            if keyword in schema
        ]
        known.sealed = False in others
        others = [part for part in others if part is not False]
        others += schema.get("patternProperties", {}).values()
        if others:
            known.additional = reduce(_any, map(derive, others))


def _types(schema: Mapping[str, Any]) -> tuple[frozenset[str] | None, frozenset[str]]:
    """Return the types of a schema's own keywords, and the strings that it enumerates."""
    types: frozenset[str] | None = None
    stated = schema.get("type")
    if stated is not None:
        names = {stated} if isinstance(stated, str) else set(stated)
        types = TYPES & (names | _NUMBERS if "number" in names else names)
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if values is None:
        return types, frozenset()
    texts = frozenset(value for value in values if isinstance(value, str))
    found = frozenset[str]().union(*map(_types_of, values))
    return (found if types is None else types & found), texts


def _types_of(value: Any) -> frozenset[str]:
    if isinstance(value, bool):
        return frozenset({"boolean"})
    if isinstance(value, int | float):
        return _NUMBERS
    for kind, name in ((str, "string"), (list, "array"), (Mapping, "object")):
        if isinstance(value, kind):
            return frozenset({name})
    return frozenset({"null"})


def _alternatives(schema: Mapping[str, Any]) -> Iterable[list[Any]]:
    """Yield the lists of subschemas of which at least one must hold."""
    for keyword in ("anyOf", "oneOf"):
        if schema.get(keyword):
            yield schema[keyword]
    if "if" in schema and ("then" in schema or "else" in schema):
        yield [schema.get("then", True), schema.get("else", True)]
    for part in schema.get("dependentSchemas", {}).values():
        yield [part, True]
