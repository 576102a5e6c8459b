"""Files that are read from one state, though they may be exchanged meanwhile."""

from collections.abc import Callable, Hashable
from typing import Final, TypeVar

from mantlet.secrets.sources.source import SourceError

__all__ = ["steady"]

T = TypeVar("T")

#: How often they are read again.
_TRIES: Final = 5


def steady(read: Callable[[], T], stamp: Callable[[], Hashable]) -> T:
    """Return what was read while nothing changed: all from before an exchange, or all from after.

    Args:
        read: reads them.
        stamp: tells their state.

    Raises:
        SourceError: there is no such time.
    """
    for _ in range(_TRIES):
        before = stamp()
        found = read()
        if stamp() == before:
            return found
    raise SourceError("is exchanged faster than it can be read")
