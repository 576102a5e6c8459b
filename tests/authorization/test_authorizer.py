"""`Authorizer`: each row of its table, under both protocols."""

from __future__ import annotations

import logging
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

import mantlet
from mantlet import Allow, Authorizer, Identity, Policy, Request
from mantlet.core.order import insert_in_order
from tests.authorization.identities import TestAuthentication, user
from tests.drive import Adapter, both_adapters, hello

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tests.drive import Said

ORDERS = [
    Allow("GET /orders", scope="orders:read"),
    Allow("POST /orders", scope="orders:write", role={"clerk", "admin"}),
    Allow("* /admin/*", role="admin", acr="mfa", hide=True),
    Allow("GET /health", public=True),
    Allow("GET /reports", role="admin", acr="mfa"),
    Allow("GET /tenants", claims={"tenant": {"b", "c"}}),
    Allow("GET /profile"),
]


def not_found_but(*paths: str) -> Any:
    """Return an app that has these paths, and shows the path of any other in its 404."""

    def handler(raw: MutableMapping[str, Any]) -> Said:
        path = raw.get("PATH_INFO", raw.get("path"))
        if path in paths:
            return hello(raw)
        shown = quote(path.encode("utf-8", "surrogateescape"))
        return 404, [("x-path", shown)], f"<p>{escape(path)} is not here</p>".encode()

    return handler


@both_adapters
@pytest.mark.parametrize(
    ("who", "method", "path", "status"),
    [
        (None, "GET", "/orders", 401),
        ("reader", "GET", "/orders", 200),
        ("reader", "HEAD", "/orders", 200),
        (None, "HEAD", "/orders", 401),
        ("admin", "GET", "/orders", 403),
        ("reader", "POST", "/orders", 403),
        ("writer", "POST", "/orders", 200),
        ("writer", "DELETE", "/orders", 403),
        (None, "GET", "/health", 200),
        ("reader", "GET", "/health", 200),
        (None, "POST", "/health", 403),
        ("admin", "GET", "/reports", 200),
        ("reader", "GET", "/reports", 403),
        ("key", "GET", "/reports", 403),
        ("admin", "GET", "/tenants", 200),
        ("key", "GET", "/tenants", 403),
        ("key", "GET", "/profile", 200),
        (None, "GET", "/profile", 401),
        ("admin", "GET", "/nowhere", 403),
        (None, "GET", "/nowhere", 403),
    ],
)
def test_each_request_gets_the_status_of_its_row(
    adapter: Adapter, who: str | None, method: str, path: str, status: int
) -> None:
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(rules=ORDERS))
    assert adapter.drive(app, method, path, headers=user(who)).status == status


@both_adapters
def test_an_anonymous_request_gets_the_challenges_of_the_authenticator(adapter: Adapter) -> None:
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(rules=ORDERS))
    answer = adapter.drive(app, path="/orders")
    assert answer.status == 401
    assert answer.get("WWW-Authenticate") == 'Bearer, Basic realm="api"'


@both_adapters
def test_a_missing_scope_is_named_with_all_that_are_needed(adapter: Adapter) -> None:
    rules = [Allow("GET /orders", scope="orders:write orders:read")]
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(rules=rules))
    answer = adapter.drive(app, path="/orders", headers=user("reader"))
    assert answer.status == 403
    expected = 'Bearer error="insufficient_scope", scope="orders:read orders:write"'
    assert answer.get("WWW-Authenticate") == expected


class OwnIdentity(mantlet.Policy):
    """An app's own policy, which only says who is asking."""

    def on_request(self, request: mantlet.Request) -> None:
        """Note the identity, if the client has one."""
        if request.headers.get("X-Test-User"):
            request.state.identity = Identity("own", "jwt", scopes=frozenset({"a"}))


