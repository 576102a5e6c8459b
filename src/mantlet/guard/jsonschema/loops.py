"""References that lead back to themselves without going into the value, which never end."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mantlet.guard.jsonschema.keywords import children

__all__ = ["find_loops"]

_IN_PLACE: Final = frozenset({
    "allOf", "anyOf", "dependentSchemas", "else", "if", "not", "oneOf", "then",
})  # fmt: skip


# Any: schemas are plain JSON.
def find_loops(definitions: Mapping[str, Any], new: Iterator[str]) -> list[str]:
    """Return definitions that come to themselves for the same value (2020-12 Core, 9.4.1).

    Args:
        definitions: converted schemas by number.
        new: those to begin at.
    """
    done: set[str] = set()
    found: list[str] = []
    for start in new:
        way: list[tuple[str, Iterator[str]]] = []
        on_way: set[str] = set()
        _enter(start, definitions, way, on_way, done)
        while way:
            here, rest = way[-1]
            following = next(rest, None)
            if following is None:
                way.pop()
                on_way.discard(here)
                done.add(here)
            elif following in on_way:
                found.append(following)
            else:
                _enter(following, definitions, way, on_way, done)
    return found


def _enter(
    number: str,
    definitions: Mapping[str, Any],
    way: list[tuple[str, Iterator[str]]],
    on_way: set[str],
    done: set[str],
) -> None:
    if number not in done:
        on_way.add(number)
        way.append((number, _in_place(definitions[number])))


def _in_place(schema: Any) -> Iterator[str]:
    """Iterate over what a schema refers to for the same value."""
    waiting = [schema]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Mapping):
            if "$ref" in found:
                yield found["$ref"].rpartition("/")[2]
            waiting += [child for way, child in children(found) if way[0] in _IN_PLACE]
