"""Tests of the architecture. Since nothing imports an HTTP client, they cover API7 and API10."""

import subprocess
import sys
from pathlib import Path

import examples.reference

from mantlet.testing import no_inline_sql


def test_imports_run_inwards() -> None:
    config = Path(__file__).parents[1] / "importlinter.ini"
    command = [f"{sys.exec_prefix}/bin/lint-imports", "--no-cache", "--config", str(config)]
    subprocess.run(command, check=True, cwd=config.parents[2])  # noqa: S603  # it sets up logging


def test_sql_is_in_adapters_alone() -> None:
    no_inline_sql(examples.reference, allowed=("adapters",))
