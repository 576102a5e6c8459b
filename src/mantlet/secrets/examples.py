"""The values of example files, which are no secrets."""

import os
from collections.abc import Iterable
from contextlib import suppress

from mantlet.secrets.sources.dotenv import bindings
from mantlet.secrets.sources.read import Unfit, opened_file, read_file
from mantlet.secrets.sources.source import SourceError

__all__ = ["values_of"]


def values_of(paths: Iterable[str | os.PathLike[str]]) -> frozenset[str]:
    """Return the values of the example files that are there and can be read."""
    found: set[str] = set()
    for path in paths:
        # One that isn't there, or can't be read, keeps no value from being taken.
        with (
            suppress(OSError, ImportError, SourceError, Unfit),
            opened_file(os.fspath(path)) as file,
        ):
            raw = read_file(file, "", allow_world_readable=True).raw
            found.update(filter(None, bindings(raw, strict=False).values()))
    return frozenset(found)
