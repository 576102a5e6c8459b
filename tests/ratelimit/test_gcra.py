"""The arithmetic of the token bucket, held against an exact model from outside."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, inf, nextafter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mantlet import Quota
from mantlet.ratelimit.decision import BucketDecision, Decision, parameters_within
from mantlet.ratelimit.gcra import block, consume, refund
from tests.ratelimit.meter import Meter
from tests.ratelimit.stores.model import HOUR, MINUTE, SECOND, Bucket
from tests.ratelimit.structured import limits_of

YEAR = Quota("1/year").period * SECOND

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
starts = st.integers(-(10**19), 10**19)
#: Time between two requests: none, little, about one token's, and more than the whole bucket's.
pauses = st.one_of(
    st.just(0), st.integers(0, 3), st.integers(0, 5 * SECOND), st.integers(0, 14 * YEAR)
)
costs = st.one_of(st.just(1), st.integers(0, 14))


class Counted:
    """A bucket as the package counts it, with the nanoseconds that people know."""

    def __init__(self, quota: Quota, now: int = 0) -> None:
        self.quota = quota
        self.now = now
        self.full_at = now * quota.scale

    def take(self, cost: int = 1) -> int:
        """Take tokens; return the room."""
        self.full_at, room = consume(self.quota, self.full_at, self.now * self.quota.scale, cost)
        return room

    def admits(self, cost: int = 1) -> bool:
        """Take tokens; return whether there were so many."""
        return self.take(cost) >= 0

    def drain(self) -> int:
        """Take tokens until there are none; return how many there were."""
        count = 0
        while self.admits():
            count += 1
        return count

    def give(self, cost: int) -> None:
        """Give tokens back."""
        self.full_at = refund(self.quota, self.full_at, cost)

    def hold(self, nanoseconds: int) -> None:
        """Let the next token come in so many nanoseconds."""
        scale = self.quota.scale
        self.full_at = block(self.quota, self.full_at, self.now * scale, nanoseconds * scale)


# -- against the model ----------------------------------------------------------------------------


@settings(deadline=None, max_examples=150)
@given(quotas, starts, st.lists(st.tuples(pauses, costs), max_size=30))
@example(Quota("90/minute", burst=1), 0, [(666_666_666, 1), (1, 1), (666_666_666, 1), (1, 1)])
@example(Quota("1000000/second", burst=1), 0, [(0, 1), (999, 1), (1, 1), (1000, 1), (0, 1)])
@example(Quota("1/year", burst=1), 0, [(0, 1), (YEAR - 1, 1), (1, 1), (YEAR, 1)])
def test_a_request_is_admitted_exactly_when_the_rational_model_has_its_tokens(
    quota: Quota, start: int, requests: list[tuple[int, int]]
) -> None:
    """Verdict, rest, time to the next token and time to wait are the model's, to the last digit."""
    bucket, model = Counted(quota, start), Bucket(quota, start)
    for pause, cost in requests:
        bucket.now += pause
        room = bucket.take(cost)
        admitted = model.take(bucket.now, cost)
        assert room == model.ticks(quota, 0 if admitted else cost)
        decision = BucketDecision("default", quota, room, cost)
        assert decision.allowed is admitted
        assert decision.remaining == model.remaining
        assert decision.parameters() == Decision.parameters(decision)
        assert decision.parameters(1) == Decision.parameters(decision, 1)
        assert decision.is_final is (not admitted and cost > quota.burst)
        if admitted or decision.is_final:
            assert decision.whole_seconds is None
        else:
            assert decision.whole_seconds == ceil(decision.retry_after)
        if admitted:
            assert decision.parameters() == parameters_within(quota, room)
            assert decision.retry_after == 0
        elif cost > quota.burst:
            assert decision.retry_after == inf
        else:
            wait = model.wait(cost)
            assert decision.reset == -(-wait // SECOND)
            # The shortest float that is not too short.
            assert Fraction(decision.retry_after) * SECOND >= wait
            assert Fraction(nextafter(decision.retry_after, 0)) * SECOND < wait


@settings(deadline=None, max_examples=100)
@given(quotas, starts, st.integers(0, SECOND), costs)
def test_a_refused_client_is_admitted_at_the_exact_nanosecond_and_not_before(
    quota: Quota, start: int, delay: int, cost: int
) -> None:
    """The bucket's next tokens come neither a nanosecond early nor late."""
    cost = min(cost, quota.burst)
    bucket, model = Counted(quota, start), Bucket(quota, start)
    assert bucket.admits(quota.burst)
    assert model.take(start, quota.burst)
    bucket.now += delay
    model.refill(bucket.now)
    wait = model.wait(cost)
    bucket.now += wait - 1
    assert wait == 0 or not bucket.admits(cost)
    bucket.now += 1
    assert bucket.admits(cost)


@settings(deadline=None, max_examples=150)
@given(
    quotas,
    starts,
    st.lists(
        st.tuples(
            pauses,
            st.one_of(
                st.tuples(st.just("take"), costs),
                st.tuples(st.just("give"), costs),
                st.tuples(st.just("hold"), pauses),
            ),
        ),
        max_size=30,
    ),
)
def test_what_is_given_back_and_what_is_held_follow_the_model(
    quota: Quota, start: int, done: list[tuple[int, tuple[str, int]]]
) -> None:
    """In any order, the bucket has what the model has."""
    bucket, model = Counted(quota, start), Bucket(quota, start)
    for pause, (deed, number) in done:
        bucket.now += pause
        model.refill(bucket.now)
        match deed:
            case "take":
                assert bucket.admits(number) is model.take(bucket.now, number)
            case "give":
                bucket.give(number)
                model.give(number)
            case _:
                bucket.hold(number)
                model.hold(number)
                model.banned_until = model.now  # that refunds stop is not a matter of the bucket
        _, room = consume(quota, bucket.full_at, bucket.now * quota.scale, 0)
        assert room == model.ticks(quota, 0)


# -- by hand --------------------------------------------------------------------------------------


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
def test_a_refused_client_is_told_the_wait_exactly_and_in_whole_seconds(
    rate: str, interval: int
) -> None:
    """Whoever waits as long as told is admitted, and is never told a second too many."""
    bucket = Counted(Quota(rate, burst=1))

    def told() -> tuple[int, int, str]:
        decision = BucketDecision("default", bucket.quota, bucket.take())
        nanoseconds = int(decision.retry_after * SECOND)
        return nanoseconds, decision.reset, decision.parameters()

    seconds = -(-interval // SECOND)
    assert told() == (0, seconds, f";r=0;t={seconds}")
    assert told() == (interval, seconds, f";r=0;t={seconds}")
    if interval > SECOND:
        bucket.now = interval - SECOND - 1
        assert told() == (SECOND + 1, 2, ";r=0;t=2")
        bucket.now = interval - SECOND
        assert told() == (SECOND, 1, ";r=0;t=1")
    bucket.now = interval - 1
    assert told() == (1, 1, ";r=0;t=1")
    bucket.now = interval
    assert bucket.admits()


def test_ninety_a_minute_loses_no_fraction_over_many_minutes() -> None:
    """Tokens that come every two thirds of a second come to exactly 90 in each minute."""
    bucket = Counted(Quota("90/minute", burst=2))
    assert bucket.drain() == 2
    for token in range(1, 90 * 20 + 1):
        exact = Fraction(token * 2 * SECOND, 3)
        instant = -(-exact.numerator // exact.denominator)
        if instant > exact:
            bucket.now = instant - 1
            assert not bucket.admits()
        bucket.now = instant
        assert bucket.drain() == 1
    assert bucket.now == 20 * MINUTE


def test_a_rate_that_does_not_divide_a_second_stays_exact_after_centuries() -> None:
    """Seven in three hours: after 10**9 intervals the next token still comes at its instant."""
    quota = Quota("7/3 hours", burst=10**9)
    bucket, model = Counted(quota), Bucket(quota, 0)
    for _ in range(3):
        assert bucket.admits(10**9)
        assert model.take(bucket.now, 10**9)
        bucket.now += model.wait(10**9) - 1
        assert not bucket.admits(10**9)
        bucket.now += 1
        model.refill(bucket.now)
    assert bucket.now > 100 * YEAR


@pytest.mark.parametrize("burst", [1, 2, 100, 1000])
def test_a_full_bucket_admits_its_burst_at_once_and_not_one_more(burst: int) -> None:
    """The burst is what may come in one instant, whatever the rate."""
    assert Counted(Quota("3/hour", burst=burst)).drain() == burst


def test_an_idle_bucket_never_holds_more_than_its_burst() -> None:
    """Years of silence save up nothing."""
    bucket = Counted(Quota("100/second", burst=3))
    assert bucket.drain() == 3
    bucket.now += 10 * YEAR
    assert bucket.drain() == 3


def test_refused_requests_cost_nothing() -> None:
    """A client that hammers is admitted at the same instant as one that waits."""
    bucket = Counted(Quota("1/second", burst=1))
    assert bucket.admits()
    for tenth in range(1, 10):
        bucket.now = tenth * SECOND // 10
        assert not bucket.admits()
    bucket.now = SECOND
    assert bucket.admits()


@pytest.mark.parametrize("wait", [0, 1, HOUR, YEAR])
def test_a_hold_leaves_a_later_token_where_it_is(wait: int) -> None:
    """Twice the same hold is the same as once, and a shorter one is nothing."""
    bucket = Counted(Quota("1/minute", burst=5))
    bucket.hold(wait)
    held = bucket.full_at
    bucket.hold(wait)
    bucket.hold(wait // 2)
    assert bucket.full_at == held
    bucket.now = wait
    assert bucket.drain() == 1


# -- in a stack -----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(quotas, starts, st.lists(pauses, max_size=20))
@example(Quota("90/minute", burst=1), 0, [666_666_666, 1, 666_666_666, 1, 0])
def test_a_client_is_told_what_the_rational_model_has(
    quota: Quota, start: int, waits: list[int]
) -> None:
    """Verdict, rest, time to the next token and Retry-After, to the last digit."""
    meter, model = Meter(quota, now=start), Bucket(quota, start)
    for wait in [0, *waits]:
        meter.clock.now += wait
        admitted = model.take(meter.clock.now)
        seconds = -(-model.wait(model.remaining + 1) // SECOND)
        answer = meter.ask()
        assert (answer.status == 200) is admitted
        _, (limit,) = limits_of(answer)
        assert limit.parameters == {"r": model.remaining, "t": seconds}
        assert answer.get("Retry-After") == (None if admitted else str(seconds))
