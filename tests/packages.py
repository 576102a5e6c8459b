"""Suites that come with the sources of packages on the index."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def source_of(package: str, version: str, directory: Path) -> Path:
    """Return where the source of a package is, got from the index; skip where it can't be reached.

    Args:
        package: its name, as its source's archive has it.
        version: of it.
        directory: an empty one.
    """
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--no-binary", package, "--dest", str(directory), f"{package}=={version}",
    ]  # fmt: skip
    got = subprocess.run(command, capture_output=True, check=False, timeout=180)
    if got.returncode:
        pytest.skip(f"pip can't get the source of {package} here: the suite in it is not run")
    with tarfile.open(directory / f"{package}-{version}.tar.gz") as archive:
        archive.extractall(directory, filter="data")
    return directory / f"{package}-{version}"
