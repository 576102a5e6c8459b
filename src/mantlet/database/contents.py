"""Compare the contents of objects, whether their classes define ``==`` or not."""

from collections.abc import Iterable
from typing import Any, Final

__all__ = ["same_contents"]

#: The prefix of attributes that SQLAlchemy adds to objects of mapped classes.
_SQLALCHEMY: Final = "_sa_"


# Any: attributes of any type.
def same_contents(one: Any, other: Any, seen: set[tuple[int, int]] | None = None) -> bool:
    """Return whether two objects have the same attributes and elements.

    Args:
        one: an object.
        other: another one.
        seen: the ids of pairs of objects that are already being compared.
    """
    if one is other or type(one) is not type(other):
        return one is other
    seen = set() if seen is None else seen
    pair = (id(one), id(other))
    if pair in seen:
        return True
    seen.add(pair)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            same_contents(one[key], other[key], seen) for key in one
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(
            same_contents(*parts, seen) for parts in zip(one, other, strict=True)
        )
    attributes = _attributes(one)
    if attributes is None:
        return bool(one == other)
    return same_contents(attributes, _attributes(other), seen)


def _attributes(value: object) -> dict[str, Any] | None:
    """Return an object's attributes, or None for types whose attributes Python can't see."""
    slots = [
        name
        for kind in type(value).__mro__
        for name in _as_tuple(kind.__dict__.get("__slots__", ()))
        if not name.startswith("__")
    ]
    if not slots and not hasattr(value, "__dict__"):
        return None
    found = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    found |= getattr(value, "__dict__", {})
    return {name: one for name, one in found.items() if not name.startswith(_SQLALCHEMY)}


def _as_tuple(slots: str | Iterable[str]) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)
