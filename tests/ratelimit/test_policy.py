"""What a limited client is told, and what a limiter refuses to be made of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import ErrorEnvelope, Problem, Quota, RateLimiter
from tests.drive import ADAPTERS, Adapter, Said, both_adapters, hello
from tests.ratelimit.meter import HOUR, SECOND, Clock, Meter
from tests.ratelimit.structured import limits_of, parse_list

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"


def missing(carrier: Any) -> Said:
    return 404, [("content-type", "text/plain")], b"not here"


def failing(carrier: Any) -> Said:
    raise RuntimeError("seeded-secret")


def gone(carrier: Any) -> Said:
    raise Problem(410)


# -- what clients are told ------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(("handler", "status"), [(hello, 200), (missing, 404)], ids=["200", "404"])
def test_every_answer_of_the_app_says_what_is_left(
    adapter: Adapter, handler: Any, status: int
) -> None:
    """The fields stand on errors of the app as on its successes."""
    app = adapter.wrap(handler, RateLimiter("10/minute", burst=3, clock=lambda: 0))
    answer = adapter.drive(app)
    assert answer.status == status
    (policy,), (limit,) = limits_of(answer)
    assert policy.value == "default"
    assert policy.parameters == {"q": 10, "w": 60}
    assert limit.parameters == {"r": 2, "t": 6}
    assert answer.get("Retry-After") is None


@both_adapters
@pytest.mark.parametrize(
    ("handler", "status"), [(failing, 500), (gone, 410)], ids=["500", "problem"]
)
def test_an_error_answer_of_the_envelope_says_what_is_left(
    adapter: Adapter, handler: Any, status: int
) -> None:
    """The app's failure does not hide what the request has cost."""
    app = adapter.wrap(handler, ErrorEnvelope(), RateLimiter("10/minute", clock=lambda: 0))
    answer = adapter.drive(app)
    assert answer.error is None
    assert answer.status == status
    _, (limit,) = limits_of(answer)
    assert limit.parameters["r"] == 9


@both_adapters
def test_a_refusal_is_a_problem_that_says_when_to_come_back(adapter: Adapter) -> None:
    """429, with RFC 9457's members, Retry-After, and the same fields as any answer."""
    app = adapter.wrap(
        hello, ErrorEnvelope(), RateLimiter(Quota("6/minute", burst=1, name="api"), clock=lambda: 0)
    )
    assert adapter.drive(app).status == 200
    answer = adapter.drive(app)
    assert answer.status == 429
    assert answer.get("content-type") == "application/problem+json"
    assert answer.get("cache-control") == "no-store"
    assert answer.get("retry-after") == "10"
    problem = answer.json()
    assert problem["type"] == QUOTA_EXCEEDED
    assert problem["status"] == 429
    assert problem["violated-policies"] == ["api"]
    assert problem["request_id"] == answer.get("x-request-id")
    (policy,), (limit,) = limits_of(answer)
    assert policy.value == limit.value == "api"
    assert limit.parameters == {"r": 0, "t": 10}


@both_adapters
def test_the_app_is_not_called_for_a_refused_request(adapter: Adapter) -> None:
    """A refusal costs the app nothing."""
    calls: list[object] = []

    def counting(carrier: Any) -> Said:
        calls.append(carrier)
        return hello(carrier)

    app = adapter.wrap(counting, RateLimiter("2/hour", clock=lambda: 0))
    assert [adapter.drive(app).status for _ in range(4)] == [200, 200, 429, 429]
    assert len(calls) == 2


@both_adapters
def test_head_is_limited_like_get_and_answered_without_a_body(adapter: Adapter) -> None:
    """A refused HEAD has the head that GET would have, and nothing behind it."""
    app = adapter.wrap(hello, RateLimiter("1/hour", clock=lambda: 0))
    adapter.drive(app)
    get, head = adapter.drive(app), adapter.drive(app, "HEAD")
    assert head.status == 429
    assert head.body == b""
    assert sorted(head.headers) == sorted(get.headers)


@both_adapters
def test_the_apps_own_fields_of_these_names_are_replaced(adapter: Adapter) -> None:
    """The client reads one RateLimit field, and it is the one that is enforced."""

    def claiming(carrier: Any) -> Said:
        return 200, [("ratelimit", '"default";r=1000;t=1'), ("x-own", "kept")], b""

    app = adapter.wrap(claiming, RateLimiter("2/hour", clock=lambda: 0))
    answer = adapter.drive(app)
    _, (limit,) = limits_of(answer)
    assert limit.parameters["r"] == 1
    assert answer.get("x-own") == "kept"


