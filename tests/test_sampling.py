"""`tests.sampling`: which tests run without ``--all``."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from tests.sampling import cover

pytest_plugins = ("pytester",)
ROOT = Path(__file__).parents[1]

MARKERS = "markers=every_case\nfew_cases\nexhaustive"
TESTS = """
import pytest
from hypothesis import given, settings, strategies as st

@pytest.mark.parametrize("a", range(9))
@pytest.mark.parametrize("b", "xy")
def test_product(a, b): pass

@pytest.mark.every_case
@pytest.mark.parametrize("a", range(3))
@pytest.mark.parametrize("b", range(2))
def test_requirements(a, b): pass

@pytest.mark.few_cases(2)
@pytest.mark.parametrize("a", range(5))
def test_servers(a): pass

@pytest.mark.exhaustive
def test_flood(): pass

@settings(max_examples=300)
@given(st.integers())
def test_property(x): print("example")
"""


def test_each_value_of_each_parameter_is_covered_in_as_few_cases_as_the_longest_has_values() -> (
    None
):
    """Nine cases, not 54; each value of the short parameters is in a third or a half of them."""
    cases = list(product("abcdefghi", "xyz", "12"))
    chosen = [cases[index] for index in cover(cases, 48)]
    assert len(chosen) == 9
    assert {case[0] for case in chosen} == set("abcdefghi")
    assert all(sum(case[1] == value for case in chosen) == 3 for value in "xyz")
    assert all(sum(case[2] == value for case in chosen) >= 4 for value in "12")


def test_a_long_parameter_is_sampled_from_all_over_and_a_short_one_still_covered() -> None:
    """Each quarter of the list has some, and the first three have all of the short one."""
    cases = [(str(number), kind) for number in range(1000) for kind in "xyz"]
    chosen = cover(cases, 12)
    assert len(chosen) == 12
    assert {cases[index][1] for index in chosen[:3]} == set("xyz")
    assert {index // 750 for index in chosen} == {0, 1, 2, 3}


@pytest.mark.parametrize("cases", [[()], [("a",)]], ids=["no parameter", "one case"])
def test_a_single_case_runs(cases: list[tuple[str, ...]]) -> None:
    """Also that of a test without parameters."""
    assert cover(cases, 48) == [0]


def test_no_cases_are_no_sample() -> None:
    """A test whose parameters are an empty list is left to pytest."""
    assert cover([], 48) == []


@pytest.mark.parametrize(
    ("options", "passed", "examples"),
    [([], 9 + 6 + 2 + 1, 30), (["--all"], 18 + 6 + 5 + 2, 300)],
    ids=["sample", "all"],
)
def test_what_runs(
    options: list[str], passed: int, examples: int, pytester: pytest.Pytester
) -> None:
    """The values of products, all cases or none where a test is marked so, and fewer examples."""
    pytester.makeconftest((ROOT / "conftest.py").read_text())
    pytester.makepyfile(TESTS)
    markers = ["-o", MARKERS, "-o", f"pythonpath={ROOT}"]
    result = pytester.runpytest_subprocess("-s", *options, *markers)
    result.assert_outcomes(passed=passed, deselected=0 if options else 1)
    assert result.stdout.str().count("example") == examples


def test_a_test_that_is_named_runs_whole(pytester: pytest.Pytester) -> None:
    """Somebody who names a test wants all of it, also one that is left to ``--all``."""
    pytester.makeconftest((ROOT / "conftest.py").read_text())
    path = pytester.makepyfile(TESTS)
    markers = ["-o", MARKERS, "-o", f"pythonpath={ROOT}"]
    names = [f"{path.name}::test_product", f"{path.name}::test_flood"]
    pytester.runpytest_subprocess(*names, *markers).assert_outcomes(passed=19)
