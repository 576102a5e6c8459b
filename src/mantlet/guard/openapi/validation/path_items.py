"""Read Path Item Objects with their references followed: operations and parameters."""

from collections.abc import Iterator
from typing import Any, Final

from mantlet.guard.openapi.diagnostics import LocatedValue
from mantlet.guard.openapi.references import ReferenceResolver
from mantlet.guard.openapi.validation.object_types import FIXED_METHODS

__all__ = [
    "AmbiguousFieldError",
    "PathItemFields",
    "listed_parameters",
    "operations_of",
    "parameter_key",
    "path_item_fields",
]

#: The fields of a path item.
PathItemFields = dict[str, LocatedValue]

#: How many references in a row are followed.
_MAX_CHAIN: Final = 100


class AmbiguousFieldError(ValueError):
    """A field is in a path item and in its target; the message continues "the path item".

    The result is undefined (OpenAPI, "Path Item Object").
    """


def path_item_fields(references: ReferenceResolver, item: LocatedValue) -> PathItemFields:
    """Return the fields of a path item, including those of the path item that it refers to.

    Raises:
        AmbiguousFieldError: a field is in both path items.
        ValueError: a reference has no target or is a cycle.
    """
    fields: PathItemFields = {}
    for _ in range(_MAX_CHAIN):
        value, location = item
        if not isinstance(value, dict):
            return fields
        for name, member in value.items():
            if name == "$ref" or name.startswith("x-"):
                continue
            if name in fields and name not in {"summary", "description"}:
                raise AmbiguousFieldError(f"has {name!r} beside it, which its target has as well")
            fields.setdefault(name, LocatedValue(member, location.child(name)))
        if not isinstance(value.get("$ref"), str):
            return fields
        item = references.resolve(value["$ref"], location.document)
    raise ValueError("leads in a cycle")


def operations_of(fields: PathItemFields, version: str) -> Iterator[tuple[str, LocatedValue]]:
    """Iterate over the methods and operations of a path item."""
    for method in FIXED_METHODS:
        if method in fields and (method != "query" or version >= "3.2"):
            yield method.upper(), fields[method]
    if version >= "3.2" and "additionalOperations" in fields:
        more, location = fields["additionalOperations"]
        if isinstance(more, dict):
            for method, value in more.items():
                yield method, LocatedValue(value, location.child(method))


def listed_parameters(
    references: ReferenceResolver, holder: LocatedValue | None
) -> list[LocatedValue]:
    """Return the parameters in a list, with references followed.

    Raises:
        ValueError: a reference has no target.
    """
    if holder is None or not isinstance(holder.value, list):
        return []
    return [
        references.follow(LocatedValue(item, holder.location.child(index)))
        for index, item in enumerate(holder.value)
    ]


def parameter_key(parameter: Any) -> tuple[str, str] | None:
    """Return the place and name that identify a parameter; None if it lacks one.

    Header names are case-insensitive (RFC 9110, 5.1).
    """
    if not isinstance(parameter, dict):
        return None
    name, place = parameter.get("name"), parameter.get("in")
    if not isinstance(name, str) or not isinstance(place, str):
        return None
    return place, name.lower() if place == "header" else name
