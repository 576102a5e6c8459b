"""The names of contracts are the route patterns of the whole house."""

from __future__ import annotations

import pytest

from mantlet import Contract, RateLimiter, RouteOptions, Rule, SchemaGuard
from tests.drive import Adapter, both_adapters, hello

PATTERNS = ["/static/*", "/files/{name:path}", "/{name}.{ext}", "/v{number}/x", "/a b", "/*"]
PATHS = ["/static/a", "/static/a/b", "/static/", "/files/a/b", "/x.css", "/v1/x", "/a b", "/", "/z"]


@both_adapters
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("path", PATHS)
def test_a_pattern_means_the_same_to_a_contract_and_to_a_rule(
    adapter: Adapter, pattern: str, path: str
) -> None:
    """A request that the guard knows is a request that the rule limits."""
    name = f"GET {pattern}"
    guarded = adapter.wrap(hello, SchemaGuard({name: Contract()}, paths="raw"))
    limited = adapter.wrap(hello, RateLimiter(rules=[Rule(name, "1/hour")]))
    known = adapter.drive(guarded, "GET", path).status == 200
    statuses = [adapter.drive(limited, "GET", path).status for _ in range(2)]
    assert statuses == ([200, 429] if known else [200, 200])


@both_adapters
def test_a_rest_of_a_contract_is_less_specific_than_any_other_path(adapter: Adapter) -> None:
    """Also where the rest is empty."""
    app = adapter.wrap(
        hello,
        SchemaGuard(
            {
                "POST /static/*": Contract(),
                "POST /static/closed": Contract(body=dict[str, int]),
                "GET /static/": Contract(),
            },
        ),
    )
    assert adapter.drive(app, "POST", "/static/a/b").status == 200
    assert adapter.drive(app, "POST", "/static/closed").status == 422
    assert adapter.drive(app, "POST", "/static/").status == 405
    assert adapter.drive(app, "GET", "/static/").status == 200
    assert adapter.drive(app, "POST", "/static").status == 404


@both_adapters
def test_a_route_with_options_names_a_contract_with_a_rest(adapter: Adapter) -> None:
    """Patterns of routes, of modes and of contracts are the same text."""
    guard = SchemaGuard(
        {"POST /static/*": Contract(body=dict[str, int])},
        routes={"POST /static/*": RouteOptions(mode="report")},
    )
    assert adapter.drive(adapter.wrap(hello, guard), "POST", "/static/a").status == 200


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("GET /a/*/b", "after its rest"),
        ("GET /*.css", "neither a literal nor"),
        ("GET /a%20b", 'percent-encoded; paths are matched in decoded form; write "GET /a b"'),
        ("GET /{a-b}", "not an identifier"),
        ("GET /{a}/{a}", "twice"),
        ("GET /a?b=c", "a query"),
        ("GET /{a}{b}", "neither a literal nor"),
        ("GET /<int:id>", 'write "GET /{id}"'),
        ("GET /:id", 'write "GET /{id}"'),
        ("ANY /a", "a contract must name|every method"),
        ("get /a", 'write "GET /a"'),
    ],
)
def test_what_is_no_pattern_is_no_contract_either(name: str, fault: str) -> None:
    """The message says what to write, as for a rule."""
    with pytest.raises(ValueError, match=fault):
        SchemaGuard({name: Contract()})
    with pytest.raises(ValueError, match=fault):
        RateLimiter(rules=[Rule(name, "1/hour")])
