"""The quotas of rules: those that functions tell, their names, and what a rule is not made of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import Concurrency, Quota, RateLimiter, Rule, on_status
from tests.drive import ADAPTERS, Adapter, both_adapters, hello
from tests.ids import shown
from tests.ratelimit.structured import limits_of

if TYPE_CHECKING:
    from mantlet import Request


def limiter(*rules: Rule, quota: Any = None, **options: Any) -> RateLimiter:
    """Return a limiter of ``rules`` whose clock stands still."""
    return RateLimiter(quota, rules=rules, clock=lambda: 0, **options)


# -- quotas that a function tells -----------------------------------------------------------------


def plan(request: Request) -> str | None:
    """Tell what a customer has paid for."""
    return {"big": "3/hour", "small": "1/hour"}.get(request.headers.get("x-plan") or "")


async def plan_later(request: Request) -> str | None:
    """Tell the same from where it may have to be waited for."""
    if request.is_async:
        await asyncio.sleep(0)
    return plan(request)


@both_adapters
@pytest.mark.parametrize("function", [plan, plan_later], ids=["def", "async def"])
@pytest.mark.parametrize("own", [True, False], ids=["own", "rule"])
@pytest.mark.parametrize(
    ("customer", "admitted"), [("big", 3), ("small", 1), ("nobody", 5)], ids=str
)
def test_a_function_tells_the_quota(
    adapter: Adapter, function: Any, own: bool, customer: str, admitted: int
) -> None:
    """By the request; None is no limit."""
    limited = limiter(quota=function) if own else limiter(Rule("* /", function))
    app = adapter.wrap(hello, limited)
    answers = [adapter.drive(app, headers=[("X-Plan", customer)]) for _ in range(5)]
    assert [answer.status for answer in answers] == [200] * admitted + [429] * (5 - admitted)
    assert ("ratelimit" in answers[0].names) is (customer != "nobody")


@both_adapters
def test_a_function_may_tell_several_quotas(adapter: Adapter) -> None:
    """In every form that the option itself may have."""
    told = [Quota("9/hour", name="hour"), "2/minute"]
    app = adapter.wrap(hello, limiter(quota=lambda _request: told))
    policies, limits = limits_of(adapter.drive(app))
    assert [item.parameters["q"] for item in policies] == [9, 2]
    assert [item.parameters["r"] for item in limits] == [8, 1]


@both_adapters
@pytest.mark.parametrize("told", [5, "often", Quota("1/hour", window="fixed"), plan], ids=shown)
def test_a_function_that_tells_no_quota_fails_closed(adapter: Adapter, told: Any) -> None:
    """The app does not see a request that nobody could judge."""
    answer = adapter.drive(adapter.wrap(hello, limiter(quota=lambda _request: told)))
    assert isinstance(answer.error, TypeError | ValueError)
    assert answer.status is None


def test_a_function_may_tell_more_quotas_than_are_kept_at_the_ready() -> None:
    """Each has its own bucket all the same."""

    def many(request: Request) -> Quota:
        return Quota("1/hour", burst=int(request.headers.get("x-burst") or 1))

    app = ADAPTERS[1].wrap(hello, limiter(quota=many))
    for burst in range(2, 1030):
        assert ADAPTERS[1].drive(app, headers=[("X-Burst", str(burst))]).status == 200
    answers = [ADAPTERS[1].drive(app, headers=[("X-Burst", "1029")]) for _ in range(2)]
    left = [limits_of(answer)[1][0].parameters["r"] for answer in answers]
    assert left == [1027, 1026]


# -- names ----------------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    ("quota", "rule", "names"),
    [
        ("9/hour", "8/hour", ["default", "GET /a"]),
        ("9/hour; 5/minute", "8/hour", ["9/hour", "5/minute", "GET /a"]),
        (Quota("9/hour", name="api"), Quota("8/hour", name="dear"), ["api", "dear"]),
        (None, "9/hour; 5/minute", ["GET /a 9/hour", "GET /a 5/minute"]),
        (None, ["9/hour", Quota("5/minute", name="x")], ["GET /a", "x"]),
    ],
    ids=shown,
)
def test_quotas_are_called_by_their_own_names_or_by_their_rules(
    adapter: Adapter, quota: Any, rule: Any, names: list[str]
) -> None:
    """So that a client can tell one from another."""
    policies, _ = limits_of(
        adapter.drive(adapter.wrap(hello, limiter(Rule("GET /a", rule), quota=quota)), path="/a")
    )
    assert [item.value for item in policies] == names


def test_a_path_that_no_field_can_say_is_named_in_percent_encoding() -> None:
    """A header field's String has printable ASCII alone."""
    limited = limiter(Rule("GET /caf\u00e9", "1/hour"))
    assert limited.check("x", rule="GET /caf\u00e9").name == "GET /caf%C3%A9"


@both_adapters
def test_rules_of_one_pattern_are_told_apart_by_a_number(adapter: Adapter) -> None:
    """Two limits of one name could not be told apart."""
    limited = limiter(Rule("GET /a", "9/hour"), Rule("GET /a", "5/minute"))
    policies, _ = limits_of(adapter.drive(adapter.wrap(hello, limited), path="/a"))
    assert [item.value for item in policies] == ["GET /a #1", "GET /a #2"]


