"""Hostile inputs cost no more than their size allows; `benchmarks.hostile` measures how much.

The bound here is twenty times the benchmark's, in CPU time, so that no machine is too slow for it:
what takes quadratic time misses it by far.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

import pytest
from benchmarks.hostile import bodies, headers, inputs, responses, targets
from benchmarks.hostile.measuring import TARGET, costs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.hostile.kinds import Hostile

MARGIN = 20
#: The parts of `sample()`, of which each is a test.
PARTS = 8
#: One in so many inputs is in the sample.
STRIDE = 48

#: Inputs that took long once, by the beginning of their text.
FOUND = (
    "58823 lines of x-request-id: 1",
    "76923 lines of accept: a=b",
    'accept: a/b;c=\\\\"',
    "a request with a key and headers",
    "accept: ,",
    "authorization: Bearer a.",
    "cookie: session=%",
    "cookie: session=a;",
    "the query %41",
    "the query a=1&",
    "the query token=%",
)


def sent(chosen: Iterable[Hostile]) -> list[str]:
    """Send inputs; return those that take too long."""
    return [
        f"{cost.text}: {cost.rate:.2f} s/MB"
        for cost in costs(chosen)
        if cost.rate > MARGIN * (cost.known or TARGET)
    ]


@pytest.mark.unmeasured
@pytest.mark.few_cases(3)
@pytest.mark.parametrize("text", FOUND)
def test_what_took_long_once_does_not(text: str) -> None:
    """Under both protocols, and in every size."""
    found = [one for one in chain(headers.inputs(), targets.inputs()) if one.text.startswith(text)]
    assert found
    assert sent(found[:4]) == []


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_a_sample_of_all_inputs_is_in_proportion(part: int) -> None:
    """Each part of it has inputs of every kind."""
    chosen = islice(inputs(), part, None, STRIDE * PARTS)
    assert sent(chosen) == []


def test_every_kind_has_inputs() -> None:
    """Else a sample of them would say little."""
    for kind in (headers.inputs, targets.inputs, bodies.messages, responses.inputs):
        first = list(islice(kind(), 50))
        assert len(first) == 50
        assert all(one.size > 0 for one in first)
