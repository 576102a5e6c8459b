"""The guides to servers: every command runs, and every setting exists."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from gunicorn.config import KNOWN_SETTINGS
from hypercorn.config import Config

from tests.docs.pages import DOCS
from tests.docs.walkthrough import code_blocks, follow

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

SERVERS = ("gunicorn", "granian", "hypercorn", "uvicorn")
NAMES = {"gunicorn": {one.name for one in KNOWN_SETTINGS}, "hypercorn": set(dir(Config()))}


def read(page: str) -> str:
    """Return the text of a guide."""
    return (DOCS / "how-to" / f"{page}.md").read_text()


@pytest.mark.few_cases(2)
@pytest.mark.parametrize("server", SERVERS)
def test_workers_share_the_limit_and_health_checks_answer(server: str, tmp_path: Path) -> None:
    """As the page shows, by the commands of the page."""
    follow(read(server), tmp_path)


@pytest.mark.parametrize("server", SERVERS)
def test_the_named_settings_exist(server: str) -> None:
    """Options in the server's help, and names of a configuration file in its configuration."""
    command = [sys.executable, "-m", server, "--help"]
    known = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    named = set(re.findall(r"`(--[\w-]+)", read(server)))
    assert named
    assert {one for one in named if not re.search(rf"{one}\b", known)} == set()
    if server in NAMES:
        (file,) = [one for one in code_blocks(read(server)) if f'title="{server}.' in one.options]
        names = set(re.findall(r"^(\w+) = ", file.code, re.MULTILINE))
        assert names <= NAMES[server]
