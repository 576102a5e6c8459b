"""Bans: by rules, by hand, as clients see them, and lifted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet import Ban, Concurrency, Quota, RateLimiter, Rule, on_status
from mantlet.ratelimit.stores.memory import MemoryStore
from tests.drive import CLIENT, Adapter, both_adapters, hello
from tests.ratelimit.crowd import crowd, statuses
from tests.ratelimit.forms import Form, both_forms
from tests.ratelimit.meter import HOUR, MINUTE, SECOND, Clock
from tests.ratelimit.outages import Broken, Full
from tests.ratelimit.stores.model import Bucket
from tests.ratelimit.test_count_if import wrong

LOGIN = "POST /login"
#: A ban of an hour for three refusals within ten minutes.
BAN = Ban(after=3, within=600, seconds=3600)


class Door:
    """An app with a login that is limited to two a minute, with bans.

    Args:
        adapter: the protocol.
        options: the rule's others.
    """

    def __init__(self, adapter: Adapter, ban: Ban = BAN, **options: Any) -> None:
        self.clock = Clock()
        rule = Rule(LOGIN, "2/minute", ban=ban, **options)
        self.limiter = RateLimiter(rules=[rule], clock=self.clock)
        self._adapter = adapter
        self._app = adapter.wrap(options.pop("handler", hello), self.limiter)

    def knock(self) -> tuple[int | None, str | None]:
        """Return the status, and the wait that is told."""
        answer = self._adapter.drive(self._app, method="POST", path="/login")
        return answer.status, answer.get("Retry-After")


@both_adapters
def test_a_key_that_is_refused_several_times_is_banned(adapter: Adapter) -> None:
    """The refusal that leads to it says so already, and it ends when it says."""
    door = Door(adapter)
    assert [door.knock() for _ in range(5)] == [
        (200, None),
        (200, None),
        (429, "30"),
        (429, "30"),
        (429, "3600"),
    ]
    door.clock.now += HOUR - SECOND
    assert door.knock() == (429, "1")
    door.clock.now += SECOND
    assert [door.knock() for _ in range(2)] == [(200, None), (429, "30")]


@both_adapters
def test_requests_during_a_ban_neither_prolong_it_nor_count(adapter: Adapter) -> None:
    """A client that keeps asking is admitted when it was told."""
    door = Door(adapter)
    for _ in range(5):
        door.knock()
    for rest in range(3600, 0, -60):
        assert door.knock() == (429, str(rest))
        door.clock.now += MINUTE
    assert [door.knock()[0] for _ in range(4)] == [200, 429, 429, 429]
    assert door.knock() == (429, "3600")


@both_adapters
def test_refusals_that_are_further_apart_do_not_ban(adapter: Adapter) -> None:
    """Two within ten minutes, again and again."""
    door = Door(adapter)
    for _ in range(20):
        assert [door.knock()[0] for _ in range(4)] == [200, 200, 429, 429]
        door.clock.now += 10 * MINUTE


@both_adapters
def test_a_decision_tells_a_ban(adapter: Adapter) -> None:
    """And so does a look from outside, which a reset ends."""
    door = Door(adapter)
    for _ in range(4):
        door.knock()
    assert not door.limiter.peek(CLIENT, rule=LOGIN).is_banned
    door.knock()
    assert door.limiter.peek(CLIENT, rule=LOGIN).is_banned
    assert door.limiter.peek(CLIENT, rule=LOGIN).retry_after == 3600
    door.limiter.reset(CLIENT, rule=LOGIN)
    assert not door.limiter.peek(CLIENT, rule=LOGIN).is_banned
    assert [door.knock()[0] for _ in range(4)] == [200, 200, 429, 429]


@both_adapters
def test_a_ban_is_of_one_key_and_one_rule(adapter: Adapter) -> None:
    """Neither of other clients, nor of other requests."""
    rules = [Rule("* /a", "1/minute", ban=Ban(after=1, within=60, seconds=3600))]
    limiter = RateLimiter("100/minute", rules=rules, clock=lambda: 0)
    app = adapter.wrap(hello, limiter)
    assert [adapter.drive(app, path="/a").status for _ in range(3)] == [200, 429, 429]
    assert adapter.drive(app, path="/b").status == 200
    assert adapter.drive(app, path="/a", client="192.0.2.99").status == 200


@both_adapters
def test_failures_lead_to_a_ban_and_successes_do_not(adapter: Adapter) -> None:
    """With `count_if`, and requests at the same time: refunds do not undo the ban."""
    rule = Rule("* /", "3/hour", count_if=on_status(401), ban=Ban(after=5, within=60, seconds=7200))
    limiter = RateLimiter(rules=[rule], clock=lambda: 0)
    answers = crowd(adapter, limiter, [{}] * 10)
    assert statuses(answers) == {200: 3, 429: 7}
    assert limiter.peek(CLIENT, rule="* /").retry_after == 7200


@both_adapters
def test_in_report_mode_nobody_is_banned(adapter: Adapter) -> None:
    """The refusals would not have been any."""
    door = Door(adapter, mode="report")
    assert [door.knock()[0] for _ in range(9)] == [200] * 9
    assert not door.limiter.peek(CLIENT, rule=LOGIN).is_banned


@both_adapters
@pytest.mark.parametrize("options", [{}, {"delay": 1}], ids=["refused", "delayed"])
@pytest.mark.filterwarnings("ignore:.*delay has no effect")
def test_on_a_route_in_report_mode_nobody_is_banned(
    adapter: Adapter, options: dict[str, Any]
) -> None:
    """Neither there, nor on the routes where the rule refuses."""
    rule = Rule("* /{page}", "1/hour", ban=Ban(after=2, within=60, seconds=7200))
    mode: Any = {"* /tried": "report"}
    limiter = RateLimiter(rules=[rule], mode=mode, clock=lambda: 0, **options)
    app = adapter.wrap(hello, limiter)
    assert [adapter.drive(app, path="/tried").status for _ in range(4)] == [200] * 4
    assert not limiter.peek(CLIENT, rule="* /{page}").is_banned
    assert [adapter.drive(app, path="/other").status for _ in range(2)] == [429] * 2
    assert limiter.peek(CLIENT, rule="* /{page}").is_banned


@both_adapters
def test_the_refusal_of_another_limit_does_not_count(adapter: Adapter) -> None:
    """Only those of the quota of the rule."""
    rule = Rule("* /", "9/minute", ban=Ban(after=1, within=60, seconds=3600))
    limiter = RateLimiter("1/minute", rules=[rule], clock=lambda: 0)
    app = adapter.wrap(hello, limiter)
    assert [adapter.drive(app).status for _ in range(5)] == [200, *[429] * 4]
    assert not limiter.peek(CLIENT, rule="* /").is_banned


@both_forms
def test_checks_outside_of_http_count_like_requests(form: Form) -> None:
    """Looks do not."""
    limiter = RateLimiter(rules=[Rule(LOGIN, "2/minute", ban=BAN)], clock=lambda: 0)
    asked = form(limiter)
    for _ in range(2):
        assert asked.check(rule=LOGIN).allowed
    for _ in range(9):
        assert not asked.peek(rule=LOGIN).is_banned
    decisions = [asked.check(rule=LOGIN) for _ in range(4)]
    assert [decision.is_banned for decision in decisions] == [False, False, True, True]
    assert [decision.retry_after for decision in decisions] == [30, 30, 3600, 3600]


def test_a_ban_by_hand_is_told_and_outlasts_refunds() -> None:
    """Of the limiter's own quota, and of several quotas at once."""
    limiter = RateLimiter("2/minute; 9/hour", clock=lambda: 0)
    limiter.check("x")
    limiter.ban("x", 5 * 3600)
    limiter.refund("x", cost=9)
    decision = limiter.peek("x")
    assert decision.is_banned
    assert decision.retry_after == 5 * 3600
    limiter.reset("x")
    assert limiter.peek("x").remaining == 1


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 5)), max_size=40),
)
def test_rules_ban_as_the_exact_model_does(after: int, asked: list[tuple[int, int]]) -> None:
    """Every decision, whenever and however often a client asks."""
    clock, quota = Clock(), Quota("6/minute", burst=2)
    ban = Ban(after=after, within=30, seconds=90)
    limiter = RateLimiter(rules=[Rule(LOGIN, quota, ban=ban)], clock=clock)
    model, refused = Bucket(quota, 0), list[int]()
    until = 0
    for pause, times in asked:
        clock.now += pause * SECOND
        for _ in range(times):
            decision = limiter.check("x", rule=LOGIN)
            admitted = model.take(clock.now) if clock.now >= until else False
            assert decision.allowed is admitted
            if not admitted and clock.now >= until:
                refused = [at for at in refused if clock.now - at < 30 * SECOND] + [clock.now]
                if len(refused) == after:
                    refused, until = [], clock.now + 90 * SECOND
                    model.hold(90 * SECOND)
            if clock.now < until:
                assert decision.retry_after * SECOND == until - clock.now


