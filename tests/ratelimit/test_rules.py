"""Which limits hold for which requests, and whose buckets they are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import Concurrency, Quota, RateLimiter, Rule, keys
from tests.drive import Adapter, both_adapters, hello
from tests.ratelimit.structured import limits_of

if TYPE_CHECKING:
    from mantlet import Request


def statuses(adapter: Adapter, limiter: RateLimiter, *targets: str) -> list[int | None]:
    """Send a request for each of ``targets``, such as ``"GET /login"``; return what came back."""
    app = adapter.wrap(hello, limiter)
    found = []
    for target in targets:
        method, _, path = target.partition(" ")
        answer = adapter.drive(app, method, path)
        assert answer.error is None
        found.append(answer.status)
    return found


def limiter(*rules: Rule, quota: Any = None, **options: Any) -> RateLimiter:
    """Return a limiter of ``rules`` whose clock stands still."""
    return RateLimiter(quota, rules=rules, clock=lambda: 0, **options)


# -- what a rule holds for ------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    ("pattern", "target"),
    [
        ("POST /login", "GET /login"),
        ("POST /login", "POST /logout"),
        ("POST /login", "POST /login/again"),
        ("GET,POST /login", "PUT /login"),
        ("GET /export/{kind}", "GET /export"),
        ("GET /export/{kind}", "GET /export/csv/x"),
        ("* /static/*", "GET /statics/x"),
    ],
)
def test_a_rule_leaves_other_requests_alone(adapter: Adapter, pattern: str, target: str) -> None:
    """A limit on one thing is not a limit on what is near it."""
    limited = limiter(Rule(pattern, "1/hour"))
    assert statuses(adapter, limited, *[target] * 3) == [200, 200, 200]


@both_adapters
@pytest.mark.parametrize(
    ("pattern", "target"),
    [
        ("POST /login", "POST /login"),
        ("GET,POST /login", "POST /login"),
        ("* /login", "DELETE /login"),
        ("GET /login", "HEAD /login"),
        ("GET /export/{kind}", "GET /export/csv"),
        ("GET /files/{name:path}", "GET /files/a/b"),
        ("* /static/*", "GET /static/a/b"),
        ("GET /caf\u00e9", "GET /caf\u00e9"),
    ],
)
def test_a_rule_limits_what_its_pattern_matches(
    adapter: Adapter, pattern: str, target: str
) -> None:
    """By method and path template."""
    limited = limiter(Rule(pattern, "1/hour"))
    assert statuses(adapter, limited, target, target) == [200, 429]


@both_adapters
@pytest.mark.parametrize(
    "target", ["POST /login/", "POST //login", "POST /login//", "POST ///login///"]
)
def test_another_spelling_of_a_path_is_no_way_around_its_rule(
    adapter: Adapter, target: str
) -> None:
    """Frameworks take repeated and trailing slashes for the same path, and so do rules."""
    limited = limiter(Rule("POST /login", "1/hour"))
    assert statuses(adapter, limited, "POST /login", target) == [200, 429]


@both_adapters
@pytest.mark.breaks_rules("a client's method is in lower case")
@pytest.mark.parametrize("method", ["post", "Post"])
def test_another_case_of_a_method_is_no_way_around_its_rule(adapter: Adapter, method: str) -> None:
    """Django, Flask and Quart take ``post`` for ``POST``."""
    limited = limiter(Rule("POST /login", "1/hour"))
    assert statuses(adapter, limited, "POST /login", f"{method} /login") == [200, 429]


@both_adapters
def test_a_rule_begins_where_the_app_is_mounted(adapter: Adapter) -> None:
    """``root_path`` and ``SCRIPT_NAME`` are not part of what a template matches."""
    app = adapter.wrap(hello, limiter(Rule("POST /login", "1/hour")))
    mounted: dict[str, Any] = {"path": "/login", "environ": {"SCRIPT_NAME": "/api"}}
    if adapter.name == "asgi":
        mounted = {"path": "/api/login", "scope": {"root_path": "/api"}}
    assert adapter.drive(app, "POST", **mounted).status == 200
    assert adapter.drive(app, "POST", **mounted).status == 429
    assert [adapter.drive(app, "POST", "/api/login").status for _ in range(2)] == [200, 200]


@both_adapters
def test_the_most_specific_template_holds_alone(adapter: Adapter) -> None:
    """A literal goes before a parameter, that before the rest."""
    limited = limiter(
        Rule("* /a/*", Quota("100/hour", name="rest")),
        Rule("* /a/{x}", Quota("100/hour", name="parameter")),
        Rule("* /a/b", Quota("100/hour", name="literal")),
    )
    app = adapter.wrap(hello, limited)
    names = []
    for path in ("/a/b", "/a/c", "/a/c/d"):
        (policy,), _ = limits_of(adapter.drive(app, path=path))
        names.append(policy.value)
    assert names == ["literal", "parameter", "rest"]


@both_adapters
def test_a_named_method_goes_before_the_star(adapter: Adapter) -> None:
    """What is said of a method is not also said of every method."""
    limited = limiter(
        Rule("* /a", Quota("100/hour", name="every")), Rule("PUT /a", Quota("9/hour", name="put"))
    )
    app = adapter.wrap(hello, limited)
    names = [limits_of(adapter.drive(app, method, "/a"))[0][0].value for method in ("PUT", "GET")]
    assert names == ["put", "every"]


@both_adapters
def test_rules_of_one_pattern_hold_together(adapter: Adapter) -> None:
    """One by address, one by account, say."""
    limited = limiter(
        Rule("POST /login", Quota("9/hour", name="address")),
        Rule("POST /login", Quota("1/hour", name="account"), key=keys.header("X-Account")),
    )
    app = adapter.wrap(hello, limited)
    account = [("X-Account", "ann")]
    assert adapter.drive(app, "POST", "/login", headers=account).status == 200
    refused = adapter.drive(app, "POST", "/login", headers=account)
    assert refused.status == 429
    assert refused.json()["violated-policies"] == ["account"]
    other = adapter.drive(app, "POST", "/login", headers=[("X-Account", "bob")])
    assert [item.parameters["r"] for item in limits_of(other)[1]] == [7, 0]


@both_adapters
def test_a_rule_for_two_methods_has_one_bucket_for_both(adapter: Adapter) -> None:
    """The quota is of the rule."""
    limited = limiter(Rule("GET,POST /a", "1/hour"), Rule("DELETE /a", "100/hour"))
    assert statuses(adapter, limited, "GET /a", "POST /a", "DELETE /a") == [200, 429, 200]


@both_adapters
def test_a_rule_has_one_bucket_whatever_else_holds_for_one_of_its_methods(adapter: Adapter) -> None:
    """A second rule for one of two methods does not double the quota of the first."""
    limited = limiter(Rule("GET,POST /a", "1/hour"), Rule("GET /a", "100/hour"))
    assert statuses(adapter, limited, "GET /a", "POST /a") == [200, 429]


def test_a_rule_that_holds_in_several_company_is_asked_once_by_its_pattern() -> None:
    """`check()` takes one token of the one quota that the pattern has."""
    limited = limiter(Rule("GET,POST /a", "1/hour"), Rule("GET /a", "100/hour"))
    assert len(limited.check("192.0.2.1", rule="GET,POST /a").parts) == 1


# -- whose buckets --------------------------------------------------------------------------------


@both_adapters
def test_all_paths_of_a_template_share_a_clients_bucket(adapter: Adapter) -> None:
    """Else whoever counts through identifiers is never limited."""
    limited = limiter(Rule("GET /users/{id}", "2/hour"))
    found = statuses(adapter, limited, "GET /users/1", "GET /users/2", "GET /users/3")
    assert found == [200, 200, 429]


@both_adapters
def test_path_parameters_make_buckets_where_the_key_says_so(adapter: Adapter) -> None:
    """`keys.path_parameter()` is the way to ask for that."""
    key = keys.client_address() & keys.path_parameter("id")
    app = adapter.wrap(hello, limiter(Rule("GET /users/{id}", "1/hour", key=key)))
    asked = [("/users/1", "192.0.2.1"), ("/users/2", "192.0.2.1"), ("/users/1", "192.0.2.2")]
    assert [adapter.drive(app, path=path, client=client).status for path, client in asked] == [
        200
    ] * 3
    assert adapter.drive(app, path="/users/1").status == 429


@both_adapters
@pytest.mark.parametrize("by", ["key", "joined key", "concurrency key"])
def test_a_limiter_does_not_see_the_path_parameters_of_another(adapter: Adapter, by: str) -> None:
    """Without a rule that names the parameter, its key is None."""
    key = keys.path_parameter("id")
    inner = {
        "key": RateLimiter("1/hour", key=key, clock=lambda: 0),
        "joined key": RateLimiter("1/hour", key=key & keys.constant(), clock=lambda: 0),
        "concurrency key": RateLimiter("9/hour", concurrency=Concurrency(1, key=key)),
    }[by]
    app = adapter.wrap(hello, limiter(Rule("GET /users/{id}", "9/hour")), inner)
    answers = [adapter.drive(app, path="/users/1") for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3
    assert "concurrency" not in str(answers[0].headers)


@both_adapters
def test_two_rules_have_buckets_of_their_own(adapter: Adapter) -> None:
    """What is spent under one is not missing under the other."""
    limited = limiter(Rule("GET /a", "1/hour"), Rule("GET /b", "1/hour"))
    found = statuses(adapter, limited, "GET /a", "GET /b", "GET /a", "GET /b")
    assert found == [200, 200, 429, 429]


@both_adapters
def test_a_key_may_have_to_be_waited_for(adapter: Adapter) -> None:
    """And where it is None the rule does not hold."""

    async def account(request: Request) -> str | None:
        if request.is_async:
            await asyncio.sleep(0)
        return request.headers.get("x-account")

    app = adapter.wrap(hello, limiter(Rule("GET /a", "1/hour", key=account)))
    asked = [[("X-Account", "ann")], [("X-Account", "bob")], [("X-Account", "ann")], [], []]
    found = [adapter.drive(app, path="/a", headers=headers).status for headers in asked]
    assert found == [200, 200, 429, 200, 200]


# -- besides the limiter's own quota --------------------------------------------------------------


@both_adapters
def test_the_limiters_own_quota_holds_besides_a_rules(adapter: Adapter) -> None:
    """Each may refuse, and both are told of."""
    limited = limiter(Rule("GET /a", "5/hour"), quota="2/hour")
    assert statuses(adapter, limited, "GET /a", "GET /b", "GET /a") == [200, 200, 429]
    policies, _ = limits_of(adapter.drive(adapter.wrap(hello, limited), path="/a"))
    assert [item.value for item in policies] == ["default", "GET /a"]


@both_adapters
def test_override_sets_the_limiters_own_quota_aside(adapter: Adapter) -> None:
    """For those requests; they do not spend of it either."""
    limited = limiter(Rule("GET /a", "2/hour", override=True), quota="1/hour")
    found = statuses(adapter, limited, "GET /a", "GET /a", "GET /a", "GET /b", "GET /b")
    assert found == [200, 200, 429, 200, 429]


@both_adapters
def test_override_alone_leaves_no_limit(adapter: Adapter) -> None:
    """There is nothing left that could hold."""
    limited = limiter(Rule("GET /a", override=True), quota="1/hour")
    assert statuses(adapter, limited, *["GET /a"] * 3) == [200] * 3


@both_adapters
def test_exempt_requests_are_not_limited_and_not_told_of_limits(adapter: Adapter) -> None:
    """A health check neither spends nor is refused."""
    limited = limiter(Rule("* /health", exempt=True), quota="1/hour")
    app = adapter.wrap(hello, limited)
    for _ in range(3):
        answer = adapter.drive(app, path="/health")
        assert answer.status == 200
        assert "ratelimit" not in answer.names
    assert statuses(adapter, limited, "GET /a", "GET /a") == [200, 429]


@both_adapters
def test_exempt_wins_over_a_rule_of_the_same_pattern(adapter: Adapter) -> None:
    """Nothing limits these requests, as it says."""
    limited = limiter(Rule("* /a", "1/hour"), Rule("* /a", exempt=True), quota="1/hour")
    assert statuses(adapter, limited, *["GET /a"] * 3) == [200] * 3


@both_adapters
@pytest.mark.parametrize(
    ("own", "rule"),
    [("1/hour", "9/hour"), ("9/hour", "1/hour")],
    ids=["own refuses", "rule refuses"],
)
def test_a_request_refused_by_one_quota_spends_nothing_of_another(
    adapter: Adapter, own: str, rule: str
) -> None:
    """All or nothing, whichever comes first."""
    limited = limiter(Rule("GET /a", rule), quota=own)
    app = adapter.wrap(hello, limited)
    adapter.drive(app, path="/a")
    for _ in range(3):
        answer = adapter.drive(app, path="/a")
        assert answer.status == 429
        assert sorted(item.parameters["r"] for item in limits_of(answer)[1]) == [0, 8]
    assert limited.peek("192.0.2.1", rule="GET /a" if own == "1/hour" else None).remaining == 7
