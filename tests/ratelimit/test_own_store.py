"""A store of one's own: how it is used, and what is asked of it outside of HTTP in an outage."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import Quota, RateLimiter, Rule, StoreOutage
from tests.drive import CLIENT, Adapter, both_adapters, hello
from tests.ids import shown
from tests.ratelimit.outages import Broken

if TYPE_CHECKING:
    from mantlet.ratelimit.stores.base import Store

every_outage = pytest.mark.parametrize("on_outage", ["local", "allow", "refuse"])

# -- outside of HTTP ------------------------------------------------------------------------------


def test_checks_in_an_outage_are_of_the_share() -> None:
    """As requests are."""
    limiter = RateLimiter("4/hour", store=Broken(), workers=2)
    assert [limiter.check("x").allowed for _ in range(3)] == [True, True, False]
    assert not limiter.peek("x").allowed
    assert [asyncio.run(limiter.acheck("y")).allowed for _ in range(3)] == [True, True, False]


def test_checks_in_an_outage_are_allowed_where_that_is_configured() -> None:
    """For every quota, as if there was nothing yet."""
    limiter = RateLimiter("2/hour; 5/minute", store=Broken(), on_outage="allow")
    for _ in range(4):
        decision = limiter.check("x")
        assert decision.allowed
        assert [one.name for one in decision.parts] == ["2/hour", "5/minute"]
    assert asyncio.run(limiter.acheck("x")).allowed


def test_checks_in_an_outage_raise_where_that_is_configured() -> None:
    """Whoever asks has no 503 to send."""
    limiter = RateLimiter("2/hour", store=Broken(), on_outage="refuse")
    for call in (limiter.check, limiter.peek):
        with pytest.raises(StoreOutage):
            call("x")
    with pytest.raises(StoreOutage):
        asyncio.run(limiter.acheck("x"))


def test_a_reset_in_an_outage_is_one_of_the_share() -> None:
    """Though whoever asks hears that the store has not heard of it."""
    limiter = RateLimiter("1/hour", store=Broken())
    assert [limiter.check("x").allowed for _ in range(2)] == [True, False]
    with pytest.raises(StoreOutage):
        limiter.reset("x")
    assert limiter.check("x").allowed


@every_outage
def test_what_an_operator_does_is_never_silently_lost(on_outage: Any) -> None:
    """A ban that could not be written is not taken for one that was."""
    limiter = RateLimiter("2/hour", store=Broken(), on_outage=on_outage)
    for call in (limiter.refund, limiter.reset, lambda key: limiter.ban(key, 60)):
        with pytest.raises(StoreOutage):
            call("x")
    for waiting in (limiter.arefund, limiter.areset, lambda key: limiter.aban(key, 60)):
        with pytest.raises(StoreOutage):
            asyncio.run(waiting("x"))


# -- opening and closing --------------------------------------------------------------------------


@both_adapters
def test_a_store_is_opened_before_the_first_request_and_once(adapter: Adapter) -> None:
    """Whether or not the server has a lifespan."""
    store = Broken()
    store.out.clear()
    app = adapter.wrap(hello, RateLimiter("2/hour", store=store))
    assert [adapter.drive(app).status for _ in range(2)] == [200, 200]
    assert store.called == ["open", "take", "take"]


@pytest.mark.parametrize(("name", "shared"), [("app", True), ("other", False)])
def test_a_namespace_tells_limiters_of_one_store_apart(name: str, shared: bool) -> None:
    """Those of the same name, and the same numbers, count together."""
    store = Broken()
    store.out.clear()
    rules = [Rule("* /a", "1/hour"), Rule("* /b", "1/hour")]
    one, other = (
        RateLimiter("1/hour", rules=rules, store=store, namespace=namespace)
        for namespace in ("app", name)
    )
    for rule in (None, "* /a", "* /b"):
        assert one.check("x", rule=rule).allowed
        assert other.check("x", rule=rule).allowed is not shared


@pytest.mark.parametrize("quota", ["2/hour", "1/minute", "1/hour burst 2"])
def test_other_numbers_are_another_bucket(quota: str) -> None:
    """What is left of a quota says nothing of one that has been reconfigured."""
    store = Broken()
    store.out.clear()
    RateLimiter("1/hour", store=store).check("x")
    assert RateLimiter(quota, store=store).check("x").allowed


def test_rules_and_the_limiter_do_not_share_a_bucket_by_their_names() -> None:
    """A quota's name is for clients; it does not make two rules one."""
    store = Broken()
    store.out.clear()
    rules = [Rule(f"* /{path}", Quota("1/hour", name="api")) for path in "ab"]
    limiter = RateLimiter(rules=rules, store=store)
    assert limiter.check("x", rule="* /a").allowed
    assert limiter.check("x", rule="* /b").allowed


@pytest.mark.parametrize(
    "options", [{"max_keys": 5}, {"clock": lambda: 0}, {"prefetch": 5}], ids=shown
)
def test_options_of_a_store_belong_to_the_one_that_is_given(options: dict[str, Any]) -> None:
    """They are not silently ignored."""
    with pytest.raises(TypeError, match="must be given to the Store"):
        RateLimiter(Quota("2/hour"), store=Broken(), **options)


def test_a_store_of_ones_own_is_told_by_its_clients_address() -> None:
    """Keys in the store are the limit's part, a colon, and the client's."""
    seen: list[str] = []

    class Keeps(Broken):
        def take(self, wanted: Any) -> Any:
            seen.extend(one.key for one in wanted)
            return self.kept.take(wanted)

        def bind(self, is_async: bool) -> Store:
            return self

    RateLimiter("2/hour", store=Keeps()).check(CLIENT)
    assert [key.partition(":")[2] for key in seen] == [CLIENT]
