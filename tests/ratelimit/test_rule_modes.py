"""A rule or a bound that is off is as good as absent."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet import Concurrency, Quota, RateLimiter, Rule
from tests.drive import Adapter, both_adapters, hello
from tests.ratelimit.structured import limits_of
from tests.ratelimit.test_websocket_messages import client, say


def statuses(adapter: Adapter, limiter: RateLimiter, path: str = "/a") -> list[int | None]:
    app = adapter.wrap(hello, limiter)
    return [adapter.drive(app, path=path).status for _ in range(3)]


def limiter(quota: Any = None, **options: Any) -> RateLimiter:
    return RateLimiter(quota, clock=lambda: 0, **options)


@both_adapters
@pytest.mark.parametrize(
    "rule",
    [
        Rule("GET /a", "1/hour", mode="off"),
        Rule("GET /a", exempt=True, mode="off"),
        Rule("GET /a", "99/hour", override=True, mode="off"),
    ],
    ids=["quota", "exempt", "override"],
)
def test_a_rule_that_is_off_changes_nothing(adapter: Adapter, rule: Rule) -> None:
    """Neither for the better nor for the worse."""
    limited = limiter("2/hour", rules=[rule])
    assert statuses(adapter, limited) == [200, 200, 429]
    (policy,), _ = limits_of(adapter.drive(adapter.wrap(hello, limited)))
    assert policy.value == "default"


@both_adapters
def test_a_less_specific_rule_applies_in_its_place(adapter: Adapter) -> None:
    """As if the other were not written."""
    rules = [Rule("GET /a", "9/hour", mode="off"), Rule("* /*", "1/hour")]
    assert statuses(adapter, limiter(rules=rules)) == [200, 429, 429]


@both_adapters
def test_the_buckets_of_other_rules_stay_theirs(adapter: Adapter) -> None:
    """Switching one of two rules off does not refill the other's bucket."""

    def rules(mode: Any) -> list[Rule]:
        first = Rule("GET /a", Quota("9/hour", name="nine"), mode=mode)
        return [first, Rule("GET /a", Quota("1/hour", name="one"))]

    before, after = limiter(rules=rules("enforce")), limiter(rules=rules("off"))

    def bucket(limited: RateLimiter) -> str:
        hits = limited._table.hits_of_key("GET /a", "x", 1)
        return hits[-1].store_request.key

    assert bucket(before) == bucket(after)
    assert statuses(adapter, after) == [200, 429, 429]


def test_a_rule_that_is_off_can_still_be_asked() -> None:
    """By name, as the app may do."""
    limited = limiter(rules=[Rule("GET /a", "1/hour", mode="off")])
    found = [limited.check("x", rule="GET /a").allowed for _ in range(2)]
    assert found == [True, False]


@both_adapters
def test_a_bound_that_is_off_bounds_nothing(adapter: Adapter) -> None:
    """Of the limiter, or of a rule."""
    bound = Concurrency(1, mode="off")
    limited = limiter("9/hour", concurrency=bound, rules=[Rule("GET /a", concurrency=bound)])
    answer = adapter.drive(adapter.wrap(hello, limited), path="/a")
    assert [item.value for item in limits_of(answer)[0]] == ["default"]


def test_messages_of_a_rule_that_is_off_are_not_limited() -> None:
    """Over a WebSocket."""
    rule = Rule("* /ws", "1/hour", per="message", mode="off")
    with client(limiter("9/hour", rules=[rule])).websocket_connect("/ws") as connection:
        for text in "abc":
            assert say(connection, text)[0] == f"{text} 0"
