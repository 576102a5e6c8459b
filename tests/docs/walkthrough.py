"""Follow a page as its reader does: write its files, run its commands, compare their output.

`follow()` takes the text of a page, or a part of one, and does what each block of code says, from
top to bottom, in one folder:

- a block of any language with ``title="app.py"`` after the language is a file, which is written.
  With a title such as ``"app.py (add at the end)"`` it is appended to the file.
- ``sh`` is commands, one a line. What they print is not compared, but they must succeed.
- ``console`` is commands after ``$ ``, each with the output that it must have. A line ``...``
  stands for any number of lines.
- ``text`` is a part of what the running server has printed; ``...`` as above.

Any other block is an error, so nothing on the page is left out. A command of `SERVERS` starts a
server on a free port instead of the page's, and other commands are sent to that port. The server
is restarted, as the page tells its reader to do, before the first command after a file has changed,
and stopped by the next command of a server and in the end. Commands that set up an environment
(`SETUP`) do not run: what they install must be installed here already, and be known to
``pyproject.toml``. Ids, dates, durations and the like are masked in both outputs by `masked()`.

To see what the commands of a page print::

    python -m tests.docs.walkthrough docs/tutorials/flask.md
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import textwrap
import tomllib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

from packaging.requirements import Requirement

from tests.docs.pages import DOCS
from tests.servers.server import HOST, free_port, poll, stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = DOCS.parent

#: The commands of servers, with their own port and the argument that sets another one.
SERVERS: Final[Mapping[str, tuple[int, str]]] = {
    "flask": (5000, "--port {}"),
    "fastapi": (8000, "--port {}"),
    "uvicorn": (8000, "--port {}"),
    "granian": (8000, "--port {}"),
    "gunicorn": (8000, "--bind 127.0.0.1:{}"),
    "hypercorn": (8000, "--bind 127.0.0.1:{}"),
    "python manage.py runserver": (8000, "{}"),
}

#: The beginnings of commands that make the environment of the reader.
SETUP: Final = (
    "git clone ",
    "mkdir shop",
    "cd shop",
    "python3 -m venv ",
    ". .venv/",
    "pip install ",
)

_BASH: Final = "/bin/bash"
_BLOCK: Final = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)(?P<options>[^\n]*)\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_PORT: Final = re.compile(r"(?<=:)\d{4,5}\b|(?<=--port )\d+")
_TITLE: Final = re.compile(r'title="([^"]+?)( \(add at the end\))?"')
_MASKS: Final = [
    (re.compile(r"\b[0-9a-f]{32}\b|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT"), "<date>"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T][\d:]{8}([.,]\d+)?( ?[+-]\d{4})?"), "<time>"),
    (re.compile(r"^(server: ).*$", re.MULTILINE | re.IGNORECASE), r"\1<server>"),
    (re.compile(r"^(retry-after: )\d+$", re.MULTILINE | re.IGNORECASE), r"\1<seconds>"),
    (re.compile(r'("default";r=)\d+'), r"\1<requests>"),  # refilled fast, on a slow machine
    (re.compile(r"(\bt=)\d+\b"), r"\1<seconds>"),
    (re.compile(r"\bin \d+\.\d+s\b"), "in <seconds>"),
    (re.compile(r"\[\d+\]"), "[<pid>]"),
]


@dataclass(frozen=True)
class Block:
    """A block of code of a page."""

    language: str
    options: str
    code: str
    line: int

    @property
    def commands(self) -> Iterator[tuple[str, str]]:
        """Each command with the output that the page shows."""
        prompt = "$ " if self.language == "console" else ""
        lines = iter(self.code.splitlines(keepends=True))
        command, shown = "", ""
        for line in lines:
            if not line.startswith(prompt):
                shown += line
                continue
            if command:
                yield command, shown
            command, shown = line.removeprefix(prompt).rstrip(), ""
            while command.endswith("\\"):
                command = command.removesuffix("\\") + next(lines).strip()
        yield command, shown


def server_of(command: str) -> str | None:
    """Return the key of `SERVERS` that a command runs, if it does."""
    words = re.sub(r"^(\w+=\S* )*", "", command) + " "
    return next((one for one in SERVERS if words.startswith(f"{one} ")), None)


def code_blocks(text: str) -> Iterator[Block]:
    """Return the blocks of code of a page, without their indentation."""
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        code = textwrap.dedent(match["code"])
        yield Block(match["language"], match["options"].strip(), code, line)


def masked(output: str) -> str:
    """Replace whatever differs from one run to the next."""
    output = "\n".join(line.rstrip() for line in output.splitlines()).strip("\n")
    for pattern, word in _MASKS:
        output = pattern.sub(word, output)
    return output


def pattern_of(shown: str) -> str:
    """Return a regular expression for masked output; a line ``...`` is any lines."""
    lines = masked(shown).splitlines()
    return "".join("(?:.*\n)*?" if one == "..." else re.escape(one + "\n") for one in lines)


class Walkthrough:
    """A reader's folder, and the server that runs in it.

    Args:
        folder: where the files are written and the commands run.
        programs: the folder of ``python``, ``flask`` and so on; by default, of those that run
            the tests.
        environ: more environment variables of all commands.

    Attributes:
        environ: the environment of all commands.
    """

    def __init__(
        self,
        folder: Path,
        *,
        programs: Path = Path(sys.executable).parent,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        (folder / ".curlrc").write_text("silent\nshow-error\n")  # no progress meter
        self.environ = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "PYTHONUNBUFFERED": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            **(environ or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by __exit__()
        self._ports = ("8000", "8000")  # the page's and the actual one
        self._command = ""  # of the server that runs
        self._is_stale = False  # whether a file has changed since its start

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._output.close()

    def write(self, block: Block) -> None:
        """Write the file of a block."""
        match = _TITLE.search(block.options)
        assert match, block
        path = self.folder / match[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if match[2] else "w") as file:
            file.write("\n\n" * bool(match[2]) + block.code)
        self._is_stale = True

    def run(self, command: str, *, may_fail: bool = False) -> str:
        """Run a command; return its output, or nothing if it is a server's.

        Raises:
            AssertionError: it fails, and may not.
        """
        if command.startswith(SETUP):
            check_setup(command)
            return ""
        server = server_of(command)
        if server:
            self.serve(command, server)
            return ""
        page_port, port = self._ports
        if self._command and self._is_stale and f":{page_port}" in command:
            self.serve(self._command, server_of(self._command))
            page_port, port = self._ports
        done = subprocess.run(
            [_BASH, "-c", command.replace(f":{page_port}", f":{port}")],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        assert may_fail or done.returncode == 0, f"$ {command}\n{done.stdout}"
        return self._as_on_the_page(done.stdout)

    def serve(self, command: str, server: str | None) -> None:
        """Start a server on a free port, in place of the one that runs."""
        assert server, command
        self.stop()
        own, option = SERVERS[server]
        port = free_port()
        found = _PORT.search(command)
        self._ports = (found[0] if found else str(own), str(port))
        actual = (
            command.replace(found[0], str(port)) if found else f"{command} {option.format(port)}"
        )
        self._command, self._is_stale = command, False
        self._output.seek(0)
        self._output.truncate()
        self._process = process = subprocess.Popen(
            [_BASH, "-c", f"exec env {actual}"],
            cwd=self.folder,
            env=self.environ,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

        def accepts() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"$ {actual}\n{self.log}")
            with socket.socket() as probe:
                return probe.connect_ex((HOST, port)) == 0

        poll(accepts, f"$ {actual}")

    @property
    def port(self) -> int:
        """The port of the server that runs."""
        return int(self._ports[1])

    @property
    def log(self) -> str:
        """Everything that the server has printed."""
        size = os.fstat(self._output.fileno()).st_size
        return self._as_on_the_page(os.pread(self._output.fileno(), size, 0).decode())

    def wait_for_log(self, pattern: str) -> None:
        """Wait until the log of the server has lines that match a pattern.

        Raises:
            AssertionError: it never has.
        """
        lines = re.compile(f"^{pattern}", re.MULTILINE)
        try:
            poll(lambda: bool(lines.search(masked(self.log) + "\n")), "lines of the log")
        except TimeoutError:
            raise AssertionError(f"{pattern}\nis not in\n{masked(self.log)}") from None

    def stop(self) -> None:
        """Stop the server, if one runs."""
        if self._process:
            stop(self._process)
        self._process = None
        self._command = ""

    def _as_on_the_page(self, output: str) -> str:
        page_port, port = self._ports
        output = output.replace(str(self.folder), "/shop")
        return output.replace(f":{port}", f":{page_port}")


def follow(text: str, folder: Path, *, environ: Mapping[str, str] | None = None) -> None:
    """Do what a page says, in a folder.

    Raises:
        AssertionError: the output of a command is not that of the page, with its line.
        ValueError: a block can't be followed.
    """
    with Walkthrough(folder, environ=environ) as walk:
        for block in code_blocks(text):
            if "title=" in block.options:
                walk.write(block)
            elif block.language in ("sh", "console"):
                for command, shown in block.commands:
                    printed = walk.run(command, may_fail=block.language == "console")
                    if block.language == "console":
                        _compare(block, command, shown, printed, log=walk.log)
            elif block.language == "text":
                walk.wait_for_log(pattern_of(block.code))
            else:
                raise ValueError(
                    f"line {block.line}: a block of {block.language!r} without a title"
                )


def _compare(block: Block, command: str, shown: str, printed: str, *, log: str) -> None:
    """Compare the output of a command with that of the page."""
    if re.fullmatch(pattern_of(shown), masked(printed) + "\n"):
        return
    lines = difflib.ndiff(masked(shown).splitlines(), masked(printed).splitlines())
    message = [f"line {block.line}: $ {command}", *lines, "the server's log:", log]
    raise AssertionError("\n".join(message))


def check_setup(command: str) -> None:
    """Check that everything that a command installs is installed here, and every extra exists."""
    if not command.startswith("pip install "):
        return
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for word in shlex.split(command.partition("#")[0])[2:]:
        checkout = re.fullmatch(r"(?:\.|\.\./mantlet)(?:\[([\w,]+)\])?", word)
        if checkout:
            assert set((checkout[1] or "all").split(",")) <= extras.keys(), command
        else:
            assert version(Requirement(word).name)


def main() -> None:
    """Print every command of a page with its output."""
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder, Walkthrough(Path(folder)) as walk:
            for block in code_blocks(Path(name).read_text()):
                if "title=" in block.options:
                    walk.write(block)
                elif block.language in ("sh", "console"):
                    for command, _ in block.commands:
                        sys.stdout.write(f"$ {command}\n{walk.run(command, may_fail=True)}\n")
                elif block.language == "text":
                    sys.stdout.write(f"-- {name}, line {block.line}\n{walk.log}\n")


if __name__ == "__main__":
    main()
