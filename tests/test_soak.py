"""The judge of `benchmarks.soak`: which tokens count as given twice."""

from __future__ import annotations

from collections import Counter

import pytest
from benchmarks.soak.__main__ import Result
from benchmarks.soak.traffic import ADMITTED, Tally


def tally(admitted: int, *, refilled: bool = False, **local: int) -> Tally:
    """Return what clients saw, one of whom had so many requests admitted."""
    return Tally(
        requests=99,
        admitted=Counter({"one": admitted, "other": 3}),
        refilled=frozenset({"one"} if refilled else ()),
        local=Counter(local),
    )


@pytest.mark.parametrize(
    ("phase", "given_twice"),
    [
        (tally(ADMITTED), 0),
        (tally(ADMITTED + 2), 2),
        (tally(ADMITTED + 2, a=1), 1),
        (tally(ADMITTED + 2, a=1, b=1), 0),
        (tally(ADMITTED, a=100), 0),
        (tally(2 * ADMITTED, refilled=True), 0),
        (tally(2 * ADMITTED + 1, refilled=True), 1),
    ],
)
def test_tokens_beyond_the_quota_need_a_decision_without_the_store(
    phase: Tally, given_twice: int
) -> None:
    """Each of them, unless the store has lost its contents."""
    result = Result(tallies={"steady": phase})
    assert result.given_twice("steady") == given_twice
    faults = [f"steady: {given_twice} tokens given twice"] if given_twice else []
    assert result.faults == faults


def test_decisions_of_earlier_phases_explain_nothing() -> None:
    """Workers count from their start, and a new one starts anew."""
    result = Result(
        tallies={
            "slow": tally(ADMITTED, old=50, killed=7),
            "killed": tally(ADMITTED, old=50, new=1),
            "again": tally(ADMITTED + 3, old=52, new=1),
        }
    )
    assert [result.local(phase) for phase in result.tallies] == [57, 1, 2]
    assert result.given_twice("again") == 1
