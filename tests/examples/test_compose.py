"""The app of ``docker compose``: its commands and settings, run without a container."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.examples import folders
from tests.servers.server import free_port, poll
from tests.stores.redis.servers import Valkey

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = folders.EXAMPLES / "compose"


def services() -> dict[str, Any]:
    """Return the services of ``compose.yaml``."""
    read: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    return dict(read["services"])


def instructions(name: str) -> list[str]:
    """Return the arguments of each instruction of the Dockerfile with a name."""
    lines = (FOLDER / "Dockerfile").read_text().splitlines()
    return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]


@pytest.mark.slow
def test_four_workers_share_the_count_of_a_valkey(tmp_path: Path) -> None:
    """With the command of the image, the environment and the options of both services."""
    app, valkey = services()["app"], services()["valkey"]
    port = free_port()
    (start,) = instructions("CMD")
    command = shlex.join(json.loads(start)).replace("8000", str(port))
    with Valkey(tmp_path, *valkey["command"][1:]) as store:
        environ = {
            "LIMITS": app["environment"]["LIMITS"].replace("valkey:6379", store.place),
            "LIMITS_TIMEOUT": "60",  # a busy machine must not end in counts of each worker
        }
        with folders.serve(f"exec {command}", FOLDER, port, environ, path="/-/health") as running:
            poll(lambda: running.read_log().count("Started server process") == 4, "four workers")
            shown = folders.run_console(FOLDER, port)
            health = app["healthcheck"]["test"]
            folders.run(shlex.join(health[1:]).replace("8000", str(port)), FOLDER)

    assert [line.split() for line in shown.splitlines()] == [
        line.split() for line in folders.console(FOLDER).splitlines()
    ]


def test_the_image_is_built_of_files_and_packages_that_exist() -> None:
    """And of files that the build's context has."""
    build = services()["app"]["build"]
    root = (FOLDER / build["context"]).resolve()
    allowed = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    sources = [source for copy in instructions("COPY") for source in copy.split()[:-1]]
    (install,) = instructions("RUN")
    checkout, *packages = shlex.split(install.removeprefix("pip install --no-cache-dir "))

    assert root == folders.ROOT
    assert (root / build["dockerfile"]).samefile(FOLDER / "Dockerfile")
    assert {f"!{source}" for source in sources} <= set(allowed)
    assert all((root / source).exists() for source in sources)
    assert checkout.rstrip("]").partition("[")[2] in folders.known_extras()
    assert {name.partition("[")[0] for name in packages} <= folders.known_packages()


def test_the_services_fit_together() -> None:
    """The app waits for the store that it names, and its port is the one that is published."""
    app, valkey = services()["app"], services()["valkey"]

    assert app["depends_on"] == {"valkey": {"condition": "service_healthy"}}
    assert app["environment"]["LIMITS"].startswith("valkey://valkey:")
    assert float(app["environment"]["LIMITS_TIMEOUT"]) > 0
    assert valkey["healthcheck"]["test"] == ["CMD", "valkey-cli", "ping"]
    assert app["ports"] == [f"127.0.0.1:8000:{instructions('EXPOSE')[0]}"]
