"""Rewrite pydantic's core schemas: close models, stop at first errors, bound expensive types.

Functions, classes and defaults in a schema are shared, never copied or changed.

**Undeclared members.** pydantic's ``extra`` for a whole validation overrides what models configure
themselves. So the models that configure nothing are closed one by one, and one that is open does
not open those around it or within it.

**Hash collisions.** Python hashes numbers in a way that anybody can invert: all multiples of 2^61-1
have the same hash. A set of such numbers takes quadratic time. Texts are hashed with a secret
(PEP 456), so they are safe, and so are the types in `_SAFE`. Numbers are compared before they are
hashed (`mantlet.guard.bodies.hash_collisions`). Others, such as a set of tuples, are bounded here,
unless the model bounds them itself.

**Threads.** Validation is one call of a C function, which keeps the GIL. With a schema for long
texts it calls a Python function that does nothing for each object, so that the interpreter can run
other threads.

**Decimals.** ``"1e999999999"`` is a valid decimal of a few bytes. An app that converts it to an int
or writes out its digits needs a gigabyte, so exponents are bounded.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from pydantic_core import PydanticKnownError

from mantlet.guard.models.core_schemas import (
    INTERNAL,
    MAPPINGS,
    Node,
    definitions_of,
    inner_schemas,
    nodes,
)

__all__ = ["MAX_HASHED", "hashes_numbers", "needs_bounds", "open_models", "rewrite"]

#: The maximum length of a set, or a mapping, whose items or keys may be made to collide.
MAX_HASHED: Final = 100

#: The largest power of ten of a decimal.
_MAX_POWER: Final = 1_000
_HASHED: Final = frozenset({"frozenset", "set"})
_FAIL_FAST: Final = _HASHED | MAPPINGS | {"deque", "generator", "list", "tuple"}
_CLASSES: Final = frozenset({"dataclass", "model"})
_MODELS: Final = _CLASSES | {"typed-dict"}
_PLAIN: Final = MAPPINGS | {"typed-dict"}
#: Types of few values, of hashes with a secret, or of hashes that nobody can choose enough of.
_SAFE: Final = frozenset({
    "bool", "bytes", "date", "datetime", "enum", "literal", "multi-host-url", "none", "str", "time",
    "timedelta", "url",
})  # fmt: skip
_NUMBERS: Final = frozenset({"any", "decimal", "float", "int", "uuid"})
#: Nodes that stand for the schemas within them.
_WRAPPERS: Final = frozenset({
    "custom-error", "default", "definitions", "function-after", "function-before", "json-or-python",
    "lax-or-strict", "nullable", "tagged-union", "union",
})  # fmt: skip


def needs_bounds(schema: Node) -> bool:
    """Return whether a schema has hashed collections or decimals, which `rewrite()` bounds."""
    definitions = definitions_of(schema)
    return any(
        node.get("type") == "decimal" or _needs_bound(node, definitions) for node in nodes(schema)
    )


def _needs_bound(node: Node, definitions: Mapping[str, Node]) -> bool:
    hashed = _hashed_schema(node)
    if hashed is None or "max_length" in node:
        return False
    return "other" in _hash_kinds(hashed, definitions, frozenset())


def rewrite(schema: Any, *, closed: bool, fail_fast: bool, switching: bool = False) -> Any:
    """Return a copy of a core schema with other rules.

    Args:
        schema: the core schema.
        closed: whether to forbid undeclared members of models that don't configure ``extra``.
        fail_fast: whether collections stop at their first invalid item.
        switching: whether other threads run now and then while a value is validated.
    """
    rewriting = _Rewriting(
        definitions_of(schema), closed=closed, fail_fast=fail_fast, switching=switching
    )
    return rewriting.copy(schema)


class _Rewriting:
    def __init__(
        self, definitions: Mapping[str, Node], *, closed: bool, fail_fast: bool, switching: bool
    ) -> None:
        self._definitions = definitions
        self._closed = closed
        self._fail_fast = fail_fast
        self._switching = switching

    def copy(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.copy(inner) for inner in node]
        if isinstance(node, tuple):
            return tuple(self.copy(inner) for inner in node)
        if not isinstance(node, dict):
            return node
        copied = {
            key: inner if key in INTERNAL else self.copy(inner) for key, inner in node.items()
        }
        kind = node.get("type")
        if kind in _MODELS and self._closed and not _own_extra(node):
            copied["config"] = {**(node.get("config") or {}), "extra_fields_behavior": "forbid"}
            copied.pop("extra_behavior", None)
        if kind in _FAIL_FAST and self._fail_fast:
            copied["fail_fast"] = True
        if _needs_bound(node, self._definitions):
            copied["max_length"] = MAX_HASHED
        if kind in _CLASSES and self._switching:
            # Around the fields, so that the errors of a union name the model itself.
            copied["schema"] = _after(copied["schema"], _switch)
        elif kind in _PLAIN and self._switching:
            return _after(copied, _switch)
        return _after(copied, _bounded_decimal) if kind == "decimal" else copied


# Any: a core schema, and a value of any type.
def _after(schema: dict[str, Any], function: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a schema whose values are passed through a function."""
    after = {
        "type": "function-after",
        "function": {"type": "no-info", "function": function},
        "schema": schema,
    }
    if "ref" in schema:  # others refer to the whole
        after["ref"] = schema.pop("ref")
    return after


