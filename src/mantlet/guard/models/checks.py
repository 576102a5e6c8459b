"""Check that models are safe to validate and to serialize.

**Round trips.** An app that reads a canonical body must find the validated values in it. That fails
for a model that serializes a field by another name, omits it, or masks it.

**Recursive unions.** pydantic tries all choices of a union without a discriminator, and each of
them reads everything within it. If two choices can match the same value and both lead back to the
union, each level of nesting doubles the time: a body of a hundred bytes may take hours.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

__all__ = [
    "check_round_trip",
    "check_unions",
]

#: Entries for pydantic's internal use, which may hold anything.
_INTERNAL: Final = frozenset({"config", "metadata"})
_BY_NAME: Final = ("populate_by_name", "validate_by_name")
_OBJECTS: Final = frozenset({"dataclass", "dict", "model", "typed-dict"})
_ARRAYS: Final = frozenset({"frozenset", "generator", "list", "set", "tuple"})

Node = Mapping[str, Any]


def check_round_trip(schema: Node, name: str) -> None:
    """Require a model to serialize each field with its value, by a name that it reads.

    Args:
        schema: a core schema.
        name: the name of the model in error messages.

    Raises:
        ValueError: the model does not.
    """
    for field, reason in _unreadable_fields(schema):
        raise ValueError(
            f"{name} can't be forwarded in a canonical form: the field {field!r} {reason}; use "
            f'forward="original"'
        )


def _unreadable_fields(schema: Node) -> Iterator[tuple[str, str]]:
    """Yield the fields that are not serialized as they are read, with the reason."""
    later: list[tuple[Any, str, bool]] = [(schema, "", False)]
    while later:
        node, within, by_name = later.pop()
        if isinstance(node, dict):
            config = node.get("config") or {}
            if config:
                by_name = any(config.get(key) for key in _BY_NAME)
            for field, stated in _fields(node):
                reason = _mismatch(field, stated, by_name=by_name)
                if reason:
                    yield field, reason
                later.append((stated["schema"], field, by_name))
            if _is_secret(node):
                yield within, "is a secret that is serialized as asterisks"
            skipped = _INTERNAL | {"fields"}
            later += [(inner, within, by_name) for key, inner in node.items() if key not in skipped]
        elif isinstance(node, (list, tuple)):
            later += [(inner, within, by_name) for inner in node]


def _fields(node: Node) -> Iterator[tuple[str, Node]]:
    """Yield the fields of a model, a TypedDict or a dataclass."""
    fields = node.get("fields", {})
    if isinstance(fields, dict):
        yield from fields.items()
        return
    for field in fields:
        if isinstance(field, dict):  # a dataclass has the names alone as well
            yield field["name"], field


def _mismatch(name: str, field: Node, *, by_name: bool) -> str | None:
    if field.get("serialization_exclude"):
        return "is excluded from serialization"
    read = field.get("validation_alias")
    serialized = field.get("serialization_alias", name)
    names = {name} if read is None or by_name else set()
    if isinstance(read, str):
        names.add(read)
    elif isinstance(read, Sequence):
        paths = read if isinstance(read[0], list) else [read]
        names |= {path[0] for path in paths if len(path) == 1}
    return None if serialized in names else f"is serialized as {serialized!r}, which is not read"


def _is_secret(node: Node) -> bool:
    function: Any = (node.get("serialization") or {}).get("function")
    name: str = getattr(function, "__name__", "")
    return "secret" in name and getattr(function, "__module__", "") == "pydantic.types"


def check_unions(schema: Node, name: str) -> None:
    """Require that no union leads back to itself by two choices that can match the same value.

    Args:
        schema: a core schema.
        name: the name of the model in error messages.

    Raises:
        ValueError: a union does.
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
                _check_union(node, ref, definitions, leading, name)


def _check_union(
    union: Node,
    within: str,
    definitions: Mapping[str, Node],
    leading: Mapping[str, frozenset[str]],
    name: str,
) -> None:
    """Check one union within a definition."""
    kinds: list[str] = []
    for choice in union["choices"]:
        choice = choice[0] if isinstance(choice, tuple) else choice  # noqa: PLW2901  # with a label
        if _leads(_references(choice), within, leading):
            kinds += _kinds(choice, definitions, frozenset())
    if len(kinds) > len(set(kinds)):
        raise ValueError(
            f"{name} has a recursive union that pydantic validates in exponential time, in "
            f"{within.partition(':')[0]}: give it a discriminator, such as "
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
    """Return the kinds of JSON containers that a schema can match."""
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
    skipped = _INTERNAL | {"serialization"}
    later = [schema]
    while later:
        node = later.pop()
        if isinstance(node, dict):
            yield node
            later += [inner for key, inner in node.items() if key not in skipped]
        elif isinstance(node, (list, tuple)):
            later += node
