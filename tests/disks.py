"""Small file systems in memory, which are full soon."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def small_disk(directory: Path, size: int) -> Iterator[Path]:
    """Mount a file system of some bytes in a directory; skip the test where that is not allowed."""
    directory.mkdir(exist_ok=True)
    if _mount("-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(directory)) != 0:
        pytest.skip("mounting a file system is not permitted here")
    try:
        yield directory
    finally:
        # Lazily, since an LMDB file of the test may still be mapped.
        subprocess.run(["/bin/umount", "--lazy", str(directory)], check=True)


def fill(directory: Path, left: int = 0) -> Path:
    """Write a file that leaves this many bytes of a file system, and return it."""
    ballast = directory / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    os.truncate(ballast, ballast.stat().st_size - left)
    return ballast


def resize(directory: Path, size: int) -> None:
    """Change the size of a file system that `small_disk()` has mounted."""
    assert _mount("-o", f"remount,size={size}", str(directory)) == 0


def _mount(*args: str) -> int:
    if sys.platform != "linux":
        return -1
    return subprocess.run(["/bin/mount", *args], check=False, capture_output=True).returncode
