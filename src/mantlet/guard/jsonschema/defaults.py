"""The defaults of a schema, put where a value has no member, in a copy."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from mantlet.guard.jsonschema.convert import CODE
from mantlet.guard.jsonschema.discriminators import DISCRIMINATOR
from mantlet.guard.jsonschema.validators import Validators

__all__ = ["find_defaults"]

_MISSING: Final = object()
_DEEPEST: Final = 32


# Any: schemas and values are plain JSON.
def find_defaults(schema: Any, validators: Validators) -> Callable[[Any], Any] | None:
    """Return what fills a value up with a schema's defaults, or None if the schema has none.

    A default that its own schema does not allow is left out.
    """
    plan = _Plan(validators)
    root = plan.node(schema)
    plan.prune()
    return root.fill if root.useful else None


class _Node:
    """What is to be filled into a value by one schema.

    Attributes:
        useful: whether there is anything.
        members: by name the default, if there is one, and what is to be filled into the member.
        items: the same for an array's items.
        others: the same for members without a property.
        parts: what else holds for the same value.
        picked: by a discriminator: a member's name, by its values, and what else.
    """

    __slots__ = ("items", "members", "others", "parts", "picked", "useful")

    def __init__(self) -> None:
        self.useful = False
        self.members: dict[str, tuple[Any, _Node]] = {}
        self.items: _Node | None = None
        self.others: _Node | None = None
        self.parts: list[_Node] = []
        self.picked: tuple[str, dict[str, _Node], _Node | None] | None = None

    def children(self) -> list["_Node"]:
        found = [child for _, child in self.members.values()] + self.parts
        found += [child for child in (self.items, self.others) if child is not None]
        if self.picked is not None:
            found += self.picked[1].values()
            found += [self.picked[2]] if self.picked[2] is not None else []
        return found

    def fill(self, value: Any) -> Any:
        """Return the value, or a copy of it where anything was to be filled in."""
        if isinstance(value, dict):
            value = self._fill_members(value)
        elif isinstance(value, list) and self.items is not None:
            filled = [self.items.fill(item) for item in value]
            if any(new is not old for new, old in zip(filled, value, strict=True)):
                value = filled
        else:
            return value
        for part in self.parts:
            value = part.fill(value)
        return value

    def _fill_members(self, value: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, (default, child) in self.members.items():
            if name in value:
                if child.useful:
                    made[name] = child.fill(value[name])
            elif default is not _MISSING:
                made[name] = child.fill(_copy(default))
        if self.others is not None:
            for name, member in value.items():
                if name not in self.members:
                    made[name] = self.others.fill(member)
        if any(name not in value or new is not value[name] for name, new in made.items()):
            value = {**value, **made}
        if self.picked is not None:
            name, nodes, fallback = self.picked
            said = value.get(name)
            node = nodes.get(said, fallback) if isinstance(said, str) else fallback
            return value if node is None else node.fill(value)
        return value


class _Plan:
    """Makes the nodes of a schema, one of each, as schemas may refer to themselves."""

    def __init__(self, validators: Validators) -> None:
        self._validators = validators
        self._nodes: dict[int, _Node] = {}
        self._waiting: list[tuple[_Node, Mapping[str, Any]]] = []

    def node(self, schema: Any) -> _Node:
        """Return the node of a schema, which is made by `prune()`."""
        found = self._nodes.get(id(schema))
        if found is None:
            found = self._nodes[id(schema)] = _Node()
            if isinstance(schema, Mapping) and CODE not in schema:
                self._waiting.append((found, schema))
        return found

    def prune(self) -> None:
        """Make all nodes, and take out those that fill nothing in."""
        while self._waiting:
            self._make(*self._waiting.pop())
        nodes = list(self._nodes.values())
        above: dict[int, list[_Node]] = {}
        for node in nodes:
            for child in node.children():
                above.setdefault(id(child), []).append(node)
        useful = [node for node in nodes if node.useful]
        while useful:
            for node in above.get(id(useful.pop()), ()):
                if not node.useful:
                    node.useful = True
                    useful.append(node)
        for node in nodes:
            node.parts = [part for part in node.parts if part.useful]
            node.items = node.items if node.items is not None and node.items.useful else None
            node.others = node.others if node.others is not None and node.others.useful else None

    def _make(self, node: _Node, schema: Mapping[str, Any]) -> None:
        for name, member in schema.get("properties", {}).items():
            node.members[name] = (self._default(member), self.node(member))
        node.useful = any(default is not _MISSING for default, _ in node.members.values())
        if "prefixItems" not in schema and "items" in schema:
            node.items = self.node(schema["items"])
        if "patternProperties" not in schema and "additionalProperties" in schema:
            node.others = self.node(schema["additionalProperties"])
        if DISCRIMINATOR in schema:
            name, branches, fallback = schema[DISCRIMINATOR]
            nodes = {value: self.node(branch) for value, branch in branches.items()}
            node.picked = (name, nodes, None if fallback is None else self.node(fallback))
            return
        node.parts = [self.node(part) for part in self._parts(schema)]

    def _parts(self, schema: Mapping[str, Any]) -> list[Any]:
        """Return what holds for the same value in any case."""
        parts = []
        if "$ref" in schema:
            parts.append(self._validators.follow(schema["$ref"]))
        for part in schema.get("allOf", ()):
            form = part.get("then") if isinstance(part, Mapping) else None
            parts.append(form if isinstance(form, Mapping) and DISCRIMINATOR in form else part)
        for keyword in ("anyOf", "oneOf"):
            forms = [form for form in schema.get(keyword, ()) if form != {"type": "null"}]
            parts += forms if len(forms) == 1 else []
        return parts

    def _default(self, schema: Any, depth: int = 0) -> Any:
        """Return the default of a member: its own, or that of a part of its schema."""
        if not isinstance(schema, Mapping) or CODE in schema or depth > _DEEPEST:
            return _MISSING
        if "default" in schema:
            allowed = self._validators.make(schema).is_valid(schema["default"])
            return schema["default"] if allowed else _MISSING
        parts = [self._validators.follow(schema["$ref"])] if "$ref" in schema else []
        for part in [*parts, *schema.get("allOf", ())]:
            found = self._default(part, depth + 1)
            if found is not _MISSING:
                return found
        return _MISSING


def _copy(value: Any) -> Any:
    """Return a copy of a default, so that no app changes the schema's own."""
    if isinstance(value, dict):
        return {name: _copy(member) for name, member in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value
