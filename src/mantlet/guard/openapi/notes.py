"""What of a document has no say in what is checked, noted once for each kind of it."""

from mantlet.guard.openapi.locations import Location

__all__ = ["Notes"]


class Notes:
    """What has been noted so far."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, int]] = {}

    def add(self, location: Location | str, words: str) -> None:
        """Note what holds somewhere; the same words are told once, with how often they hold."""
        known = self._found.get(words)
        self._found[words] = (str(location), 1) if known is None else (known[0], known[1] + 1)

    def all(self) -> tuple[tuple[str, str], ...]:
        """Return where each was met first, and the words."""
        return tuple(
            (pointer, words if count == 1 else f"{words} ({count} times, first here)")
            for words, (pointer, count) in self._found.items()
        )
