"""The model of `benchmarks.scale_model` does what the caches do, and its limits are right."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from benchmarks.scale_model import (
    MOST,
    Calls,
    Costs,
    Limits,
    Population,
    bits,
    busiest,
    calls,
    hosts,
    nodes,
    requests_per_call,
    share_of_node,
    workers,
)

from mantlet import Quota
from mantlet._internal.coroutines import start_eagerly
from mantlet.ratelimit.stores.base import TokenRequest
from mantlet.ratelimit.stores.memory import MemoryStore
from mantlet.ratelimit.stores.redis.denial_cache import DenialCache
from mantlet.ratelimit.stores.redis.prefetch import PrefetchCache
from mantlet.ratelimit.stores.redis.script_client import ScriptReply
from tests.ratelimit.stores.model import SECOND, Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

COSTS = Costs(request=100, call=50, node=20, bytes=250)
CROWD = Population(10_000, 0.8)
TENANTS = Population(1000, 1.0)
RATES = [10 ** (step / 4) for step in range(8, 33)]


class AmpleServer:
    """Grants every call, and counts them."""

    is_async = False

    def __init__(self) -> None:
        self.calls = 0

    def deadline(self) -> float:
        """Return any time."""
        return 0.0

    async def run(self, *_: object) -> list[ScriptReply]:
        """Grant one request, with all that it asks for in advance."""
        self.calls += 1
        return [ScriptReply(0, has_prefetch=True)]


def arrivals(rate: float, count: int) -> Iterator[int]:
    """Yield the nanoseconds at which requests come at random."""
    random, now = Random(7), 0.0  # no secret
    for _ in range(count):
        now += random.expovariate(rate) * SECOND
        yield round(now)


# -- beside the caches themselves -----------------------------------------------------------------


@pytest.mark.unmeasured
@pytest.mark.parametrize("prefetch", [1, 8, 50])
@pytest.mark.parametrize("rate", [0.2, 1, 3, 10, 40, 200])
def test_prefetching_saves_what_the_cache_saves(rate: float, prefetch: int) -> None:
    """For requests that come at random."""
    server, clock, count = AmpleServer(), Clock(0), 10_000
    cache = PrefetchCache(prefetch, 10, clock)
    request = TokenRequest("limit:client", Quota("1000000/second"))
    client: Any = server
    for clock.now in arrivals(rate, count):
        if cache.spend([request]) is None:
            start_eagerly(cache.take(client, [request]))
    assert requests_per_call(rate, prefetch) == pytest.approx(count / server.calls, rel=0.05)


@pytest.mark.parametrize("count", [1, 4, 20])
@pytest.mark.parametrize("rate", [20, 100, 1000])
def test_refusals_are_remembered_as_by_the_cache(rate: float, count: int) -> None:
    """By every worker for itself, of a client that sends more than its quota of ten a second."""
    clock, random = Clock(0), Random(3)  # no secret
    server, caches = MemoryStore(clock=clock), [DenialCache(10, clock) for _ in range(count)]
    request = TokenRequest("limit:client", Quota("10/second", burst=20))
    made, sent = 0, 10_000
    for clock.now in arrivals(rate, sent):
        cache = random.choice(caches)
        if cache.find([request]) is None:
            made += 1
            cache.add([request], [server.take_one(request.key, request.quota, 1)], clock.now)
    predicted = calls(rate, Population(1, 0), Limits(10), count)
    assert predicted.rate == pytest.approx(made / clock.now * SECOND, rel=0.1)
    assert predicted.refused == 1 - 10 / rate


# -- limits ---------------------------------------------------------------------------------------


def test_without_prefetching_each_request_is_a_call() -> None:
    """Of clients within their quotas."""
    assert all(requests_per_call(rate, 0) == 1 for rate in RATES)
    load = calls(5000, TENANTS, Limits(1e9), 4)
    assert load.rate == pytest.approx(5000)
    assert load.refused == 0


def test_a_call_brings_no_more_than_was_asked_for() -> None:
    """A batch and the request's own token; only that, for a client that is not seen again."""
    assert requests_per_call(1e-9, 50) == pytest.approx(1)
    assert requests_per_call(1e5, 50) == pytest.approx(51)


