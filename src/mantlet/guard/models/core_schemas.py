"""Read pydantic's core schemas: their nodes, definitions, fields and choices.

A core schema is pydantic's own description of a type, made of dicts, from which it builds a
validator (`pydantic_core.core_schema`).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

__all__ = [
    "ARRAYS",
    "INTERNAL",
    "MAPPINGS",
    "Node",
    "choices_of",
    "definitions_of",
    "fields_of",
    "inner_schemas",
    "leads_to",
    "nodes",
    "references_of",
]

#: Entries for pydantic's internal use, which may hold anything.
INTERNAL: Final = frozenset({"config", "metadata", "serialization"})
#: The types of nodes that read a JSON array.
ARRAYS: Final = frozenset({"deque", "frozenset", "generator", "list", "set", "tuple"})
#: The types of nodes that read a JSON object of any names.
MAPPINGS: Final = frozenset({"counter", "dict", "frozendict", "ordered-dict"})

_FIELDS: Final = frozenset({"dataclass-args", "model-fields", "typed-dict"})
_WRAPPED: Final = ("schema", "lax_schema", "strict_schema", "json_schema")

# Any: a core schema is made of dicts, lists and tuples, and may hold anything of the app's.
Node = Mapping[str, Any]


def nodes(schema: Any) -> Iterator[Node]:
    """Iterate over the nodes of a core schema, without pydantic's internal ones."""
    later = [schema]
    while later:
        node = later.pop()
        if isinstance(node, dict):
            yield node
            later += [inner for key, inner in node.items() if key not in INTERNAL]
        elif isinstance(node, (list, tuple)):
            later += node


def definitions_of(schema: Node) -> dict[str, Node]:
    """Return the definitions of a core schema by reference."""
    return {
        inner["ref"]: inner
        for node in nodes(schema)
        if node.get("type") == "definitions"
        for inner in node["definitions"]
    }


def references_of(schema: Node) -> list[str]:
    """Return the references in a core schema, each as often as it is there."""
    return [one["schema_ref"] for one in nodes(schema) if one.get("type") == "definition-ref"]


def leads_to(goal: str, begin: Iterable[str], references: Mapping[str, Iterable[str]]) -> bool:
    """Return whether one of several references leads to another one.

    Args:
        goal: the reference to find.
        begin: the references to follow.
        references: the references in each definition.
    """
    seen: set[str] = set()
    later = list(begin)
    while later:
        ref = later.pop()
        if ref == goal:
            return True
        if ref not in seen:
            seen.add(ref)
            later += references.get(ref, ())
    return False


def fields_of(node: Node) -> Iterator[tuple[str, Node]]:
    """Yield the fields of a model, a TypedDict or a dataclass by name; nothing for others."""
    if node.get("type") not in _FIELDS:
        return
    fields = node.get("fields", {})
    if isinstance(fields, dict):
        yield from fields.items()
        return
    for field in fields:
        if isinstance(field, dict):  # a dataclass has the names alone as well
            yield field["name"], field


def choices_of(union: Node) -> list[Node]:
    """Return the choices of a union, tagged or not, without labels; an empty list for others."""
    choices = union.get("choices", ())
    found = choices.values() if isinstance(choices, Mapping) else choices
    plain = (one[0] if isinstance(one, tuple) else one for one in found)
    return [one for one in plain if isinstance(one, dict)]  # a tag may stand for another one


def inner_schemas(node: Node) -> list[Node]:
    """Return the schemas that may be used for the same value as a node."""
    return choices_of(node) + [node[key] for key in _WRAPPED if key in node]
