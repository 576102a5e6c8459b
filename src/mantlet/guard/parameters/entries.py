"""The parameters of one place that have names of their own there, and which name is whose."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mantlet.guard.parameters.parameter import Parameter
from mantlet.guard.parameters.styles import Layout, items_of

__all__ = ["Entry"]


class Entry:
    """One parameter, ready to be read.

    Args:
        parameter: as it is declared.
        decode: undoes the encoding of one part of its text.

    Attributes:
        name: the parameter's.
        parameter: as it is declared.
        whole: whether all of its value is in one text, under one of its names. Else it is an array
            whose items come under its name each, or an object whose members do under theirs.
        chunked: whether this text begins with a name (an exploded ``form`` in a cookie).
        scalar: makes the value of its text where that is no more than a scalar, else None.
    """

    __slots__ = ("_layout", "chunked", "decode", "name", "parameter", "scalar", "whole")

    def __init__(self, parameter: Parameter, decode: Callable[[str], str]) -> None:
        self.name = parameter.name
        self.parameter = parameter
        self.decode = decode
        self._layout = Layout(parameter, decode)
        shape, style = parameter.shape, parameter.style
        exploded = (
            parameter.decode is None
            and bool(parameter.explode)
            and shape.structured
            and style in ("form", "cookie")
        )
        self.chunked = exploded and parameter.place == "cookie" and style == "form"
        self.whole = self.chunked or not (exploded or self.is_deep)
        plain = not shape.structured and parameter.decode is None
        unmarked = style in ("form", "simple", "cookie")
        self.scalar: Callable[[str], Any] | None = (
            shape.read if plain and unmarked and not parameter.allow_empty else None
        )

    @property
    def is_deep(self) -> bool:
        """Whether members come under ``name[member]``."""
        return self.parameter.style == "deepObject" and self.parameter.decode is None

    @property
    def has_own_members(self) -> bool:
        """Whether members come under their own names."""
        parameter = self.parameter
        exploded = self.chunked or not self.whole
        return exploded and not self.is_deep and "object" in parameter.shape.types

    def names(self) -> Iterable[tuple[str, str | None]]:
        """Return the names that are its own, each with the member's that it is of, if any."""
        if self.is_deep:
            return ()
        if self.has_own_members:
            return [(name, name) for name in self.parameter.shape.properties]
        return ((self.name, None),)

    def read(self, text: str) -> Any:
        """Return the value of one text that has all of it.

        Raises:
            Unreadable: the text is not in the parameter's style.
            Invalid: see `Parameter.decode`.
        """
        decode = self.parameter.decode
        return self._layout.read(text) if decode is None else decode(self.decode(text))

    def read_items(self, texts: list[str]) -> Any:
        """Return the value of the texts of items.

        Raises:
            Unreadable: one of them can't be read.
        """
        shape = self.parameter.shape
        if len(texts) == 1:
            scalar = shape.read(self.decode(texts[0]))
            if shape.is_scalar(scalar):
                return scalar
        return items_of(texts, shape, self.decode)

    def read_members(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Return the value of the texts of members.

        Raises:
            Unreadable: one of them can't be read.
        """
        member = self.parameter.shape.member
        return {name: member(name).read(self.decode(text)) for name, text in texts.items()}
