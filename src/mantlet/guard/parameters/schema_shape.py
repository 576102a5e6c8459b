"""What a JSON Schema says of the shape of a value (draft 2020-12).

No more than what decides how text is read: types, and what is in arrays and objects. What it can't
tell is left as text, and the schema itself is still checked afterwards, so a wrong guess refuses
and never lets in.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final

from mantlet.guard.parameters.coercion import TEXT, TYPES, Shape

__all__ = ["shape_of"]

# Any: JSON.
Resolve = Callable[[str], Any]

#: How many levels of arrays and objects are looked into: no style has more than an object of arrays
#: (a form).
_LEVELS: Final = 2
#: How deep subschemas may lie in each other, and how many of them are looked at.
_DEEPEST: Final = 100
_MOST: Final = 50_000
#: What an integer may be called.
_NUMBERS: Final = frozenset({"integer", "number"})


@dataclass(slots=True)
class _Known:
    """What is known of a value; None is nothing."""

    types: frozenset[str] | None = None
    texts: frozenset[str] = frozenset()
    items: "_Known | None" = None
    prefix: "tuple[_Known, ...]" = ()
    properties: "dict[str, _Known]" = field(default_factory=dict)
    additional: "_Known | None" = None
    sealed: bool = False  # whether it has no additional members

    def shape(self) -> Shape:
        types = self._types()
        additional = _shape(self.additional)
        if "object" in types and not self.properties and not self.sealed:
            additional = additional or TEXT
        return Shape(
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
        # A schema that tells of members and forgets the type means an object.
        if self.properties or self.additional is not None:
            return frozenset({"object"})
        return frozenset({"string" if self.items is None and not self.prefix else "array"})


def _shape(known: _Known | None) -> Shape | None:
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
    """Return what is known of a value that both say something of."""
    if one.types is None or two.types is None:
        types = two.types if one.types is None else one.types
    else:
        types = one.types & two.types
    return _merged(types, one, two, _all)


def _any(one: _Known, two: _Known) -> _Known:
    """Return what is known of a value that one of them holds for."""
    types = None if one.types is None or two.types is None else one.types | two.types
    return _merged(types, one, two, _any)


def shape_of(schema: Mapping[str, Any] | bool, resolve: Resolve) -> Shape:
    """Return the shape of the values that a schema allows.

    A property that is named nowhere is read by ``additionalProperties``,
    ``unevaluatedProperties`` and ``patternProperties``, of which any may hold for it. Where they
    say nothing the object is closed, if it names properties at all.

    Args:
        schema: of JSON Schema 2020-12.
        resolve: returns the schema that a reference leads to.

    Raises:
        ValueError: it has too many subschemas, or too deep ones.
    """
    return _Walk(resolve).know(schema, 0, frozenset(), 0).shape()


class _Walk:
    """One walk through a schema.

    A reference is not followed into itself, since it says nothing new there.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._left = _MOST

    def know(self, schema: Any, level: int, via: frozenset[str], depth: int) -> _Known:
        """Return what a schema says.

        Args:
            schema: which one.
            level: of arrays and objects around the value.
            via: the references that have led here, at this level.
            depth: of schemas around it.
        """
        if not isinstance(schema, Mapping):
            return _Known(types=frozenset()) if schema is False else _Known()
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise ValueError("schema must have fewer or less deeply nested subschemas")

        def know(part: Any) -> _Known:
            return self.know(part, level, via, depth + 1)

        known = _Known(*_types(schema))
        if level < _LEVELS:
            self._look_into(known, schema, level, depth)
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference not in via:
            target = self._resolve(reference)
            known = _all(known, self.know(target, level, via | {reference}, depth + 1))
        for part in schema.get("allOf", ()):
            known = _all(known, know(part))
        for parts in _alternatives(schema):
            known = _all(known, reduce(_any, map(know, parts)))
        return known

    def _look_into(self, known: _Known, schema: Mapping[str, Any], level: int, depth: int) -> None:
        def know(part: Any) -> _Known:
            return self.know(part, level + 1, frozenset(), depth + 1)

        if "items" in schema:
            known.items = know(schema["items"])
        known.prefix = tuple(map(know, schema.get("prefixItems", ())))
        known.properties = {name: know(part) for name, part in schema.get("properties", {}).items()}
        others = [
            schema[keyword]
            for keyword in ("additionalProperties", "unevaluatedProperties")
            if keyword in schema
        ]
        known.sealed = False in others
        others = [part for part in others if part is not False]
        others += schema.get("patternProperties", {}).values()
        if others:
            known.additional = reduce(_any, map(know, others))


def _types(schema: Mapping[str, Any]) -> tuple[frozenset[str] | None, frozenset[str]]:
    """Return the types that a schema's own keywords name, and the strings that it enumerates."""
    types: frozenset[str] | None = None
    said = schema.get("type")
    if said is not None:
        names = {said} if isinstance(said, str) else set(said)
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
    """Return the lists of subschemas of which one holds."""
    for keyword in ("anyOf", "oneOf"):
        if schema.get(keyword):
            yield schema[keyword]
    if "if" in schema and ("then" in schema or "else" in schema):
        yield [schema.get("then", True), schema.get("else", True)]
    for part in schema.get("dependentSchemas", {}).values():
        yield [part, True]
