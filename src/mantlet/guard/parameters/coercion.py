"""Convert the text of parameters to values of JSON types."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from types import MappingProxyType
from typing import Any, Final

__all__ = ["TEXT", "TEXTS", "Coercer", "coerce"]

#: The types of JSON (JSON Schema 2020-12, validation, 6.1.1).
TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
STRUCTURES: Final = frozenset({"array", "object"})
#: The maximum length of a number; longer ones stay text.
MAX_NUMBER_LENGTH: Final = 100

# RFC 8259, 6.
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)").fullmatch
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)").fullmatch
_BOOLEANS: Final[Mapping[str, bool]] = MappingProxyType({"true": True, "false": False})


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= MAX_NUMBER_LENGTH and _INTEGER(text) else text


def _number(text: str) -> float | str:
    read = _NUMBER(text) if len(text) <= MAX_NUMBER_LENGTH else None
    if read is None:
        return text
    number = float(text) if read[1] else int(text)
    return number if isfinite(number) else text


def _boolean_reader(spellings: Mapping[str, bool]) -> Callable[[str], bool | str]:
    def read(text: str) -> bool | str:
        return spellings.get(text, text)

    return read


_boolean: Final = _boolean_reader(_BOOLEANS)


def _null(text: str) -> str | None:
    return text or None


# From the most specific to the least. Each returns the text if it is not of its type.
_READERS: Final[tuple[tuple[str, Callable[[str], Any]], ...]] = (
    ("number", _number),
    ("integer", _integer),
    ("boolean", _boolean),
    ("null", _null),
)


def _reader(
    types: frozenset[str], texts: frozenset[str], booleans: Mapping[str, bool]
) -> Callable[[str], Any]:
    """Return a function that converts a text to a scalar."""
    readers = [
        _boolean_reader(booleans) if read is _boolean and booleans is not _BOOLEANS else read
        for name, read in _READERS
        if name in types
    ]
    if "number" in types and "integer" in types:
        readers.remove(_integer)  # an integer is a number too, and converted alike
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
class Coercer:
    """The JSON types that the text of a parameter can be converted to.

    Args:
        types: the JSON types of the value.
        texts: texts that stay strings even if they could be of another type: the strings that the
            schema enumerates.
        items: the shape of an array's items; None if it is unknown.
        prefix: the shapes of its first items, if they have their own.
        properties: the shapes of an object's members.
        additional: the shape of its other members; None if it is unknown, or they are forbidden.
        booleans: the texts that stand for booleans.
        parse: converts a text in another way, such as JSON.

    Attributes:
        read: converts a text to a scalar; see `coerce()`.

    Raises:
        ValueError: one of ``types`` is not a JSON type.
    """

    types: frozenset[str]
    texts: frozenset[str] = frozenset()
    items: "Coercer | None" = None
    prefix: tuple["Coercer", ...] = ()
    properties: Mapping[str, "Coercer"] = field(default_factory=dict)
    additional: "Coercer | None" = None
    booleans: Mapping[str, bool] = field(default_factory=lambda: _BOOLEANS)
    # Any: a value of JSON.
    parse: Callable[[str], Any] | None = field(default=None, compare=False)
    read: Callable[[str], Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.types <= TYPES:
            raise ValueError(f"types must be of {sorted(TYPES)}, not {sorted(self.types)}")
        texts = self.texts if "string" in self.types else frozenset()
        object.__setattr__(self, "properties", MappingProxyType(dict(self.properties)))
        read = self.parse or _reader(self.types, texts, self.booleans)
        object.__setattr__(self, "read", read)

    @property
    def structured(self) -> bool:
        """Whether the value can be an array or an object."""
        return not self.types.isdisjoint(STRUCTURES)

    def is_scalar(self, value: Any) -> bool:
        """Return whether the result of `read()` is a scalar that the shape allows."""
        return not isinstance(value, str) or "string" in self.types

    def item(self, index: int) -> "Coercer":
        """Return the shape of an array's item."""
        return self.prefix[index] if index < len(self.prefix) else self.items or TEXT

    def member(self, name: str) -> "Coercer":
        """Return the shape of an object's member."""
        return self.properties.get(name) or self.additional or TEXT

    def children(self) -> "Iterator[Coercer]":
        """Iterate over the shapes of items and members."""
        yield from self.prefix
        yield from self.properties.values()
        yield from (shape for shape in (self.items, self.additional) if shape is not None)

    def untyped(self) -> "Coercer":
        """Return the shape with every scalar as text, for a schema that converts text itself."""
        types = self.types & STRUCTURES
        # A text is not meant to be null if it could be an item.
        if not types or self.types - STRUCTURES - {"null"}:
            types |= {"string"}
        return Coercer(
            types=types,
            items=self.items and self.items.untyped(),
            prefix=tuple(shape.untyped() for shape in self.prefix),
            properties={name: shape.untyped() for name, shape in self.properties.items()},
            additional=self.additional and self.additional.untyped(),
        )

    def with_booleans(self, spellings: Mapping[str, bool]) -> "Coercer":
        """Return the shape with other texts for booleans; where text is allowed, it stays text."""
        return replace(
            self,
            items=self.items and self.items.with_booleans(spellings),
            prefix=tuple(shape.with_booleans(spellings) for shape in self.prefix),
            properties={
                name: shape.with_booleans(spellings) for name, shape in self.properties.items()
            },
            additional=self.additional and self.additional.with_booleans(spellings),
            booleans=self.booleans if "string" in self.types else spellings,
        )


#: The shape of text.
TEXT: Final = Coercer(types=frozenset({"string"}))
#: The shape of an array of texts.
TEXTS: Final = Coercer(types=frozenset({"array"}), items=TEXT)


# Any: a scalar of JSON.
def coerce(text: str, shape: Coercer) -> Any:
    """Return the scalar that a text stands for, according to its shape.

    OpenAPI leaves the text of scalars to implementations (3.2.0, Appendix B). Here they are written
    as in JSON (RFC 8259), so that all readers agree on them: an integer is
    ``-?(0|[1-9][0-9]*)``, which excludes ``+1``, ``01``, ``1_000``, ``1.0``, ``1e3`` and non-ASCII
    digits, although JSON Schema accepts the number 1.0 as an integer; a number is a finite JSON
    number; booleans are ``true`` and ``false``; null is the empty text.

    If several types are allowed, the first that fits is used: integer, number, boolean, null,
    string. A string that the schema enumerates stays itself. A text that fits none of them stays
    text, so that the schema rejects it with its own message.
    """
    return shape.read(text)
