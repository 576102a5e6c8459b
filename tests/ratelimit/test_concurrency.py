"""How many requests of a client are in flight at once, and what those in excess are told."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import Concurrency, RateLimiter, Rule, keys
from tests.drive import ADAPTERS, CLIENT, Adapter, Said, both_adapters, hello
from tests.ratelimit.crowd import crowd, statuses

if TYPE_CHECKING:
    from mantlet import Request


def bound(limit: int = 1, **options: Any) -> RateLimiter:
    """Return a limiter of what is in flight and of nothing else."""
    return RateLimiter(concurrency=Concurrency(limit, **options))


# -- how many -------------------------------------------------------------------------------------


@both_adapters
def test_no_more_than_the_limit_are_in_flight(adapter: Adapter) -> None:
    """Of ten requests at once three reach the app; when these have ended, three more do."""
    limiter = bound(3)
    for _ in range(2):
        assert statuses(crowd(adapter, limiter, [{}] * 10)) == {200: 3, 429: 7}


@both_adapters
def test_each_client_has_its_own_places(adapter: Adapter) -> None:
    """One that holds all of its own takes none of another's."""
    requests = [{"client": f"192.0.2.{index % 3}"} for index in range(9)]
    assert statuses(crowd(adapter, bound(2), requests)) == {200: 6, 429: 3}


@both_adapters
def test_the_key_says_whose_requests_they_are(adapter: Adapter) -> None:
    """And whoever has no key is not bounded."""
    limiter = bound(1, key=keys.header("X-API-Key"))
    requests = [{"headers": [("X-API-Key", key)]} for key in "aab"]
    assert statuses(crowd(adapter, limiter, requests)) == {200: 2, 429: 1}
    answers = crowd(adapter, limiter, [{}] * 5)
    assert statuses(answers) == {200: 5}
    assert "ratelimit" not in answers[0].names


@both_adapters
def test_the_key_of_a_bound_may_have_to_be_waited_for(adapter: Adapter) -> None:
    """As that of a quota."""

    async def account(request: Request) -> str | None:
        if request.is_async:
            await asyncio.sleep(0)
        return request.headers.get("x-account")

    requests = [{"headers": [("X-Account", name)]} for name in "aab"]
    assert statuses(crowd(adapter, bound(1, key=account), [*requests, {}, {}])) == {200: 4, 429: 1}


@both_adapters
def test_a_bound_of_a_rule_holds_for_its_requests_alone(adapter: Adapter) -> None:
    """All paths of its template together."""
    limiter = RateLimiter(rules=[Rule("GET /export/{kind}", concurrency=Concurrency(1))])
    requests = [{"path": path} for path in ("/export/csv", "/export/pdf", "/", "/")]
    found = [answer.status for answer in crowd(adapter, limiter, requests, queued=True)]
    assert found == [200, 429, 200, 200]


@both_adapters
def test_a_bound_of_a_rule_holds_besides_the_limiters_own(adapter: Adapter) -> None:
    """Both have to have a place."""
    rule = Rule("GET /export", concurrency=Concurrency(1, name="exports"))
    limiter = RateLimiter(rules=[rule], concurrency=Concurrency(2, name="all"))
    requests = [{"path": path} for path in ("/export", "/export", "/", "/")]
    answers = crowd(adapter, limiter, requests, queued=True)
    assert [answer.status for answer in answers] == [200, 429, 200, 429]
    violated = [answers[index].json()["violated-policies"] for index in (1, 3)]
    assert violated == [["exports"], ["all"]]


@both_adapters
def test_exempt_requests_take_no_place(adapter: Adapter) -> None:
    """Nothing limits them."""
    limiter = RateLimiter(concurrency=Concurrency(1), rules=[Rule("* /health", exempt=True)])
    requests = [{"path": path} for path in ("/", "/health", "/health")]
    assert statuses(crowd(adapter, limiter, requests)) == {200: 3}


@both_adapters
def test_a_request_without_a_place_spends_no_token(adapter: Adapter) -> None:
    """All or nothing."""
    limiter = RateLimiter("9/hour", concurrency=Concurrency(2), clock=lambda: 0)
    crowd(adapter, limiter, [{}] * 5)
    assert limiter.peek(CLIENT).remaining == 6


@both_adapters
def test_a_request_without_a_token_holds_no_place(adapter: Adapter) -> None:
    """A refused client finds its place when it has tokens again."""
    limiter = RateLimiter("1/hour", concurrency=Concurrency(1), clock=lambda: 0)
    app = adapter.wrap(hello, limiter)
    assert [adapter.drive(app).status for _ in range(2)] == [200, 429]
    limiter.reset(CLIENT)
    assert adapter.drive(app).status == 200


# -- what is told ---------------------------------------------------------------------------------


