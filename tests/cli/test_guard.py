"""The report on findings, run as a user runs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from mantlet.cli.app import app
from tests.guard.findings.test_findings import finding

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from mantlet import Finding


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["guard", "report", *words])


def write(path: Path, *findings: Finding) -> None:
    content = {"version": 1, "findings": [one.as_json() for one in findings]}
    path.write_text(json.dumps(content))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The files of two workers."""
    write(tmp_path / "guard-1-a.json", finding(count=2), finding(code="other"))
    undeclared = finding(operation="GET /old/{}", declared=False, status=404, count=9, place="path")
    message = finding(subject="message", place="message", pointer="", status=0)
    write(tmp_path / "guard-2-b.json", finding(count=3, refused=1), undeclared, message)
    return tmp_path


def test_the_table_adds_up_all_workers(directory: Path) -> None:
    """One line for each kind, the most frequent first."""
    done = run(str(directory))
    assert done.exit_code == 0, done.output
    lines = [" ".join(line.split()) for line in done.output.splitlines() if line.strip()]
    assert lines[0] == "count refused operation place rule status last seen sample"
    assert [line.partition(" 0 s ago")[0] for line in lines[2:]] == [
        "9 0 GET /old/{} (undeclared) path/page int_parsing 404",
        "5 1 GET / query/page int_parsing 422",
        "1 0 GET / message message int_parsing -",
        "1 0 GET / query/page other 422",
    ]
    assert lines[2].endswith("0 s ago string(1)")


def test_json_has_every_attribute(directory: Path) -> None:
    """As in the files."""
    told = json.loads(run(str(directory), "--json").output)["findings"]
    assert [one["count"] for one in told] == [9, 5, 1, 1]
    assert told[1] == finding(count=5, refused=1).as_json()


def test_no_findings_are_told(tmp_path: Path) -> None:
    """In a word."""
    done = run(str(tmp_path))
    assert (done.exit_code, done.output) == (0, "no findings\n")


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    """With its name."""
    done = run(str(tmp_path / "none"))
    assert done.exit_code == 2
    assert "none can't be read: No such file or directory" in done.output


def test_unreadable_files_are_told_beside_the_others(directory: Path) -> None:
    """And the command fails."""
    (directory / "guard-3-c.json").write_text("{")
    done = run(str(directory))
    assert done.exit_code == 2
    assert "guard-3-c.json: can't be read: not a file of findings" in done.output
    assert "GET /old/{}" in done.output


def test_nothing_in_a_file_steers_the_terminal(tmp_path: Path) -> None:
    """Nor is it markup."""
    write(tmp_path / "guard-1-a.json", finding(sample="\x1b[2J[red]", code="a\nb"))
    output = run(str(tmp_path)).output
    assert "\x1b" not in output
    assert "\\x1b[2J[red]" in output
    assert "a\\nb" in output
