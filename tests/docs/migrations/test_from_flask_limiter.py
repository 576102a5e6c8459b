"""docs/how-to/migrate-from-flask-limiter.md: what it says about both limiters."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tests.docs.migrations.moving import answers, apps, check_options, report, seen, statuses

if TYPE_CHECKING:
    import pytest

PAGE = "how-to/migrate-from-flask-limiter.md"
ORDERS = ["GET /orders"] * 21
LOGIN = ["POST /login"] * 6


def test_both_apps_answer_alike() -> None:
    """With the same statuses, for requests within the limits and beyond them."""
    for requests in (ORDERS, LOGIN, ["GET /health"] * 22):
        before, after = (statuses(app, *requests) for app in apps(PAGE))
        assert before == after


def test_headers_are_alike() -> None:
    """The numbers on every response, and the seconds on the last one."""
    before, after = (answers(app, ORDERS) for app in apps(PAGE))
    for name in ("x-ratelimit-limit", "x-ratelimit-remaining"):
        assert [one.headers[name] for one in before] == [one.headers[name] for one in after]
    assert before[-1].headers["retry-after"].isdigit()
    assert after[-1].headers["retry-after"].isdigit()


def test_differences() -> None:
    """Of paths that do not exist, and in the body of a refusal."""
    before, after = apps(PAGE)
    unknown = [f"GET /none/{one}" for one in range(21)]
    assert statuses(before, *unknown)[-1] == 404
    assert statuses(after, *unknown)[-1] == 429
    before, after = (answers(app, LOGIN)[-1] for app in apps(PAGE))
    assert before.headers["content-type"].startswith("text/html")
    assert after.headers["content-type"] == "application/problem+json"


def test_options_exist() -> None:
    """On both sides."""
    from flask_limiter import Limiter

    check_options(PAGE, Limiter, Limiter.limit, Limiter.shared_limit)


def test_report_mode_beside_flask_limiter(caplog: pytest.LogCaptureFixture) -> None:
    """The responses are Flask-Limiter's, and the log has the request that Mantlet would refuse."""
    caplog.set_level(logging.INFO, "mantlet.ratelimit")
    alone, both = apps(PAGE)[0], apps(PAGE)[0]
    report(PAGE, both)
    assert seen(both, ORDERS) == seen(alone, ORDERS)
    assert [one.name for one in caplog.records].count("mantlet.ratelimit") == 1
