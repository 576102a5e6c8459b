"""What a rule of the specification is asked about, and what it answers."""

from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["Found", "Subject"]

#: What is wrong: the tokens from the object to where, and words.
Found = Iterator[tuple[tuple[str | int, ...], str]]


class Subject(NamedTuple):
    """An object of a document, and the version of OpenAPI that the document is of.

    The kinds of its fields have been checked, and may have been found wrong.
    """

    value: dict[str, Any]  # plain JSON
    version: str
