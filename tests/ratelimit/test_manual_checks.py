"""The limiter outside of HTTP: `check()` and the others, and their forms for asyncio."""

from __future__ import annotations

from math import inf

import pytest

from mantlet import Quota, Rule, keys
from tests.drive import ADAPTERS, CLIENT, Adapter, both_adapters, hello
from tests.ratelimit.forms import Form, both_forms, limiter
from tests.ratelimit.keys.asking import key_of
from tests.ratelimit.meter import MINUTE, SECOND, Clock, Meter

# -- what they do ---------------------------------------------------------------------------------


@both_forms
def test_a_check_takes_a_token_and_says_what_is_left(form: Form) -> None:
    """As a request would."""
    asked = form(limiter())
    decisions = [asked.check() for _ in range(4)]
    assert [decision.allowed for decision in decisions] == [True, True, True, False]
    assert [decision.remaining for decision in decisions] == [2, 1, 0, 0]
    assert [decision.retry_after for decision in decisions] == [0, 0, 0, 1200]


@both_forms
def test_a_check_takes_what_it_costs(form: Form) -> None:
    """All of it or nothing; 0 takes nothing, and is never refused."""
    asked = form(limiter("5/hour"))
    assert asked.check(cost=3).remaining == 2
    assert not asked.check(cost=3).allowed
    assert asked.check(cost=2).remaining == 0
    assert asked.check(cost=0).allowed


@both_forms
def test_a_cost_above_the_burst_never_fits(form: Form) -> None:
    """There is no time to come back at."""
    decision = form(limiter("5/hour")).check(cost=6)
    assert (decision.allowed, decision.retry_after) == (False, inf)


@both_forms
def test_a_look_takes_nothing_and_says_what_a_check_would(form: Form) -> None:
    """Any number of times."""
    asked = form(limiter("2/hour"))
    asked.check()
    looks = [asked.peek() for _ in range(3)]
    assert [(one.allowed, one.remaining) for one in looks] == [(True, 0)] * 3
    assert asked.check().allowed
    assert not asked.peek().allowed


@both_forms
def test_a_refund_gives_tokens_back_and_no_more_than_the_burst(form: Form) -> None:
    """What was not taken can't be given."""
    asked = form(limiter("5/hour"))
    asked.check(cost=4)
    asked.refund(cost=2)
    assert asked.peek(cost=0).remaining == 3
    asked.refund(cost=5)
    assert asked.peek(cost=0).remaining == 5


@both_forms
def test_a_refund_of_old_tokens_gives_back_what_time_has_not(form: Form) -> None:
    """An app that lets its own work count by its result states when it began."""
    clock = Clock()
    asked = form(limiter("60/minute", clock=clock))
    asked.check(cost=60)
    clock.now += 2 * SECOND
    asked.refund(cost=3, age=2)
    assert asked.peek(cost=0).remaining == 2 + 1
    asked.refund(cost=57, age=60)
    assert asked.peek(cost=0).remaining == 3
    with pytest.raises(ValueError, match="age must be from 0 to"):
        asked.refund(age=-1)


@both_forms
def test_a_reset_makes_a_bucket_full_and_leaves_others_alone(form: Form) -> None:
    """One client's, and not everybody's."""
    asked = form(limiter("2/hour"))
    asked.check("x", cost=2)
    asked.check("y", cost=2)
    asked.reset("x")
    assert asked.peek("x", cost=0).remaining == 2
    assert asked.peek("y", cost=0).remaining == 0


@both_forms
def test_a_ban_refuses_everything_until_it_is_over(form: Form) -> None:
    """And then one request passes, as the next token comes."""
    clock = Clock()
    asked = form(limiter("60/minute", clock=clock))
    asked.ban(90)
    assert asked.check().retry_after == 90
    clock.now = 90 * SECOND - 1
    assert not asked.check().allowed
    clock.now = 90 * SECOND
    assert [asked.check().allowed for _ in range(2)] == [True, False]
    assert asked.peek("y").allowed


@both_forms
def test_a_short_ban_does_not_shorten_a_long_one(form: Form) -> None:
    """The later end holds."""
    asked = form(limiter())
    asked.ban(3600 * 24)
    asked.ban(1)
    assert asked.check().retry_after == 3600 * 24


@both_forms
def test_a_reset_ends_a_ban(form: Form) -> None:
    """That is how an operator takes it back."""
    asked = form(limiter())
    asked.ban(3600)
    asked.reset()
    assert asked.check().remaining == 2


