"""Check that models are safe to validate and to serialize.

**Round trips.** An app that reads a canonical body must find the validated values in it. That fails
for a model that serializes a field by another name, omits it, or masks it.

**Recursive unions.** pydantic tries all choices of a union without a discriminator, and each of
them reads everything within it. If two choices can match the same value and both lead back to the
union, each level of nesting doubles the time: a body of a hundred bytes may take hours.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mantlet.guard.models.core_schemas import (
    ARRAYS,
    INTERNAL,
    Node,
    choices_of,
    definitions_of,
    fields_of,
    inner_schemas,
    leads_to,
    nodes,
    references_of,
)

__all__ = [
    "check_round_trip",
    "check_unions",
]

_BY_NAME: Final = ("populate_by_name", "validate_by_name")
_OBJECTS: Final = frozenset({"dataclass", "dict", "model", "typed-dict"})


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
            for field, stated in fields_of(node):
                reason = _mismatch(field, stated, by_name=by_name)
                if reason:
                    yield field, reason
                later.append((stated["schema"], field, by_name))
            if _is_secret(node):
                yield within, "is a secret that is serialized as asterisks"
            skipped = INTERNAL - {"serialization"} | {"fields"}
            later += [(inner, within, by_name) for key, inner in node.items() if key not in skipped]
        elif isinstance(node, (list, tuple)):
            later += [(inner, within, by_name) for inner in node]


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
    definitions = definitions_of(schema)
    references = {ref: references_of(inner) for ref, inner in definitions.items()}
    for ref, inner in definitions.items():
        for node in nodes(inner):
            if node.get("type") == "union":
                _check_union(node, ref, definitions, references, name)


def _check_union(
    union: Node,
    within: str,
    definitions: Mapping[str, Node],
    references: Mapping[str, list[str]],
    name: str,
) -> None:
    """Check one union within a definition."""
    kinds: list[str] = []
    for choice in choices_of(union):
        if leads_to(within, references_of(choice), references):
            kinds += _kinds(choice, definitions, frozenset())
    if len(kinds) > len(set(kinds)):
        raise ValueError(
            f"{name} has a recursive union that pydantic validates in exponential time, in "
            f"{within.partition(':')[0]}: give it a discriminator, such as "
            f'Annotated[A | B, Field(discriminator="kind")]'
        )


def _kinds(node: Node, definitions: Mapping[str, Node], seen: frozenset[str]) -> frozenset[str]:
    """Return the kinds of JSON containers that a schema can match."""
    kind = node.get("type")
    if kind == "definition-ref":
        ref = node["schema_ref"]
        if ref in seen or ref not in definitions:
            return frozenset()
        return _kinds(definitions[ref], definitions, seen | {ref})
    if kind in ARRAYS:
        return frozenset({"array"})
    if kind in _OBJECTS and not node.get("root_model"):
        return frozenset({"object"})
    return frozenset().union(*(_kinds(inner, definitions, seen) for inner in inner_schemas(node)))
