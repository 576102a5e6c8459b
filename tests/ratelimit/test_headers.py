"""The header fields of every answer, in each form that there is."""

from __future__ import annotations

from math import ceil
from time import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet import Concurrency, Quota, RateLimiter, Rule
from tests.drive import ADAPTERS, CLIENT, Adapter, Answer, Said, both_adapters, hello
from tests.ratelimit.crowd import crowd
from tests.ratelimit.structured import limits_of, parse_list

DRAFT = ["ratelimit", "ratelimit-policy"]
LEGACY = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]


def ask(adapter: Adapter, limiter: RateLimiter, count: int = 1, path: str = "/") -> Answer:
    """Send requests; return the last answer."""
    app = adapter.wrap(hello, limiter)
    return [adapter.drive(app, path=path) for _ in range(count)][-1]


def limiter(quota: Any = None, **options: Any) -> RateLimiter:
    """Return a limiter whose clock stands still."""
    return RateLimiter(quota, clock=lambda: 0, **options)


def fields_of(answer: Answer) -> list[str]:
    """Return the names of all its fields that tell of limits."""
    return sorted(name for name in answer.names if "ratelimit" in name)


both_paths = pytest.mark.parametrize(
    "cost", [1, lambda _request: 1], ids=["plain", "told"]
)  # a limiter of one plain quota goes a shorter way


@both_adapters
@both_paths
@pytest.mark.parametrize("count", [1, 3], ids=["answer", "refusal"])
@pytest.mark.parametrize(
    ("headers", "names"),
    [("draft", DRAFT), ("legacy", LEGACY), ("both", DRAFT + LEGACY), (None, [])],
    ids=str,
)
def test_an_answer_has_the_fields_that_are_configured_once_each(
    adapter: Adapter, cost: Any, count: int, headers: Any, names: list[str]
) -> None:
    """And no others; a refusal has them too."""
    answer = ask(adapter, limiter("2/hour", cost=cost, headers=headers), count)
    assert answer.status == (200 if count == 1 else 429)
    assert fields_of(answer) == names
    assert (answer.get("Retry-After") is None) is (count == 1)


# -- RateLimit and RateLimit-Policy ---------------------------------------------------------------


@both_adapters
def test_every_quota_that_holds_is_an_item(adapter: Adapter) -> None:
    """In both lists, and in the same order."""
    rules = [Rule("GET /a", Quota("7/minute", name="rule")), Rule("GET /b", "1/hour")]
    answer = ask(adapter, limiter("9/hour; 5/second", rules=rules), path="/a")
    policies, limits = limits_of(answer)
    assert [(item.value, item.parameters) for item in policies] == [
        ("9/hour", {"q": 9, "w": 3600}),
        ("5/second", {"q": 5, "w": 1}),
        ("rule", {"q": 7, "w": 60}),
    ]
    assert [(item.value, item.parameters) for item in limits] == [
        ("9/hour", {"r": 8, "t": 400}),
        ("5/second", {"r": 4, "t": 1}),
        ("rule", {"r": 6, "t": 9}),
    ]


@both_adapters
def test_a_bound_on_what_is_in_flight_is_an_item(adapter: Adapter) -> None:
    """Of another unit, and without a time (the draft's ``qu``)."""
    answer = ask(adapter, limiter("9/hour", concurrency=Concurrency(3, name="slots")))
    assert answer.get("RateLimit-Policy") == (
        '"default";q=9;w=3600, "slots";q=3;qu="concurrent-requests"'
    )
    assert answer.get("RateLimit") == '"default";r=8;t=400, "slots";r=2'


@both_adapters
def test_the_reset_of_no_quota_is_later_than_retry_after(adapter: Adapter) -> None:
    """A client that waits for the one finds the other over, also where a quota did not refuse."""
    refused = ask(adapter, limiter("2/minute; 9/hour"), 3)
    assert refused.get("Retry-After") == "30"
    assert [item.parameters for item in limits_of(refused)[1]] == [
        {"r": 0, "t": 30},
        {"r": 7, "t": 30},
    ]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(1, 20), st.sampled_from(["second", "minute", "hour", "day"])),
        min_size=1,
        max_size=3,
        unique=True,
    ),
    st.integers(1, 4),
)
def test_whatever_quotas_refuse_no_reset_is_later(rates: list[tuple[int, str]], cost: int) -> None:
    """For any of them, at any cost, and every list can be read."""
    quotas = [f"{amount}/{unit}" for amount, unit in rates]
    app = ADAPTERS[1].wrap(hello, limiter(quotas, cost=lambda _request: cost))
    for _ in range(6):
        answer = ADAPTERS[1].drive(app)
        items = parse_list(answer.get("RateLimit") or "")
        assert len(items) == len(quotas)
        retry = answer.get("Retry-After")
        if retry is not None:
            assert answer.status == 429
            assert all(item.parameters.get("t", 0) <= int(retry) for item in items)


