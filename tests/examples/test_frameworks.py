"""Each framework's folder works when it is copied elsewhere, as its README says."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.examples import folders
from tests.servers.server import free_port

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

PORT_OPTIONS = {"gunicorn": "--bind 127.0.0.1:", "hypercorn": "--bind 127.0.0.1:"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=folders.FRAMEWORKS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a folder, with keys for its app."""
    copied: Path = tmp_path_factory.mktemp("example") / request.param
    left_out = shutil.ignore_patterns("__pycache__", "keys.sh")
    shutil.copytree(folders.EXAMPLES / request.param, copied, ignore=left_out)
    folders.run(folders.run_lines(copied)[0], copied)
    return copied


@pytest.mark.few_cases(3)
def test_every_command_serves_a_protected_app(folder: Path) -> None:
    """The framework's own commands too; and the requests of the README print what it shows."""
    commands = folders.server_commands(folder)
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client())
        ports = [stack.enter_context(serve(command, folder)).port for command in commands]
        found = {
            command: client.get(f"http://localhost:{port}/")
            for command, port in zip(commands, ports, strict=True)
        }
        shown = folders.run_console(folder, ports[0], ". ./keys.sh")

    for command, response in found.items():
        assert response.status_code == (200 if "minimal" in command else 401), command
        assert response.headers["X-Content-Type-Options"] == "nosniff", command
    assert shown == folders.console(folder)


def serve(command: str, folder: Path) -> AbstractContextManager[folders.Running]:
    """Start a server by a command of a README, on a free port."""
    port = free_port()
    if "8000" in command:
        command = command.replace("8000", str(port))
    else:
        option = PORT_OPTIONS.get(command.partition(" ")[0], "--port ")
        command += f" {option}{port}"
    environ = {"NOTES_HOSTS": f"localhost:{port}"}
    return folders.serve(f". ./keys.sh && exec {command}", folder, port, environ)


@pytest.mark.parametrize("folder", ["django"], indirect=True)
def test_the_tests_of_a_project_pass(folder: Path) -> None:
    """In a process of their own, for Django's settings; pytest itself runs those of the others."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**folders.ENVIRONMENT, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_its_installation_names_what_exists(folder: Path) -> None:
    """The extras are Mantlet's; the other packages are among those that develop Mantlet."""
    (line,) = folders.section(folder, "Install").split("```\n")[1].splitlines()
    checkout, *packages = shlex.split(line.removeprefix("pip install "))
    path, _, extras = checkout.rstrip("]").partition("[")
    tests = folders.section(folder, "Test").split("```\n")[1].splitlines()[0]
    packages += tests.removeprefix("pip install ").split()

    assert (folders.EXAMPLES / folder.name / path).resolve() == folders.ROOT
    assert set(extras.split(",")) <= folders.known_extras()
    assert {name.partition("[")[0] for name in packages} <= folders.known_packages()


def test_the_index_names_every_folder() -> None:
    """So that a reader finds each."""
    index = (folders.EXAMPLES / "README.md").read_text()

    for path in folders.EXAMPLES.glob("*/README.md"):
        assert f"]({path.parent.name}/README.md)" in index