# Any: an object, or the values of its fields.
def _switch(value: Any) -> Any:
    """Let other threads run: at a call of a Python function, the interpreter may switch to one."""
    return value


def _bounded_decimal(value: Decimal) -> Decimal:
    if not -_MAX_POWER <= value.adjusted() <= _MAX_POWER:
        raise PydanticKnownError("decimal_max_digits", {"max_digits": _MAX_POWER})
    return value


def _own_extra(node: Node) -> str | None:
    """Return a model's own setting for undeclared members, or None."""
    own: str | None = (node.get("config") or {}).get("extra_fields_behavior")
    inner = node.get("schema") or {}
    if own is None and node.get("type") != "typed-dict":  # all of those have one, by default
        own = node.get("extra_behavior") or inner.get("extra_behavior")
    return own


def open_models(schema: Any) -> list[str]:
    """Return the models that allow or ignore undeclared members themselves, with their setting."""
    found: dict[str, None] = {}
    for node in nodes(schema):
        own = _own_extra(node) if node.get("type") in _MODELS else None
        if own is not None and own != "forbid":
            found[f'{getattr(node.get("cls"), "__name__", "a model")} (extra="{own}")'] = None
    return list(found)


def hashes_numbers(schema: Any) -> bool:
    """Return whether a collection hashes numbers that a client chooses."""
    definitions = definitions_of(schema)
    return any(
        "number" in _hash_kinds(hashed, definitions, frozenset())
        for hashed in map(_hashed_schema, nodes(schema))
        if hashed is not None
    )


def _hashed_schema(node: Node) -> Any:
    """Return the schema of a set's items or a mapping's keys; None for other nodes."""
    kind = node.get("type")
    if kind in _HASHED:
        return node.get("items_schema", {"type": "any"})
    if kind in MAPPINGS:
        return node.get("keys_schema", {"type": "str"})
    return None


def _hash_kinds(node: Node, definitions: Mapping[str, Node], seen: frozenset[str]) -> set[str]:
    """Return the kinds of hashes of a schema's values: ``"safe"``, ``"number"``, ``"other"``."""
    kind = node.get("type")
    if kind in _SAFE:
        return {"safe"}
    if kind in _NUMBERS:
        return {"number"}
    if kind == "definition-ref":
        ref = node["schema_ref"]
        if ref in seen or ref not in definitions:
            return set()
        return _hash_kinds(definitions[ref], definitions, seen | {ref})
    if kind not in _WRAPPERS:
        return {"other"}
    kinds = (_hash_kinds(inner, definitions, seen) for inner in inner_schemas(node))
    return set().union(*kinds)
