"""Unions that stand within themselves, for which pydantic takes time by the power of their depth.

pydantic tries all choices of a union that has no discriminator, and each of them reads all that is
within it. Where two choices may be the same value and both lead back to the union, each level of
nesting doubles the time: a body of a hundred bytes may take hours.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["check_unions"]

_OBJECTS: Final = frozenset({"dataclass", "dict", "model", "typed-dict"})
_ARRAYS: Final = frozenset({"frozenset", "generator", "list", "set", "tuple"})
#: Kept for pydantic's own use; they may hold anything.
_SKIPPED: Final = frozenset({"config", "metadata", "serialization"})

Node = Mapping[str, Any]


def check_unions(schema: Node, name: str) -> None:
    """See to it that no union leads back to itself by two choices that may be the same value.

    Args:
        schema: a core schema.
        name: what it is called in an error.

    Raises:
        ValueError: one does.
    """
    definitions = {
        inner["ref"]: inner
        for node in _nodes(schema)
        if node.get("type") == "definitions"
        for inner in node["definitions"]
    }
    leading = {ref: _references(inner) for ref, inner in definitions.items()}
    for ref, inner in definitions.items():
        for node in _nodes(inner):
            if node.get("type") == "union":
                _check(node, ref, definitions, leading, name)


def _check(
    union: Node,
    within: str,
    definitions: Mapping[str, Node],
    leading: Mapping[str, frozenset[str]],
    name: str,
) -> None:
    """Check one union, which stands within a definition."""
    kinds: list[str] = []
    for choice in union["choices"]:
        choice = choice[0] if isinstance(choice, tuple) else choice  # noqa: PLW2901  # with a label
        if _leads(_references(choice), within, leading):
            kinds += _kinds(choice, definitions, frozenset())
    if len(kinds) > len(set(kinds)):
        raise ValueError(
            f"{name} has a union within itself that pydantic takes time for by the power of its "
            f"depth, in {within.partition(':')[0]}: give it a discriminator, such as "
            f'Annotated[A | B, Field(discriminator="kind")]'
        )


def _leads(begin: frozenset[str], goal: str, leading: Mapping[str, frozenset[str]]) -> bool:
    seen: set[str] = set()
    later = list(begin)
    while later:
        ref = later.pop()
        if ref == goal:
            return True
        if ref not in seen:
            seen.add(ref)
            later += leading.get(ref, ())
    return False


def _references(schema: Node) -> frozenset[str]:
    nodes = _nodes(schema)
    return frozenset(n["schema_ref"] for n in nodes if n.get("type") == "definition-ref")


def _kinds(node: Node, definitions: Mapping[str, Node], seen: frozenset[str]) -> frozenset[str]:
    """Return which kinds of JSON's containers a schema may take."""
    kind = node.get("type")
    if kind == "definition-ref":
        ref = node["schema_ref"]
        if ref in seen or ref not in definitions:
            return frozenset()
        return _kinds(definitions[ref], definitions, seen | {ref})
    if kind in _ARRAYS:
        return frozenset({"array"})
    if kind in _OBJECTS and not node.get("root_model"):
        return frozenset({"object"})
    choices = node.get("choices", ())
    inner = list(choices.values() if isinstance(choices, Mapping) else choices)
    inner += [node[key] for key in ("schema", "lax_schema", "json_schema") if key in node]
    parts = [part[0] if isinstance(part, tuple) else part for part in inner]
    return frozenset().union(*(_kinds(part, definitions, seen) for part in parts))


def _nodes(schema: Any) -> Iterator[Node]:  # Any: of a schema's dicts and lists
    later = [schema]
    while later:
        node = later.pop()
        if isinstance(node, dict):
            yield node
            later += [inner for key, inner in node.items() if key not in _SKIPPED]
        elif isinstance(node, (list, tuple)):
            later += node
