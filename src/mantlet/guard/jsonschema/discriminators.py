"""The discriminator of OpenAPI, which says by one member's value which form an object has.

It picks one of the schemas of ``oneOf`` or ``anyOf``, and lets through nothing that these would
not (OpenAPI 3.1.2, 4.8.25; 3.2.0, 4.25 with ``defaultMapping``). So in the converted schema it
stands in their place: an object must be what its member says, and with ``oneOf`` none of the
others.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mantlet.guard.jsonschema.documents import Spot

if TYPE_CHECKING:
    from mantlet.guard.jsonschema.convert import Converter, View

__all__ = ["DISCRIMINATOR", "discriminate"]

#: The annotation, in a converted schema, that tells how an object's form is picked: the member's
#: name, the converted schema by value, and what holds for all other values, if anything does.
DISCRIMINATOR: Final = "x-mantlet-discriminator"
_DEEPEST: Final = 16


class _Branch(NamedTuple):
    """One of the forms.

    Attributes:
        spot: where it is, if it is a reference; else no value picks it.
        values: that the member may have in it, if it says so.
        made: it, converted.
    """

    spot: Spot | None
    values: list[Any] | None
    made: Any


# Any: schemas are plain JSON.
def discriminate(
    converter: "Converter", schema: Mapping[str, Any], made: dict[str, Any], at: str, view: "View"
) -> None:
    """Put a schema's discriminator in the place of its ``oneOf`` or ``anyOf``.

    Args:
        converter: that notes what is wrong.
        schema: as written.
        made: converted so far; changed in place.
        at: its pointer.
        view: how it is looked at.
    """
    keyword = "oneOf" if isinstance(schema.get("oneOf"), list) else "anyOf"
    said = schema["discriminator"]
    name = said.get("propertyName") if isinstance(said, Mapping) else None
    if not isinstance(name, str):
        converter.problem(f"{at}/discriminator", view, "it must have a propertyName")
        return
    if not isinstance(made.get(keyword), list):
        return  # with allOf it picks nothing: 3.1.2, 4.8.25
    branches = [
        _branch(converter, part, converted, name, view)
        for part, converted in zip(schema[keyword], made[keyword], strict=True)
    ]
    picked, fallback = _mapping(converter, said, branches, f"{at}/discriminator", view)
    if not picked and fallback is None:
        converter.problem(f"{at}/discriminator", view, f"no schema of {keyword} is picked by it")
        return
    plain = made.pop(keyword)
    form = _form(name, picked, fallback, branches if keyword == "oneOf" else [])
    form[DISCRIMINATOR] = (name, {value: branch.made for value, branch in picked.items()},
                           fallback and fallback.made)  # fmt: skip
    choice = {"if": {"type": "object"}, "then": form, "else": {keyword: plain}}
    others = made.get("allOf", [])
    # Anything else is a problem that has been told of.
    made["allOf"] = [*others, choice] if isinstance(others, list) else [choice]


def _form(
    name: str, picked: dict[str, _Branch], fallback: _Branch | None, rivals: list[_Branch]
) -> dict[str, Any]:
    """Return what holds for an object: for each value, that it has the form that is picked."""
    form: dict[str, Any] = {"allOf": []}
    by_branch: dict[int, tuple[_Branch, list[str]]] = {}
    for value, branch in picked.items():
        by_branch.setdefault(id(branch), (branch, []))[1].append(value)
    for branch, values in by_branch.values():
        form["allOf"].append({
            "if": _has(name, values),
            "then": _only(branch, [one for one in rivals if one is not branch], values),
        })  # fmt: skip
    if fallback is None:
        form.update(_has(name, list(picked)))
    else:
        others = [one for one in rivals if one is not fallback]
        form["allOf"].append(
            {"if": _has(name, list(picked)), "else": _only(fallback, others, None)}
        )
    return form


def _has(name: str, values: list[str]) -> dict[str, Any]:
    return {"properties": {name: {"enum": values}}, "required": [name]}


def _only(branch: _Branch, others: list[_Branch], values: list[str] | None) -> Any:
    """Return a schema that is a branch's, and none of the others' that may hold as well."""
    rivals = [
        other.made
        for other in others
        if values is None or other.values is None or any(value in other.values for value in values)
    ]
    return {"allOf": [branch.made, {"not": {"anyOf": rivals}}]} if rivals else branch.made


def _branch(converter: "Converter", part: Any, made: Any, name: str, view: "View") -> _Branch:
    spot = None
    if isinstance(part, Mapping) and isinstance(part.get("$ref"), str):
        try:
            spot = converter.documents.find(part["$ref"], view.base)[0]
        except LookupError:
            spot = None  # the conversion has told of it
    return _Branch(spot, _values(converter, part, name, view.base), made)


def _values(converter: "Converter", part: Any, name: str, base: str) -> Any:
    """Return the values that a branch allows its member to have, or None if it doesn't say."""
    for found, where in _parts(converter, part, base):
        members = found.get("properties")
        member = members.get(name) if isinstance(members, Mapping) else None
        if isinstance(member, Mapping):
            for one, _ in _parts(converter, member, where):
                if "const" in one:
                    return [one["const"]]
                if isinstance(one.get("enum"), list):
                    return one["enum"]
    return None


def _parts(
    converter: "Converter", schema: Any, base: str, depth: int = 0
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Iterate over a schema and what it refers to or is made of, with their documents."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return
    yield schema, base
    if isinstance(schema.get("$ref"), str):
        try:
            spot, found = converter.documents.find(schema["$ref"], base)
        except LookupError:
            return
        yield from _parts(converter, found, spot.base, depth + 1)
    every = schema.get("allOf")
    for part in every if isinstance(every, list) else ():
        yield from _parts(converter, part, base, depth + 1)


def _mapping(
    converter: "Converter", said: Mapping[str, Any], branches: list[_Branch], at: str, view: "View"
) -> tuple[dict[str, _Branch], _Branch | None]:
    """Return the branch of each value, and the one of all others if there is one."""
    by_spot = {branch.spot: branch for branch in branches if branch.spot is not None}
    # A schema's name is the last token of its pointer, even where a mapping names it besides.
    picked = {spot.pointer.rpartition("/")[2]: branch for spot, branch in by_spot.items()}
    mapping = said.get("mapping", {})
    wanted = dict(mapping) if isinstance(mapping, Mapping) else {}
    for value, target in wanted.items():
        branch = _target(converter, target, by_spot, view)
        if branch is None:
            converter.problem(
                f"{at}/mapping", view, f"{target!r} is none of the schemas to pick from"
            )
        else:
            picked[value] = branch
    fallback = None
    if "defaultMapping" in said:
        fallback = _target(converter, said["defaultMapping"], by_spot, view)
        if fallback is None:
            converter.problem(
                f"{at}/defaultMapping", view, "it is none of the schemas to pick from"
            )
    return picked, fallback


def _target(
    converter: "Converter", target: Any, by_spot: Mapping[Spot, _Branch], view: "View"
) -> _Branch | None:
    if not isinstance(target, str):
        return None
    for reference in (f"#/components/schemas/{target}", target):
        try:
            spot, _ = converter.documents.find(reference, view.base)
        except LookupError:
            continue
        if spot in by_spot:
            return by_spot[spot]
    return None
