"""`tests.measuring`: of what coverage is measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

pytest_plugins = ("pytester",)
ROOT = Path(__file__).parents[1]

LIBRARY = "".join(
    f"def {name}():\n    return None\n"
    for name in ("collected", "arranged", "called", "unmeasured")
)
TESTS = """
import library
import pytest

library.collected()

@pytest.fixture
def arranged():
    return library.arranged()

def test_one(arranged):
    library.called()

@pytest.mark.unmeasured
def test_another():
    library.unmeasured()
"""


def test_fixtures_and_tests_are_measured_unless_they_are_marked(pytester: pytest.Pytester) -> None:
    """Nor is what runs while tests are collected."""
    pytester.makeconftest('pytest_plugins = ("tests.measuring",)')
    pytester.makepyfile(library=LIBRARY, test_library=TESTS)
    options = ["-o", "markers=unmeasured", "-o", f"pythonpath={ROOT} {pytester.path}"]
    result = pytester.runpytest_subprocess("--cov=library", "--cov-report=json", *options)
    result.assert_outcomes(passed=2)
    report = json.loads((pytester.path / "coverage.json").read_text())
    assert report["files"]["library.py"]["executed_lines"] == [4, 6]