@both_adapters
def test_a_refusal_names_the_bound_and_no_time(adapter: Adapter) -> None:
    """When a place comes free nobody knows."""
    answers = crowd(adapter, bound(1, name="slots"), [{}, {}], queued=True)
    for answer, room in zip(answers, (0, 0), strict=True):
        assert answer.get("RateLimit-Policy") == '"slots";q=1;qu="concurrent-requests"'
        assert answer.get("RateLimit") == f'"slots";r={room}'
    refused = answers[1]
    assert refused.status == 429
    assert refused.get("Retry-After") is None
    assert refused.json()["violated-policies"] == ["slots"]


@both_adapters
def test_legacy_fields_tell_of_places(adapter: Adapter) -> None:
    """Their limit is the number of places."""
    limiter = RateLimiter(concurrency=Concurrency(5), headers="legacy")
    answer = adapter.drive(adapter.wrap(hello, limiter))
    assert (answer.get("X-RateLimit-Limit"), answer.get("X-RateLimit-Remaining")) == ("5", "4")


@both_adapters
def test_a_bound_in_report_mode_refuses_nobody(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """It says in the log what it would have refused, and in no field."""
    caplog.set_level(logging.INFO, "mantlet.ratelimit")
    answers = crowd(adapter, bound(1, mode="report"), [{}] * 4)
    assert statuses(answers) == {200: 4}
    assert not [answer for answer in answers if "ratelimit" in answer.names]
    said = ["RateLimiter would have refused a request by the limit concurrency"] * 3
    assert [record.getMessage() for record in caplog.records] == said


# -- what a bound is not made of ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"limit": 0}, ValueError, "limit must be at least 1, not 0"),
        ({"limit": 1.5}, TypeError, "limit must be a whole number of requests, not 1.5"),
        ({"limit": True}, TypeError, "not True"),
        ({"limit": 1, "lease": 0}, ValueError, "lease must be from 0.001 to 31536000 seconds"),
        ({"limit": 1, "lease": float("nan")}, ValueError, "nan"),
        ({"limit": 1, "lease": float("inf")}, ValueError, "inf"),
        ({"limit": 1, "lease": "5"}, TypeError, "'5'"),
        ({"limit": 1, "lease": True}, TypeError, "True"),
        ({"limit": 1, "name": ""}, ValueError, "name must be printable ASCII"),
        ({"limit": 1, "name": 5}, TypeError, "name must be a string"),
        ({"limit": 1, "mode": "maybe"}, ValueError, '"report" or "off", not \'maybe\''),
        ({"limit": 1, "key": "address"}, TypeError, "'address'"),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else "",
)
def test_a_wrong_option_of_a_bound_is_an_error_that_says_what_is_wrong(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    """Where it is made."""
    with pytest.raises(error) as refused:
        Concurrency(**options)
    assert said in str(refused.value)


@both_adapters
@pytest.mark.parametrize("by", ["limiter", "rule"])
def test_whose_places_they_are_is_what_the_limiter_or_the_rule_says(
    adapter: Adapter, by: str
) -> None:
    """Behind a proxy the peer's address is everybody's."""
    key, bounded = keys.header("x-api-key"), Concurrency(1)
    limiter = RateLimiter(concurrency=bounded, key=key)
    if by == "rule":
        limiter = RateLimiter(rules=[Rule("* /", concurrency=bounded, key=key)])
    requests = [{"headers": [("x-api-key", name)]} for name in "aab"]
    assert statuses(crowd(adapter, limiter, requests)) == {200: 2, 429: 1}


@both_adapters
@pytest.mark.parametrize("by", ["limiter", "rule"])
def test_places_of_a_limiter_or_a_rule_in_report_mode_refuse_nobody(
    adapter: Adapter, by: str
) -> None:
    """Whatever the bound itself says."""
    limiter = RateLimiter(concurrency=Concurrency(1), mode="report")
    if by == "rule":
        limiter = RateLimiter(rules=[Rule("* /", concurrency=Concurrency(1), mode="report")])
    assert statuses(crowd(adapter, limiter, [{}] * 3)) == {200: 3}


def test_what_is_no_bound_is_a_type_error() -> None:
    """A number alone does not say of what it is."""
    with pytest.raises(TypeError, match="concurrency must be a Concurrency, not 5"):
        RateLimiter(concurrency=5)  # type: ignore[arg-type]  # what is tested


def test_bounds_that_hold_together_have_different_names() -> None:
    """Two of one name could not be told apart."""
    rule = Rule("* /", concurrency=Concurrency(1))
    with pytest.raises(ValueError, match="share the name 'concurrency'"):
        RateLimiter(rules=[rule], concurrency=Concurrency(2))


def test_one_limiter_counts_what_is_in_flight_under_both_protocols() -> None:
    """Places belong to the policy object."""
    limiter = bound()
    inner = ADAPTERS[1].wrap(hello, limiter)

    def asking(carrier: Any) -> Said:
        return ADAPTERS[1].drive(inner).status or 0, [], b""

    assert ADAPTERS[0].drive(ADAPTERS[0].wrap(asking, limiter)).status == 429
