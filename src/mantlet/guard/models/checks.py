"""Models that do not write what they read, so that no canonical body can be made of them.

An app that reads a canonical body must find in it what was validated. A model that writes a field
by another name, leaves it out, or puts asterisks in its place, would have it find something else.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

__all__ = ["check_written"]

#: Kept for pydantic's own use; they may hold anything.
_SKIPPED: Final = frozenset({"config", "metadata"})
_BY_NAME: Final = ("populate_by_name", "validate_by_name")

Node = Mapping[str, Any]


def check_written(schema: Node, name: str) -> None:
    """See to it that a model writes each field by a name that it reads it by, and its value.

    Args:
        schema: a core schema.
        name: what it is called in an error.

    Raises:
        ValueError: it does not.
    """
    for field, words in _wrong(schema):
        raise ValueError(
            f"{name} can't be forwarded in a canonical form: the field {field!r} {words}; leave "
            f'forward="original" for it'
        )


def _wrong(schema: Node) -> Iterator[tuple[str, str]]:
    """Yield the fields that are not written as they are read, and why."""
    later: list[tuple[Any, str, bool]] = [(schema, "", False)]
    while later:
        node, within, by_name = later.pop()
        if isinstance(node, dict):
            config = node.get("config") or {}
            if config:
                by_name = any(config.get(key) for key in _BY_NAME)
            for field, stated in _fields(node):
                words = _fault(field, stated, by_name=by_name)
                if words:
                    yield field, words
                later.append((stated["schema"], field, by_name))
            if _is_secret(node):
                yield within, "is a secret that is written as asterisks"
            left = _SKIPPED | {"fields"}
            later += [(inner, within, by_name) for key, inner in node.items() if key not in left]
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


def _fault(name: str, field: Node, *, by_name: bool) -> str | None:
    if field.get("serialization_exclude"):
        return "is left out when it is written"
    read = field.get("validation_alias")
    written = field.get("serialization_alias", name)
    names = {name} if read is None or by_name else set()
    if isinstance(read, str):
        names.add(read)
    elif isinstance(read, Sequence):
        paths = read if isinstance(read[0], list) else [read]
        names |= {path[0] for path in paths if len(path) == 1}
    return None if written in names else f"is written as {written!r}, which it is not read by"


def _is_secret(node: Node) -> bool:
    function: Any = (node.get("serialization") or {}).get("function")
    name: str = getattr(function, "__name__", "")
    return "secret" in name and getattr(function, "__module__", "") == "pydantic.types"
