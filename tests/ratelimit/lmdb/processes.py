"""Real processes that use a store, to be started together, stopped and killed."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]


class Worker:
    """One process; `worker` says what it can do.

    Args:
        path: of the store's directory.
        command: what it does, and with what arguments.
    """

    def __init__(self, path: Path, *command: object) -> None:
        module = "tests.ratelimit.lmdb.worker"
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, path, *map(str, command)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> None:
        """Wait until it is ready."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def go(self) -> None:
        """Tell it to go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def result(self) -> str:
        """Return what it says at its end."""
        said, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return said.strip()

    def kill(self) -> None:
        """Kill it, as ``kill -9`` does, if it is there."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def workers(path: Path, *commands: tuple[object, ...]) -> Iterator[list[Worker]]:
    """Yield a process for each command, all of them ready; kill those that are left."""
    started = [Worker(path, *command) for command in commands]
    try:
        for one in started:
            one.ready()
        yield started
    finally:
        for one in started:
            one.kill()


def together(path: Path, *commands: tuple[object, ...]) -> list[int]:
    """Have processes do their work at the same time; return the number that each of them says."""
    with workers(path, *commands) as started:
        for one in started:
            one.go()
        return [int(one.result()) for one in started]
