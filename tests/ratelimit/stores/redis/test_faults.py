"""An app under load while its server fails: every request gets a response, and in time."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import Concurrency, ErrorEnvelope, RateLimiter
from tests.drive import Adapter, WsgiAdapter, both_adapters, hello
from tests.ratelimit.stores.redis.load import HOT, Load
from tests.servers.server import poll
from tests.stores.redis.conftest import AMPLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.stores.redis.servers import Valkey

DEADLINE = 0.25
BURST = 60
#: Each busy client requests more than twice its burst, so that it would be noticed if it got it.
TOTAL = 2400
WORKERS = 4
#: The requests that a client gets from one process that counts by itself.
SHARE = BURST // WORKERS
REDUCED = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"


class Site:
    """An app with a limiter."""

    def __init__(self, adapter: Adapter, server: Valkey, **options: Any) -> None:
        self.adapter = adapter
        self.server = server
        options = {"timeout": DEADLINE, "workers": WORKERS, "burst": BURST, **options}
        self.limiter = RateLimiter("1/year", store=f"redis://{server.place}", **options)
        self.app = adapter.wrap(hello, ErrorEnvelope(), self.limiter)
        self._clients = count()

    def status(self) -> int | None:
        """Send a request as a new client; return the status."""
        high, low = divmod(next(self._clients), 250)
        answer = self.adapter.drive(self.app, client=f"10.1.{high}.{low}")
        assert answer.error is None
        return answer.status

    def load(self) -> Load:
        """Return requests that are yet to be sent."""
        return Load(self.adapter, self.app, TOTAL)

    def check(self, load: Load, *statuses: int) -> None:
        """Check that all were answered properly, and that the server is called again."""
        assert not load.errors
        assert set(load.statuses) <= set(statuses)
        assert load.longest < DEADLINE + AMPLE

        def asks_again() -> bool:
            before = self.server.calls("evalsha")
            seen = [self.status() for _ in range(20)]
            assert set(seen) <= {200, *statuses}
            return seen == [200] * 20 and self.server.calls("evalsha") >= before + 20

        poll(asks_again, "the server to be asked again, with each request")


@contextmanager
def site(adapter: Adapter, server: Valkey, **options: Any) -> Iterator[Site]:
    """Yield an app, and close its connections."""
    made = Site(adapter, server, **options)
    assert made.status() == 200
    yield made
    if isinstance(adapter, WsgiAdapter):
        made.limiter.shutdown()


# -- the server hangs, or is gone -----------------------------------------------------------------


def hang(server: Valkey, load: Load) -> None:
    """Pause the server until enough requests have been answered without it."""
    with server.paused():
        load.reach(0.7)


def die(server: Valkey, load: Load) -> None:
    """Kill the server, and start it again."""
    server.kill()
    load.reach(0.7)
    server.start()


#: And how often a bucket is lost on the server.
Fault = tuple["Callable[[Valkey, Load], None]", int]
outages = pytest.mark.parametrize("fault", [(hang, 0), (die, 1)], ids=["hangs", "dies"])


@pytest.mark.unmeasured
@both_adapters
@outages
def test_local_counts_go_on_with_the_share_of_a_process(
    adapter: Adapter, own_valkey: Valkey, fault: Fault
) -> None:
    """A client gets its burst, once more for each time the server lost it, and one share."""
    with site(adapter, own_valkey, on_outage="local") as made, made.load() as load:
        load.reach(0.1)
        fault[0](own_valkey, load)
    made.check(load, 200, 429)
    assert set(load.admitted) == set(HOT)
    for admitted in load.admitted.values():
        assert SHARE <= admitted <= BURST * (1 + fault[1]) + SHARE


@pytest.mark.unmeasured
@pytest.mark.few_cases(1)
@both_adapters
@outages
def test_everything_passes_where_that_is_wanted(
    adapter: Adapter, own_valkey: Valkey, fault: Fault
) -> None:
    """Only clients that the server denied before are rejected."""
    with site(adapter, own_valkey, on_outage="allow") as made, made.load() as load:
        load.reach(0.1)
        fault[0](own_valkey, load)
    made.check(load, 200, 429)
    others = {one.answer.status for one in load.seen if one.client not in HOT}
    assert others == {200}
    assert max(load.admitted.values()) > BURST * (1 + fault[1]) + SHARE


@pytest.mark.unmeasured
@pytest.mark.few_cases(1)
@both_adapters
@outages
def test_everything_is_refused_where_that_is_wanted(
    adapter: Adapter, own_valkey: Valkey, fault: Fault
) -> None:
    """With 503, and no client gets more than the server grants."""
    with site(adapter, own_valkey, on_outage="refuse") as made, made.load() as load:
        load.reach(0.1)
        fault[0](own_valkey, load)
    made.check(load, 200, 429, 503)
    refused = [one.answer for one in load.seen if one.answer.status == 503]
    assert len(refused) > TOTAL / 4
    for answer in refused:
        assert answer.get("Content-Type") == "application/problem+json"
        assert answer.json()["type"] == REDUCED
        assert (answer.get("Retry-After") or "").isdigit()
    assert max(load.admitted.values()) <= BURST * (1 + fault[1])


@pytest.mark.unmeasured
@pytest.mark.few_cases(1)
@both_adapters
@outages
def test_prefetched_tokens_are_bounded_in_an_outage(
    adapter: Adapter, own_valkey: Valkey, fault: Fault
) -> None:
    """They may be spent at any later time, so a client may get one batch more than without them."""
    prefetch = 10
    with (
        site(adapter, own_valkey, prefetch=prefetch, on_outage="local") as made,
        made.load() as load,
    ):
        load.reach(0.1)
        fault[0](own_valkey, load)
    made.check(load, 200, 429)
    for admitted in load.admitted.values():
        assert SHARE <= admitted <= BURST * (1 + fault[1]) + SHARE + prefetch


# -- the server stays, and loses what it knew -----------------------------------------------------


def forget_scripts(server: Valkey) -> None:
    server.ask("SCRIPT", "FLUSH")


def forget_buckets(server: Valkey) -> None:
    server.ask("FLUSHALL")


def cut_off(server: Valkey) -> None:
    server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@pytest.mark.unmeasured
@pytest.mark.few_cases(1)
@both_adapters
def test_a_forgotten_script_makes_no_difference(adapter: Adapter, own_valkey: Valkey) -> None:
    """Each busy client gets its burst, to the last token."""
    with site(adapter, own_valkey, timeout=AMPLE) as made, made.load() as load:
        for turn in range(1, 10):
            load.reach(turn / 10)
            forget_scripts(own_valkey)
    made.check(load, 200, 429)
    assert load.admitted == dict.fromkeys(HOT, BURST)
    assert own_valkey.calls("eval") > 1


@pytest.mark.unmeasured
@pytest.mark.few_cases(1)
@both_adapters
def test_lost_buckets_are_full(adapter: Adapter, own_valkey: Valkey) -> None:
    """A client gets its burst once more for each time that its bucket is lost, and no more."""
    with site(adapter, own_valkey, timeout=AMPLE) as made, made.load() as load:
        for part in (0.1, 0.2):
            load.reach(part)
            forget_buckets(own_valkey)
    made.check(load, 200, 429)
    for admitted in load.admitted.values():
        assert BURST < admitted <= 3 * BURST


@pytest.mark.few_cases(1)
@both_adapters
def test_connections_that_are_cut_are_made_anew(adapter: Adapter, own_valkey: Valkey) -> None:
    """Their calls are repeated, so a token may be lost, but none is gained."""
    with site(adapter, own_valkey, timeout=AMPLE, on_outage="refuse") as made, made.load() as load:
        for turn in range(1, 10):
            load.reach(turn / 10)
            cut_off(own_valkey)
    made.check(load, 200, 429, 503)
    for admitted in load.admitted.values():
        assert BURST / 2 < admitted <= BURST


# -- outside of the load --------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(("workers", "share"), [(1, 8), (4, 2), (100, 1)])
def test_a_process_counts_its_share_while_the_server_is_gone(
    adapter: Adapter, own_valkey: Valkey, workers: int, share: int
) -> None:
    """To the token; and at least one request of each client passes."""
    with site(adapter, own_valkey, burst=8, workers=workers) as made:
        own_valkey.kill()
        statuses = [adapter.drive(made.app).status for _ in range(share + 2)]
    assert statuses == [200] * share + [429] * 2


@pytest.mark.few_cases(1)
@both_adapters
def test_slots_and_refunds_survive_an_outage(adapter: Adapter, own_valkey: Valkey) -> None:
    """A request may hold, or give back, something from a server that is gone."""
    options = {"concurrency": Concurrency(3), "count_if": lambda response: response.status == 404}
    with site(adapter, own_valkey, on_outage="local", **options) as made, made.load() as load:
        load.reach(0.1)
        hang(own_valkey, load)
        load.reach(0.8)
        own_valkey.kill()
        load.reach(0.9)
        own_valkey.start()
    made.check(load, 200, 429)


@both_adapters
def test_the_log_says_once_that_the_server_is_gone_and_once_that_it_is_back(
    adapter: Adapter, own_valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    """However many requests there are in the meantime; and why, and what it means."""

    def events() -> list[Any]:
        records: list[Any] = [one for one in caplog.records if one.name.startswith("mantlet")]
        return [one.event for one in records]

    with site(adapter, own_valkey) as made:
        own_valkey.kill()
        assert {made.status() for _ in range(50)} == {200}
        stats = made.limiter.stats()
        assert stats.local == 50
        assert stats.outages == 1
        assert f"redis://{own_valkey.place}: " in (stats.outage or "")
        assert events() == ["lost", "not_called"]
        own_valkey.start()
        poll(lambda: made.status() == 200 and made.limiter.stats().outage is None, "its recovery")
        assert events() == ["lost", "not_called", "reset", "recovered"]
        decided = made.limiter.stats().local
        assert {made.status() for _ in range(50)} == {200}
        assert made.limiter.stats().local == decided
    said = [one.getMessage() for one in caplog.records if one.name.startswith("mantlet")]
    assert len(said) == 4
    assert all(line.startswith(f"The store redis://{own_valkey.place} ") for line in said)
    assert "can't be reached" in said[0] or "closed the connection" in said[0]
    assert f"with its share of the quota (1/{WORKERS})" in said[0]
    assert "few calls are made for now" in said[1]
    assert "has lost its scripts" in said[2]
    assert f"in which {decided} requests were decided without it" in said[3]