@both_forms
def test_several_quotas_are_taken_all_or_nothing(form: Form) -> None:
    """And each is told of."""
    asked = form(limiter("2/minute; 9/hour"))
    decisions = [asked.check() for _ in range(4)]
    assert [decision.allowed for decision in decisions] == [True, True, False, False]
    assert [one.remaining for one in decisions[-1].parts] == [0, 7]
    assert [one.name for one in decisions[-1].parts] == ["2/minute", "9/hour"]


# -- whose buckets these are ----------------------------------------------------------------------


@both_adapters
def test_they_are_those_of_requests(adapter: Adapter) -> None:
    """A job and a request of one client share its quota."""
    asked = limiter("2/hour")
    app = adapter.wrap(hello, asked)
    asked.check(CLIENT)
    assert [adapter.drive(app).status for _ in range(2)] == [200, 429]
    asked.reset(CLIENT)
    assert adapter.drive(app).status == 200
    asked.ban(CLIENT, 3600 * 5)
    assert adapter.drive(app).get("Retry-After") == str(3600 * 5)


def test_an_ipv6_client_is_known_by_its_network() -> None:
    """As the key function has it."""
    meter = Meter("1/hour")
    assert meter.admits("2001:db8::1")
    assert not meter.limiter.peek("2001:db8::/64").allowed


@pytest.mark.parametrize(
    "text", ["x" * 1000, "caf\u00e9", "a b\n", ""], ids=["long", "é", "blank", ""]
)
@both_adapters
def test_a_key_is_what_the_key_function_returns(adapter: Adapter, text: str) -> None:
    """Also where the limiter keeps it hashed, since it is long."""
    asked = limiter("1/hour", key=lambda _request: text)
    assert adapter.drive(adapter.wrap(hello, asked)).status == 200
    assert not asked.peek(text).allowed


def test_a_key_that_is_kept_hashed_is_known_by_its_hash() -> None:
    """A secret need not be told again by who has seen the hash."""
    credential = keys.header("X-API-Key")
    headers = [("X-API-Key", "seeded-secret")]
    asked = limiter("1/hour", key=credential)
    ADAPTERS[0].drive(ADAPTERS[0].wrap(hello, asked), headers=headers)
    known = key_of(ADAPTERS[0], credential, headers)
    assert known is not None
    assert "seeded-secret" not in known
    assert not asked.peek(known).allowed


def test_a_key_that_only_looks_like_a_hash_is_what_the_key_function_returns() -> None:
    """A chat room's name, say."""
    asked = limiter("1/hour", key=lambda _request: "#general")
    ADAPTERS[0].drive(ADAPTERS[0].wrap(hello, asked))
    assert not asked.peek("#general").allowed


@both_forms
def test_a_rule_is_named_by_its_pattern(form: Form) -> None:
    """Its quotas are meant then, and the limiter's own are left alone."""
    rules = [Rule("GET /a", "5/hour"), Rule("* /ws", "7/hour", per="message")]
    asked = form(limiter("3/hour", rules=rules))
    asked.check(rule="GET /a", cost=5)
    asked.ban(60 * 60, rule="* /ws")
    assert not asked.peek(rule="GET /a").allowed
    assert not asked.peek(rule="* /ws").allowed
    assert asked.peek().remaining == 2
    asked.refund(rule="GET /a")
    asked.reset(rule="* /ws")
    assert asked.check(rule="GET /a").name == "GET /a"
    assert asked.check(rule="* /ws").remaining == 6


@both_forms
def test_all_rules_of_a_pattern_are_meant(form: Form) -> None:
    """They hold together for requests, and so they do here."""
    rules = [
        Rule("GET /a", Quota("5/hour", name="one")),
        Rule("GET /a", Quota("9/hour", name="two")),
    ]
    decision = form(limiter(None, rules=rules)).check(rule="GET /a")
    assert [(one.name, one.remaining) for one in decision.parts] == [("one", 4), ("two", 8)]


def test_a_long_wait_is_never_told_too_short() -> None:
    """Whoever waits for ``retry_after`` is admitted, at any rate of tokens."""
    clock = Clock()
    asked = limiter("90/minute", burst=1, clock=clock)
    for _ in range(200):
        while not (decision := asked.check("x")).allowed:
            early = int(decision.retry_after * SECOND)
            clock.now += early if early / SECOND >= decision.retry_after else early + 1
            assert asked.peek("x").allowed
    assert clock.now < 3 * MINUTE
