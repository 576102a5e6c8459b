"""What can't be asked of a limiter outside of HTTP, and what its windows answer."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from mantlet import Concurrency, Quota, RateLimiter, Rule
from tests.ratelimit.forms import Form, both_forms, limiter

CALLS = pytest.mark.parametrize(
    "call",
    [
        lambda asked, **options: asked.check(**options),
        lambda asked, **options: asked.peek(**options),
        lambda asked, **options: asked.refund(**options),
        lambda asked, **options: asked.reset(**options),
        lambda asked, **options: asked.ban(60, **options),
    ],
    ids=["check", "peek", "refund", "reset", "ban"],
)


@both_forms
@CALLS
def test_a_pattern_that_no_rule_has_is_an_error_that_names_it(form: Form, call: Any) -> None:
    """No other bucket is taken in its place."""
    asked = form(limiter("3/hour", rules=[Rule("GET /a", concurrency=Concurrency(1))]))
    for pattern in ("GET /b", "GET /a"):
        with pytest.raises(LookupError, match=pattern):
            call(asked, rule=pattern)


@both_forms
@CALLS
def test_a_limiter_of_rules_alone_has_no_quota_of_its_own(form: Form, call: Any) -> None:
    """And says so."""
    with pytest.raises(LookupError, match="no quota of its own"):
        call(form(limiter(None, rules=[Rule("GET /a", "5/hour")])))


@both_forms
@CALLS
def test_a_quota_that_a_function_tells_needs_a_request(form: Form, call: Any) -> None:
    """There is none here."""
    with pytest.raises(TypeError, match="is a function of the request"):
        call(form(limiter(lambda _request: "5/hour")))


@both_forms
@pytest.mark.parametrize(
    ("cost", "error"),
    [(1.5, TypeError), (True, TypeError), ("1", TypeError), (len, TypeError), (-1, ValueError)],
    ids=repr,
)
def test_a_cost_is_a_whole_number(form: Form, cost: Any, error: type[Exception]) -> None:
    """A negative one would be a refund."""
    asked = form(limiter())
    for method in (asked.check, asked.peek, asked.refund):
        with pytest.raises(error, match="cost must be"):
            method(cost=cost)
    assert asked.peek().remaining == 2


@both_forms
@pytest.mark.parametrize("seconds", [0, -1, inf, float("nan"), 3650 * 86_400 + 1], ids=str)
def test_a_ban_takes_from_now_to_ten_years(form: Form, seconds: float) -> None:
    """A ban for ever is another thing than a bucket."""
    with pytest.raises(ValueError, match=r"seconds must be .* not"):
        form(limiter()).ban(seconds)


@both_forms
def test_times_are_numbers_of_seconds(form: Form) -> None:
    """The message names the option and what was given."""
    asked = form(limiter())
    for wrong in ("60", True, None):
        with pytest.raises(TypeError, match=f"seconds must be a number of seconds, not {wrong!r}"):
            asked.ban(wrong)
        with pytest.raises(TypeError, match=f"age must be a number of seconds, not {wrong!r}"):
            asked.refund(age=wrong)
    for number in (-1, inf, float("nan")):
        with pytest.raises(ValueError, match="age must be from 0 to"):
            asked.refund(age=number)


@pytest.mark.parametrize("key", [None, 7, b"192.0.2.1"], ids=repr)
def test_a_key_is_text(key: Any) -> None:
    """One that is not would have no bucket."""
    asked = limiter()
    for call in (
        asked.check,
        asked.peek,
        asked.refund,
        asked.reset,
        lambda key: asked.ban(key, 60),
    ):
        with pytest.raises(TypeError, match="a key must be text such as"):
            call(key)


@both_forms
def test_a_window_takes_nothing_back_and_knows_no_ban(form: Form) -> None:
    """It says so instead of doing something else."""
    asked = form(RateLimiter(Quota("2/hour", window="fixed")))
    assert asked.check().remaining == 1
    with pytest.raises(TypeError, match="window can't be refunded"):
        asked.refund()
    with pytest.raises(TypeError, match="all quotas are windows"):
        asked.ban(60)
    assert asked.check().remaining == 0
    asked.reset()
    assert asked.check().remaining == 1


def test_a_look_at_a_window_says_what_a_check_would() -> None:
    """As a look at a bucket does."""
    asked = RateLimiter(Quota("2/hour", window="fixed"))
    assert asked.peek("x").remaining == asked.check("x").remaining


@pytest.mark.parametrize("refusing", ["1/hour", Quota("1/hour", window="fixed")], ids=str)
def test_a_window_is_told_as_it_is_where_another_quota_refuses(refusing: Any) -> None:
    """Nothing was taken, so nothing comes back."""
    asked = RateLimiter([refusing, Quota("5/hour", window="moving", name="window")])
    for _ in range(3):
        decision = asked.check("x")
    assert [one.remaining for one in decision.parts] == [0, 4]
