"""The folders of examples, and the commands of their READMEs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, NamedTuple

from tests.servers.server import poll, stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FRAMEWORKS = sorted(path.parent.name for path in EXAMPLES.glob("*/minimal.py"))
#: With the commands of this environment, and the package of this checkout.
ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PYTHONPATH": str(ROOT / "src"),
    "PYTHONUNBUFFERED": "1",
}


def known_extras() -> set[str]:
    """Return the extras of Mantlet."""
    return set(_extras())


def known_packages() -> set[str]:
    """Return the names of the packages with which Mantlet is developed."""
    return {re.split(r"[\[>]", line)[0] for line in _extras()["dev"]}


def _extras() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    return extras


def section(folder: Path, heading: str) -> str:
    """Return the text of a README below a heading."""
    _, _, rest = (folder / "README.md").read_text().partition(f"## {heading}\n")
    return rest.partition("\n## ")[0]


def run_lines(folder: Path) -> list[str]:
    """Return the lines of the block of code that makes the keys and starts the app."""
    return section(folder, "Run").split("```\n")[1].splitlines()


def server_commands(folder: Path) -> list[str]:
    """Return the commands that start a server, first the one with all policies."""
    text = section(folder, "Run").rpartition("```\n")[2]
    return [run_lines(folder)[-1], *re.findall(r"`([a-z]+ [^`]*)`", text)]


def console(folder: Path) -> str:
    """Return the commands and the output of a README's block ``console``."""
    return section(folder, "Try").split("```console\n")[1].partition("```")[0]


def run_console(folder: Path, port: int, setup: str = ":") -> str:
    """Run these commands in a shell; return them with their output, as a terminal shows them."""
    shown = ""
    for line in console(folder).splitlines():
        if line.startswith("$ "):
            output = run(f"{setup}; {line[2:].replace('8000', str(port))}", folder)
            shown += f"{line}\n{output.rstrip()}\n"
    return shown


def run(command: str, folder: Path) -> str:
    """Run a shell's command in a folder, and return its output."""
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


class Running(NamedTuple):
    """A server that answers."""

    port: int
    log: IO[bytes]

    def read_log(self) -> str:
        """Return all that it has written so far."""
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), size, 0).decode()


@contextmanager
def serve(
    command: str, folder: Path, port: int, environ: Mapping[str, str], *, path: str = "/"
) -> Iterator[Running]:
    """Start a server by a shell's command; stop it in the end.

    Args:
        command: the command.
        folder: where it is run.
        port: where the server listens.
        environ: environment variables beside those of `ENVIRONMENT`.
        path: what is requested until there is a response.
    """
    with TemporaryFile() as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=folder,
            env={**ENVIRONMENT, **environ},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        running = Running(port, log)

        def answers() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"{command} has ended:\n{running.read_log()}")
            connection = HTTPConnection("localhost", running.port, timeout=10)
            try:
                connection.request("GET", path)
                connection.getresponse()
            except (OSError, HTTPException):
                return False
            finally:
                connection.close()
            return True

        try:
            poll(answers, f"an answer from {command}")
            yield running
        finally:
            stop(process)
