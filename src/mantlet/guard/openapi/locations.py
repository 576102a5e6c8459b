"""Where a part of an OpenAPI document stands."""

from typing import Any, NamedTuple

from mantlet.http.json_pointer import escape_token

__all__ = ["Located", "Location"]


class Location(NamedTuple):
    """A place in a document, or in one of the files that it refers to.

    Attributes:
        document: ``""`` is the document itself, else a file's path relative to the directory.
        pointer: a JSON Pointer (RFC 6901); ``""`` is all of it.
    """

    document: str = ""
    pointer: str = ""

    def child(self, *tokens: str | int) -> "Location":
        """Return the place of a member or an item, or of one further down."""
        document, pointer = self
        for token in tokens:
            pointer = f"{pointer}/{escape_token(token) if isinstance(token, str) else token}"
        return Location(document, pointer)

    def __str__(self) -> str:
        return f"{self.document}#{self.pointer}" if self.document else self.pointer


class Located(NamedTuple):
    """A part of a document and where it stands."""

    value: Any  # plain JSON
    location: Location
