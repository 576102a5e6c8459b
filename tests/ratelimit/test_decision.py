"""What the app reads in ``mantlet.state(x).rate_limit``."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import Concurrency, Quota, RateLimiter, Rule
from mantlet.ratelimit.decision import seconds
from tests.drive import Adapter, Said, both_adapters, hello
from tests.ratelimit.meter import SECOND, Clock


def limiter(quota: Any = None, **options: Any) -> RateLimiter:
    """Return a limiter whose clock stands still."""
    return RateLimiter(quota, **{"clock": lambda: 0, **options})


def seen_by_app(adapter: Adapter, limiter: RateLimiter, *paths: str) -> list[Any]:
    """Return the decision that the app finds in each of its requests, or None."""
    seen: list[Any] = []

    def looking(carrier: Any) -> Said:
        seen.append(getattr(mantlet.state(carrier), "rate_limit", None))
        return hello(carrier)

    app = adapter.wrap(looking, limiter)
    for path in paths:
        assert adapter.drive(app, path=path).error is None
    return seen


@both_adapters
def test_each_reader_of_a_request_gets_the_same_decision(adapter: Adapter) -> None:
    """It is made when it is first read, and again for no one."""
    seen: list[Any] = []

    def looking(carrier: Any) -> Said:
        state = mantlet.state(carrier)
        seen.extend([state.rate_limit, state.rate_limit])
        return hello(carrier)

    app = adapter.wrap(looking, limiter("5/minute", namespace="outer"), limiter("3/minute"))
    assert adapter.drive(app).error is None
    assert seen[0] is seen[1]
    assert (seen[0].quota.amount, seen[0].remaining) == (3, 2)


# -- of one quota ---------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("cost", [1, lambda _request: 1], ids=["plain", "told"])
def test_the_app_finds_every_member(adapter: Adapter, cost: Any) -> None:
    """Whichever way the limiter has gone to decide."""
    quota = Quota("10/minute", burst=3, name="api")
    _, decision = seen_by_app(adapter, limiter(quota, cost=cost), "/", "/")
    assert (decision.allowed, decision.is_within_limit, decision.is_report_only) == (
        True,
        True,
        False,
    )
    assert (decision.remaining, decision.reset, decision.retry_after) == (1, 6, 0)
    assert (decision.name, decision.quota) == ("api", quota)
    assert [one.name for one in decision.parts] == ["api"]
    assert repr(decision) == "<Decision of api: allowed, 1 remaining>"


@both_adapters
def test_where_nothing_limits_there_is_no_decision(adapter: Adapter) -> None:
    """Neither for an exempt request, nor for one without a key, nor where no rule matches."""
    rules = [
        Rule("* /health", exempt=True),
        Rule("* /nobody", "1/hour", key=lambda _request: None),
        Rule("* /limited", "1/hour"),
    ]
    paths = ("/health", "/nobody", "/elsewhere", "/limited")
    found = seen_by_app(adapter, limiter(rules=rules), *paths)
    assert [decision is None for decision in found] == [True, True, True, False]


def test_a_refusal_says_how_long() -> None:
    """Exactly in ``retry_after``, and in whole seconds in ``reset``."""
    asked = limiter(Quota("7/second", burst=1))
    asked.check("x")
    decision = asked.check("x")
    assert not decision.allowed
    assert not decision.is_within_limit
    assert decision.remaining == 0
    assert 1 / 7 <= decision.retry_after < 1 / 7 + 2 / SECOND
    assert decision.reset == 1
    assert repr(decision) == "<Decision of default: refused, 0 remaining>"


def test_what_can_never_be_paid_waits_for_ever() -> None:
    """And says how many cheaper requests may follow."""
    decision = limiter("5/hour").check("x", cost=6)
    assert (decision.retry_after, decision.remaining) == (inf, 5)


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 1000), st.integers(1, 5), st.integers(0, 10**12), st.integers(1, 5))
def test_whoever_waits_for_retry_after_is_admitted_and_not_a_moment_before(
    amount: int, burst: int, now: int, cost: int
) -> None:
    """Its float is never short, and at most a nanosecond or two too long."""
    clock = Clock(now)
    cost = min(cost, burst)
    asked = limiter(Quota(f"{amount}/minute", burst=burst), clock=clock)
    asked.check("x", cost=burst)
    wait = asked.check("x", cost=cost).retry_after
    # The first whole nanosecond that is not before it.
    late = int(wait * SECOND)
    late += late / SECOND < wait
    clock.now = now + late - 2
    assert not asked.peek("x", cost=cost).allowed
    clock.now = now + late
    assert asked.peek("x", cost=cost).allowed


@given(st.integers(0, 10**19))
def test_nanoseconds_as_seconds_are_never_fewer(nanoseconds: int) -> None:
    """A float has 53 bits, and a century in nanoseconds 62."""
    numerator, denominator = seconds(nanoseconds).as_integer_ratio()
    assert numerator * SECOND >= nanoseconds * denominator


# -- of several -----------------------------------------------------------------------------------


@both_adapters
def test_of_several_quotas_the_one_with_least_left_speaks(adapter: Adapter) -> None:
    """And each is told of in `each`, in the order of the configuration."""
    (decision,) = seen_by_app(adapter, limiter("9/hour; 3/minute; 5/second"), "/")
    assert (decision.allowed, decision.name) == (True, "3/minute")
    assert (decision.remaining, decision.reset, decision.retry_after) == (2, 20, 0)
    assert decision.quota.rate == "3/minute"
    assert [(one.name, one.remaining) for one in decision.parts] == [
        ("9/hour", 8),
        ("3/minute", 2),
        ("5/second", 4),
    ]


@pytest.mark.parametrize("order", ["2/minute; 2/hour", "2/hour; 2/minute"])
def test_of_several_that_refuse_the_longest_speaks(order: str) -> None:
    """Who comes back earlier is refused by that one."""
    asked = limiter(order)
    for _ in range(2):
        asked.check("x")
    decision = asked.check("x")
    assert (decision.allowed, decision.name, decision.retry_after) == (False, "2/hour", 1800)


def test_one_that_can_never_be_paid_speaks_before_any_that_can() -> None:
    """No waiting helps."""
    asked = limiter(["9/hour", Quota("2/second", name="small")])
    asked.check("x", cost=2)
    decision = asked.check("x", cost=8)
    assert (decision.name, decision.retry_after) == ("small", inf)


def test_those_that_did_not_refuse_are_told_as_they_are() -> None:
    """Nothing was taken of them."""
    asked = limiter("1/minute; 9/hour")
    asked.check("x")
    decision = asked.check("x")
    assert [(one.is_within_limit, one.remaining) for one in decision.parts] == [
        (False, 0),
        (True, 8),
    ]


def test_a_bucket_gets_back_what_a_window_has_refused() -> None:
    """All or nothing, though the two are counted apart."""
    asked = limiter([Quota("9/hour"), Quota("1/hour", window="fixed", name="window")])
    found = [asked.check("x") for _ in range(4)]
    assert [decision.allowed for decision in found] == [True, False, False, False]
    assert [one.remaining for one in found[-1].parts] == [8, 0]


@both_adapters
def test_a_rules_quota_and_the_limiters_own_are_one_decision(adapter: Adapter) -> None:
    """The app need not know which is which."""
    asked = limiter("9/hour", rules=[Rule("GET /a", "5/hour")])
    with_rule, without = seen_by_app(adapter, asked, "/a", "/b")
    assert [one.name for one in with_rule.parts] == ["default", "GET /a"]
    assert (with_rule.name, with_rule.remaining) == ("GET /a", 4)
    assert (without.name, without.remaining) == ("default", 7)


@both_adapters
def test_a_place_is_part_of_the_decision(adapter: Adapter) -> None:
    """With what is left, and no time, for that can't be known."""
    bound = Concurrency(3, name="slots")
    (decision,) = seen_by_app(adapter, limiter("9/hour", concurrency=bound), "/")
    assert (decision.name, decision.quota, decision.remaining) == ("slots", bound, 2)
    assert (decision.reset, decision.retry_after) == (0, 0)
    assert [one.name for one in decision.parts] == ["default", "slots"]


def test_one_in_report_mode_does_not_decide_for_those_that_hold() -> None:
    """Its refusal is its own; the whole is within what holds."""
    rules = [
        Rule("* /", Quota("9/hour", name="real")),
        Rule("* /", Quota("1/hour", name="tried"), mode="report"),
    ]
    asked = limiter(rules=rules)
    asked.check("x", rule="* /")
    decision = asked.check("x", rule="* /")
    assert (decision.allowed, decision.is_within_limit, decision.is_report_only) == (
        True,
        True,
        False,
    )
    assert [(one.name, one.is_within_limit) for one in decision.parts] == [
        ("real", True),
        ("tried", False),
    ]
