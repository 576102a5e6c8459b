"""Parse the styles in which arrays and objects are written (OpenAPI 3.2.0, "Style Examples").

RFC 6570, 3.2.1 encodes a delimiter that belongs to an item. But an app gets the decoded text, and
splits that, so an item can't contain the delimiter of its style: encoded or not, it is one. A list
that has commas of both kinds is rejected, since readers would count different items.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from mantlet.guard.parameters.coercion import TEXT, Coercer
from mantlet.guard.parameters.decoding import UndecodableText, check_controls
from mantlet.guard.parameters.parameter import Parameter

__all__ = ["StyleParser", "parse_items"]

Decode = Callable[[str], str]
Split = Callable[[str], list[str]]

# URIs can't contain the first two, so they are encoded (3.2.0, Appendix E), or as browsers send
# them. `URLSearchParams` encodes commas too.
_SPACES: Final = re.compile(r"%20|\+")
_PIPES: Final = re.compile(r"%7[Cc]|\|")
#: Items of one list.
MAX_ITEMS: Final = 10_000
_COMMAS: Final = re.compile(r"%2[Cc]|,")


def malformed(detail: str, member: str | None = None) -> UndecodableText:
    """Return the error for a text that is not in its style."""
    return UndecodableText("malformed_parameter", detail, member)


# Any: a value of JSON.
def parse_items(texts: Iterable[str], shape: Coercer, decode: Decode) -> list[Any]:
    """Return the array of the texts of items.

    Raises:
        UndecodableText: see ``decode``.
    """
    if shape.prefix:
        return [shape.item(index).read(decode(text)) for index, text in enumerate(texts)]
    read = (shape.items or TEXT).read
    return [decode(text) for text in texts] if read is str else [read(decode(t)) for t in texts]


class StyleParser:
    """Parses a text that contains the complete value of a parameter.

    Args:
        parameter: the parameter.
        decode: decodes one part of the text.
        encoded: whether the text has percent-encoding, also of the delimiters of the style.
    """

    __slots__ = ("_bare", "_decode", "_open", "_pairs", "_shape", "_splitter")

    def __init__(self, parameter: Parameter, decode: Decode, *, encoded: bool = True) -> None:
        shape = parameter.shape
        self._shape = shape
        self._decode = decode
        self._pairs = bool(parameter.explode)
        self._bare = parameter.style == "matrix"
        exploded = self._pairs and shape.structured
        self._open = _opener(parameter, exploded)
        self._splitter = _splitter(parameter, exploded, encoded=encoded)

    def read(self, text: str) -> Any:
        """Return the value.

        Raises:
            UndecodableText: the text is not in the parameter's style.
        """
        shape = self._shape
        text = self._open(text)
        if not shape.structured:
            return shape.read(self._decode(text))
        if "object" in shape.types:
            return self._object(text)
        parts = self._split(text)
        if len(parts) == 1:
            scalar = shape.read(self._decode(parts[0]))
            if shape.is_scalar(scalar):
                return scalar
        return parse_items(parts, shape, self._decode)

    def _split(self, text: str) -> list[str]:
        parts = self._splitter(text)
        if len(parts) > MAX_ITEMS:
            raise UndecodableText("too_many_items", f"More than {MAX_ITEMS} items")
        return parts

    def _object(self, text: str) -> Any:
        shape = self._shape
        parts = self._split(text) if text else []
        if len(parts) < 2 and (not self._pairs or "=" not in text):
            scalar = shape.read(self._decode(text))
            if shape.is_scalar(scalar):
                return scalar
        members: dict[str, Any] = {}
        for name, value in self._members(parts):
            if name in members:
                raise UndecodableText("duplicate_parameter", "Duplicate member", name)
            members[name] = shape.member(name).read(self._decode(value))
        return members

    def _members(self, parts: list[str]) -> Iterable[tuple[str, str]]:
        if not self._pairs:
            if len(parts) % 2:
                raise malformed("Member without a value")
            return zip(map(self._name, parts[::2]), parts[1::2], strict=True)
        pairs = [part.partition("=") for part in parts]
        # In the style matrix an empty value has no equals sign (RFC 6570, 3.2.7).
        if not self._bare and not all(equals for _, equals, _ in pairs):
            raise malformed("Member without a value")
        return [(self._name(name), value) for name, _, value in pairs]

    def _name(self, text: str) -> str:
        return check_controls(self._decode(text))


def _opener(parameter: Parameter, exploded: bool) -> Callable[[str], str]:
    """Return a function that removes the prefix of a style."""
    if parameter.style == "label":
        return _after(".")
    if parameter.style != "matrix":
        return str
    if exploded:
        return _after(";")
    name = f";{parameter.name}"

    def value(text: str) -> str:
        # Without a value the equals sign is left out (RFC 6570, 3.2.7).
        if text == name:
            return ""
        if not text.startswith(f"{name}="):
            raise malformed("Missing prefix of the parameter's style")
        return text[len(name) + 1 :]

    return value


def _after(prefix: str) -> Callable[[str], str]:
    def rest(text: str) -> str:
        if not text.startswith(prefix):
            raise malformed("Missing prefix of the parameter's style")
        return text[1:]

    return rest


def _splitter(parameter: Parameter, exploded: bool, *, encoded: bool) -> Split:
    """Return a function that splits a text into items or members."""
    if parameter.place == "header":
        return _split_header_items if "array" in parameter.shape.types else _split_header
    if parameter.style == "spaceDelimited":
        return _SPACES.split if encoded else lambda text: text.split(" ")
    if parameter.style == "pipeDelimited":
        return _PIPES.split if encoded else lambda text: text.split("|")
    delimiter = ","
    if exploded:
        delimiter = {"label": ".", "matrix": ";", "form": "&"}.get(str(parameter.style), ",")
    if delimiter in ";&" and "array" in parameter.shape.types:
        return _named(parameter.name, delimiter)
    if delimiter == "," and parameter.place == "query" and encoded:
        return _split_commas
    return lambda text: text.split(delimiter)


def _split_header(text: str) -> list[str]:
    """Split a list (RFC 9110, 5.6.1), as which servers also join repeated headers.

    Raises:
        UndecodableText: there is a comma within quotes, at which some readers split the text too.
    """
    parts = [part.strip(" \t") for part in text.split(",")]
    if '"' in text and len(parts) > 1 and any(part.count('"') % 2 for part in parts):
        raise malformed("Commas within quotes are not allowed")
    return parts


def _split_header_items(text: str) -> list[str]:
    """Split a list of items, none of which may be empty: RFC 9110, 5.6.1.2 ignores those.

    Raises:
        UndecodableText: an item is empty, or see `_split_header()`.
    """
    parts = _split_header(text)
    if len(parts) > 1 and "" in parts:
        raise malformed("Empty items are not allowed")
    return parts


def _split_commas(text: str) -> list[str]:
    """Split a text at its commas, which are all encoded or all raw."""
    parts = _COMMAS.split(text)
    if "," in text and text.count(",") < len(parts) - 1:
        raise malformed("Commas must be all encoded or all raw")
    return parts


def _named(name: str, delimiter: str) -> Split:
    """Return a function that splits items, each written with the parameter's name."""

    def split(text: str) -> list[str]:
        parts = [part.partition("=") for part in text.split(delimiter)]
        if any(found != name for found, _, _ in parts):
            raise malformed("Item without the parameter's name")
        return [value for _, _, value in parts]

    return split
