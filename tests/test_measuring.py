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
    f"def {name}():\n    return None\n" for name in ("collected", "arranged", "called", "slowly")
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

@pytest.mark.slow
def test_another():
    library.slowly()
"""


def test_fixtures_and_tests_are_measured_but_for_slow_ones(pytester: pytest.Pytester) -> None:
    """Nor is what runs while tests are collected."""
    pytester.makeconftest('pytest_plugins = ("tests.measuring",)')
    pytester.makepyfile(library=LIBRARY, test_library=TESTS)
    options = ["-o", "markers=slow", "-o", f"pythonpath={ROOT} {pytester.path}"]
    result = pytester.runpytest_subprocess("--cov=library", "--cov-report=json", *options)
    result.assert_outcomes(passed=2)
    report = json.loads((pytester.path / "coverage.json").read_text())
    assert report["files"]["library.py"]["executed_lines"] == [4, 6]
