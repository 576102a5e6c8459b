"""The project around the package: metadata, workflows, templates, and the scripts of a release."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
#: For those who work on Mantlet.
DEVELOPERS = {"bench", "dev", "docs"}
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
BIN = Path(sys.executable).parent
TARGETS = {
    target
    for line in re.findall(r"^([\w -]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for target in line.split()
}


def members(extra: str) -> set[str]:
    """Return the extras that an extra names, and those that they name."""
    named = {
        one
        for requirement in EXTRAS[extra]
        for inside in re.findall(r"^mantlet\[(.*)\]", requirement)
        for one in inside.split(",")
    }
    return named.union(*(members(one) for one in named))


def test_all_has_every_extra_for_users() -> None:
    """So that nothing is missing with ``mantlet[all]``."""
    assert members("all") == EXTRAS.keys() - DEVELOPERS - {"all"}


def test_each_extra_is_used_before_a_release() -> None:
    """By a function of its own, and an installation without extras too."""
    checks = runpy.run_path(str(ROOT / "scripts" / "smoke.py"))["CHECKS"]
    assert checks.keys() == EXTRAS.keys() - DEVELOPERS | {"none"}


@pytest.mark.parametrize("extra", ["none", "all"])
def test_an_installation_is_used_without_the_network(extra: str) -> None:
    """As in the clean environments of ``make release-check``."""
    smoke = ROOT / "scripts" / "smoke.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", smoke, extra], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"mantlet {PROJECT['version']} works with: {extra}")


def test_workflows_are_valid() -> None:
    """To actionlint, and to zizmor's rules of safe workflows."""
    subprocess.run([BIN / "actionlint", *WORKFLOWS], check=True)
    zizmor = [str(BIN / "zizmor"), "--offline", "--quiet", str(ROOT / ".github")]
    subprocess.run(zizmor, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.stem))
def test_workflows_run_what_there_is(path: Path) -> None:
    """Targets of the Makefile, and scripts."""
    text = path.read_text("utf-8")
    made, scripts = re.findall(r"\bmake ([\w-]+)", text), re.findall(r"\bscripts/\w+\.py", text)
    assert made or scripts
    assert set(made) <= TARGETS
    assert all((ROOT / one).exists() for one in scripts)


def test_workflows_test_the_versions_that_are_promised() -> None:
    """Those of the classifiers, and a free-threaded build."""
    named = {
        match[1]
        for one in PROJECT["classifiers"]
        if (match := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", one))
    }
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]
    assert set(jobs["tests"]["strategy"]["matrix"]["python"]) == named
    assert f"scripts/test_pythons.py {max(named, key=lambda one: int(one[2:]))}t" in str(jobs)


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_forms_of_issues_ask_for_something(name: str) -> None:
    """With fields that have an id and a label."""
    form: dict[str, Any] = yaml.safe_load(
        (ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text("utf-8")
    )
    assert {"name", "description", "body"} <= form.keys()
    fields = [one for one in form["body"] if one["type"] != "markdown"]
    assert fields
    assert all(one["id"] and one["attributes"]["label"] for one in fields)


def test_hooks_of_pre_commit_are_valid() -> None:
    """To pre-commit, and they run tools that the environment of developers has."""
    config = ROOT / ".pre-commit-config.yaml"
    subprocess.run([BIN / "pre-commit", "validate-config", config], check=True)
    (repo,) = yaml.safe_load(config.read_text("utf-8"))["repos"]
    for hook in repo["hooks"]:
        assert (BIN / Path(hook["entry"].split()[0]).name).exists(), hook


def test_the_readme_of_an_index_leads_somewhere() -> None:
    """Its links and pictures are absolute, and lead to files of the tag."""
    from hatchling.metadata.core import ProjectMetadata
    from hatchling.plugin.manager import PluginManager

    metadata = ProjectMetadata(str(ROOT), PluginManager())
    text = metadata.core.readme
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert len(links) > 40
    assert [one for one in links if not one.startswith(("https://", "#"))] == []
    tag = f"/v{PROJECT['version']}/"
    for one in links:
        place = re.search(rf"mantlet/mantlet/(?:blob|raw|tree){tag}([^#]+)|{tag}([^#]+)", one)
        if place:
            assert (ROOT / (place[1] or place[2])).exists(), one


CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-31\n\n- Something.\n"


@pytest.mark.parametrize(
    ("version", "changelog", "problem"),
    [
        ("1.2.3", CHANGELOG, None),
        ("1.2", CHANGELOG.replace("1.2.3", "1.2"), "is not one such as"),
        ("1.2.4", CHANGELOG, "no entry for 1.2.4"),
        ("1.2.3", CHANGELOG.replace("01-31", "01-30"), "dates 1.2.3 2026-01-30"),
        ("1.2.3", CHANGELOG.replace(" - 2026-01-31", ""), "dates 1.2.3 nothing"),
        ("1.2.3", CHANGELOG.replace("]\n\n", "]\n\n- More.\n\n", 1), "changes under"),
    ],
    ids=["ready", "version", "entry", "date", "no date", "unreleased"],
)
@pytest.mark.every_case
def test_a_release_agrees_with_its_changelog(
    version: str, changelog: str, problem: str | None
) -> None:
    """In the version and the date, with nothing left over."""
    problems = runpy.run_path(str(ROOT / "scripts" / "release.py"))["problems"]
    found = list(problems(version, changelog, "2026-01-31"))
    assert len(found) == (problem is not None)
    assert problem is None or problem in found[0]


def test_the_checklist_names_what_there_is() -> None:
    """Targets of the Makefile, scripts and workflows."""
    text = (ROOT / "docs" / "releases.md").read_text("utf-8")
    assert set(re.findall(r"\bmake ([\w-]+)", text)) <= TARGETS
    assert (ROOT / "scripts" / "release.py").exists()
    assert "`release.yml`" in text
