"""Log and note unmatched requests and ambiguous path templates."""

import logging
from collections.abc import Sequence
from typing import Final

from mantlet.guard.operation import Operation

__all__ = ["Crossing", "crossing_note", "log_crossings", "log_unmatched"]

#: Two templates that cross (`mantlet.guard.routing.path_overlaps`).
Crossing = tuple[str, str]

_log: Final = logging.getLogger("mantlet.guard")
#: How many names one record has.
_MAX_NAMED: Final = 5


def log_unmatched(operations: Sequence[Operation]) -> None:
    """Warn that the first requests matched no operation of a document.

    Args:
        operations: all operations of the document.
    """
    bases = sorted({base for one in operations for base in one.bases if base})
    names = ", ".join(bases[:_MAX_NAMED]) + (", ..." if bases[_MAX_NAMED:] else "")
    _log.warning(
        "SchemaGuard: none of the first 100 requests matched any of the %d operations of the "
        "OpenAPI document, which has %s. If the app's paths have another prefix, mount the app and "
        "its stack there, or change the document's servers or the option servers=",
        len(operations),
        f"the base paths {names}" if bases else "no base paths in its servers",
    )


def log_crossings(crossings: Sequence[Crossing]) -> None:
    """Warn of templates of which several match one path, if there are any.

    Args:
        crossings: all pairs of them.
    """
    if crossings:
        _log.warning(
            "SchemaGuard: some paths match two operations, and routers disagree about which one "
            "runs, so these requests are refused: %s%s. guard.coverage has all of them",
            "; ".join(map(" and ".join, crossings[:3])),
            "; ..." if crossings[3:] else "",
        )


def crossing_note(crossings: Sequence[Crossing]) -> tuple[tuple[str, str], ...]:
    """Return a note on the templates of which several match one path, if there are any."""
    if not crossings:
        return ()
    message = (
        "paths that match two operations are refused (400), since routers disagree about which one "
        "runs: " + "; ".join(map(" and ".join, crossings))
    )
    return (("/paths", message),)
