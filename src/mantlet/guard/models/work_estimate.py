"""Estimate how much work pydantic may have with a JSON text, by its number of arrays and objects.

pydantic tries the choices of a union one after the other, and makes an error for each required
field that is missing, so two bytes of an empty object may cost as much as kilobytes of others. For
each place of a value in the JSON text, the schemas that pydantic may try there are collected: the
fields of the same name of all choices of a union, and so on. A tagged union tries one choice alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Final, NamedTuple

from mantlet.guard.models.core_schemas import (
    ARRAYS,
    MAPPINGS,
    Node,
    choices_of,
    definitions_of,
    fields_of,
    leads_to,
    references_of,
)

__all__ = ["Work", "estimate_work"]

#: The number of errors for missing fields that take as long as one model.
_ERRORS: Final = 4
#: The maximum number of sets of schemas at one place; further ones are merged.
_MAX_SETS: Final = 64
#: The maximum number of schemas that are tried at one place, and of places.
_MAX_ALTERNATIVES: Final = 4_096
_MAX_PLACES: Final = 20_000

#: Nodes whose schemas are all tried for the same value.
_TRIED: Final = frozenset({"chain", "union"})
_INNER: Final = ("schema", "lax_schema", "json_schema")


class Work(NamedTuple):
    """The most work that one array, object or scalar of a JSON text can make.

    Attributes:
        container: for an array or an object, in models that are tried.
        scalar: for a scalar, in the same unit; 0 if at most one schema is tried for each.
        errors: the most errors that one array or object can make.
    """

    container: int
    scalar: float
    errors: int


def estimate_work(schema: Node, name: str) -> Work:
    """Return the work by a core schema.

    Args:
        schema: the core schema.
        name: the name of the model in error messages.

    Raises:
        ValueError: nested unions lead to too many alternatives.
    """
    return _Estimate(definitions_of(schema), name).of(schema)


class _Estimate:
    def __init__(self, definitions: Mapping[str, Node], name: str) -> None:
        self._definitions = definitions
        self._name = name

    def of(self, schema: Node) -> Work:
        container, scalar, errors = 1, 0.0, 1
        branches = _branches(self._definitions)
        later: list[tuple[Node, ...]] = [(schema,)]
        seen: set[tuple[int, ...]] = set()
        while later:
            place = later.pop()
            key = tuple(sorted(map(id, place)))
            if key in seen or len(seen) >= _MAX_PLACES:
                continue
            seen.add(key)
            for tried in self._sets(place):
                required = sum(map(_required, tried))
                counted = required if branches or len(tried) > 1 else 0
                container = max(container, len(tried) + counted // _ERRORS)
                scalar = max(scalar, (len(tried) - 1) / _ERRORS)
                errors = max(errors, len(tried) + required)
                later += _children(tried)
        return Work(container, scalar, errors)

    def _sets(self, place: Iterable[Node]) -> list[tuple[Node, ...]]:
        """Return the sets of schemas that may be tried for one value at a place."""
        parts = [self._alternatives(node, frozenset()) for node in place]
        return self._combined(parts)

    def _combined(self, parts: list[list[tuple[Node, ...]]]) -> list[tuple[Node, ...]]:
        count = 1
        for part in parts:
            count *= len(part)
        if count <= _MAX_SETS:
            found = [sum(combined, ()) for combined in product(*parts)]
        else:
            found = [sum((one for part in parts for one in part), ())]
        if max(map(len, found), default=0) > _MAX_ALTERNATIVES:
            raise ValueError(
                f"{self._name} has nested unions that make pydantic try more than "
                f"{_MAX_ALTERNATIVES} types for one value: give them discriminators, such as "
                f'Annotated[A | B, Field(discriminator="kind")]'
            )
        return found

    def _alternatives(self, node: Node, seen: frozenset[str]) -> list[tuple[Node, ...]]:
        """Return the sets of schemas that may be tried for one value by a schema."""
        kind = node.get("type")
        if kind == "definition-ref":
            ref = node["schema_ref"]
            if ref in seen or ref not in self._definitions:
                return [()]
            return self._alternatives(self._definitions[ref], seen | {ref})
        if kind == "tagged-union":
            choices = [self._alternatives(one, seen) for one in choices_of(node)]
            return [one for choice in choices for one in choice] or [()]
        if kind in _TRIED:
            tried = node["steps"] if kind == "chain" else choices_of(node)
            return self._combined([self._alternatives(one, seen) for one in tried])
        inner = None if "fields" in node else next(filter(None, map(node.get, _INNER)), None)
        return self._alternatives(inner, seen) if isinstance(inner, dict) else [(node,)]


def _required(node: Node) -> int:
    return sum(_is_required(node, field) for _, field in fields_of(node))


def _is_required(node: Node, field: Node) -> bool:
    if node.get("type") == "typed-dict":
        return bool(field.get("required", node.get("total", True)))
    kind: str = field["schema"].get("type", "")
    return kind != "default"


def _names(name: str, field: Node) -> set[str]:
    """Return the names that a field is read by; the first ones of paths."""
    alias = field.get("validation_alias")
    names = {name}
    if isinstance(alias, str):
        names.add(alias)
    elif isinstance(alias, list):
        paths = alias if alias and isinstance(alias[0], list) else [alias]
        names |= {path[0] for path in paths if path and isinstance(path[0], str)}
    return names


def _children(tried: tuple[Node, ...]) -> Iterator[tuple[Node, ...]]:
    """Yield the schemas that are tried for each item or member of a value."""
    named: dict[str, list[Node]] = {}
    values: list[Node] = []
    items: list[Node] = []
    positions: dict[int, list[Node]] = {}
    for node in tried:
        kind = node.get("type")
        for name, field in fields_of(node):
            for read in _names(name, field):
                named.setdefault(read, []).append(field["schema"])
        if kind in MAPPINGS and "values_schema" in node:
            values.append(node["values_schema"])
        if isinstance(node.get("extras_schema"), dict):
            values.append(node["extras_schema"])
        if kind == "tuple":
            for index, item in enumerate(node.get("items_schema", ())):
                positions.setdefault(index, []).append(item)
        elif kind in ARRAYS and "items_schema" in node:
            items.append(node["items_schema"])
    yield from (tuple(found + values) for found in named.values())
    yield from (tuple(found + items) for found in positions.values())
    yield from (tuple(found) for found in (values, items) if found)


def _branches(definitions: Mapping[str, Node]) -> bool:
    """Return whether a model contains itself in several of its fields, as a binary tree does.

    The errors in it are not bounded by stopping at the first invalid item of each collection.
    """
    references = {ref: references_of(inner) for ref, inner in definitions.items()}
    return any(
        sum(leads_to(ref, (other,), references) for other in found) > 1
        for ref, found in references.items()
    )