# -- outages --------------------------------------------------------------------------------------


def test_a_process_bans_by_itself_in_an_outage() -> None:
    """By the refusals of its share."""
    rule = Rule(LOGIN, "2/minute", ban=Ban(after=2, within=60, seconds=3600))
    limiter = RateLimiter(rules=[rule], store=StrikingStore(), clock=None)
    assert [limiter.check("x", rule=LOGIN).allowed for _ in range(2)] == [True, True]
    waits = [limiter.check("x", rule=LOGIN).retry_after for _ in range(2)]
    assert waits[0] < 60
    assert 3500 < waits[1] <= 3600


def test_a_ban_holds_in_an_outage_that_follows() -> None:
    """Where this process knows of it."""
    store = StrikingStore()
    store.out.clear()
    limiter = RateLimiter("9/minute", store=store)
    limiter.ban("x", 3600)
    store.out = {"take", "peek"}
    assert limiter.peek("x").is_banned
    assert not asyncio.run(limiter.acheck("x")).allowed


def test_a_refusal_that_could_not_be_counted_is_a_refusal() -> None:
    """The store is gone between the two."""
    store = StrikingStore()
    store.out = {"strike"}
    rule = Rule(LOGIN, "1/minute", ban=Ban(after=1, within=60, seconds=3600))
    limiter = RateLimiter(rules=[rule], store=store)
    assert [limiter.check("x", rule=LOGIN).allowed for _ in range(3)] == [True, False, False]
    assert not limiter.peek("x", rule=LOGIN).is_banned