# -- what a rule is not made of -------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [
        "/login",
        "POST",
        "",
        "post /login",
        "POST login",
        "POST /login?next=/",
        "POST /a%20b",
        "POST /a/{}",
        "POST /a/{1x}",
        "POST /a/{x}/{x}",
        "POST /a/{x",
        "POST /a{x}{y}",
        "POST /*/b",
        "POST /a/{x:path}/b",
        "POST /<x>",
        " POST /login",
        "POST /login ",
    ],
)
def test_a_malformed_pattern_is_an_error_that_shows_it_and_a_right_one(pattern: str) -> None:
    """At construction, and not when the first request that it should have matched got through."""
    with pytest.raises(ValueError, match=r'write "') as refused:
        RateLimiter(rules=[Rule(pattern, "5/minute")])
    assert repr(pattern) in str(refused.value)


@pytest.mark.parametrize("pattern", [5, b"POST /login", None, ("POST", "/login")], ids=repr)
def test_a_pattern_that_is_no_text_is_a_type_error(pattern: Any) -> None:
    """The message shows the value and a right one."""
    with pytest.raises(TypeError, match="POST /login") as refused:
        Rule(pattern, "5/minute")
    assert repr(pattern) in str(refused.value)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({}, TypeError, "has no effect: give it a quota"),
        ({"quota": "often"}, ValueError, "'often'"),
        ({"quota": 5}, TypeError, "100/minute"),
        ({"quota": [5]}, TypeError, "not 5"),
        ({"quota": "5/minute; 5/minute"}, ValueError, "occurs twice"),
        ({"quota": "5/minute", "per": "connection"}, ValueError, "'connection'"),
        ({"quota": "5/minute", "per": "message", "over": "ban"}, ValueError, "'ban'"),
        ({"quota": "5/minute", "per": "message", "close_code": 1006}, ValueError, "1006"),
        ({"quota": "5/minute", "per": "message", "close_code": 429}, ValueError, "429"),
        ({"quota": "5/minute", "per": "message", "count_if": on_status(401)}, TypeError, "message"),
        ({"concurrency": Concurrency(1), "per": "message"}, TypeError, "message"),
        ({"quota": "5/minute", "exempt": True}, TypeError, "exempt"),
        ({"concurrency": Concurrency(1), "exempt": True}, TypeError, "exempt"),
        ({"concurrency": Concurrency(1), "cost": 5}, TypeError, "but no quota"),
        ({"exempt": True, "count_if": on_status(401)}, TypeError, "but no quota"),
        ({"quota": "5/minute", "cost": 1.5}, TypeError, "cost must be a whole number"),
        ({"quota": "5/minute", "cost": True}, TypeError, "True"),
        ({"quota": "5/minute", "cost": -1}, ValueError, "cost must be at least 0, not -1"),
        ({"quota": "5/minute", "count_if": 401}, TypeError, "401"),
        ({"quota": "5/minute", "key": "address"}, TypeError, "'address'"),
        ({"concurrency": 5}, TypeError, "concurrency must be a Concurrency, not 5"),
        ({"quota": "5/minute", "mode": "maybe"}, ValueError, "\"off\", not 'maybe'"),
        ({"quota": "5/minute", "burts": 5}, TypeError, "burts"),
    ],
    ids=lambda value: shown(value) if isinstance(value, dict) else "",
)
def test_a_wrong_option_of_a_rule_is_an_error_that_says_what_is_wrong(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    """It names the option or the value, and is raised where the rule is made."""
    with pytest.raises(error) as refused:
        Rule("POST /login", **options)
    assert said in str(refused.value)


@pytest.mark.parametrize("rule", ["POST /login", ("POST /login", "5/minute"), None, Rule], ids=repr)
def test_what_is_no_rule_is_a_type_error_that_shows_one(rule: Any) -> None:
    """At construction."""
    with pytest.raises(TypeError, match=r'Rule\("POST /login"') as refused:
        RateLimiter("5/minute", rules=[rule])
    assert repr(rule) in str(refused.value)


def test_a_rule_alone_is_a_type_error_that_shows_the_list() -> None:
    """At construction."""
    rule: Any = Rule("POST /login", "5/minute")
    with pytest.raises(TypeError, match=r"a list, such as rules=\[Rule\('POST /login'\)\]"):
        RateLimiter(rules=rule)


def test_rules_for_the_same_paths_name_parameters_alike() -> None:
    """Else the key of one of them would find no parameter of its name."""
    with pytest.raises(ValueError, match="must use the same parameter names") as refused:
        RateLimiter(rules=[Rule("GET /a/{x}", "5/minute"), Rule("GET /a/{y}", "9/hour")])
    assert "{x}" in str(refused.value)
    assert "{y}" in str(refused.value)


def test_quotas_that_hold_together_have_different_names() -> None:
    """Two limits of one name could not be told apart."""
    with pytest.raises(ValueError, match="share the name 'api'"):
        RateLimiter(Quota("9/hour", name="api"), rules=[Rule("* /", Quota("1/hour", name="api"))])


def test_a_window_takes_no_count() -> None:
    """What `limits` has counted it does not give back."""
    with pytest.raises(TypeError, match="count_if needs a token bucket"):
        RateLimiter(rules=[Rule("* /", Quota("1/hour", window="fixed"), count_if=on_status(401))])


def test_a_rule_reads_as_its_pattern() -> None:
    """In a message or a debugger."""
    assert repr(Rule("POST /login", "5/minute")) == "Rule('POST /login')"


@pytest.mark.parametrize(
    ("statuses", "error"),
    [
        ((), ValueError),
        ((99,), ValueError),
        ((600,), ValueError),
        ((range(0),), ValueError),
        (("401",), TypeError),
        ((True,), TypeError),
        (([401],), TypeError),
    ],
    ids=shown,
)
def test_on_status_takes_statuses(statuses: Any, error: type[Exception]) -> None:
    """Numbers of HTTP, and ranges of them."""
    with pytest.raises(error, match="status"):
        on_status(*statuses)
