"""Fill the defaults of a schema into a copy of a value, for properties that it lacks."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from mantlet._internal.locks import ForkSafeLock
from mantlet.guard.jsonschema.keywords import CODE_ANNOTATION, DISCRIMINATOR_ANNOTATION
from mantlet.guard.jsonschema.validators import ValidatorCache

__all__ = ["DefaultsCompiler"]

_MISSING: Final = object()
_MAX_DEPTH: Final = 32


class _DefaultsNode:
    """The defaults of one schema.

    Attributes:
        has_defaults: whether the schema, or a schema reached from it, has any.
        properties: the default, if there is one, and the node for each property.
        items: the node for the items of an array.
        additional: the node for additional properties.
        parts: nodes for other schemas applied to the same value.
        discriminated: the property name of a discriminator, the node for each of its values, and
            the node for all other values.
    """

    __slots__ = ("additional", "discriminated", "has_defaults", "items", "parts", "properties")

    def __init__(self) -> None:
        self.has_defaults = False
        self.properties: dict[str, tuple[Any, _DefaultsNode]] = {}
        self.items: _DefaultsNode | None = None
        self.additional: _DefaultsNode | None = None
        self.parts: list[_DefaultsNode] = []
        self.discriminated: tuple[str, dict[str, _DefaultsNode], _DefaultsNode | None] | None = None

    def children(self) -> list["_DefaultsNode"]:
        found = [child for _, child in self.properties.values()] + self.parts
        found += [child for child in (self.items, self.additional) if child is not None]
        if self.discriminated is not None:
            found += self.discriminated[1].values()
            found += [self.discriminated[2]] if self.discriminated[2] is not None else []
        return found

    def drop_useless(self) -> None:
        """Drop the children without defaults."""
        self.parts = [part for part in self.parts if part.has_defaults]
        if self.items is not None and not self.items.has_defaults:
            self.items = None
        if self.additional is not None and not self.additional.has_defaults:
            self.additional = None
        # Where additional properties have defaults, the others must be known.
        self.properties = {
            name: (default, child if child.has_defaults else _NO_DEFAULTS)
            for name, (default, child) in self.properties.items()
            if default is not _MISSING or child.has_defaults or self.additional is not None
        }

    def fill(self, value: Any) -> Any:
        """Return the value, or a copy of it if any default was filled in."""
        if isinstance(value, dict):
            value = self._fill_object(value)
        elif isinstance(value, list) and self.items is not None:
            filled = [self.items.fill(item) for item in value]
            if any(new is not old for new, old in zip(filled, value, strict=True)):
                value = filled
        else:
            return value
        for part in self.parts:
            value = part.fill(value)
        return value

    def _fill_object(self, value: dict[str, Any]) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        for name, (default, child) in self.properties.items():
            if name in value:
                if child.has_defaults:
                    filled[name] = child.fill(value[name])
            elif default is not _MISSING:
                filled[name] = child.fill(_copy(default))
        if self.additional is not None:
            for name, member in value.items():
                if name not in self.properties:
                    filled[name] = self.additional.fill(member)
        if any(name not in value or new is not value[name] for name, new in filled.items()):
            value = {**value, **filled}
        if self.discriminated is not None:
            name, nodes, fallback = self.discriminated
            actual = value.get(name)
            node = nodes.get(actual, fallback) if isinstance(actual, str) else fallback
            return value if node is None else node.fill(value)
        return value


_NO_DEFAULTS: Final = _DefaultsNode()


# Any: schemas and values are plain JSON.
class DefaultsCompiler:
    """Compiles the defaults of the schemas of a document; each definition once.

    Args:
        validators: validators for the schemas, and the definitions.
    """

    __slots__ = ("_lock", "_new", "_pending", "_targets", "_validators")

    def __init__(self, validators: ValidatorCache) -> None:
        self._validators = validators
        #: The nodes of definitions, by reference.
        self._targets: dict[str, _DefaultsNode] = {}
        #: The nodes that are not complete yet, and the schemas of those.
        self._new: list[_DefaultsNode] = []
        self._pending: list[tuple[_DefaultsNode, Mapping[str, Any]]] = []
        self._lock = ForkSafeLock(on_fork=self._reset)

    def compile(self, schema: Any) -> Callable[[Any], Any] | None:
        """Return a function that fills in the defaults of a schema; None if the schema has none.

        A default that does not match its own schema is ignored.
        """
        with self._lock.hold():
            try:
                root = self._node(schema)
                self._finish()
            except BaseException:  # from a custom format
                self._reset()  # the nodes may be incomplete
                raise
        return root.fill if root.has_defaults else None

    def _reset(self) -> None:
        self._targets, self._new, self._pending = {}, [], []

    def _node(self, schema: Any) -> _DefaultsNode:
        """Return the node for a schema; `_finish()` completes it."""
        made = _DefaultsNode()
        if isinstance(schema, Mapping) and CODE_ANNOTATION not in schema:
            self._new.append(made)
            self._pending.append((made, schema))
        return made

    def _target(self, reference: str) -> _DefaultsNode:
        """Return the node for a definition, since definitions may refer to themselves."""
        found = self._targets.get(reference)
        if found is None:
            found = self._targets[reference] = self._node(self._validators.resolve(reference))
        return found

    def _finish(self) -> None:
        """Complete all nodes, and drop references to those without defaults."""
        while self._pending:
            self._complete(*self._pending.pop())
        nodes, self._new = self._new, []
        parents: dict[int, list[_DefaultsNode]] = {}
        useful: dict[int, _DefaultsNode] = {}
        for node in nodes:
            if node.has_defaults:
                useful[id(node)] = node
            for child in node.children():
                parents.setdefault(id(child), []).append(node)
                if child.has_defaults:
                    useful[id(child)] = child
        pending = list(useful.values())
        while pending:
            for node in parents.get(id(pending.pop()), ()):
                if not node.has_defaults:
                    node.has_defaults = True
                    pending.append(node)
        for node in nodes:
            node.drop_useless()

    def _complete(self, node: _DefaultsNode, schema: Mapping[str, Any]) -> None:
        for name, member in schema.get("properties", {}).items():
            node.properties[name] = (self._default(member), self._node(member))
        node.has_defaults = any(default is not _MISSING for default, _ in node.properties.values())
        if "prefixItems" not in schema and "items" in schema:
            node.items = self._node(schema["items"])
        if "patternProperties" not in schema and "additionalProperties" in schema:
            node.additional = self._node(schema["additionalProperties"])
        if DISCRIMINATOR_ANNOTATION in schema:
            name, branches, fallback = schema[DISCRIMINATOR_ANNOTATION]
            nodes = {value: self._node(branch) for value, branch in branches.items()}
            node.discriminated = (name, nodes, None if fallback is None else self._node(fallback))
            return
        node.parts = [self._target(schema["$ref"])] if "$ref" in schema else []
        node.parts += [self._node(part) for part in self._parts(schema)]

    def _parts(self, schema: Mapping[str, Any]) -> list[Any]:
        """Return the subschemas that always apply to the same value."""
        parts = []
        for part in schema.get("allOf", ()):
            choice = part.get("then") if isinstance(part, Mapping) else None
            is_choice = isinstance(choice, Mapping) and DISCRIMINATOR_ANNOTATION in choice
            parts.append(choice if is_choice else part)
        for keyword in ("anyOf", "oneOf"):
            branches = [one for one in schema.get(keyword, ()) if one != {"type": "null"}]
            parts += branches if len(branches) == 1 else []
        return parts

    def _default(self, schema: Any, depth: int = 0) -> Any:
        """Return the default of a property, from its schema or from a part of that."""
        if not isinstance(schema, Mapping) or CODE_ANNOTATION in schema or depth > _MAX_DEPTH:
            return _MISSING
        if "default" in schema:
            is_valid = self._validators.build(schema).is_valid(schema["default"])
            return schema["default"] if is_valid else _MISSING
        parts = [self._validators.resolve(schema["$ref"])] if "$ref" in schema else []
        for part in [*parts, *schema.get("allOf", ())]:
            found = self._default(part, depth + 1)
            if found is not _MISSING:
                return found
        return _MISSING


def _copy(value: Any) -> Any:
    """Copy a default, so that an app cannot change the schema."""
    if isinstance(value, dict):
        return {name: _copy(member) for name, member in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value