@both_adapters
def test_several_limiters_are_told_of_in_one_field_the_outermost_first(adapter: Adapter) -> None:
    """Two quotas around one app make two items, in a list that can be read."""
    app = adapter.wrap(
        hello,
        RateLimiter(Quota("10/hour", name="hourly"), clock=lambda: 0),
        RateLimiter(Quota("2/minute", name="minutely"), clock=lambda: 0),
    )
    policies, limits = limits_of(adapter.drive(app))
    assert [item.value for item in policies] == ["hourly", "minutely"]
    assert [item.parameters["r"] for item in limits] == [9, 1]
    adapter.drive(app)
    refused = adapter.drive(app)
    assert refused.status == 429
    assert refused.json()["violated-policies"] == ["minutely"]
    assert [item.parameters["r"] for item in limits_of(refused)[1]] == [7, 0]


@both_adapters
def test_several_limiters_in_nested_stacks_are_told_of_in_one_field(adapter: Adapter) -> None:
    """A stack inside another adds its item to the outer one's."""
    inner: Any = adapter.wrap(hello, RateLimiter(Quota("2/minute", name="inner"), clock=lambda: 0))

    class Apart:
        """Hides that it is a stack, so that nothing fuses."""

        def __call__(self, *arguments: Any) -> Any:
            return inner(*arguments)

    module: Any = adapter.module
    app = module.wrap(
        Apart(), RateLimiter(Quota("9/hour", name="outer"), clock=lambda: 0), baseline=False
    )
    policies, limits = limits_of(adapter.drive(app))
    assert [item.value for item in policies] == ["outer", "inner"]
    assert [item.parameters["r"] for item in limits] == [8, 1]


@both_adapters
def test_the_app_finds_the_decision_in_its_state(adapter: Adapter) -> None:
    """What the client is told, the app can read."""
    seen: list[Any] = []

    def looking(carrier: Any) -> Said:
        seen.append(mantlet.state(carrier).rate_limit)
        return hello(carrier)

    app = adapter.wrap(looking, RateLimiter("10/minute", burst=3, clock=lambda: 0))
    _, (limit,) = limits_of(adapter.drive(app))
    (decision,) = seen
    assert decision.allowed
    assert (decision.remaining, decision.reset) == (limit.parameters["r"], limit.parameters["t"])
    assert decision.quota == Quota("10/minute", burst=3)
    assert "2 remaining" in repr(decision)


@settings(deadline=None, max_examples=100)
@given(
    st.integers(1, 10**9),
    st.sampled_from(["second", "minute", "hour", "day", "month", "year"]),
    st.integers(1, 5),
    st.lists(st.integers(0, 100 * SECOND), max_size=10),
)
def test_the_reset_is_never_later_than_retry_after(
    amount: int, unit: str, burst: int, waits: list[int]
) -> None:
    """A client that waits for Retry-After finds its reset over (the draft's section on both)."""
    meter = Meter(f"{amount}/{unit}", burst=burst)
    for wait in [0, 0, 0, *waits]:
        meter.clock.now += wait
        answer = meter.ask()
        _, (limit,) = limits_of(answer)
        retry = answer.get("Retry-After")
        if answer.status == 429:
            assert retry is not None
            assert 1 <= limit.parameters["t"] <= int(retry)
            assert limit.parameters["r"] == 0


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
@settings(deadline=None, max_examples=40)
@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=20))
def test_any_name_reads_back_as_it_was_given(adapter: Adapter, name: str) -> None:
    """Quotes and backslashes are escaped, commas and semicolons stay inside the string."""
    app = adapter.wrap(hello, RateLimiter(Quota("1/hour", name=name), clock=lambda: 0))
    answers = adapter.drive(app), adapter.drive(app)
    for answer in answers:
        (policy,), (limit,) = limits_of(answer)
        assert policy.value == limit.value == name
    assert answers[1].json()["violated-policies"] == [name]


@pytest.mark.parametrize(
    ("rate", "burst"),
    [(f"{10**15}/second", 1), ("1/second", 10**16), (f"1/{10**12} years", 1)],
    ids=["amount", "burst", "window"],
)
def test_numbers_that_no_header_field_can_say_are_refused_or_never_said(
    rate: str, burst: int
) -> None:
    """An integer of RFC 9651 has at most 15 digits; with more, the whole field is ignored."""
    try:
        meter = Meter(Quota(rate, burst=burst))
    except ValueError:
        return
    answer = meter.ask()
    for name in ("RateLimit", "RateLimit-Policy"):
        assert parse_list(answer.get(name) or "")


