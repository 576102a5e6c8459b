"""docs/how-to/migrate-from-fastapi-guard.md: what it says about both."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs.clients import send
from tests.docs.migrations.moving import apps, check_options, report, seen, statuses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAGE = "how-to/migrate-from-fastapi-guard.md"
KEY = {"X-API-Key": "a-long-random-key"}
PREFLIGHT = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
#: fastapi-guard counts in the process, whatever the app, so each test has clients of its own.
CLIENTS = map("198.51.100.{}".format, itertools.count(1))


@pytest.fixture(name="both")
def _both() -> tuple[Any, Any]:
    """Return the app before and the app after."""
    return apps(PAGE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("request_", "options", "status"),
    [
        ("GET /orders", {}, 200),
        ("GET /orders", {"client": "203.0.113.7"}, 403),
        ("GET /invoices", {"headers": KEY}, 200),
        ("GET /invoices", {"headers": {"X-API-Key": "another"}}, 401),
        ("POST /notes", {"json": {"a": "b"}}, 200),
        ("POST /notes", {"json": {"a": "b" * 2000}}, 413),
        ("POST /notes", {"data": {"a": "b"}}, 415),
    ],
    ids=["open", "denied", "key", "unknown-key", "note", "too-large", "form"],
)
def test_both_apps_answer_alike(
    both: tuple[Any, Any], request_: str, options: dict[str, Any], status: int
) -> None:
    """To what the page lists."""
    client = {"client": next(CLIENTS)}
    found = [send(app, request_, **client | options).status_code for app in both]
    assert found == [status, status]


@pytest.mark.unmeasured
def test_limits_are_alike(both: tuple[Any, Any]) -> None:
    """Of the app, and of a route."""
    for requests in (["GET /orders"] * 21, ["POST /login"] * 6):
        client = next(CLIENTS)
        before, after = (statuses(app, *requests, client=client) for app in both)
        assert before == after
        assert set(before[:-1]) == {200}
        assert before[-1] == 429


@pytest.mark.unmeasured
def test_clients_of_the_proxy(both: tuple[Any, Any]) -> None:
    """Are counted by the address that it adds."""
    for app in both:
        one, other = next(CLIENTS), next(CLIENTS)
        found = [
            statuses(app, *["POST /login"] * 6, client="10.0.0.1", headers=headers)[-1]
            for headers in (
                {"X-Forwarded-For": f"{other}, {one}", "X-Forwarded-Proto": "https"},
                {"X-Forwarded-For": f"{one}, {one}", "X-Forwarded-Proto": "https"},
            )
        ]
        assert found == [429, 429]
        headers = {"X-Forwarded-For": other, "X-Forwarded-Proto": "https"}
        assert statuses(app, "POST /login", client="10.0.0.1", headers=headers) == [200]


def test_cors_and_https(both: tuple[Any, Any]) -> None:
    """Are alike for preflights, requests of the origin, and pages over http."""
    for app in both:
        client = next(CLIENTS)
        for request in ("OPTIONS /orders", "GET /orders"):
            answer = send(app, request, client=client, headers=PREFLIGHT)
            assert answer.headers["access-control-allow-origin"] == "https://app.example"
        answer = send(app, "GET /orders", client=client, url="http://api.example")
        assert answer.headers["location"] == "https://api.example/orders"


@pytest.mark.unmeasured
def test_differences(both: tuple[Any, Any]) -> None:
    """In statuses, and in what passes."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b'{"a": "' + b"b" * 2000 + b'"}'

    client = next(CLIENTS)
    json = {"Content-Type": "application/json"}
    found = []
    for app in both:
        plain = {"client": client, "url": "http://api.example"}
        found.append(
            [
                send(app, "GET /invoices", client=client).status_code,
                send(app, "GET /none", client=client).status_code,
                send(app, "POST /login", **plain).status_code,
                send(app, "POST /notes", client=client, content=chunks(), headers=json).status_code,
                send(app, "GET /orders?a=b", client=client).status_code,
            ]
        )
    assert found == [[400, 404, 200, 200, 200], [401, 401, 403, 413, 422]]


@pytest.mark.unmeasured
def test_refusals_differ(both: tuple[Any, Any]) -> None:
    """In their bodies and headers."""
    client = next(CLIENTS)
    before, after = ([send(app, "POST /login", client=client) for _ in range(6)] for app in both)
    assert before[-1].text == "Too many requests"
    assert before[-1].headers["retry-after"] == "3600"
    assert after[-1].json()["status"] == 429
    assert int(after[-1].headers["retry-after"]) <= 720
    assert "ratelimit" not in before[0].headers
    assert "ratelimit" in after[0].headers


@pytest.mark.unmeasured
def test_two_apps_of_fastapi_guard_share_their_counts() -> None:
    """And two of Mantlet don't."""
    client = next(CLIENTS)
    found = []
    for index in (0, 1):
        first, second = apps(PAGE)[index], apps(PAGE)[index]
        assert statuses(first, *["POST /login"] * 5, client=client) == [200] * 5
        found += statuses(second, "POST /login", client=client)
    assert found == [429, 200]


def test_options_exist() -> None:
    """On both sides."""
    from guard import SecurityConfig, SecurityDecorator

    decorators = [
        getattr(SecurityDecorator, name)
        for name in ("rate_limit", "require_ip", "require_auth", "api_key_auth")
    ]
    check_options(PAGE, SecurityConfig.model_fields, *decorators)


@pytest.mark.unmeasured
def test_report_mode_beside_fastapi_guard(caplog: pytest.LogCaptureFixture) -> None:
    """The responses are those of fastapi-guard, and the log has what Mantlet would refuse."""
    caplog.set_level(logging.INFO, "mantlet.guard")
    alone, both = apps(PAGE)[0], apps(PAGE)[0]
    report(PAGE, both)
    client = next(CLIENTS)
    requests = ["GET /orders?a=b", "GET /orders"]
    assert seen(alone, requests, client=client) == seen(both, requests, client=client)
    assert [one.name for one in caplog.records].count("mantlet.guard") == 1