@both_adapters
def test_without_an_authenticator_it_fails_closed_and_says_so(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    app = adapter.wrap(hello, Authorizer(rules=[Allow("GET /orders")]))
    assert adapter.drive(app, path="/orders").status == 403
    assert "put an Authenticator outside the Authorizer" in caplog.text


@both_adapters
def test_an_identity_of_the_apps_own_policy_counts(adapter: Adapter) -> None:
    rules = [Allow("GET /a", scope="a"), Allow("GET /b", scope="b")]
    app = adapter.wrap(hello, OwnIdentity(), Authorizer(rules=rules))
    assert adapter.drive(app, path="/a", headers=user("x")).status == 200
    refused = adapter.drive(app, path="/b", headers=user("x"))
    assert refused.status == 403
    assert refused.get("WWW-Authenticate") == 'Bearer error="insufficient_scope", scope="b"'


@both_adapters
def test_a_step_up_is_asked_for_by_rfc_9470(adapter: Adapter) -> None:
    rules = [Allow("GET /orders", acr={"mfa", "phr"})]
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(rules=rules))
    answer = adapter.drive(app, path="/orders", headers=user("reader"))
    assert answer.status == 401
    challenge = answer.get("WWW-Authenticate")
    assert challenge is not None
    assert challenge.startswith('Bearer error="insufficient_user_authentication"')
    assert challenge.endswith('acr_values="mfa phr"')
    # A key has no authentication context.
    assert adapter.drive(app, path="/orders", headers=user("key")).status == 403


@both_adapters
def test_an_identity_that_nobody_needed_so_far_is_asked_for_where_a_rule_does(
    adapter: Adapter,
) -> None:
    authentication = TestAuthentication(waits=True)
    app = adapter.wrap(
        lambda raw: (200, [], repr(mantlet.state(raw).identity).encode()),
        authentication,
        Authorizer(rules=[Allow("GET /orders", scope="orders:read")]),
    )
    assert adapter.drive(app, path="/orders", headers=user("reader")).body.startswith(b"Ident")
    assert authentication.asked == 1
    assert adapter.drive(app, path="/orders").status == 401
    assert adapter.drive(app, path="/orders", headers=user("admin")).status == 403


@both_adapters
def test_a_refusal_is_logged_without_anything_of_the_client(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    rules = [Allow("GET /orders/{id}", role="admin")]
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(rules=rules))
    adapter.drive(app, path="/orders/secret-path", headers=user("reader"))
    adapter.drive(app, "DELETE", path="/other/secret-path", headers=user("reader"))
    records = [one for one in caplog.records if one.name == "mantlet.authorization"]
    assert [one.levelno for one in records] == [logging.WARNING] * 2
    messages = [one.getMessage() for one in records]
    assert messages[0].startswith("Authorizer refused GET for GET /orders/{id}: a role is missing")
    assert messages[1].startswith("Authorizer refused DELETE for no rule: no rule matches")
    assert "secret" not in caplog.text.lower()
    assert "reader" not in caplog.text


@both_adapters
def test_refusals_cannot_flood_the_log(adapter: Adapter, caplog: pytest.LogCaptureFixture) -> None:
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(rules=ORDERS))
    for number in range(300):
        adapter.drive(app, path=f"/{number}")
    assert len([one for one in caplog.records if "no rule matches" in one.getMessage()]) < 20


# -- hidden routes --------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("who", [None, "reader", "key"])
@pytest.mark.parametrize("path", ["/admin/users", "/admin/<b>é/7", "/admin/", "/admin/a b"])
def test_a_hidden_route_is_answered_as_if_it_did_not_exist(
    adapter: Adapter, who: str | None, path: str
) -> None:
    bare = adapter.app(not_found_but("/x"))
    stack = adapter.module.wrap(
        adapter.app(not_found_but("/x", path)),
        TestAuthentication(),
        Authorizer(rules=ORDERS),
        baseline=False,
    )
    mine, own = adapter.drive(stack, path=path, headers=user(who)), adapter.drive(bare, path=path)
    assert (mine.status, mine.headers, mine.body) == (404, own.headers, own.body)


@both_adapters
def test_a_hidden_route_is_there_for_those_who_may(adapter: Adapter) -> None:
    app = adapter.wrap(
        not_found_but("/admin/users"), TestAuthentication(), Authorizer(rules=ORDERS)
    )
    assert adapter.drive(app, path="/admin/users", headers=user("admin")).status == 200


@both_adapters
def test_a_hidden_route_below_a_route_for_every_path_is_a_plain_404(adapter: Adapter) -> None:
    ran = []

    def handler(raw: MutableMapping[str, Any]) -> Said:
        ran.append(raw)
        return hello(raw)

    rules = [Allow("* /admin/*", role="admin", hide=True), Allow("* /*", role="clerk")]
    app = adapter.wrap(handler, TestAuthentication(), Authorizer(rules=rules))
    assert adapter.drive(app, path="/admin/users", headers=user("reader")).status == 404
    assert not ran  # the rule of the other route does not allow it either


