"""The folders of examples, and the commands of their READMEs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from tests.servers.server import free_port, poll, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_PORT_OPTION = {"gunicorn": "--bind 127.0.0.1:", "hypercorn": "--bind 127.0.0.1:"}


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


@contextmanager
def serve(command: str, folder: Path) -> Iterator[int]:
    """Start a server by a command of a README, on a free port; stop it in the end."""
    port = free_port()
    if "8000" in command:
        command = command.replace("8000", str(port))
    else:
        command += f" {_PORT_OPTION.get(command.partition(' ')[0], '--port ')}{port}"
    with TemporaryFile() as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f". ./keys.sh && exec {command}"],
            cwd=folder,
            env={**ENVIRONMENT, "NOTES_HOSTS": f"localhost:{port}"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

        def answers() -> bool:
            if process.poll() is not None:
                log.seek(0)
                raise RuntimeError(f"{command} has ended:\n{log.read().decode()}")
            connection = HTTPConnection("localhost", port, timeout=10)
            try:
                connection.request("GET", "/")
                connection.getresponse()
            except (OSError, HTTPException):
                return False
            finally:
                connection.close()
            return True

        try:
            poll(answers, f"an answer from {command}")
            yield port
        finally:
            stop(process)
