"""Repeated events are logged a few times, within a budget, and none without a trace."""

from __future__ import annotations

import logging
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet._internal.log_throttle import MAX_BYTES, MAX_RECORDS, LogThrottle

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Notices(logging.Handler):
    """Keeps the messages of the throttle's own records."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage())


@pytest.fixture
def notices() -> Iterator[Notices]:
    """The throttle's own records."""
    handler, log = Notices(), logging.getLogger("mantlet.throttled")
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


def throttle(clock: Clock) -> LogThrottle:
    return LogThrottle(logging.getLogger("mantlet.throttled"), clock)


def test_all_kinds_together_have_a_budget(notices: Notices) -> None:
    """Two thousand kinds are not two thousand records in full."""
    throttled = throttle(Clock())
    found = [throttled.admit(f"kind {number}", ["one place"]) for number in range(2000)]
    admitted = [one for one in found if one is not None]
    assert sum(not one.in_short for one in admitted) == MAX_RECORDS
    assert MAX_RECORDS < len(admitted) <= MAX_RECORDS + 256
    assert len(notices.told) == 1
    assert notices.told[0].startswith("The budget of this log is spent for this minute (200 ")


def test_bytes_count_against_the_budget() -> None:
    """Few records of much text spend it as well."""
    clock = Clock()
    throttled = throttle(clock)
    admitted = 0
    for number in range(1000):
        found = throttled.admit(f"kind {number}", ["one place"])
        if found is not None and not found.in_short:
            admitted += 1
            throttled.charge(MAX_BYTES // 8)
    assert admitted == 8
    clock.now += 60
    found = throttled.admit("kind 0")
    assert found is not None
    assert not found.in_short


def test_repetitions_leave_half_of_the_budget_to_new_kinds() -> None:
    """One kind alone, whose records are as large as can be, does not spend all."""
    throttled = throttle(Clock())
    for _ in range(10):
        if throttled.admit("noise"):
            throttled.charge(MAX_BYTES // 8)
    found = throttled.admit("another")
    assert found is not None
    assert not found.in_short


def test_minor_events_leave_half_of_the_budget_to_others() -> None:
    """Refusals of many kinds take no traceback from a crash."""
    throttled = throttle(Clock())
    for number in range(1000):
        throttled.admit(f"kind {number}", is_minor=True)
    found = throttled.admit("crash")
    assert found is not None
    assert not found.in_short


def test_a_new_part_is_logged_whatever_noise_there_is() -> None:
    """A client that makes up kinds without end, of parts that are known, hides no new one."""
    throttled = throttle(Clock())
    for number in range(10_000):
        throttled.admit(f"combination {number}", [f"place {number % 5}"])
    found = throttled.admit("another", ["place 3", "a new place"])
    assert found is not None
    assert found.in_short
    assert throttled.admit("yet another", ["place 3", "a new place"]) is None


def test_what_the_budget_left_out_is_summarized_by_kind(notices: Notices) -> None:
    """With the first event of a later minute, the most frequent kinds first."""
    clock = Clock()
    throttled = throttle(clock)
    for number in range(500):
        throttled.admit(f"first {number}", ["a"], f"Noise{number}Error\n\x1b[31m%s")
        if number in range(250, 255):
            throttled.admit("first 0", ["a"], "Noise0Error\n\x1b[31m%s")
    assert len(notices.told) == 1
    clock.now += 59
    throttled.admit("first 1", ["a"])
    assert len(notices.told) == 1
    clock.now += 1
    throttled.admit("first 1", ["a"])
    _, summary = notices.told
    # 500 kinds less 256 new ones, of which 56 in short; and the repetitions.
    assert summary.startswith("250 records were suppressed: Noise0Error\\n\\x1b[31m%s: 5, Noise")
    assert summary.endswith(f", other kinds: {250 - 5 - 19}")
    assert summary.isprintable()
    assert len(summary) < 1000
    clock.now += 60
    throttled.admit("first 1", ["a"])
    assert len(notices.told) == 2


class Broken(logging.Handler):
    """A handler that is of no use."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError


def test_a_handler_that_fails_over_a_notice_changes_nothing() -> None:
    """The decision is the same."""
    log = logging.getLogger("mantlet.throttled")
    handler = Broken()
    log.addHandler(handler)
    throttled = throttle(Clock())
    found = [throttled.admit(f"kind {number}") for number in range(1000)]
    log.removeHandler(handler)
    assert sum(one is not None for one in found) == 256


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(1, 40), st.sampled_from([0.0, 0.5, 30.0, 61.0])),
        max_size=60,
    )
)
def test_every_event_is_logged_or_counted(events: list[tuple[int, int, float]]) -> None:
    """In the record of a later event of its kind, or in a summary."""
    clock = Clock()
    throttled = throttle(clock)
    handler, log = Notices(), logging.getLogger("mantlet.throttled")
    log.addHandler(handler)
    expected: Counter[str] = Counter()
    logged = counted = 0
    for kind, times, pause in events:
        for number in range(times):
            name = f"{kind} {number // 5}"
            expected[name] += 1
            found = throttled.admit(name, ["a"])
            if found is not None:
                logged += 1
                counted += found.suppressed
        clock.now += pause
    clock.now += 120
    for name in (*expected, "last"):
        found = throttled.admit(name, [name])
        clock.now += 60
        assert found is not None
        logged += 1
        counted += found.suppressed
    log.removeHandler(handler)
    for told in handler.told:
        summary = re.match(r"(\d+) records were suppressed", told)
        counted += int(summary[1]) if summary else 0
    assert logged + counted == sum(expected.values()) + len(expected) + 1


def test_a_summary_is_written_though_the_event_that_begins_the_minute_is_not(
    notices: Notices,
) -> None:
    """A flood of one kind does not hide what was suppressed before."""
    clock = Clock()
    throttled = throttle(clock)
    for number in range(300):
        throttled.admit(f"kind {number}", ["one place"])
    clock.now += 30
    for _ in range(20):
        throttled.admit("the flood", ["one place"])
    clock.now += 31
    assert throttled.admit("the flood", ["one place"]) is None
    assert [told for told in notices.told if "records were suppressed" in told]
