"""docs/how-to/migrate-from-slowapi.md: what it says about both limiters."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import mantlet
from mantlet import RateLimiter, keys
from tests.docs.migrations.moving import answers, apps, check_options, report, seen, statuses
from tests.docs.pages import block_with, run

if TYPE_CHECKING:
    import pytest

PAGE = "how-to/migrate-from-slowapi.md"
LOGIN = ["POST /login"] * 6


def test_both_apps_answer_alike() -> None:
    """With the same statuses and numbers, for requests within the limits and beyond them."""
    for requests in (["GET /orders"] * 21, LOGIN, ["GET /health"] * 22):
        before, after = (answers(app, requests) for app in apps(PAGE))
        assert [one.status_code for one in before] == [one.status_code for one in after]
        for name in ("x-ratelimit-limit", "x-ratelimit-remaining"):
            assert [one.headers.get(name) for one in before] == [
                one.headers.get(name) for one in after
            ]


def test_differences() -> None:
    """In the quota of an app, refusals and their headers."""
    before, after = apps(PAGE)
    assert statuses(before, *["GET /orders"] * 20, "GET /none") == [200] * 20 + [404]
    assert statuses(after, *["GET /orders"] * 20, "GET /none") == [200] * 20 + [429]
    before, after = (answers(app, LOGIN) for app in apps(PAGE))
    assert before[-1].json() == {"error": "Rate limit exceeded: 5 per 1 hour"}
    assert after[-1].headers["content-type"] == "application/problem+json"
    assert ["retry-after" in one.headers for one in before] == [True] * 6
    assert ["retry-after" in one.headers for one in after] == [False] * 5 + [True]
    assert "." in before[0].headers["x-ratelimit-reset"]
    assert after[0].headers["x-ratelimit-reset"].isdigit()


def test_slowapi_counts_by_url_and_mantlet_by_route() -> None:
    """So another id is a way around a limit of slowapi, by default."""
    before, after = apps(PAGE)

    async def order(id: str) -> str:
        return id

    for app in (before, after):
        app.get("/orders/{id}")(order)
    ids = [f"GET /orders/{one}" for one in range(21)]
    assert statuses(before, *ids)[-1] == 200
    assert statuses(after, *ids)[-1] == 429


def test_options_exist() -> None:
    """On both sides."""
    from slowapi import Limiter

    check_options(PAGE, Limiter, Limiter.limit, Limiter.shared_limit)


def test_a_limit_that_routes_share() -> None:
    """Five of both together, and the others as before."""
    from fastapi import FastAPI

    bare = FastAPI()
    for path in ("/report", "/dump", "/other"):
        bare.get(path)(lambda: "")
    names: dict[str, Any] = {
        "app": bare,
        "mantlet": mantlet,
        "RateLimiter": RateLimiter,
        "keys": keys,
    }
    app = run(PAGE, block_with(PAGE, "exports"), **names)["app"]
    shared = ["GET /report", "GET /dump"] * 3
    assert statuses(app, *shared, "GET /other") == [200] * 5 + [429, 200]


def test_report_mode_beside_slowapi(caplog: pytest.LogCaptureFixture) -> None:
    """The responses are slowapi's, and the log has the request that Mantlet would refuse."""
    caplog.set_level(logging.INFO, "mantlet.ratelimit")
    requests = ["GET /orders"] * 21
    alone, both = apps(PAGE)[0], apps(PAGE)[0]
    report(PAGE, both)
    assert seen(both, requests) == seen(alone, requests)
    assert [one.name for one in caplog.records].count("mantlet.ratelimit") == 1
