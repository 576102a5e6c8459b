"""Locations in an OpenAPI document, and the problems and warnings reported at them."""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from mantlet.exceptions import DocumentError
from mantlet.http.json_pointer import escape_token

__all__ = ["DocumentError", "DocumentLocation", "LocatedValue", "ProblemList", "WarningList"]


class DocumentLocation(NamedTuple):
    """A location in the document, or in a file that it refers to.

    Attributes:
        document: ``""`` is the document itself; otherwise a path relative to ``ref_root``.
        pointer: a JSON Pointer (RFC 6901); ``""`` is the whole document.
    """

    document: str = ""
    pointer: str = ""

    def child(self, *tokens: str | int) -> "DocumentLocation":
        """Return the location at a relative path of names and indices."""
        document, pointer = self
        for token in tokens:
            pointer = f"{pointer}/{escape_token(token) if isinstance(token, str) else token}"
        return DocumentLocation(document, pointer)

    def ancestors(self) -> "Iterator[DocumentLocation]":
        """Iterate over the location and all that contain it, up to the whole document."""
        document, pointer = self
        while True:
            yield DocumentLocation(document, pointer)
            if not pointer:
                return
            pointer = pointer.rpartition("/")[0]

    def __str__(self) -> str:
        return f"{self.document}#{self.pointer}" if self.document else self.pointer


class LocatedValue(NamedTuple):
    """A value in a document and its location."""

    value: Any  # plain JSON
    location: DocumentLocation


class ProblemList:
    """Collects violations of the specification without duplicates.

    Attributes:
        faults: those that close an operation if its declaration has them or refers to them:
            locations and messages.
        notes: those that change nothing, since the meaning is plain or no request meets them.
    """

    def __init__(self) -> None:
        self.faults: dict[tuple[DocumentLocation, str], None] = {}
        self.notes: dict[tuple[DocumentLocation, str], None] = {}
        self._inert = False
        #: The locations that contain the first `_indexed` faults.
        self._containers: set[DocumentLocation] = set()
        self._indexed = 0

    def add(self, location: DocumentLocation, message: str) -> None:
        """Add a fault; the message continues a sentence about the value at the location."""
        (self.notes if self._inert else self.faults)[location, message] = None

    def note(self, location: DocumentLocation, message: str) -> None:
        """Add a note."""
        self.notes[location, message] = None

    def are_within(self, location: DocumentLocation) -> bool:
        """Return whether there are faults at a location or in its content."""
        if len(self.faults) != self._indexed:
            self._indexed = len(self.faults)
            self._containers = {one for at, _ in self.faults for one in at.ancestors()}
        return location in self._containers

    @property
    def is_inert(self) -> bool:
        """Whether all violations are notes for now."""
        return self._inert

    @contextmanager
    def inert(self, inert: bool = True) -> Iterator[None]:
        """Return a context in which all violations are notes."""
        before, self._inert = self._inert, self._inert or inert
        try:
            yield
        finally:
            self._inert = before

    def raise_if_whole(self, pointers: Container[str]) -> None:
        """Raise an error if there are faults that concern the whole document.

        Args:
            pointers: the locations of such faults.

        Raises:
            DocumentError: with all of these faults.
        """
        whole = [
            (at.pointer, message)
            for at, message in self.faults
            if not at.document and at.pointer in pointers
        ]
        if whole:
            raise DocumentError(whole)


class WarningList:
    """Collects warnings about document content that is ignored, once per message."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, int]] = {}

    def add(self, location: DocumentLocation | str, message: str) -> None:
        """Add a warning, or count a repeated one."""
        known = self._found.get(message)
        self._found[message] = (str(location), 1) if known is None else (known[0], known[1] + 1)

    def all(self) -> tuple[tuple[str, str], ...]:
        """Return the first location of each warning, and the message with the count."""
        return tuple(
            (pointer, message if count == 1 else f"{message} ({count} times, first here)")
            for message, (pointer, count) in self._found.items()
        )
