"""Real processes that use a store, to be started together, stopped and killed."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


def say(what: object) -> None:
    """Say something to whoever started this process."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def wait() -> None:
    """Say that this process is ready, and wait to be told to go on."""
    say("ready")
    sys.stdin.readline()


class Worker:
    """One process.

    Args:
        module: what it runs, which says what it can do.
        store: where the store is.
        command: what it does, and with what arguments.
    """

    def __init__(self, module: str, store: object, *command: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, (store, *command))],
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
        said, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 0
        return said.strip()

    def kill(self) -> None:
        """Kill it, as ``kill -9`` does, if it is there."""
        self.process.kill()
        self.process.communicate()


class Workers:
    """Processes of one kind.

    Args:
        module: what they run.
    """

    def __init__(self, module: str) -> None:
        self._module = module

    @contextmanager
    def ready(self, store: object, *commands: tuple[object, ...]) -> Iterator[list[Worker]]:
        """Yield a process for each command, all of them ready; kill those that are left."""
        started = [Worker(self._module, store, *command) for command in commands]
        try:
            for one in started:
                one.ready()
            yield started
        finally:
            for one in started:
                one.kill()

    def together(self, store: object, *commands: tuple[object, ...]) -> list[int]:
        """Have them do their work at the same time; return the number that each of them says."""
        with self.ready(store, *commands) as started:
            for one in started:
                one.go()
            return [int(one.result()) for one in started]
