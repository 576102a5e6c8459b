"""A server that has failed is not called, except for a probe from time to time."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest

from mantlet.stores.redis.circuit_breaker import CircuitBreaker

#: Seconds between two checks of a test.
STEP = 1 / 1024


class Clock:
    """A clock in seconds that moves only when a test sets it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock, timeout: float = 0.05) -> CircuitBreaker:
    """Return a breaker that has just opened."""
    breaker = CircuitBreaker(timeout, clock)
    assert [breaker.record_failure() for _ in range(3)] == [False, False, True]
    return breaker


def wait_for_probe(breaker: CircuitBreaker, clock: Clock) -> float:
    """Let time pass until a probe is admitted; return how long that took."""
    started = clock.now
    while not breaker.admits():
        clock.now += STEP
        assert clock.now - started < 100, "there is no probe"
    return clock.now - started


def test_a_cancelled_probe_lets_the_next_call_be_one() -> None:
    """And a cancelled call changes nothing while the circuit is closed."""
    clock = Clock()
    breaker = opened(clock)
    wait_for_probe(breaker, clock)
    assert not breaker.admits()
    breaker.abandon()
    assert [breaker.admits(), breaker.admits()] == [True, False]
    breaker.record_success()
    breaker.abandon()
    assert breaker.admits()
    assert not breaker.is_open


def test_it_opens_at_the_third_failure_in_a_row() -> None:
    """It reports that once, so that it is logged once."""
    breaker = CircuitBreaker(0.05, Clock())
    told: list[bool] = []
    for _ in range(5):
        assert breaker.is_open is (len(told) >= 3)
        assert breaker.admits() is (len(told) < 3)
        told.append(breaker.record_failure())
    assert told == [False, False, True, False, False]


def test_failures_with_successes_between_them_do_not_open_it() -> None:
    """A server that loses a connection from time to time is healthy."""
    breaker = CircuitBreaker(0.05, Clock())
    for _ in range(10):
        breaker.record_failure()
        breaker.record_failure()
        assert breaker.record_success() is False
        assert breaker.admits()
    assert not breaker.is_open


def test_nobody_is_let_through_until_a_while_is_over_and_then_one() -> None:
    """The delay is a tenth of a second, plus or minus half of it."""
    clock = Clock()
    breaker = opened(clock)
    assert not any(breaker.admits() for _ in range(100))
    clock.now += 0.0499
    assert not breaker.admits()
    clock.now += 0.1002
    assert [breaker.admits() for _ in range(100)] == [True] + [False] * 99


def test_each_while_is_twice_as_long_up_to_five_seconds() -> None:
    """Plus or minus half, so that the processes of a fleet probe at different moments."""
    clock = Clock()
    breaker = opened(clock)
    for expected in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5):
        waited = wait_for_probe(breaker, clock)
        assert expected / 2 - STEP <= waited <= expected * 1.5 + STEP
        assert breaker.record_failure() is False
    assert breaker.is_open


def test_the_moments_of_probes_are_spread() -> None:
    """Over the whole range of the jitter."""
    waits = []
    for _ in range(200):
        clock = Clock()
        waits.append(wait_for_probe(opened(clock), clock))
    assert min(waits) < 0.07
    assert max(waits) > 0.13
    assert len(set(waits)) > 50


@pytest.mark.parametrize("timeout", [0.001, 0.05, 0.5, 4])
def test_no_second_probe_is_made_while_one_may_still_wait(timeout: float) -> None:
    """A probe takes no longer than the timeout, and the next comes after that."""
    clock = Clock()
    breaker = opened(clock, timeout)
    for _ in range(8):
        assert wait_for_probe(breaker, clock) >= timeout - STEP


def test_of_many_threads_one_probes() -> None:
    """The others go on without the server."""
    clock = Clock()
    breaker = opened(clock)
    for _ in range(20):
        clock.now += 10
        start, told = Barrier(8), list[bool]()

        def ask(start: Barrier = start, told: list[bool] = told) -> None:
            start.wait(120)
            told.append(breaker.admits())

        threads = [Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert sorted(told) == [False] * 7 + [True]


def test_a_probe_that_is_answered_closes_it() -> None:
    """It reports that once; then all calls are admitted, and three failures open it again."""
    clock = Clock()
    breaker = opened(clock)
    for _ in range(4):
        wait_for_probe(breaker, clock)
        breaker.record_failure()
    wait_for_probe(breaker, clock)
    assert [breaker.record_success(), breaker.record_success()] == [True, False]
    assert all(breaker.admits() for _ in range(100))
    assert [breaker.record_failure() for _ in range(3)] == [False, False, True]
    assert wait_for_probe(breaker, clock) <= 0.15 + STEP, "it goes on where it was"


@pytest.mark.parametrize("late", [1, 50])
def test_calls_that_fail_after_it_has_opened_change_nothing(late: int) -> None:
    """They were made before; a hundred of them do not delay the next probe."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += 0.0499
    for _ in range(late):
        assert breaker.record_failure() is False
    assert wait_for_probe(breaker, clock) <= 0.1002 + STEP
