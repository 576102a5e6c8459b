"""The benchmarks of the hot path measure the stacks that they name, and count all processes."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from benchmarks import (
    __main__,
    compare,
    hot_path,
    instructions,
    names,
    processes,
    report,
    summary,
    targets,
)
from benchmarks.identity import section

PAGES = Path(__file__).parent.parent / "docs" / "benchmarks"
_CHILD = "import os\nif os.fork(): os.wait()\nelse:\n while True: pass"


@cache
def _results() -> dict[str, Any]:
    """Return the results in the docs."""
    return dict(json.loads((PAGES / "results.json").read_text()))


@pytest.mark.parametrize("case", hot_path.ALL_CASES)
@pytest.mark.parametrize("protocol", hot_path.PROTOCOLS)
def test_each_case_responds_as_its_policies_should(case: str, protocol: str) -> None:
    server = asyncio.run(hot_path.checked(protocol, case))

    is_stack = case in hot_path.CASES and case != hot_path.BARE
    assert (server.app.__class__.__name__ == "Stack") is is_stack


def test_a_tree_without_a_policy_is_compared_by_the_other_cases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "mantlet"
    package.mkdir()
    (package / "__init__.py").write_text('__all__ = ["Authenticator", "Cors", "Hosts"]')

    cases = compare._cases(tmp_path)

    assert set(hot_path.CASES) - set(cases) == {"authorizer", "cross-origin"}
    assert capsys.readouterr().out == "not in the other: authorizer, cross-origin\n"


def test_the_report_names_what_was_not_measured() -> None:
    times = {names.BARE: [2.0, 2.0], names.CORS: [3.0, 3.0]}
    group = {
        "title": names.ORIGINS_FLASK,
        "contenders": [{"name": name, "us": us} for name, us in times.items()],
        "missing": {names.FLASK_CORS: "ImportError: it is not there"},
    }

    text = "\n".join(section.sections({"in_process": [group]}))

    assert f"| {names.CORS} | 1 (1 to 1) | 1.5\N{MULTIPLICATION SIGN} |" in text
    assert "Not measured, origins, Flask: flask-cors (ImportError: it is not there)." in text
    assert "Not measured, origins, Django: bare (it is not in these results)." in text


def test_the_page_is_the_report_of_the_results() -> None:
    """Also its first part, which has figures in its text."""
    assert (PAGES / "README.md").read_text() == report.report(_results())


def test_the_page_leads_with_five_numbers() -> None:
    """Each for both protocols, before any other table."""
    first_table = (PAGES / "README.md").read_text().partition("\n| --- |")[2].partition("\n\n")[0]

    assert len(first_table.splitlines()[1:]) == 5
    assert all(len(re.findall(r"\d+[^|]*\|", row)) == 2 for row in first_table.splitlines()[1:])


def test_the_commands_of_the_page_exist() -> None:
    """They take minutes, so their targets and options are checked instead."""
    commands = re.findall(r"^\$ ([^#\n]+?) *(?:#.*)?$", report.report(_results()), re.MULTILINE)
    makefile = (PAGES.parent.parent / "Makefile").read_text()

    assert len(commands) == 5
    for program, *words in map(str.split, commands):
        if program == "make":
            assert f"\n{words[0]}: " in makefile
        else:
            assert (program, *words[:2]) == ("python", "-m", "benchmarks")
            assert any(vars(__main__.parser().parse_args(words[2:])).values())


def test_the_page_names_missed_targets_first() -> None:
    """And says how many there are."""
    found = targets.targets(_results())
    text = summary.target_tables(_results())
    missed, _, reached = text.partition("Reached:")

    for target in found:
        assert f"| {target.text} |" in (reached if target.reached else missed)
    count = sum(target.reached for target in found)
    assert text.startswith(f"{count} of {len(found)} are reached, {len(found) - count} are missed.")


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="Linux counts it")
def test_the_time_of_descendants_counts() -> None:
    own = processes.cpu_ns(os.getpid())
    with subprocess.Popen([sys.executable, "-c", _CHILD], start_new_session=True) as process:
        try:
            while processes.cpu_ns(process.pid) < 1_000_000_000 and process.poll() is None:
                time.sleep(0.05)
            tree = processes._tree(process.pid)
            assert len(tree) == 2
            assert processes._own_ns(tree[1]) > processes._own_ns(process.pid)
        finally:
            os.killpg(process.pid, 9)
    assert processes.cpu_ns(os.getpid()) > own


def test_figures_are_over_the_bare_app(tmp_path: Path) -> None:
    phase = tmp_path / "phase.2"
    # Callgrind leaves zeros at the end out.
    phase.write_text("events: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw\ntotals: 900 1 1 60 1 1 3 6\n")
    bare = {"instructions": 100.0, "instruction_misses": 5.0, "misses": 0.0}
    five = instructions._read(phase, requests=3)

    counts = instructions.added({"bare": {"ASGI": bare}, "five": {"ASGI": five}})

    assert counts["five"]["ASGI"] == {
        "instructions": 200,
        "instruction_misses": 15,
        "misses": 3,
    }
    assert counts["bare"]["ASGI"] == bare