def test_the_default_clock_is_one_that_runs() -> None:
    """Without an injected clock a limiter works with the system's."""
    app = ADAPTERS[1].wrap(hello, RateLimiter("1/hour"))
    assert [ADAPTERS[1].drive(app).status for _ in range(2)] == [200, 429]


# -- what a limiter is not made of ----------------------------------------------------------------


@pytest.mark.parametrize(
    "rate",
    ["", "100", "0/minute", "-1/minute", "100/fortnight", "100/minute;5/fortnight"],
    ids=repr,
)
def test_a_rate_that_cannot_be_read_is_a_value_error_at_construction(rate: str) -> None:
    """The message shows the value and what would be right."""
    with pytest.raises(ValueError, match="rate") as refused:
        RateLimiter(rate)
    assert rate.rpartition(";")[2] in str(refused.value)


@pytest.mark.parametrize("rate", [5, b"100/minute", 5.0, object()], ids=lambda r: type(r).__name__)
def test_a_rate_of_another_type_is_a_type_error_at_construction(rate: Any) -> None:
    """The message shows the value and what would be right."""
    with pytest.raises(TypeError, match="100/minute") as refused:
        RateLimiter(rate)
    assert repr(rate) in str(refused.value)


@pytest.mark.parametrize("burst", [0, -1], ids=str)
def test_a_burst_below_one_is_a_value_error(burst: int) -> None:
    """The message names the option, its value and what would be right."""
    with pytest.raises(ValueError, match=f"burst must be at least 1, not {burst}"):
        RateLimiter("100/minute", burst=burst)


@pytest.mark.parametrize("burst", [1.5, 0.0, True, False, "20", "", [], (), {}], ids=repr)
def test_a_burst_that_is_no_whole_number_is_a_type_error(burst: Any) -> None:
    """No wrong type is taken for the default, or for a number."""
    with pytest.raises(TypeError, match="burst must be a whole number") as refused:
        RateLimiter("100/minute", burst=burst)
    assert repr(burst) in str(refused.value)


def test_a_burst_beside_a_quota_is_a_type_error_that_says_where_it_belongs() -> None:
    """Neither of the two is silently preferred."""
    with pytest.raises(TypeError, match="burst needs a single rate"):
        RateLimiter(Quota("100/minute"), burst=5)


@pytest.mark.parametrize("max_keys", [0, -1], ids=str)
def test_a_bound_below_one_is_a_value_error(max_keys: int) -> None:
    """The message names the option, its value and what would be right."""
    with pytest.raises(ValueError, match=f"max_keys must be at least 1, not {max_keys}"):
        RateLimiter("100/minute", max_keys=max_keys)


@pytest.mark.parametrize("max_keys", [1.5, True, "10", float("inf")], ids=repr)
def test_a_bound_that_is_no_whole_number_is_a_type_error(max_keys: Any) -> None:
    """The message names the option, its value and what would be right."""
    with pytest.raises(TypeError, match="max_keys must be a whole number") as refused:
        RateLimiter("100/minute", max_keys=max_keys)
    assert repr(max_keys) in str(refused.value)


@pytest.mark.parametrize("clock", [5, "monotonic"], ids=repr)
def test_a_clock_that_cannot_be_called_is_a_type_error_at_construction(clock: Any) -> None:
    """A fault of configuration does not wait for the first request."""
    with pytest.raises(TypeError, match="clock"):
        RateLimiter("100/minute", clock=clock)


def test_an_unknown_keyword_is_a_type_error_that_names_it() -> None:
    """A misspelt option is not ignored."""
    with pytest.raises(TypeError, match="bursts"):
        RateLimiter("100/minute", bursts=5)  # type: ignore[call-arg]  # what is tested


def test_options_are_keywords() -> None:
    """A number behind the rate could be a burst or a bound, so it is neither."""
    with pytest.raises(TypeError):
        RateLimiter("100/minute", 5)  # type: ignore[call-arg, arg-type]  # what is tested


def test_one_limiter_in_two_stacks_counts_for_both() -> None:
    """Whoever shares the policy object shares its buckets: that is how two apps have one limit."""
    limiter = RateLimiter("1/hour", clock=Clock(HOUR))
    one, other = (adapter.wrap(hello, limiter) for adapter in ADAPTERS)
    assert ADAPTERS[0].drive(one).status == 200
    assert ADAPTERS[1].drive(other).status == 429
