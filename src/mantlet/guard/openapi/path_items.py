"""Path items with all references followed: their operations, and the parameters of each."""

from collections.abc import Iterator
from typing import Any

from mantlet.guard.openapi.locations import Located
from mantlet.guard.openapi.object_types import FIXED_METHODS
from mantlet.guard.openapi.references import References

__all__ = ["Fields", "fields_of", "key_of", "listed_parameters", "operations_in"]

#: The fields of a path item, each where it stands.
Fields = dict[str, Located]


def fields_of(references: References, item: Located) -> Fields:
    """Return the fields of a path item, with those of the one that it refers to.

    Raises:
        ValueError: a reference leads to nothing or in a circle, or the same field is in both, which
            has no defined meaning (OpenAPI, "Path Item Object").
    """
    fields: Fields = {}
    for _ in range(100):
        value, location = item
        if not isinstance(value, dict):
            return fields
        for name, member in value.items():
            if name == "$ref" or name.startswith("x-"):
                continue
            if name in fields and name not in {"summary", "description"}:
                raise ValueError(f"has {name!r} beside it, which is also in what it leads to")
            fields.setdefault(name, Located(member, location.child(name)))
        if not isinstance(value.get("$ref"), str):
            return fields
        item = references.find(value["$ref"], location.document)
    raise ValueError("leads in a circle")


def operations_in(fields: Fields, version: str) -> Iterator[tuple[str, Located]]:
    """Yield the operations of a path item with their methods."""
    for method in FIXED_METHODS:
        if method in fields and (method != "query" or version >= "3.2"):
            yield method.upper(), fields[method]
    if version >= "3.2" and "additionalOperations" in fields:
        more, location = fields["additionalOperations"]
        if isinstance(more, dict):
            for method, value in more.items():
                yield method, Located(value, location.child(method))


def listed_parameters(references: References, holder: Located | None) -> list[Located]:
    """Return the parameters of a list of them, references followed.

    Raises:
        ValueError: a reference leads to nothing.
    """
    if holder is None or not isinstance(holder.value, list):
        return []
    return [
        references.follow(Located(item, holder.location.child(index)))
        for index, item in enumerate(holder.value)
    ]


def key_of(parameter: Any) -> tuple[str, str] | None:
    """Return what a parameter is told from others by: its place and its name.

    Header names are compared without regard to case (RFC 9110, 5.1).
    """
    if not isinstance(parameter, dict):
        return None
    name, place = parameter.get("name"), parameter.get("in")
    if not isinstance(name, str) or not isinstance(place, str):
        return None
    return place, name.lower() if place == "header" else name