@both_adapters
def test_a_refusal_without_a_time_has_fields_that_can_be_read(adapter: Adapter) -> None:
    """Where a place is missing a quota says its own."""
    quota, bound = Quota("9/hour"), Concurrency(1)
    refused = crowd(adapter, limiter(quota, concurrency=bound), [{}, {}], queued=True)[1]
    assert refused.status == 429
    assert refused.get("Retry-After") is None
    assert refused.get("RateLimit") == '"default";r=8;t=400, "concurrency";r=0'


# -- X-RateLimit-Limit, -Remaining and -Reset -----------------------------------------------------


@both_adapters
@both_paths
@pytest.mark.parametrize(("count", "left", "reset"), [(1, 1, 30), (2, 0, 30), (3, 0, 30)])
def test_the_older_fields_are_numbers_and_a_point_in_time(
    adapter: Adapter, cost: Any, count: int, left: int, reset: int
) -> None:
    """In seconds since 1970, as GitHub has it."""
    before = ceil(time())
    answer = ask(adapter, limiter("2/minute", cost=cost, headers="legacy"), count)
    after = ceil(time())
    assert answer.get("X-RateLimit-Limit") == "2"
    assert answer.get("X-RateLimit-Remaining") == str(left)
    assert before + reset <= int(answer.get("X-RateLimit-Reset") or 0) <= after + reset


@both_adapters
def test_of_several_quotas_the_older_fields_tell_of_the_decisive_one(adapter: Adapter) -> None:
    """There is room for one: that with least left, and of a refusal the one that refused."""
    several = limiter("9/hour; 2/minute", headers="legacy")
    answers = [ask(adapter, several) for _ in range(3)]
    assert [answer.get("X-RateLimit-Limit") for answer in answers] == ["2"] * 3
    assert [answer.get("X-RateLimit-Remaining") for answer in answers] == ["1", "0", "0"]


@both_adapters
@pytest.mark.parametrize("quotas", [("9/hour", "5/hour"), ("5/hour", "9/hour")], ids=str)
def test_of_several_limiters_the_older_fields_tell_of_the_one_with_least_left(
    adapter: Adapter, quotas: tuple[str, str]
) -> None:
    """No client reads ``9, 5`` as a number."""
    policies = [limiter(quota, headers="legacy") for quota in quotas]
    answer = adapter.drive(adapter.wrap(hello, *policies))
    assert (answer.get("X-RateLimit-Limit"), answer.get("X-RateLimit-Remaining")) == ("5", "4")


# -- the app's own --------------------------------------------------------------------------------


@both_adapters
@both_paths
@pytest.mark.parametrize("headers", ["draft", "legacy", "both"])
def test_the_apps_own_fields_of_these_names_are_not_doubled(
    adapter: Adapter, cost: Any, headers: Any
) -> None:
    """Whatever their case: what is told is what is enforced."""
    # In lower case, as ASGI wants them.
    own = [(name.title() if adapter.name == "wsgi" else name, "77") for name in DRAFT + LEGACY]

    def claiming(carrier: Any) -> Said:
        return 200, own, b""

    answer = adapter.drive(adapter.wrap(claiming, limiter("9/hour", cost=cost, headers=headers)))
    said = {"draft": DRAFT, "legacy": LEGACY, "both": DRAFT + LEGACY}[headers]
    assert fields_of(answer) == DRAFT + LEGACY
    for name in DRAFT + LEGACY:
        assert (answer.get(name) == "77") is (name not in said)


@both_adapters
def test_a_limiter_without_fields_leaves_the_apps_alone(adapter: Adapter) -> None:
    """They may be of a limiter of the app's own."""

    def claiming(carrier: Any) -> Said:
        return 200, [("x-ratelimit-limit", "77")], b""

    answer = adapter.drive(adapter.wrap(claiming, limiter("9/hour", headers=None)))
    assert answer.get("X-RateLimit-Limit") == "77"
    assert fields_of(answer) == ["x-ratelimit-limit"]


@both_adapters
def test_a_limiter_without_fields_refuses_with_a_time(adapter: Adapter) -> None:
    """Retry-After is HTTP's own, and no field of a limit."""
    refused = ask(adapter, limiter("1/hour", headers=None), 2)
    assert (refused.status, refused.get("Retry-After")) == (429, "3600")
    assert CLIENT not in refused.text()


@pytest.mark.parametrize("headers", ["Draft", "", "none", True, 5], ids=repr)
def test_a_form_that_there_is_not_is_an_error_that_names_those_there_are(headers: Any) -> None:
    """At construction."""
    with pytest.raises(ValueError, match='headers must be "draft", "legacy", "both" or') as refused:
        RateLimiter("9/hour", headers=headers)
    assert repr(headers) in str(refused.value)
