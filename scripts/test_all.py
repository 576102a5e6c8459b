"""Run the tests on every CPython from 3.11 up that this machine has.

Interpreters are searched for on the PATH and in the directories of pyenv and uv. Each gets an
environment of its own under ``.venvs/``, made once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
ASK = (
    "import sys; v = sys.version_info; "
    "print(sys.implementation.name, v.major, v.minor, v.releaselevel)"
)


def pythons() -> dict[tuple[int, int], Path]:
    """Return one working interpreter for each version."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for store in (".pyenv/versions", ".local/share/uv/python"):
        folders += sorted((Path.home() / store).glob("*/bin"), reverse=True)
    found: dict[tuple[int, int], Path] = {}
    for folder in folders:
        for candidate in sorted(folder.glob("python3.[0-9]*")):
            if candidate.name.removeprefix("python3.").isdigit():
                version = _version(candidate)
                if version is not None and version >= OLDEST:
                    found.setdefault(version, candidate)
    return dict(sorted(found.items()))


def _version(python: Path) -> tuple[int, int] | None:
    completed = subprocess.run(
        [python, "-c", ASK], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if completed.returncode != 0:
        return None  # a shim of a version that is not selected
    name, major, minor, level = completed.stdout.split()
    return (int(major), int(minor)) if (name, level) == ("cpython", "final") else None


def run(version: tuple[int, int], python: Path) -> bool:
    """Run the tests on one interpreter; return whether they passed."""
    name = ".".join(map(str, version))
    home = ROOT / ".venvs" / name
    ready = home / ".ready"
    inside = home / "bin" / "python"
    project = ROOT / "pyproject.toml"
    if not ready.exists() or ready.stat().st_mtime < project.stat().st_mtime:
        subprocess.run([python, "-m", "venv", "--clear", home], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([inside, *install, "--editable", f"{ROOT}[dev]"], check=True)
        ready.touch()
    tests = [inside, "-m", "pytest", "-n", "2", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(tests, check=False, cwd=ROOT).returncode == 0


def main() -> int:
    """Run the tests on every interpreter; return 1 if they failed on one."""
    failed = []
    for version, python in pythons().items():
        name = ".".join(map(str, version))
        print(f"CPython {name}", flush=True)
        if not run(version, python):
            failed.append(name)
    print(f"failed on {', '.join(failed)}" if failed else "passed on all")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
