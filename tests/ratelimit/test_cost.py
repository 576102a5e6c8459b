"""What a request costs: a number of tokens, or what a function of the request tells."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import ErrorEnvelope, RateLimiter, Rule
from tests.drive import Adapter, Said, both_adapters, hello
from tests.ratelimit.structured import limits_of, parse_list

if TYPE_CHECKING:
    from mantlet import Request


def size(request: Request) -> int:
    """Tell what an export of that size costs."""
    return int(request.headers.get("x-size") or 1)


async def size_later(request: Request) -> int:
    """Tell the same from where it may have to be waited for."""
    if request.is_async:
        await asyncio.sleep(0)
    return size(request)


functions = pytest.mark.parametrize("cost", [size, size_later], ids=["def", "async def"])


def remaining(adapter: Adapter, app: Any, *sizes: int) -> list[int]:
    """Send a request of each size; return how many are said to remain after each."""
    answers = [adapter.drive(app, headers=[("X-Size", str(size))]) for size in sizes]
    assert [answer.status for answer in answers] == [200] * len(sizes)
    return [limits_of(answer)[1][0].parameters["r"] for answer in answers]


@both_adapters
@pytest.mark.parametrize("own", [True, False], ids=["own", "rule"])
def test_a_request_takes_as_many_tokens_as_it_costs(adapter: Adapter, own: bool) -> None:
    """Of the limiter's quota, or of a rule's."""
    limiter = RateLimiter("10/hour", cost=5, clock=lambda: 0)
    if not own:
        limiter = RateLimiter(rules=[Rule("* /", "10/hour", cost=5)], clock=lambda: 0)
    app = adapter.wrap(hello, limiter)
    assert remaining(adapter, app, 1, 1) == [5, 0]
    assert adapter.drive(app).status == 429


@both_adapters
@functions
def test_a_function_tells_what_a_request_costs(adapter: Adapter, cost: Any) -> None:
    """By the request."""
    app = adapter.wrap(hello, RateLimiter("10/hour", cost=cost, clock=lambda: 0))
    assert remaining(adapter, app, 1, 3, 5) == [9, 6, 1]


@both_adapters
@functions
def test_a_request_that_costs_nothing_passes_an_empty_bucket(adapter: Adapter, cost: Any) -> None:
    """It neither takes nor is refused, and is told what is left all the same."""
    app = adapter.wrap(hello, RateLimiter("2/hour", cost=cost, clock=lambda: 0))
    assert remaining(adapter, app, 0, 2, 0) == [2, 0, 0]
    assert adapter.drive(app, headers=[("X-Size", "1")]).status == 429


@both_adapters
def test_a_refused_request_leaves_what_a_cheaper_one_may_take(adapter: Adapter) -> None:
    """Three tokens are no five, and are three still."""
    app = adapter.wrap(hello, RateLimiter("8/hour", cost=size, clock=lambda: 0))
    remaining(adapter, app, 5)
    refused = adapter.drive(app, headers=[("X-Size", "5")])
    assert refused.status == 429
    assert limits_of(refused)[1][0].parameters["r"] == 3
    assert remaining(adapter, app, 3) == [0]


@both_adapters
def test_a_dear_request_is_told_when_it_can_be_paid(adapter: Adapter) -> None:
    """Two tokens are missing, at one in ten seconds."""
    app = adapter.wrap(hello, RateLimiter("6/minute", cost=size, clock=lambda: 0))
    remaining(adapter, app, 3)
    refused = adapter.drive(app, headers=[("X-Size", "5")])
    assert refused.get("Retry-After") == "20"


@both_adapters
@pytest.mark.filterwarnings("ignore:a cost of 11 is always refused")
@pytest.mark.parametrize("told", [False, True], ids=["number", "function"])
def test_a_cost_above_the_burst_is_refused_without_a_time_to_come_back(
    adapter: Adapter, told: bool
) -> None:
    """No waiting would help, and the problem says so."""
    cost: Any = (lambda _request: 11) if told else 11
    app = adapter.wrap(hello, RateLimiter("10/hour", cost=cost, clock=lambda: 0))
    refused = adapter.drive(app)
    assert refused.status == 429
    assert refused.get("Retry-After") is None
    assert "more than the quota 'default' ever holds" in refused.json()["detail"]
    assert refused.json()["violated-policies"] == ["default"]
    (limit,) = parse_list(refused.get("RateLimit") or "")
    assert limit.parameters == {"r": 10}


@pytest.mark.parametrize("quota", ["10/hour", "100/hour; 10/minute", "99/hour burst 10"])
@pytest.mark.parametrize("own", [True, False], ids=["own", "rule"])
def test_a_cost_that_can_never_be_paid_is_warned_of(quota: str, own: bool) -> None:
    """Where it can be seen beforehand: hardly anybody means that."""
    made: Any = RateLimiter if own else partial(Rule, "* /")
    with pytest.warns(UserWarning, match="a cost of 11 is always refused.*10"):
        made(quota, cost=11)


@both_adapters
def test_a_cost_that_can_be_paid_is_refused_with_a_time_and_without_a_detail(
    adapter: Adapter,
) -> None:
    """A cost of the whole burst is not more than it."""
    app = adapter.wrap(hello, RateLimiter("10/hour", cost=10, clock=lambda: 0))
    remaining(adapter, app, 1)
    refused = adapter.drive(app)
    assert refused.get("Retry-After") == "3600"
    assert "detail" not in refused.json()


@both_adapters
@functions
def test_a_cost_is_told_before_the_app_is_called_and_once(adapter: Adapter, cost: Any) -> None:
    """A function may ask a database."""
    order: list[str] = []

    def asked(request: Request) -> Any:
        order.append("cost")
        return cost(request)

    def answering(carrier: Any) -> Said:
        order.append("app")
        return hello(carrier)

    adapter.drive(adapter.wrap(answering, RateLimiter("9/hour", cost=asked, clock=lambda: 0)))
    assert order == ["cost", "app"]


@both_adapters
@pytest.mark.parametrize("told", [1.0, "1", None, True, -1, [1]], ids=repr)
@pytest.mark.parametrize("waits", [False, True], ids=["def", "async def"])
def test_a_function_that_tells_no_whole_number_fails_closed(
    adapter: Adapter, told: Any, waits: bool
) -> None:
    """The app does not see the request, and whoever wrote the function is told what it returned."""
    called: list[object] = []

    def answering(carrier: Any) -> Said:
        called.append(carrier)
        return hello(carrier)

    async def later(request: Request) -> Any:
        return told

    cost: Any = later if waits else (lambda _request: told)
    limiter = RateLimiter("9/hour", cost=cost, clock=lambda: 0)
    answer = adapter.drive(adapter.wrap(answering, limiter))
    assert isinstance(answer.error, TypeError)
    assert f"a cost must be a whole number, not {told!r}" in str(answer.error)
    assert answer.status is None
    assert called == []


@both_adapters
def test_a_cost_function_that_raises_fails_closed(adapter: Adapter) -> None:
    """It becomes a 500 where an envelope answers errors."""

    def broken(request: Request) -> int:
        raise LookupError("seeded-secret")

    limiter = RateLimiter("9/hour", cost=broken, clock=lambda: 0)
    answer = adapter.drive(adapter.wrap(hello, ErrorEnvelope(), limiter))
    assert answer.status == 500
    assert "seeded-secret" not in answer.text()


@both_adapters
def test_the_decision_of_a_dear_request_counts_tokens(adapter: Adapter) -> None:
    """What the app reads is what the client is told."""
    seen: list[Any] = []

    def looking(carrier: Any) -> Said:
        seen.append(mantlet.state(carrier).rate_limit)
        return hello(carrier)

    app = adapter.wrap(looking, RateLimiter("10/hour", cost=4, clock=lambda: 0))
    adapter.drive(app)
    assert [decision.remaining for decision in seen] == [6]


def test_a_cost_without_a_quota_is_a_type_error() -> None:
    """There is nothing to take it from."""
    with pytest.raises(TypeError, match="apply to a quota, but the limiter has none"):
        RateLimiter(rules=[Rule("* /", "1/hour")], cost=5)


@pytest.mark.parametrize("cost", [True, 1.0], ids=repr)
def test_a_cost_without_a_quota_is_checked_as_well(cost: Any) -> None:
    """True and 1.0 are equal to what means nothing."""
    with pytest.raises(TypeError, match="cost must be a whole number"):
        RateLimiter(rules=[Rule("* /", "1/hour")], cost=cost)


@pytest.mark.parametrize(
    ("cost", "error"),
    [(1.5, TypeError), ("5", TypeError), (True, TypeError), (None, TypeError), (-1, ValueError)],
    ids=repr,
)
def test_a_cost_that_is_no_whole_number_is_an_error_at_construction(
    cost: Any, error: type[Exception]
) -> None:
    """It names the option and its value."""
    with pytest.raises(error, match="cost must be") as refused:
        RateLimiter("9/hour", cost=cost)
    assert repr(cost) in str(refused.value)
