"""Files that an app hands to the server's own ``wsgi.file_wrapper`` (PEP 3333)."""

from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["WatchedFile"]


class WatchedFile:
    """A file for the server to send in its own way, whose end is told of.

    Args:
        file: the app's.
        closed: called when the server has closed it.
    """

    __slots__ = ("_closed", "_watched")

    def __init__(self, file: Any, closed: Callable[[], None]) -> None:
        self._watched = file
        self._closed = closed

    # Whatever else the server looks for is the file's own: fileno(), read(), seek().
    def __getattr__(self, name: str) -> Any:
        return getattr(self._watched, name)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._watched)

    def close(self) -> None:
        """Close the file, then tell of it."""
        close = getattr(self._watched, "close", None)
        try:
            if close is not None:
                close()
        finally:
            # Told once, and then forgotten: whoever hears of it most likely holds this file.
            closed, self._closed = self._closed, _nothing
            closed()


def _nothing() -> None: ...