@both_adapters
def test_an_app_that_answers_every_path_does_not_answer_a_hidden_one(adapter: Adapter) -> None:
    rules = [Allow("* /admin/*", role="admin", hide=True)]
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(rules=rules))
    answer = adapter.drive(app, path="/admin/users", headers=user("reader"))
    assert answer.status == 404
    assert b"hello" not in answer.body


@both_adapters
def test_unmatched_requests_can_be_hidden_as_well(adapter: Adapter) -> None:
    app = adapter.module.wrap(
        adapter.app(not_found_but("/orders", "/legacy")),
        TestAuthentication(),
        Authorizer(rules=ORDERS, unmatched="hide"),
        baseline=False,
    )
    bare = adapter.app(not_found_but())
    for path in ("/legacy", "/nowhere", "/admin/x"):
        mine, own = adapter.drive(app, path=path), adapter.drive(bare, path=path)
        assert (mine.status, mine.headers, mine.body) == (own.status, own.headers, own.body), path


@both_adapters
def test_unmatched_requests_can_be_allowed(adapter: Adapter) -> None:
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(rules=ORDERS, unmatched="allow"))
    assert adapter.drive(app, path="/legacy").status == 200
    assert adapter.drive(app, path="/orders").status == 401


# -- spellings ------------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    "path",
    [
        *("/admin", "/admin/", "//admin", "/Admin", "/ADMIN/", "/admin\n", "/x/../admin"),
        *("/./admin", "/adm\u0131n", "/\u212aey", "/admin//"),
    ],
)
def test_no_spelling_of_a_path_gets_past_its_rule_where_others_are_open(
    adapter: Adapter, path: str
) -> None:
    rules = [Allow("* /admin", role="admin"), Allow("* /key", role="admin")]
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(rules=rules, unmatched="allow"))
    assert adapter.drive(app, path=path).status == 401
    assert adapter.drive(app, path=path, headers=user("reader")).status == 403


@both_adapters
@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
@pytest.mark.parametrize("value", ["DELETE", "delete", " DELETE", "GET, DELETE", "POST,DELETE"])
def test_a_header_that_may_replace_the_method_needs_the_rule_of_both(
    adapter: Adapter, name: str, value: str
) -> None:
    rules = [Allow("GET,POST /a", public=True), Allow("DELETE /a", role="admin")]
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(rules=rules, unmatched="allow"))
    assert adapter.drive(app, path="/a").status == 200
    assert adapter.drive(app, path="/a", headers=[(name, value)]).status == 401
    assert adapter.drive(app, path="/a", headers=[(name, value), *user("admin")]).status == 200


@both_adapters
def test_a_header_with_too_many_methods_is_refused(adapter: Adapter) -> None:
    rules = [Allow("GET /a", public=True)]
    app = adapter.wrap(hello, Authorizer(rules=rules, unmatched="allow"))
    headers = [("X-HTTP-Method-Override", "GET," * 9)]
    assert adapter.drive(app, path="/a", headers=headers).status == 403


def test_several_rules_for_the_same_requests_are_an_error() -> None:
    for one, two in (
        ("GET /a", "GET /a"),
        ("GET,POST /a", "POST /a"),
        ("GET /a/{x}", "GET /a/{y}"),
        ("* /a/*", "* /a/{rest:path}"),
    ):
        with pytest.raises(ValueError, match="two rules are for the same requests"):
            Authorizer(rules=[Allow(one, role="a"), Allow(two, role="b")])


@both_adapters
def test_the_most_specific_pattern_counts(adapter: Adapter) -> None:
    rules = [Allow("* /admin/*", role="admin"), Allow("GET /admin/health", public=True)]
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(rules=rules))
    assert adapter.drive(app, path="/admin/health").status == 200
    assert adapter.drive(app, "POST", "/admin/health").status == 401
    assert adapter.drive(app, path="/admin/health-records").status == 401


# -- modes ----------------------------------------------------------------------------------------


@both_adapters
def test_report_mode_logs_and_changes_nothing(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(rules=ORDERS, mode="report"))
    for path in ("/orders", "/nowhere", "/admin/users"):
        answer = adapter.drive(app, path=path)
        assert (answer.status, answer.body) == (200, b"hello")
    assert "Authorizer would have answered with 401" in caplog.text
    assert "Authorizer would have answered with 403" in caplog.text
    assert "(hidden)" in caplog.text


