"""Find whether a model allows null at a place."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

__all__ = ["NULLS", "allows_null"]

Node = Mapping[str, Any]

#: Schemas that null matches.
NULLS: Final = ("nullable", "none")
#: Schemas that wrap another one, with its key.
_WRAPPERS: Final = {
    "dataclass": "schema",
    "dataclass-field": "schema",
    "default": "schema",
    "definitions": "schema",
    "function-after": "schema",
    "function-before": "schema",
    "function-wrap": "schema",
    "json-or-python": "json_schema",
    "lax-or-strict": "lax_schema",
    "model": "schema",
    "model-field": "schema",
    "nullable": "schema",
    "typed-dict-field": "schema",
}
_ARRAYS: Final = frozenset({"frozenset", "generator", "list", "set"})
#: The maximum number of schemas that are visited.
_BUDGET: Final = 1_000


def allows_null(schema: Node, path: Sequence[Any]) -> bool:
    """Return whether a core schema allows null at a place.

    Args:
        schema: the core schema.
        path: the names of members and the indexes of items that lead there.
    """
    definitions: dict[str, Node] = {}
    budget = [_BUDGET]
    nodes = [schema]
    for token in path:
        inner: list[Node] = []
        for node in _unwrapped(nodes, definitions, budget):
            inner += _children(node, token)
        nodes = inner
    return any(node["type"] in NULLS for node in _unwrapped(nodes, definitions, budget))


def _unwrapped(
    nodes: Sequence[Node], definitions: dict[str, Node], budget: list[int]
) -> Iterator[Node]:
    """Yield schemas, those that they wrap, and the choices of unions."""
    later = list(nodes)
    while later and budget[0] > 0:
        budget[0] -= 1
        node = later.pop()
        kind = node["type"]
        yield node
        if kind == "definitions":
            definitions.update({one["ref"]: one for one in node["definitions"]})
        if kind in _WRAPPERS:
            later.append(node[_WRAPPERS[kind]])
        elif kind == "definition-ref":
            later += [definitions[ref] for ref in (node["schema_ref"],) if ref in definitions]
        elif kind in ("union", "tagged-union"):
            choices = node["choices"]
            choices = choices.values() if isinstance(choices, Mapping) else choices
            later += [one[0] if isinstance(one, tuple) else one for one in choices]
        elif kind == "chain":
            later += node["steps"]


def _children(node: Node, token: Any) -> Iterator[Node]:
    """Yield the schemas of a member or an item."""
    kind = node["type"]
    if kind in ("model-fields", "typed-dict"):
        for name, field in node["fields"].items():
            if token == name or _is_alias(field.get("validation_alias"), token):
                yield field
    elif kind == "dataclass-args":
        for field in node["fields"]:
            if token == field["name"] or _is_alias(field.get("validation_alias"), token):
                yield field
    elif kind == "dict" and "values_schema" in node:
        yield node["values_schema"]
    elif kind in _ARRAYS and "items_schema" in node:
        yield node["items_schema"]
    elif kind == "tuple" and isinstance(token, int):
        items = node["items_schema"]
        yield items[min(token, len(items) - 1)]


def _is_alias(alias: Any, token: Any) -> bool:
    if alias is None or isinstance(alias, str):
        return alias is not None and bool(alias == token)
    paths = alias if alias and isinstance(alias[0], list) else [alias]
    return any(path == [token] for path in paths)
