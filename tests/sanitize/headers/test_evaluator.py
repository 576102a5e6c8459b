"""The Content-Security-Policies of the presets, as Google's csp_evaluator rates them.

It is a package of npm: where node and npm are, the test installs it for itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mantlet.sanitize import Csp
from mantlet.sanitize.headers.security import PRESETS

SCRIPT = Path(__file__).with_name("evaluate.cjs")
#: csp_evaluator's severities; those below are remarks, such as that older browsers lack a keyword.
HIGH, MEDIUM = 10, 20


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where csp_evaluator is."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("no node and npm here: install them to have the presets judged")
    directory = tmp_path_factory.mktemp("evaluator")
    command = [npm, "install", "--silent", "--prefix", str(directory), "csp_evaluator@1"]
    installed = subprocess.run(command, capture_output=True, check=False, timeout=120)
    if installed.returncode:
        pytest.skip("npm can't install csp_evaluator here: the presets are not judged")
    return directory / "node_modules"


def judge(evaluator: Path, policy: str) -> list[tuple[int, str, str]]:
    """Return what is wrong with a policy, the worst first."""
    made = subprocess.run(
        [shutil.which("node") or "node", SCRIPT],
        input=policy.encode(),
        capture_output=True,
        check=True,
        env={**os.environ, "NODE_PATH": str(evaluator)},
        timeout=60,
    )
    return sorted(
        (severity, directive, words) for severity, directive, words in json.loads(made.stdout)
    )


@pytest.mark.parametrize("preset", ["api", "web"])
def test_an_evaluator_finds_nothing_serious(evaluator: Path, preset: str) -> None:
    """No finding of high or medium severity."""
    policy = PRESETS[preset].content_security_policy
    assert isinstance(policy, Csp)
    serious = [found for found in judge(evaluator, policy.value("r4nd0m")) if found[0] <= MEDIUM]
    assert serious == []


def test_the_evaluator_finds_what_is_serious(evaluator: Path) -> None:
    """Or else its silence would say nothing."""
    weak = Csp(script_src=["'unsafe-inline'", "https:"]).value()
    assert judge(evaluator, weak)[0][0] == HIGH
