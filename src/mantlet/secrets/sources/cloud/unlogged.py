"""Libraries that log what they are answered with, in full, wherever DEBUG is on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident

__all__ = ["unlogged"]


class _Unlogged(logging.Filter):
    """Lets nothing through of the thread that made it."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return get_ident() != self._thread


@contextmanager
def unlogged(name: str) -> Iterator[None]:
    """Have a logger say nothing of what this thread does meanwhile.

    The values are not known yet, so that no filter of the registry's could mask them.

    Args:
        name: of the very logger; those below it are others.
    """
    logger = logging.getLogger(name)
    silent = _Unlogged()
    logger.addFilter(silent)
    try:
        yield
    finally:
        logger.removeFilter(silent)
