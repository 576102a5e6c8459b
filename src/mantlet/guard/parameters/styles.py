"""How a style writes an array or an object into one text (OpenAPI 3.2.0, "Style Examples").

Delimiters are found before percent-encoding is undone, so that an encoded one is a part of an item
(RFC 6570, 3.2.1). Paths come decoded, so there an encoded delimiter can't be told from a raw one.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from mantlet.guard.parameters.coercion import Shape
from mantlet.guard.parameters.decoding import Unreadable
from mantlet.guard.parameters.parameter import Parameter

__all__ = ["Layout", "items_of"]

Decode = Callable[[str], str]
Split = Callable[[str], list[str]]

# These two are no characters of URIs, so they come encoded (3.2.0, Appendix E), or as browsers send
# them. An item can't have them.
_SPACES: Final = re.compile(r"%20|\+")
_PIPES: Final = re.compile(r"%7[Cc]|\|")


def malformed(detail: str, member: str | None = None) -> Unreadable:
    """Return the error of a text that is not in its style."""
    return Unreadable("malformed_parameter", detail, member)


# Any: a value of JSON.
def items_of(texts: Iterable[str], shape: Shape, decode: Decode) -> list[Any]:
    """Return an array of items.

    Raises:
        Unreadable: see ``decode``.
    """
    return [shape.item(index).read(decode(text)) for index, text in enumerate(texts)]


class Layout:
    """Reads one text that has all of a parameter's value.

    Args:
        parameter: which says what the text may be.
        decode: undoes the encoding of one part of it.
    """

    __slots__ = ("_bare", "_decode", "_open", "_pairs", "_shape", "_split")

    def __init__(self, parameter: Parameter, decode: Decode) -> None:
        shape = parameter.shape
        self._shape = shape
        self._decode = decode
        self._pairs = bool(parameter.explode)
        self._bare = parameter.style == "matrix"
        exploded = self._pairs and shape.structured
        self._open = _opener(parameter, exploded)
        self._split = _splitter(parameter, exploded)

    def read(self, text: str) -> Any:
        """Return the value.

        Raises:
            Unreadable: the text is not in the parameter's style.
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
        return items_of(parts, shape, self._decode)

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
                raise Unreadable("duplicate_parameter", "It is there more than once.", name)
            members[name] = shape.member(name).read(self._decode(value))
        return members

    def _members(self, parts: list[str]) -> Iterable[tuple[str, str]]:
        if not self._pairs:
            if len(parts) % 2:
                raise malformed("A member has a name and no value.")
            return zip(map(self._decode, parts[::2]), parts[1::2], strict=True)
        pairs = [part.partition("=") for part in parts]
        # In the style matrix an empty value has no equals sign (RFC 6570, 3.2.7).
        if not self._bare and not all(equals for _, equals, _ in pairs):
            raise malformed("A member has a name and no value.")
        return [(self._decode(name), value) for name, _, value in pairs]


def _opener(parameter: Parameter, exploded: bool) -> Callable[[str], str]:
    """Return what takes off of a text what its style puts before it."""
    if parameter.style == "label":
        return _after(".")
    if parameter.style != "matrix":
        return str
    if exploded:
        return _after(";")
    name = f";{parameter.name}"

    def value(text: str) -> str:
        # Without a value there is no equals sign (RFC 6570, 3.2.7).
        if text == name:
            return ""
        if not text.startswith(f"{name}="):
            raise malformed("It does not begin as its style does.")
        return text[len(name) + 1 :]

    return value


def _after(prefix: str) -> Callable[[str], str]:
    def rest(text: str) -> str:
        if not text.startswith(prefix):
            raise malformed("It does not begin as its style does.")
        return text[1:]

    return rest


def _splitter(parameter: Parameter, exploded: bool) -> Split:
    """Return what parts a text into items, or into members."""
    if parameter.place == "header":
        # As a list of RFC 9110, 5.6.1, since servers join a field that came twice by one.
        return lambda text: [part.strip(" \t") for part in text.split(",")]
    if parameter.style == "spaceDelimited":
        return _SPACES.split
    if parameter.style == "pipeDelimited":
        return _PIPES.split
    delimiter = ","
    if exploded:
        delimiter = {"label": ".", "matrix": ";", "form": "&"}.get(str(parameter.style), ",")
    if delimiter in ";&" and "array" in parameter.shape.types:
        return _named(parameter.name, delimiter)
    return lambda text: text.split(delimiter)


def _named(name: str, delimiter: str) -> Split:
    """Return what parts items that are each written with the parameter's name."""

    def split(text: str) -> list[str]:
        parts = [part.partition("=") for part in text.split(delimiter)]
        if any(found != name for found, _, _ in parts):
            raise malformed("An item does not have the parameter's name.")
        return [value for _, _, value in parts]

    return split
