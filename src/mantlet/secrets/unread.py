"""Loaders that read no source, such as to import a module before any secret exists."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mantlet.secrets.report import SecretsError

__all__ = ["UnreadSnapshot", "reads_nothing", "without_values"]

_reads_nothing: ContextVar[bool] = ContextVar("_reads_nothing", default=False)


@contextmanager
def without_values() -> Iterator[None]:
    """Make loaders that read no source, for as long as they live.

    Whoever uses a secret of such a loader gets a `SecretsError`.
    """
    token = _reads_nothing.set(True)
    try:
        yield
    finally:
        _reads_nothing.reset(token)


def reads_nothing() -> bool:
    """Return whether a loader that is made now reads no source."""
    return _reads_nothing.get()


class UnreadSnapshot:
    """The snapshot of a loader that has read no source.

    Args:
        model: the name of the class that declares the secrets.
    """

    def __init__(self, model: str) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        raise SecretsError(self._model, ("no source has been read",), ())
