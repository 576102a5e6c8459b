"""All that is wrong with a document, said at once."""

from collections.abc import Iterable

from mantlet.exceptions import MantletError
from mantlet.guard.openapi.locations import Location

__all__ = ["DocumentError", "Problems"]

#: How many problems the message lists; `DocumentError.problems` has them all.
_LISTED = 50


class DocumentError(MantletError, ValueError):
    """An OpenAPI document is wrong.

    Args:
        problems: where and what; at least one.

    Attributes:
        problems: for each a JSON Pointer (RFC 6901), behind the name of the file and ``#`` where it
            stands in another one, and words.
    """

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        lines = [f"  {pointer or '(the document)'}: {words}" for pointer, words in self.problems]
        if len(lines) > _LISTED:
            lines[_LISTED:] = [f"  and {len(lines) - _LISTED} more"]
        count = "a fault" if len(self.problems) == 1 else f"{len(self.problems)} faults"
        super().__init__("\n".join([f"the OpenAPI document has {count}:", *lines]))


class Problems:
    """What has been found wrong so far, each once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], None] = {}

    def add(self, location: Location, words: str) -> None:
        """Note one."""
        self._found[str(location), words] = None

    def raise_if_any(self) -> None:
        """Raise.

        Raises:
            DocumentError: something has been found.
        """
        if self._found:
            raise DocumentError(self._found)
