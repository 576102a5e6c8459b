"""A directory in memory, where there is one, since each change of a record waits for the disk."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["quick_directory"]


@contextmanager
def quick_directory() -> Iterator[Path]:
    """Yield an empty directory, in memory if possible."""
    memory = Path("/dev/shm")  # noqa: S108  # a directory of its own is made there
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)
