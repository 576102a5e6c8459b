"""Each framework's folder works when it is copied elsewhere, as its README says."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tomllib
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.examples import folders

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=folders.FRAMEWORKS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a folder, with keys for its app."""
    copied: Path = tmp_path_factory.mktemp("example") / request.param
    left_out = shutil.ignore_patterns("__pycache__", "keys.sh")
    shutil.copytree(folders.EXAMPLES / request.param, copied, ignore=left_out)
    command = folders.run_lines(copied)[0]
    subprocess.run(["/bin/sh", "-c", command], cwd=copied, env=folders.ENVIRONMENT, check=True)
    return copied


def test_every_command_serves_a_protected_app(folder: Path) -> None:
    """The framework's own commands too; and the requests of the README print what it shows."""
    commands = folders.server_commands(folder)
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client())
        ports = [stack.enter_context(folders.serve(command, folder)) for command in commands]
        found = {
            command: client.get(f"http://localhost:{port}/")
            for command, port in zip(commands, ports, strict=True)
        }
        shown = run_requests(folder, ports[0])

    for command, response in found.items():
        assert response.status_code == (200 if "minimal" in command else 401), command
        assert response.headers["X-Content-Type-Options"] == "nosniff", command
    assert shown == console(folder)


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


def console(folder: Path) -> str:
    """Return the block of requests and responses of a README."""
    return folders.section(folder, "Try").split("```console\n")[1].partition("```")[0]


def run_requests(folder: Path, port: int) -> str:
    """Run the commands of the block of requests; return it as a terminal would show it."""
    shown = ""
    for line in console(folder).splitlines():
        if line.startswith("$ "):
            command = f". ./keys.sh; {line[2:].replace('8000', str(port))}"
            done = subprocess.run(
                ["/bin/sh", "-c", command], cwd=folder, capture_output=True, text=True, check=True
            )
            shown += f"{line}\n{done.stdout.rstrip()}\n"
    return shown


def test_its_installation_names_what_exists(folder: Path) -> None:
    """The extras are Mantlet's; the other packages are among those that develop Mantlet."""
    project = tomllib.loads((folders.ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    known = {word for line in extras["dev"] for word in line.replace("[", ">").split(">")[:1]}
    (line,) = folders.section(folder, "Install").split("```\n")[1].splitlines()
    pip, install, checkout, *packages = shlex.split(line)
    tests = folders.section(folder, "Test").split("```\n")[1].splitlines()[0]

    assert (pip, install) == ("pip", "install")
    path, _, names = checkout.rstrip("]").partition("[")
    assert (folders.EXAMPLES / folder.name / path).resolve() == folders.ROOT
    assert set(names.split(",")) <= set(extras)
    assert {name.partition("[")[0] for name in [*packages, *tests.split()[2:]]} <= known


def test_the_index_names_every_folder() -> None:
    """So that a reader finds each."""
    index = (folders.EXAMPLES / "README.md").read_text()

    for path in folders.EXAMPLES.glob("*/README.md"):
        assert f"]({path.parent.name}/README.md)" in index
