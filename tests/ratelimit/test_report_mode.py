"""Limits that are only tried out: they decide, count and report, and refuse nobody."""

from __future__ import annotations

import logging
from typing import Any

import pytest

import mantlet
from mantlet import Quota, RateLimiter, Rule, on_status
from tests.drive import CLIENT, Adapter, Answer, Said, both_adapters, hello
from tests.ratelimit.structured import limits_of

SAID = "RateLimiter would have refused a request by the limit default"


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Keep what the limiter logs."""
    caplog.set_level(logging.INFO, "mantlet.ratelimit")
    return caplog


def ask(adapter: Adapter, limiter: RateLimiter, count: int = 1) -> tuple[list[Answer], list[Any]]:
    """Send requests; return the answers, and the decisions that the app has seen."""
    seen: list[Any] = []

    def looking(carrier: Any) -> Said:
        seen.append(mantlet.state(carrier).rate_limit)
        return hello(carrier)

    app = adapter.wrap(looking, limiter)
    return [adapter.drive(app) for _ in range(count)], seen


@both_adapters
def test_a_limiter_in_report_mode_refuses_nobody(adapter: Adapter) -> None:
    """However far a client is over its quota."""
    answers, _ = ask(adapter, RateLimiter("2/hour", mode="report", clock=lambda: 0), 5)
    assert [answer.status for answer in answers] == [200] * 5


@both_adapters
def test_the_environment_sets_the_mode_of_a_limiter(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its rules as well."""
    monkeypatch.setenv("MANTLET_MODE", "report")
    limiter = RateLimiter("2/hour", rules=[Rule("* /", "1/hour")], clock=lambda: 0)
    answers, seen = ask(adapter, limiter, 3)
    assert [answer.status for answer in answers] == [200] * 3
    assert [decision.is_report_only for decision in seen] == [True] * 3


@both_adapters
@pytest.mark.parametrize("headers", ["draft", "legacy", "both", None])
def test_a_limiter_in_report_mode_tells_clients_nothing(adapter: Adapter, headers: Any) -> None:
    """A client must not be held off by a limit that does not hold."""
    limiter = RateLimiter("2/hour", mode="report", headers=headers, clock=lambda: 0)
    answers, _ = ask(adapter, limiter, 4)
    assert [name for answer in answers for name in answer.names if "ratelimit" in name] == []


@both_adapters
def test_the_app_reads_what_would_have_been_decided(adapter: Adapter) -> None:
    """Allowed, and yet not within the quota."""
    _, seen = ask(adapter, RateLimiter("2/hour", mode="report", clock=lambda: 0), 4)
    assert [decision.is_within_limit for decision in seen] == [True, True, False, False]
    assert [decision.allowed for decision in seen] == [True] * 4
    assert [decision.remaining for decision in seen] == [1, 0, 0, 0]
    assert [decision.is_report_only for decision in seen] == [True] * 4
    assert [decision.retry_after for decision in seen] == [0, 0, 1800, 1800]


@both_adapters
def test_each_request_that_would_have_been_refused_is_logged(
    adapter: Adapter, log: pytest.LogCaptureFixture
) -> None:
    """By the names in the configuration alone: no client's address gets into the log."""
    ask(adapter, RateLimiter("2/hour", mode="report", clock=lambda: 0), 4)
    assert [record.getMessage() for record in log.records] == [SAID] * 2
    assert CLIENT not in log.text


@both_adapters
@pytest.mark.parametrize("cost", [1, lambda _request: 1], ids=["plain", "told"])
def test_a_refusal_that_holds_is_not_logged_as_one_that_would_have(
    adapter: Adapter, cost: Any, log: pytest.LogCaptureFixture
) -> None:
    """It has a record of its own."""
    app = adapter.wrap(hello, RateLimiter("1/hour", cost=cost, clock=lambda: 0))
    assert [adapter.drive(app).status for _ in range(3)] == [200, 429, 429]
    assert len(log.records) == 2
    assert "would have" not in log.text


@both_adapters
def test_a_limiter_in_report_mode_has_all_its_rules_in_report_mode(adapter: Adapter) -> None:
    """It is tried out as a whole."""
    rule = Rule("* /", "1/hour")
    answers, _ = ask(
        adapter, RateLimiter("9/hour", rules=[rule], mode="report", clock=lambda: 0), 3
    )
    assert [answer.status for answer in answers] == [200] * 3


@both_adapters
def test_a_rule_in_report_mode_leaves_what_holds_as_it_is(adapter: Adapter) -> None:
    """The limiter's own quota refuses still, and is the only one that is told of."""
    rule = Rule("* /", Quota("1/hour", name="tried"), mode="report")
    answers, _ = ask(adapter, RateLimiter("3/hour", rules=[rule], clock=lambda: 0), 5)
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    for answer in answers:
        (policy,), _ = limits_of(answer)
        assert policy.value == "default"
    assert answers[-1].json()["violated-policies"] == ["default"]


@both_adapters
def test_legacy_fields_tell_of_what_holds_alone(adapter: Adapter) -> None:
    """The quota in report mode has less left, and is nobody's business."""
    rule = Rule("* /", "2/hour", mode="report")
    limiter = RateLimiter("9/hour", rules=[rule], headers="legacy", clock=lambda: 0)
    (answer,), _ = ask(adapter, limiter)
    assert answer.get("X-RateLimit-Limit") == "9"
    assert answer.get("X-RateLimit-Remaining") == "8"


@both_adapters
def test_what_holds_refuses_without_spending_of_what_is_tried_out(adapter: Adapter) -> None:
    """What is counted in report mode are the requests that came through."""
    rule = Rule("* /", "9/hour", mode="report")
    limiter = RateLimiter("2/hour", rules=[rule], clock=lambda: 0)
    ask(adapter, limiter, 5)
    assert limiter.peek(CLIENT, rule="* /").remaining == 6


@both_adapters
def test_what_is_tried_out_is_spent_once_it_fits_again(adapter: Adapter) -> None:
    """A refusal in report mode takes nothing of its bucket, as a real one would not."""
    now = 0
    limiter = RateLimiter("2/minute", mode="report", clock=lambda: now)
    ask(adapter, limiter, 5)
    now = 30_000_000_000
    _, (decision, late) = ask(adapter, limiter, 2)
    assert (decision.is_within_limit, late.is_within_limit) == (True, False)


@both_adapters
def test_what_was_not_taken_in_report_mode_is_not_given_back(adapter: Adapter) -> None:
    """A request that would have been refused leaves the bucket as empty as it was."""
    status = 401

    def answering(carrier: Any) -> Said:
        return status, [], b""

    rule = Rule("* /", "2/hour", count_if=on_status(401), mode="report")
    limiter = RateLimiter("9/hour", rules=[rule], clock=lambda: 0)
    app = adapter.wrap(answering, limiter)
    for status in (401, 401, 200, 200):
        assert adapter.drive(app).status == status
    assert not limiter.peek(CLIENT, rule="* /").is_within_limit


def test_a_check_in_report_mode_is_allowed_and_says_what_it_would_have_been() -> None:
    """Outside of HTTP as well."""
    limiter = RateLimiter("1/hour", mode="report", clock=lambda: 0)
    first, second = limiter.check("x"), limiter.check("x")
    assert (first.allowed, first.is_within_limit) == (True, True)
    assert (second.allowed, second.is_within_limit) == (True, False)
