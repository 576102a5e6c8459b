"""Real processes that use a store, to be started together, and killed."""

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
        uri: of the store.
        command: what it does, and with what arguments.
    """

    def __init__(self, uri: str, *command: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.ratelimit.redis.worker", uri, *map(str, command)],
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

    def result(self) -> int:
        """Return what it says at its end."""
        said, _ = self.process.communicate(timeout=90)
        assert self.process.returncode == 0
        return int(said)

    def kill(self) -> None:
        """Kill it, as ``kill -9`` does, if it is there."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def workers(uri: str, *commands: tuple[object, ...]) -> Iterator[list[Worker]]:
    """Yield a process for each command, all of them ready; kill those that are left."""
    started = [Worker(uri, *command) for command in commands]
    try:
        for one in started:
            one.ready()
        yield started
    finally:
        for one in started:
            one.kill()


def together(uri: str, *commands: tuple[object, ...]) -> list[int]:
    """Have processes do their work at the same time; return the number that each of them says."""
    with workers(uri, *commands) as started:
        for one in started:
            one.go()
        return [one.result() for one in started]
