"""What a schema lets a client make as long as it likes."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mantlet.guard.jsonschema.convert import CODE
from mantlet.guard.jsonschema.documents import Spot
from mantlet.guard.jsonschema.keywords import children

__all__ = ["find_unbounded"]

_VALUES: Final = frozenset({"const", "enum"})
_FORMS: Final = frozenset({"anyOf", "oneOf", "if"})
#: What bounds a value of each type; a format or a pattern does, as far as can be told.
_BOUNDS: Final[Mapping[str, frozenset[str]]] = {
    "string": _VALUES | {"maxLength", "format", "pattern"},
    "array": _VALUES | {"maxItems"},
    "object": _VALUES | {"maxProperties"},
}
_IN_PLACE: Final = frozenset({"allOf", "anyOf", "oneOf", "then", "else", "dependentSchemas"})
_ASIDE: Final = frozenset({"not", "if", "contains", "propertyNames"})
_DEEPEST: Final = 64
#: How many ways to read a value are looked at, so that time has a bound.
_MOST: Final = 2_000

#: A schema that holds for a value, and where it stands.
_Part = tuple[Mapping[str, Any], Spot]


# Any: schemas are plain JSON.
def find_unbounded(
    schema: Any, spot: Spot, definitions: Mapping[str, Any], spots: Mapping[str, Spot]
) -> list[str]:
    """Return the pointers of the schemas of strings, arrays and objects that have no bound.

    An object has one with ``maxProperties``, and where it allows no members but its own. Where
    there are more ways to read a value than are looked at it is taken for one without.

    Args:
        schema: converted.
        spot: where it stands.
        definitions: what it refers to.
        spots: where they stand.
    """
    return _Search(definitions, spots).find(schema, spot)


class _Search:
    def __init__(self, definitions: Mapping[str, Any], spots: Mapping[str, Spot]) -> None:
        self._definitions = definitions
        self._spots = spots
        self._seen: set[int] = set()
        self._found: dict[str, None] = {}
        self._left = _MOST

    def find(self, schema: Any, spot: Spot) -> list[str]:
        waiting = [(schema, spot)]
        while waiting:
            here, at = waiting.pop()
            if isinstance(here, Mapping) and CODE not in here and id(here) not in self._seen:
                self._seen.add(id(here))
                self._left = _MOST
                waiting += self._look(here, at, (), 0)
        return list(self._found)

    def _look(
        self, schema: Mapping[str, Any], at: Spot, above: tuple[_Part, ...], depth: int
    ) -> list[tuple[Any, Spot]]:
        """Look at all that holds for one value, and return what is in it."""
        within: list[tuple[Any, Spot]] = []
        self._left -= 1
        if self._left < 0:
            self._found[str(at)] = None
            return within
        parts = list(self._parts(schema, at))
        together = (*parts, *above)
        forms = False
        for part, where in parts:
            for way, child in children(part):
                if way[0] in _ASIDE or way[0] == "allOf":
                    continue
                if way[0] not in _IN_PLACE:
                    within.append((child, where.down(*way)))
                elif depth < _DEEPEST and isinstance(child, Mapping) and CODE not in child:
                    forms = True
                    within += self._look(child, where.down(*way), together, depth + 1)
        if not forms:
            self._judge(together, at)
        return within

    def _parts(self, schema: Any, at: Spot) -> Iterator[tuple[Mapping[str, Any], Spot]]:
        waiting, seen = [(schema, at)], set[int]()
        while waiting:
            part, where = waiting.pop()
            if not isinstance(part, Mapping) or id(part) in seen:
                continue
            seen.add(id(part))
            yield part, where
            further = [
                (inner, where.down("allOf", index))
                for index, inner in enumerate(part.get("allOf", ()))
            ]
            if "$ref" in part:
                number = part["$ref"].rpartition("/")[2]
                further.insert(0, (self._definitions[number], self._spots[number]))
            waiting += reversed(further)

    def _judge(self, parts: tuple[_Part, ...], at: Spot) -> None:
        said = {keyword for part, _ in parts for keyword in part}
        types: set[str] | None = None
        for part, where in reversed(parts):
            kind = part.get("type")
            if kind is not None:
                names = {kind} if isinstance(kind, str) else set(kind)
                types = names if types is None else types & names
                at = where  # where a bound is best put
        for name, bounds in _BOUNDS.items():
            told = types is None or name in types
            if told and not bounds & said and not _is_closed(name, parts):
                self._found[str(at)] = None


def _is_closed(name: str, parts: tuple[_Part, ...]) -> bool:
    """Whether an object has no members, or an array no items, but those that are listed."""
    if name == "array":
        return any(part.get("items") is False for part, _ in parts)
    return name == "object" and any(
        part.get(keyword) is False and "patternProperties" not in part
        for part, _ in parts
        for keyword in ("additionalProperties", "unevaluatedProperties")
    )
