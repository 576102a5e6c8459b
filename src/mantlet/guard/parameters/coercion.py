"""What the text of a parameter may become, and how text becomes that."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from types import MappingProxyType
from typing import Any, Final

__all__ = ["TEXT", "TEXTS", "Shape", "coerce"]

#: The types of JSON (JSON Schema 2020-12, validation, 6.1.1).
TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
STRUCTURES: Final = frozenset({"array", "object"})
#: Characters of a number; one that is longer stays text.
LONGEST_NUMBER: Final = 100

# RFC 8259, 6.
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)").fullmatch
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)").fullmatch
_BOOLEANS: Final = {"true": True, "false": False}


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= LONGEST_NUMBER and _INTEGER(text) else text


def _number(text: str) -> float | str:
    read = _NUMBER(text) if len(text) <= LONGEST_NUMBER else None
    if read is None:
        return text
    number = float(text) if read[1] else int(text)
    return number if isfinite(number) else text


def _boolean(text: str) -> bool | str:
    return _BOOLEANS.get(text, text)


def _null(text: str) -> str | None:
    return text or None


# From the most specific to the least. Each returns the text where it is none of its type.
_READERS: Final[tuple[tuple[str, Callable[[str], Any]], ...]] = (
    ("number", _number),
    ("integer", _integer),
    ("boolean", _boolean),
    ("null", _null),
)


def _reader(types: frozenset[str], texts: frozenset[str]) -> Callable[[str], Any]:
    """Return what makes a scalar of a text."""
    readers = [read for name, read in _READERS if name in types]
    if "number" in types and "integer" in types:
        readers.remove(_integer)  # what is an integer is a number, and becomes the same
    if not readers:
        return str
    if len(readers) == 1 and not texts:
        return readers[0]

    def read(text: str) -> Any:
        if text in texts:
            return text
        for reader in readers:
            value = reader(text)
            if value is not text:
                return value
        return text

    return read


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What the text of a parameter may become.

    Args:
        types: the types of JSON that it may have.
        texts: what stays text even where it could be of another type: the strings that the schema
            enumerates.
        items: the shape of an array's items; None where nothing is known of them.
        prefix: the shapes of its first items, where they have shapes of their own.
        properties: the shapes of an object's members.
        additional: the shape of its other members; None where nothing is said of them, or that
            there are none.

    Attributes:
        read: makes a scalar of a text, as `coerce()` does.

    Raises:
        ValueError: one of ``types`` is none of JSON.
    """

    types: frozenset[str]
    texts: frozenset[str] = frozenset()
    items: "Shape | None" = None
    prefix: tuple["Shape", ...] = ()
    properties: Mapping[str, "Shape"] = field(default_factory=dict)
    additional: "Shape | None" = None
    # Any: a value of JSON.
    read: Callable[[str], Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.types <= TYPES:
            raise ValueError(f"types must be of {sorted(TYPES)}, not {sorted(self.types)}")
        texts = self.texts if "string" in self.types else frozenset()
        object.__setattr__(self, "properties", MappingProxyType(dict(self.properties)))
        object.__setattr__(self, "read", _reader(self.types, texts))

    @property
    def structured(self) -> bool:
        """Whether it may be an array or an object."""
        return not self.types.isdisjoint(STRUCTURES)

    def is_scalar(self, value: Any) -> bool:
        """Whether it may be a scalar, and this is what `read()` has made of a text for it."""
        return not isinstance(value, str) or "string" in self.types

    def item(self, index: int) -> "Shape":
        """Return the shape of an array's item."""
        return self.prefix[index] if index < len(self.prefix) else self.items or TEXT

    def member(self, name: str) -> "Shape":
        """Return the shape of an object's member."""
        return self.properties.get(name) or self.additional or TEXT

    def children(self) -> "Iterator[Shape]":
        """Iterate over the shapes of items and members."""
        yield from self.prefix
        yield from self.properties.values()
        yield from (shape for shape in (self.items, self.additional) if shape is not None)

    def untyped(self) -> "Shape":
        """Return the same shape with every scalar as text, for a schema that reads texts itself."""
        types = self.types & STRUCTURES
        # Null is not what a text is meant to be where it could be an item.
        if not types or self.types - STRUCTURES - {"null"}:
            types |= {"string"}
        return Shape(
            types=types,
            items=self.items and self.items.untyped(),
            prefix=tuple(shape.untyped() for shape in self.prefix),
            properties={name: shape.untyped() for name, shape in self.properties.items()},
            additional=self.additional and self.additional.untyped(),
        )


#: Text that stays text.
TEXT: Final = Shape(types=frozenset({"string"}))
#: An array of texts that stay text.
TEXTS: Final = Shape(types=frozenset({"array"}), items=TEXT)


# Any: a scalar of JSON.
def coerce(text: str, shape: Shape) -> Any:
    """Return the scalar that a text stands for, only as its schema says.

    OpenAPI leaves it to implementations what texts the scalars have (3.2.0, Appendix B). Here they
    are written as in JSON (RFC 8259), so that no reader takes them for anything else: an integer
    is ``-?(0|[1-9][0-9]*)``, so ``+1``, ``01``, ``1_000``, ``1.0``, ``1e3`` and digits outside of
    ASCII are none, although JSON Schema takes the number 1.0 for an integer; a number is one of
    JSON and finite; booleans are ``true`` and ``false``; null is the empty text.

    Where several types are allowed the first that the text can be counts: integer, number, boolean,
    null, string. A string that the schema enumerates is itself. What none of them can be stays
    text, so that the schema refuses it with its own words.
    """
    return shape.read(text)