def test_a_busier_client_saves_more() -> None:
    """The more, the more may be prefetched; and fewer on more workers."""
    for prefetch in (1, 50, 500):
        saved = [requests_per_call(rate / 1000, prefetch) for rate in RATES]
        assert all(less <= more + 1e-9 for less, more in pairwise(saved))
    saved = [requests_per_call(100, prefetch) for prefetch in (0, 1, 3, 10, 50)]
    assert all(less < more for less, more in pairwise(saved))
    spread = [calls(1e5, TENANTS, Limits(1e9, 50), count).rate for count in (1, 10, 100, 1000)]
    assert all(fewer < more for fewer, more in pairwise(spread))


def test_a_flood_costs_a_call_of_each_worker_for_each_token() -> None:
    """However large it is; never more than a call for each request."""
    flood = calls(1e9, Population(1, 0), Limits(2), 100)
    assert flood.rate == flood.hottest == pytest.approx(2 * 101)
    assert flood.refused == pytest.approx(1)
    assert calls(2.5, Population(1, 0), Limits(2), 100).rate == pytest.approx(2.5, rel=0.01)
    assert calls(1e6, Population(1, 0), Limits(2, denials=False), 100).rate == 1e6


@pytest.mark.parametrize("limits", [Limits(100 / 60), Limits(100 / 60, 50), Limits(1e9, 50)])
def test_more_requests_take_more(limits: Limits) -> None:
    """Calls, hosts and nodes, once there are too many for one."""
    loads = [calls(rate, CROWD, limits, workers(rate, COSTS)) for rate in RATES]
    assert all(less.rate < more.rate for less, more in pairwise(loads))
    assert all(
        0 < load.hottest <= load.rate <= rate for load, rate in zip(loads, RATES, strict=True)
    )
    needed = [hosts(rate, COSTS, 16) for rate in RATES]
    assert needed == sorted(needed)
    counts = [nodes(load, COSTS) or 10**9 for load in loads]
    assert counts == sorted(counts)


# -- clients, hosts and nodes ---------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0, 0.8, 1, 1.2])
@pytest.mark.parametrize("count", [1, 100, 101, 5000, 12_345])
def test_groups_of_clients_stand_for_all_of_them(count: int, exponent: float) -> None:
    """None is forgotten, and the first has the share that it would have among all."""
    groups = list(Population(count, exponent).groups())
    assert sum(number for number, _ in groups) == count
    assert sum(number * share for number, share in groups) == pytest.approx(1)
    whole = sum(rank**-exponent for rank in range(1, count + 1))
    assert groups[0][1] == pytest.approx(1 / whole, rel=0.01)


def test_nodes_are_no_busier_than_they_should_be() -> None:
    """And one fewer would be."""
    load = calls(200_000, CROWD, Limits(1e9), 100)
    count = nodes(load, COSTS)
    assert count is not None
    assert share_of_node(busiest(load, count), COSTS) <= MOST
    assert share_of_node(busiest(load, count - 1), COSTS) > MOST


def test_no_cluster_carries_a_client_that_is_too_hot() -> None:
    """Since all of its calls go to one node; nor more than a thousand nodes carry."""
    most = MOST * 1e6 / COSTS.node
    assert nodes(Calls(most * 0.99, most * 0.99, 0), COSTS) == 1
    assert nodes(Calls(most * 1.01, most * 1.01, 0), COSTS) is None
    assert nodes(Calls(most * 9, most, 0), COSTS) is None
    assert nodes(Calls(most * 999, 0, 0), COSTS) in (999, 1000)  # not exact
    assert nodes(Calls(most * 1001, 0, 0), COSTS) is None


def test_units() -> None:
    """Microseconds, bytes and bits."""
    assert share_of_node(50_000, COSTS) == pytest.approx(1)
    assert bits(Calls(1000, 1, 0), COSTS) == pytest.approx(2_000_000)
    assert workers(10_000, COSTS) == 3  # 1.5 processors at seventy per cent
    assert workers(1, COSTS) == hosts(1, COSTS, 16) == 1
    assert hosts(1e6, COSTS, 16) == 14
    assert workers(10_000, replace(COSTS, request=400)) == 7
