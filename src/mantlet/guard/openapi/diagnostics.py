"""Locations in an OpenAPI document, and the problems and warnings reported at them."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from mantlet.exceptions import MantletError
from mantlet.http.json_pointer import escape_token

__all__ = ["DocumentError", "DocumentLocation", "LocatedValue", "ProblemList", "WarningList"]

#: How many problems the message lists; `DocumentError.problems` has all of them.
_MAX_LISTED: Final = 50


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

    def __str__(self) -> str:
        return f"{self.document}#{self.pointer}" if self.document else self.pointer


class LocatedValue(NamedTuple):
    """A value in a document and its location."""

    value: Any  # plain JSON
    location: DocumentLocation


class DocumentError(MantletError, ValueError):
    """An OpenAPI document is invalid.

    Args:
        problems: all problems, at least one.

    Attributes:
        problems: pairs of a JSON Pointer (RFC 6901) and a message. Pointers into other files are
            prefixed with the name of the file and ``#``.
    """

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        lines = [f"  {pointer or '(root)'}: {message}" for pointer, message in self.problems]
        if len(lines) > _MAX_LISTED:
            lines[_MAX_LISTED:] = [f"  and {len(lines) - _MAX_LISTED} more"]
        count = len(self.problems)
        summary = "1 problem" if count == 1 else f"{count} problems"
        super().__init__("\n".join([f"the OpenAPI document has {summary}:", *lines]))


class ProblemList:
    """Collects problems without duplicates."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], None] = {}

    def add(self, location: DocumentLocation, message: str) -> None:
        """Add a problem; the message continues a sentence about the value at the location."""
        self._found[str(location), message] = None

    def raise_if_any(self) -> None:
        """Raise an error if there are any problems.

        Raises:
            DocumentError: with all problems.
        """
        if self._found:
            raise DocumentError(self._found)


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