@both_adapters
def test_modes_by_route(adapter: Adapter) -> None:
    modes: dict[str, mantlet.Mode] = {"* /orders": "report"}
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(rules=ORDERS, mode=modes))
    assert adapter.drive(app, path="/orders").status == 200
    assert adapter.drive(app, path="/profile").status == 401


def test_its_place_is_inside_of_the_authenticator_and_outside_of_the_limiter() -> None:
    authorizer, limiter = Authorizer(rules=ORDERS), mantlet.RateLimiter("1/second")
    authentication = TestAuthentication()
    policies: list[mantlet.Policy] = [authentication, limiter]
    insert_in_order(policies, authorizer)
    assert policies == [authentication, authorizer, limiter]


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "needs rules"),
        ({"rules": ["GET /orders"]}, TypeError, "must be an Allow"),
        ({"rules": ORDERS, "unmatched": "maybe"}, ValueError, "unmatched must be"),
        ({"rules": ORDERS, "engine": print}, TypeError, "decide"),
        ({"rules": ORDERS, "mode": "on"}, ValueError, "mode must be"),
        ({"rules": [Allow("GET /a", check="object")]}, ValueError, "nothing decides"),
        ({"ruels": ORDERS}, TypeError, "did you mean 'rules'"),
    ],
)
def test_bad_options_are_errors_at_construction(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Authorizer(**options)


async def later(identity: object, action: str, resource: object) -> bool:
    """Decide too late."""
    return False


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"scope": 3}, TypeError, "scope must be text"),
        ({"scope": {"a": 1}}, TypeError, "scope must be text"),
        ({"scope": ["a b"]}, ValueError, "without blanks"),
        ({"scope": 'a"b'}, ValueError, "without blanks"),
        ({"scope": ""}, ValueError, "scope must not be empty"),
        ({"role": [""]}, ValueError, "role must not be empty"),
        ({"role": [1]}, TypeError, "role must be text"),
        ({"claims": ["a"]}, TypeError, "claims must be a mapping"),
        ({"claims": {"a": []}}, ValueError, "must have a value"),
        ({"claims": {"a": None}}, ValueError, "missing claim"),
        ({"check": "objects"}, TypeError, 'check must be "object"'),
        ({"check": later}, TypeError, "must not be async"),
        ({"hide": "yes"}, TypeError, "hide must be"),
        ({"public": True, "role": "a"}, ValueError, "public and needs an identity"),
        ({"scops": "a"}, TypeError, "did you mean 'scope'"),
    ],
)
def test_bad_rules_are_errors_at_construction(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Allow("GET /a", **options)


def test_a_malformed_pattern_is_an_error() -> None:
    with pytest.raises(ValueError, match="write"):
        Allow("GTE /orders")


@pytest.mark.parametrize(
    ("claims", "has", "allowed"),
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": {"x", "y"}}, {"a": "y"}, True),
        ({"a": "x"}, {"a": ["z", "x"]}, True),
        ({"a": "x"}, {"a": ["z"]}, False),
        ({"a": "x"}, {"a": "xx"}, False),
        ({"a": "x", "b": "y"}, {"a": "x"}, False),
        ({"a": "x"}, {}, False),
    ],
)
@both_adapters
def test_claims_are_compared_by_type_and_value(
    adapter: Adapter, claims: dict[str, Any], has: dict[str, Any], allowed: bool
) -> None:
    class Known(Policy):
        def on_request(self, request: Request) -> None:
            request.state.identity = Identity("me", "jwt", claims=has)

    app = adapter.wrap(hello, Known(), Authorizer(rules=[Allow("GET /a", claims=claims)]))
    assert adapter.drive(app, path="/a").status == (200 if allowed else 403)


def test_the_table_says_who_may_do_what() -> None:
    authorizer = Authorizer(rules=ORDERS)
    rows = authorizer.table()
    assert rows[1] == (
        "POST /orders",
        "scope orders:write, role admin or clerk",
        "",
        False,
        "rules",
    )
    assert rows[-1] == ("* /*", "nobody", "", False, "unmatched")
    shown = str(rows).splitlines()
    assert shown[0].split() == ["route", "needs", "check", "hidden", "source"]
    assert shown[3].split("  ")[0] == "* /admin/*"
    assert "hidden" in shown[3]
