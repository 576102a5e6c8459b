"""The style ``deepObject`` with nested objects and arrays: ``a[b][c]=1``, ``a[b][0]=1``, ``a[]=1``.

OpenAPI defines one level of members only (3.2.0, "Style Examples"). Deeper ones are written as
Rails, PHP and the clients of Stripe do it, and accepted where all of them agree: a name is either a
value, an object, or an array; the items of an array are either all ``[]``, or numbered from 0
without gaps; nothing follows ``[]``, since readers group such items differently.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from mantlet.guard.parameters.coercion import Coercer
from mantlet.guard.parameters.decoding import UndecodableText
from mantlet.guard.parameters.schema_shape import Resolve, applied_schemas, shape_of

__all__ = ["DeepShape", "NestedShape", "read_deep", "split_name"]

#: Members and indices after the name.
MAX_DEPTH: Final = 8
_BRACKETS: Final = re.compile(r"(?:\[[^\[\]]+\])*(?:\[\])?")
_TOKEN: Final = re.compile(r"\[([^\[\]]*)\]")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,5}")
#: Marks the items written as ``[]``.
_ITEMS: Final = ""

Decode = Callable[[str], str]
Path = tuple[str, ...]


class NestedShape(Protocol):
    """The types of a value and of the values in it, as a `Coercer` has them."""

    @property
    def types(self) -> frozenset[str]:
        """The JSON types of the value."""
        ...

    # Any: a value of JSON.
    @property
    def read(self) -> Callable[[str], Any]:
        """Convert a text to a scalar."""
        ...

    def is_scalar(self, value: Any) -> bool:
        """Return whether the result of `read()` is a scalar that the shape allows."""
        ...

    def item(self, index: int) -> "NestedShape":
        """Return the shape of an item."""
        ...

    def member(self, name: str) -> "NestedShape":
        """Return the shape of a member."""
        ...


class DeepShape:
    """A `NestedShape` of any depth: the shapes of members and items are derived when needed.

    Args:
        load: returns the schemas of the value, all or some of which apply to it, and a function
            that returns the schema for a reference; called when needed.
        known: the shapes derived so far, by the identities of their schemas, so that there are no
            more than the document has schemas.
    """

    __slots__ = ("_known", "_load", "_loaded", "_shape")

    # Any: JSON.
    def __init__(
        self,
        load: Callable[[], tuple[Iterable[Any], Resolve]],
        known: "dict[tuple[int, ...], DeepShape] | None" = None,
    ) -> None:
        self._load = load
        self._known = {} if known is None else known
        self._loaded: tuple[list[Mapping[str, Any]], Resolve] | None = None
        self._shape: Coercer | None = None

    @property
    def shape(self) -> Coercer:
        """The shape of the value itself."""
        if self._shape is None:
            schemas, resolve = self._load()
            self._shape = shape_of({"anyOf": list(schemas) or [{}]}, resolve)
        return self._shape

    @property
    def types(self) -> frozenset[str]:
        """The JSON types of the value."""
        return self.shape.types

    @property
    def read(self) -> Callable[[str], Any]:
        """Convert a text to a scalar."""
        return self.shape.read

    def is_scalar(self, value: Any) -> bool:
        """Return whether the result of `read()` is a scalar that the shape allows."""
        return self.shape.is_scalar(value)

    def item(self, index: int) -> "DeepShape":
        """Return the shape of an item."""
        found = []
        for schema in self._applied()[0]:
            prefix = schema.get("prefixItems", ())
            found.append(prefix[index] if index < len(prefix) else schema.get("items"))
        return self._child(found)

    def member(self, name: str) -> "DeepShape":
        """Return the shape of a member."""
        applied = self._applied()[0]
        found = [schema.get("properties", {}).get(name) for schema in applied]
        if all(one is None for one in found):
            found = [
                other
                for schema in applied
                for other in (
                    schema.get("additionalProperties"),
                    schema.get("unevaluatedProperties"),
                    *schema.get("patternProperties", {}).values(),
                )
            ]
        return self._child(found)

    def _child(self, schemas: Iterable[Any]) -> "DeepShape":
        found = [one for one in schemas if isinstance(one, Mapping)]
        key = tuple(map(id, found))
        child = self._known.get(key)
        if child is None:
            loaded = found, self._applied()[1]
            child = self._known[key] = DeepShape(lambda: loaded, self._known)
        return child

    def _applied(self) -> tuple[list[Mapping[str, Any]], Resolve]:
        if self._loaded is None:
            schemas, resolve = self._load()
            self._loaded = applied_schemas(schemas, resolve), resolve
        return self._loaded


def split_name(brackets: str) -> Path | None:
    """Return the members and indices after a name; None if they are malformed or too many.

    Args:
        brackets: the rest of the decoded name, such as ``[b][0]``; ``[]`` at the end is ``""``.
    """
    if not _BRACKETS.fullmatch(brackets):
        return None
    path = tuple(_TOKEN.findall(brackets))
    return path if len(path) <= MAX_DEPTH else None


def read_deep(
    pairs: Iterable[tuple[Path, str]], shape: NestedShape, decode: Decode, *, unique: bool
) -> Any:  # a value of JSON
    """Return the value of a parameter.

    Args:
        pairs: the encoded texts by their paths.
        shape: the shape of the value.
        decode: decodes one text.
        unique: whether to reject a repeated name; else the last text counts.

    Raises:
        UndecodableText: readers would make different values of it.
    """
    root: dict[str, Any] = {}
    for path, text in pairs:
        _insert(root, ("value", *path), text, unique=unique)
    return _value(root["value"], shape, decode, ())


def _insert(root: dict[str, Any], path: Path, text: str, *, unique: bool) -> None:
    """Add a text to a tree of texts, objects of trees, and lists of texts."""
    branch = root
    for token in path[:-1]:
        inner = branch.setdefault(token, {})
        if not isinstance(inner, dict):
            raise _mixed(path)
        branch = inner
    last = path[-1]
    if last == _ITEMS:
        if branch.keys() - {_ITEMS}:
            raise _mixed(path)
        branch.setdefault(_ITEMS, []).append(text)
        return
    if _ITEMS in branch or isinstance(branch.get(last), dict):
        raise _mixed(path)
    if last in branch and unique:
        raise UndecodableText("duplicate_parameter", "Duplicate parameter", path[1:])
    branch[last] = text


def _mixed(path: Path) -> UndecodableText:
    detail = "Must be either a value, an object or an array, whose items are all [] or all numbered"
    return UndecodableText("malformed_parameter", detail, path[1:2])


def _value(tree: Any, shape: NestedShape, decode: Decode, path: Path) -> Any:
    if isinstance(tree, str):
        value = shape.read(decode(tree))
        if not path and not shape.is_scalar(value):
            raise UndecodableText("malformed_parameter", "Must have members in brackets")
        return value
    types = shape.types
    if _ITEMS in tree:
        if "array" not in types:
            raise UndecodableText("malformed_parameter", "Is not an array", path)
        return [shape.item(at).read(decode(text)) for at, text in enumerate(tree[_ITEMS])]
    if "array" in types and all(map(_INDEX.fullmatch, tree)):
        if {int(token) for token in tree} != set(range(len(tree))):
            detail = "Items must be numbered from 0, without gaps"
            raise UndecodableText("malformed_parameter", detail, path)
        return [
            _value(tree[str(at)], shape.item(at), decode, (*path, str(at)))
            for at in range(len(tree))
        ]
    if "object" not in types:
        raise UndecodableText("malformed_parameter", "Does not have members", path)
    return {
        name: _value(inner, shape.member(name), decode, (*path, name))
        for name, inner in tree.items()
    }
