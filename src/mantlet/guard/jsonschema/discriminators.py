"""Convert OpenAPI's ``discriminator``, which picks a schema by the value of one property.

It picks one of the schemas of ``oneOf`` or ``anyOf``, and accepts nothing that these would reject
(OpenAPI 3.1.2, 4.8.25; 3.2.0, 4.25 with ``defaultMapping``). The converted schema has, in place of
``oneOf`` or ``anyOf``: an object must match the schema that its property picks and, with ``oneOf``,
none of the others.

Many documents have values that name no schema, such as ``"track"`` for ``TrackObject``. A schema
that none of its names can pick, since it does not allow them, is picked by the values that it does
allow. A discriminator that picks nothing at all is ignored: the schemas decide.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from mantlet.guard.jsonschema.documents import SchemaDocuments, SchemaLocation
from mantlet.guard.jsonschema.keywords import DISCRIMINATOR_ANNOTATION

__all__ = ["apply_discriminator"]

_MAX_DEPTH: Final = 16
_NOT_STRINGS: Final = ("array", "boolean", "integer", "null", "number", "object")


class _Branch(NamedTuple):
    """A schema that a discriminator may pick.

    Attributes:
        location: the target of its reference; a branch without one cannot be picked.
        values: the values that it allows for the property; None if it does not say. Empty if they
            are no strings, so that no name can pick it.
        converted: the converted schema.
    """

    location: SchemaLocation | None
    values: list[Any] | None
    converted: Any


# Any: schemas are plain JSON.
def apply_discriminator(
    documents: SchemaDocuments, schema: Mapping[str, Any], base: str, converted: dict[str, Any]
) -> list[tuple[str, str]]:
    """Replace the ``oneOf`` or ``anyOf`` of a converted schema by a choice of its discriminator.

    Args:
        documents: the targets of references.
        schema: the schema as written; it has a ``discriminator``.
        base: the URI of its document.
        converted: the schema as converted so far; changed in place.

    Returns:
        Problems: JSON Pointers relative to the schema, and messages.
    """
    return _DiscriminatorConverter(documents, base).convert(schema, converted)


class _DiscriminatorConverter:
    def __init__(self, documents: SchemaDocuments, base: str) -> None:
        self._documents = documents
        self._base = base
        self._problems: list[tuple[str, str]] = []

    def convert(
        self, schema: Mapping[str, Any], converted: dict[str, Any]
    ) -> list[tuple[str, str]]:
        keyword = "oneOf" if isinstance(schema.get("oneOf"), list) else "anyOf"
        discriminator = schema["discriminator"]
        name = discriminator.get("propertyName") if isinstance(discriminator, Mapping) else None
        if not isinstance(name, str):
            return [("/discriminator", "must have a propertyName")]
        if not isinstance(converted.get(keyword), list):
            return []  # with allOf it picks nothing: 3.1.2, 4.8.25
        branches = [
            self._branch(part, converted_part, name)
            for part, converted_part in zip(schema[keyword], converted[keyword], strict=True)
        ]
        picked, fallback = self._mapping(discriminator, branches)
        if not picked and fallback is None:
            return self._problems
        parts = converted.pop(keyword)
        choice = _choice(name, picked, fallback, branches if keyword == "oneOf" else [])
        choice[DISCRIMINATOR_ANNOTATION] = (
            name,
            {value: branch.converted for value, branch in picked.items()},
            fallback and fallback.converted,
        )
        conditional = {"if": {"type": "object"}, "then": choice, "else": {keyword: parts}}
        others = converted.get("allOf", [])
        # An allOf that is not a list is a problem of its own.
        converted["allOf"] = [*others, conditional] if isinstance(others, list) else [conditional]
        return self._problems

    def _branch(self, part: Any, converted: Any, name: str) -> _Branch:
        location = None
        if isinstance(part, Mapping) and isinstance(part.get("$ref"), str):
            try:
                location = self._documents.resolve(part["$ref"], self._base)[0]
            except LookupError:
                location = None  # reported by the conversion
        return _Branch(location, self._allowed_values(part, name), converted)

    def _allowed_values(self, part: Any, name: str) -> Any:
        """Return the values that a branch allows for the property, or None if it does not say."""
        for found, base in self._applied(part, self._base):
            properties = found.get("properties")
            member = properties.get(name) if isinstance(properties, Mapping) else None
            if isinstance(member, Mapping):
                for one, _ in self._applied(member, base):
                    if "const" in one:
                        return [one["const"]]
                    if isinstance(one.get("enum"), list):
                        return one["enum"]
                    if one.get("type") in _NOT_STRINGS:
                        return []
        return None

    def _applied(
        self, schema: Any, base: str, depth: int = 0
    ) -> Iterator[tuple[Mapping[str, Any], str]]:
        """Iterate over a schema and the schemas it applies to the same value, with their URIs."""
        if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
            return
        yield schema, base
        if isinstance(schema.get("$ref"), str):
            try:
                location, found = self._documents.resolve(schema["$ref"], base)
            except LookupError:
                return
            yield from self._applied(found, location.base, depth + 1)
        parts = schema.get("allOf")
        for part in parts if isinstance(parts, list) else ():
            yield from self._applied(part, base, depth + 1)

    def _mapping(
        self, discriminator: Mapping[str, Any], branches: list[_Branch]
    ) -> tuple[dict[str, _Branch], _Branch | None]:
        """Return the branch for each value, and the branch for all other values if there is one."""
        by_location = {
            branch.location: branch for branch in branches if branch.location is not None
        }
        # The last token of the pointer names a schema, even where a mapping also names it.
        picked = {
            location.pointer.rpartition("/")[2]: branch for location, branch in by_location.items()
        }
        mapping = discriminator.get("mapping", {})
        for value, target in dict(mapping if isinstance(mapping, Mapping) else {}).items():
            branch = self._find_branch(target, by_location)
            if branch is None:
                message = f"{target!r} is not one of the schemas to pick from"
                self._problems.append(("/discriminator/mapping", message))
            else:
                picked[value] = branch
        picked = _pick_by_values(picked, branches)
        fallback = None
        if "defaultMapping" in discriminator:
            target = discriminator["defaultMapping"]
            fallback = self._find_branch(target, by_location)
            if fallback is None:
                message = f"{target!r} is not one of the schemas to pick from"
                self._problems.append(("/discriminator/defaultMapping", message))
        return picked, fallback

    def _find_branch(
        self, target: Any, by_location: Mapping[SchemaLocation, _Branch]
    ) -> _Branch | None:
        if not isinstance(target, str):
            return None
        for reference in (f"#/components/schemas/{target}", target):
            try:
                location, _ = self._documents.resolve(reference, self._base)
            except LookupError:
                continue
            if location in by_location:
                return by_location[location]
        return None


def _pick_by_values(picked: dict[str, _Branch], branches: list[_Branch]) -> dict[str, _Branch]:
    """Return the branch for each value, also for branches that none of their names can pick.

    It is empty if two branches that are picked by their values have one in common.
    """
    possible = {
        name: branch
        for name, branch in picked.items()
        if branch.values is None or name in branch.values
    }
    named = {id(branch) for branch in possible.values()}
    for branch in branches:
        if id(branch) not in named:
            for value in dict.fromkeys(one for one in branch.values or () if isinstance(one, str)):
                if value in possible:
                    return {}
                possible[value] = branch
    return possible


def _choice(
    name: str, picked: dict[str, _Branch], fallback: _Branch | None, rivals: list[_Branch]
) -> dict[str, Any]:
    """Return the schema for objects: each value of the property requires the branch it picks."""
    choice: dict[str, Any] = {"allOf": []}
    by_branch: dict[int, tuple[_Branch, list[str]]] = {}
    for value, branch in picked.items():
        by_branch.setdefault(id(branch), (branch, []))[1].append(value)
    for branch, values in by_branch.values():
        choice["allOf"].append({
            "if": _has_value(name, values),
            "then": _exclusively(branch, [one for one in rivals if one is not branch], values),
        })  # fmt: skip
    if fallback is None:
        choice.update(_has_value(name, list(picked)))
    else:
        others = [one for one in rivals if one is not fallback]
        choice["allOf"].append(
            {"if": _has_value(name, list(picked)), "else": _exclusively(fallback, others, None)}
        )
    return choice


def _has_value(name: str, values: list[str]) -> dict[str, Any]:
    return {"properties": {name: {"enum": values}}, "required": [name]}


def _exclusively(branch: _Branch, others: list[_Branch], values: list[str] | None) -> Any:
    """Return the schema of a branch, without values that match another branch as well."""
    rivals = [
        other.converted
        for other in others
        if values is None or other.values is None or any(value in other.values for value in values)
    ]
    if not rivals:
        return branch.converted
    return {"allOf": [branch.converted, {"not": {"anyOf": rivals}}]}
