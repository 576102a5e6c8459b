"""The arithmetic of the token bucket, held against an exact model from outside."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mantlet import Quota
from tests.ratelimit.meter import HOUR, MINUTE, SECOND, Meter, Model, check

YEAR = Quota("1/year").window * SECOND

rates = st.one_of(
    st.sampled_from(["1/year", "1/second", "90/minute", "1000000/second", "7/3 hours", "100/day"]),
    st.builds(
        "{}/{} {}".format,
        st.integers(1, 1_000_000),
        st.integers(1, 13),
        st.sampled_from(["second", "minute", "hour", "day", "month", "year"]),
    ),
)
quotas = st.builds(Quota, rates, burst=st.integers(1, 12))
#: Time between two requests: none, little, about one token's, and more than the whole bucket's.
pauses = st.one_of(
    st.just(0), st.integers(0, 3), st.integers(0, 5 * SECOND), st.integers(0, 14 * YEAR)
)


@settings(deadline=None, max_examples=150)
@given(quotas, st.integers(0, 10**19), st.lists(pauses, max_size=30))
@example(Quota("90/minute", burst=1), 0, [666_666_666, 1, 666_666_666, 1, 0])
@example(Quota("1000000/second", burst=1), 0, [999, 1, 1000, 0])
@example(Quota("1/year", burst=1), 0, [YEAR - 1, 1, YEAR])
def test_a_request_is_admitted_exactly_when_the_rational_model_has_a_token(
    quota: Quota, start: int, waits: list[int]
) -> None:
    """Verdict, rest, time to the next token and Retry-After are the model's, to the last digit."""
    meter, model = Meter(quota, now=start), Model(quota, start)
    for wait in [0, *waits]:
        meter.clock.now += wait
        check(meter.ask(), model, admitted=model.take(meter.clock.now))


@settings(deadline=None, max_examples=100)
@given(quotas, st.integers(0, 10**19), st.integers(0, SECOND))
def test_a_refused_client_is_admitted_at_the_exact_nanosecond_and_not_before(
    quota: Quota, start: int, delay: int
) -> None:
    """The bucket's next token comes neither a nanosecond early nor late."""
    meter, model = Meter(quota, now=start), Model(quota, start)
    while model.take(meter.clock.now):
        assert meter.admits()
    interval = Fraction(quota.window * SECOND, quota.amount)
    meter.clock.now += int(delay % interval)
    check(meter.ask(), model, admitted=model.take(meter.clock.now))
    instant = model.instant
    if instant - 1 >= meter.clock.now:
        meter.clock.now = instant - 1
        assert not meter.admits()
    meter.clock.now = instant
    assert meter.admits()
    assert not meter.admits()


@pytest.mark.parametrize(
    ("rate", "interval"),
    [
        ("1/second", SECOND),
        ("60/minute", SECOND),
        ("100/minute", 6 * SECOND // 10),
        ("1/hour", HOUR),
        ("1/year", YEAR),
        ("1000000/second", 1000),
    ],
)
def test_retry_after_is_the_wait_rounded_up_to_a_whole_second(rate: str, interval: int) -> None:
    """Whoever waits as long as told is admitted, and is never told a second too many."""
    meter = Meter(rate, burst=1, now=0)
    assert meter.admits()
    assert meter.ask().get("Retry-After") == str(-(-interval // SECOND))
    if interval > SECOND:
        meter.clock.now = interval - SECOND - 1
        assert meter.ask().get("Retry-After") == "2"
        meter.clock.now = interval - SECOND
        assert meter.ask().get("Retry-After") == "1"
    meter.clock.now = interval - 1
    assert meter.ask().get("Retry-After") == "1"
    meter.clock.now = interval
    assert meter.admits()


def test_ninety_a_minute_loses_no_fraction_over_many_minutes() -> None:
    """Tokens that come every two thirds of a second come to exactly 90 in each minute."""
    meter = Meter("90/minute", burst=2, now=0)
    assert meter.drain() == 2
    for token in range(1, 90 * 20 + 1):
        exact = Fraction(token * 2 * SECOND, 3)
        instant = -(-exact.numerator // exact.denominator)
        if instant > exact:
            meter.clock.now = instant - 1
            assert not meter.admits()
        meter.clock.now = instant
        assert meter.drain() == 1
    assert meter.clock.now == 20 * MINUTE


def test_a_rate_that_does_not_divide_a_second_stays_exact_after_centuries() -> None:
    """Seven in three hours: after 10**6 intervals the next token still comes at its instant."""
    quota = Quota("7/3 hours", burst=1)
    meter, model = Meter(quota, now=0), Model(quota, 0)
    for count in (0, 10**3, 10**6, 10**9):
        instant = -(-count * quota.window * SECOND // quota.amount)
        if count:
            meter.clock.now = instant - 1
            model.refill(instant - 1)
        meter.clock.now = instant
        check(meter.ask(), model, admitted=model.take(instant))
        check(meter.ask(), model, admitted=model.take(instant))


@pytest.mark.parametrize("burst", [1, 2, 100, 1000])
def test_a_full_bucket_admits_its_burst_at_once_and_not_one_more(burst: int) -> None:
    """The burst is what may come in one instant, whatever the rate."""
    meter = Meter("3/hour", burst=burst)
    assert meter.drain() == burst


def test_an_idle_bucket_never_holds_more_than_its_burst() -> None:
    """Years of silence save up nothing."""
    meter = Meter("100/second", burst=3)
    assert meter.drain() == 3
    meter.clock.now += 10 * YEAR
    assert meter.drain() == 3


def test_refused_requests_cost_nothing() -> None:
    """A client that hammers is admitted at the same instant as one that waits."""
    meter = Meter("1/second", burst=1, now=0)
    assert meter.admits()
    for tenth in range(1, 10):
        meter.clock.now = tenth * SECOND // 10
        assert not meter.admits()
    meter.clock.now = SECOND
    assert meter.admits()


@pytest.mark.parametrize("start", [-1, -5 * SECOND, -(10**18)], ids=str)
def test_a_clock_may_begin_below_zero(start: int) -> None:
    """Only differences count: `time.monotonic` has no defined zero."""
    meter = Meter("1/second", burst=2, now=start)
    assert meter.drain() == 2
    meter.clock.now += SECOND
    assert meter.drain() == 1
