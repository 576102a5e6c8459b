"""Fill the defaults of a schema into a copy of a value, for properties that it lacks."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from mantlet.guard.jsonschema.keywords import CODE_ANNOTATION, DISCRIMINATOR_ANNOTATION
from mantlet.guard.jsonschema.validators import ValidatorCache

__all__ = ["compile_defaults"]

_MISSING: Final = object()
_MAX_DEPTH: Final = 32


# Any: schemas and values are plain JSON.
def compile_defaults(schema: Any, validators: ValidatorCache) -> Callable[[Any], Any] | None:
    """Return a function that fills in the defaults of a schema; None if the schema has none.

    A default that does not match its own schema is ignored.
    """
    compiler = _DefaultsCompiler(validators)
    root = compiler.node(schema)
    compiler.finish()
    return root.fill if root.has_defaults else None


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


class _DefaultsCompiler:
    """Builds one node per schema, since schemas may refer to themselves."""

    def __init__(self, validators: ValidatorCache) -> None:
        self._validators = validators
        self._nodes: dict[int, _DefaultsNode] = {}
        self._pending: list[tuple[_DefaultsNode, Mapping[str, Any]]] = []

    def node(self, schema: Any) -> _DefaultsNode:
        """Return the node for a schema; `finish()` completes it."""
        found = self._nodes.get(id(schema))
        if found is None:
            found = self._nodes[id(schema)] = _DefaultsNode()
            if isinstance(schema, Mapping) and CODE_ANNOTATION not in schema:
                self._pending.append((found, schema))
        return found

    def finish(self) -> None:
        """Complete all nodes, and drop references to those without defaults."""
        while self._pending:
            self._complete(*self._pending.pop())
        nodes = list(self._nodes.values())
        parents: dict[int, list[_DefaultsNode]] = {}
        for node in nodes:
            for child in node.children():
                parents.setdefault(id(child), []).append(node)
        useful = [node for node in nodes if node.has_defaults]
        while useful:
            for node in parents.get(id(useful.pop()), ()):
                if not node.has_defaults:
                    node.has_defaults = True
                    useful.append(node)
        for node in nodes:
            node.parts = [part for part in node.parts if part.has_defaults]
            if node.items is not None and not node.items.has_defaults:
                node.items = None
            if node.additional is not None and not node.additional.has_defaults:
                node.additional = None

    def _complete(self, node: _DefaultsNode, schema: Mapping[str, Any]) -> None:
        for name, member in schema.get("properties", {}).items():
            node.properties[name] = (self._default(member), self.node(member))
        node.has_defaults = any(default is not _MISSING for default, _ in node.properties.values())
        if "prefixItems" not in schema and "items" in schema:
            node.items = self.node(schema["items"])
        if "patternProperties" not in schema and "additionalProperties" in schema:
            node.additional = self.node(schema["additionalProperties"])
        if DISCRIMINATOR_ANNOTATION in schema:
            name, branches, fallback = schema[DISCRIMINATOR_ANNOTATION]
            nodes = {value: self.node(branch) for value, branch in branches.items()}
            node.discriminated = (name, nodes, None if fallback is None else self.node(fallback))
            return
        node.parts = [self.node(part) for part in self._parts(schema)]

    def _parts(self, schema: Mapping[str, Any]) -> list[Any]:
        """Return the schemas that always apply to the same value."""
        parts = []
        if "$ref" in schema:
            parts.append(self._validators.resolve(schema["$ref"]))
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
