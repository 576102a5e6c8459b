"""Suites that come with the sources of packages on the index."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

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
    # None of Python 3.11.0 to 3.11.3 has filters. Any: `shutil` takes literals.
    options: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    archive = directory / f"{package}-{version}.tar.gz"
    shutil.unpack_archive(archive, directory, **options)
    return directory / f"{package}-{version}"