class StrikingStore(Broken):
    """A store of one's own that supports bans."""

    def strike(self, claim: Any, strikes: Any) -> Any:
        return self._do("strike", claim, strikes)

    def bind(self, is_async: bool) -> StrikingStore:
        bound = StrikingStore()
        bound.__dict__ |= self.__dict__ | {"is_async": is_async}
        return bound


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"after": 0}, ValueError, "after must be"),
        ({"after": 101}, ValueError, "after must be"),
        ({"after": 1.5}, TypeError, "whole number of refusals"),
        ({"within": 0}, ValueError, "within must be"),
        ({"within": "10 minutes"}, TypeError, "within must be"),
        ({"seconds": -1}, ValueError, "seconds must be"),
        ({"seconds": 11 * 365 * 86_400}, ValueError, "seconds must be"),
    ],
    ids=str,
)
def test_a_ban_checks_its_options(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    """When it is made."""
    with pytest.raises(error, match=words):
        Ban(**{"after": 5, "within": 600, "seconds": 3600} | options)


def test_a_rule_checks_its_ban() -> None:
    """A ban is one, has a quota that refuses, and that quota is a token bucket."""
    with pytest.raises(TypeError, match="ban must be a Ban"):
        Rule(LOGIN, "2/minute", ban=3600)  # type: ignore[arg-type]  # what is tested
    with pytest.raises(TypeError, match="no quota that refuses"):
        Rule(LOGIN, concurrency=Concurrency(1), ban=BAN)
    with pytest.raises(TypeError, match="ban needs a token bucket"):
        RateLimiter(rules=[Rule(LOGIN, Quota("2/minute", window="fixed"), ban=BAN)])


def test_a_store_without_strikes_is_an_error_at_construction() -> None:
    """And no surprise at the first refusal."""
    rules = [Rule(LOGIN, "2/minute", ban=BAN)]
    with pytest.raises(TypeError, match=r"Full has no strike\(\)"):
        RateLimiter(rules=rules, store=Full())
    RateLimiter(rules=rules, store=MemoryStore())


# -- resetting everything -------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "asyncio"])
def test_all_keys_of_a_limiter_are_reset_and_no_other_limiters(is_async: bool) -> None:
    """Its own quota's and its rules', whatever else is in the store."""
    store = MemoryStore(clock=lambda: 0)
    plans: dict[str, str] = {"x": "1/hour"}
    rules = [
        Rule("* /a", "1/hour"),
        Rule("* /b", "1/hour; 2/day", ban=Ban(after=1, within=60, seconds=60)),
        Rule("* /c", lambda _request: plans["x"]),
    ]
    one, other = (
        RateLimiter("1/hour", rules=rules, store=store, namespace=name) for name in ("one", "other")
    )
    for limiter in (one, other):
        for rule in (None, "* /a", "* /b"):
            assert [limiter.check("x", rule=rule).allowed for _ in range(2)] == [True, False]
    if is_async:
        asyncio.run(one.areset_all())
    else:
        one.reset_all()
    for rule in (None, "* /a", "* /b"):
        assert one.check("x", rule=rule).allowed
        assert not other.check("x", rule=rule).allowed


@both_adapters
def test_quotas_that_a_function_returns_are_reset_as_well(adapter: Adapter) -> None:
    """Also those that this process has not seen."""
    store = MemoryStore(clock=lambda: 0)
    one, other = (RateLimiter(lambda _request: "1/hour", store=store) for _ in range(2))
    app = adapter.wrap(hello, one)
    assert [adapter.drive(app).status for _ in range(2)] == [200, 429]
    other.reset_all()
    assert adapter.drive(app).status == 200


@both_adapters
def test_a_reset_of_all_leaves_slots_taken(adapter: Adapter) -> None:
    """Those requests are still in flight."""
    limiter = RateLimiter("9/hour", concurrency=Concurrency(2), clock=lambda: 0)

    def reset(carrier: Any) -> Any:
        limiter.reset_all()
        return wrong(carrier)

    assert statuses(crowd(adapter, limiter, [{}] * 4, reset)) == {401: 2, 429: 2}


def test_windows_in_memory_are_reset_and_others_say_that_they_are_not() -> None:
    """Other storages of `limits` are shared."""
    limiter = RateLimiter(Quota("1/hour", window="fixed"))
    assert [limiter.check("x").allowed for _ in range(2)] == [True, False]
    limiter.reset_all()
    assert limiter.check("x").allowed
    shared = RateLimiter(Quota("1/hour", window="fixed"), store="redis://127.0.0.1:1")
    with pytest.raises(TypeError, match="can't be reset all at once"):
        shared.reset_all()


def test_a_store_that_can_not_reset_all_says_so() -> None:
    """One of one's own, without the method."""
    with pytest.raises(TypeError, match=r"Full has no reset_all\(\)"):
        RateLimiter("1/hour", store=Full()).reset_all()
