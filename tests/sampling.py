"""The sample of the tests that runs without ``--all``: few cases of each, and few examples."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: The most cases of one test, unless it is marked.
MOST_CASES = 48
#: Hypothesis runs one example for so many of those that a test asks for, and at least some.
EXAMPLES = 10
FEWEST_EXAMPLES = 10


def sample(metafunc: pytest.Metafunc) -> None:
    """Leave those cases of a test alone that run without ``--all``.

    Args:
        metafunc: the test, after all of its parameters are known.
    """
    test, cases = metafunc.definition, metafunc._calls
    few = test.get_closest_marker("few_cases")
    short = [case for case in cases if all(mark.name != "exhaustive" for mark in case.marks)]
    chosen = cover([case._idlist for case in short], MOST_CASES if few is None else few.args[0])
    if test.get_closest_marker("every_case") is None:
        # Without any case, pytest would run the test without parameters.
        cases[:] = [short[index] for index in sorted(chosen)] or cases


def cover(cases: Sequence[Sequence[str]], most: int) -> list[int]:
    """Return the indices of few cases that have each value of each parameter, if so few can.

    Those come first that have the most values that the ones before do not have.

    Args:
        cases: the values of each case's parameters.
        most: how many cases may be chosen.
    """
    if len(cases) == 1:
        return [0]
    # From all over the list, also if only some are chosen: the golden ratio spreads its multiples.
    left = sorted(range(len(cases)), key=lambda index: index * 0.6180339887498949 % 1)
    missing = {value for case in cases for value in enumerate(case)}
    uses: Counter[tuple[int, str]] = Counter()
    chosen: list[int] = []
    while missing and len(chosen) < most:
        best = max(
            left,
            key=lambda index: (
                len(missing.intersection(enumerate(cases[index]))),
                -sum(uses[value] for value in enumerate(cases[index])),
            ),
        )
        left.remove(best)
        chosen.append(best)
        missing.difference_update(enumerate(cases[best]))
        uses.update(enumerate(cases[best]))
    return chosen


def fewer_examples(items: Iterable[pytest.Item]) -> None:
    """Let Hypothesis run a part of the examples that its tests ask for."""
    functions = [item for item in items if isinstance(item, pytest.Function)]
    # The name of the function's attribute has been the same since Hypothesis 3.
    for owner in {getattr(item.obj, "__func__", item.obj) for item in functions}:
        _reduce(owner, "_hypothesis_internal_use_settings")
    for model in {item.cls for item in functions}:
        _reduce(model, "settings")


def _reduce(owner: Any, name: str) -> None:
    asked = getattr(owner, name, None)
    if isinstance(asked, settings):
        fewer = max(FEWEST_EXAMPLES, asked.max_examples // EXAMPLES)
        setattr(owner, name, settings(asked, max_examples=min(asked.max_examples, fewer)))
