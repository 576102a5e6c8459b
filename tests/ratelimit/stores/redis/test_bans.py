"""Bans and resets on servers and clusters, and what this process remembers of either."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mantlet import Quota
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.stores.base import SlotRequest, Strikes, TokenRequest
from tests.ratelimit.stores.model import HOUR, MINUTE, SECOND
from tests.ratelimit.stores.redis.store_driver import StoreDriver, drive_store
from tests.servers.server import HOST
from tests.stores.redis.servers import quiet_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stores.redis.conftest import Way
    from tests.stores.redis.servers import Cluster, Valkey

YEARLY = Quota("1/year", burst=3)
ALICE = TokenRequest("api:alice", YEARLY)
THRICE = Strikes(3, HOUR, 5 * HOUR)


@pytest.fixture
def store(way: Way, valkey: Valkey) -> Iterator[StoreDriver]:
    """A store on the server."""
    with drive_store(way, f"redis://{valkey.place}") as driver:
        yield driver


def test_all_keys_of_a_limit_are_deleted_in_batches_and_no_others(
    store: StoreDriver, valkey: Valkey
) -> None:
    """Whatever else is on the server."""
    fill = "for n = 1, 2500 do redis.call('SET', ARGV[1] .. n, 'x') end"
    for beginning in (
        "mantlet:0a1b2c3d4e5f:{",
        "mantlet:0a1b2d000000:{",
        "session:0a1b2c",
        "0a1b2c",
    ):
        valkey.ask("EVAL", fill, 0, beginning)
    store.reset_all("0a1b2c", "ffffff")
    assert valkey.ask("DBSIZE") == 3 * 2500
    assert valkey.ask("KEYS", "mantlet:0a1b2c*") == []


def test_all_keys_of_a_limit_are_deleted_on_all_nodes_of_a_cluster(
    way: Way, cluster: Cluster
) -> None:
    """With their slots."""
    for node in cluster.nodes:
        node.ask("FLUSHALL")
    claims = [TokenRequest(f"api:{number}", YEARLY, 3) for number in range(60)]
    others = [claim._replace(key=f"apis{claim.key}") for claim in claims]
    seats = [SlotRequest(claim.key, 1, HOUR, "0" * 16) for claim in claims]
    with drive_store(way, f"redis+cluster://{cluster.nodes[0].place}") as store:
        for claim, other, seat in zip(claims, others, seats, strict=True):
            assert store.admits(claim, seat)
            assert store.admits(other)
        store.reset_all("api:")
        assert sum(node.ask("DBSIZE") for node in cluster.nodes) == 60
        assert all(store.admits(claim) for claim in claims)
        assert not any(store.admits(other) for other in others)
    for node in cluster.nodes:
        node.ask("FLUSHALL")


def test_a_reset_of_all_is_no_silent_failure(way: Way) -> None:
    """The server is not there."""
    with (
        drive_store(way, f"redis://{HOST}:{quiet_port()}") as store,
        pytest.raises(StoreOutage),
    ):
        store.reset_all("api:")


def test_what_this_process_remembers_is_reset_as_well(way: Way, valkey: Valkey) -> None:
    """Denials, and tokens that were taken in advance."""
    with drive_store(way, f"redis://{valkey.place}", prefetch=50) as store:
        for _ in range(5):
            store.take(ALICE)
        store.reset_all("api:")
        assert [store.admits(ALICE) for _ in range(4)] == [True] * 3 + [False]


def test_a_ban_by_strikes_is_told_at_once(store: StoreDriver) -> None:
    """Though the denial was remembered with the shorter wait."""
    minutely = TokenRequest("api:bob", Quota("1/minute"))
    assert [store.admits(minutely) for _ in range(2)] == [True, False]
    assert [store.strike(minutely, THRICE) for _ in range(3)] == [False, False, True]
    for _ in range(2):
        (room,) = store.take(minutely)
        assert room is not None
        assert -room > 4 * HOUR * minutely.quota.scale


def test_strikes_expire_with_their_time_and_not_with_the_bucket(
    store: StoreDriver, valkey: Valkey
) -> None:
    """A bucket that is full again is kept for them, and no longer."""
    quick = TokenRequest("api:carol", Quota("1000/second"))
    store.take(quick)
    assert not store.strike(quick, Strikes(3, MINUTE, HOUR))
    (key,) = valkey.ask("KEYS", "*")
    assert 50_000 < valkey.ask("PTTL", key) <= 60_001
    assert store.admits(quick)
    assert 50_000 < valkey.ask("PTTL", key) <= 60_001


DAVE = TokenRequest("api:dave", Quota("1/year", burst=100))


@pytest.mark.parametrize(
    "claim",
    [DAVE._replace(is_refundable=True), DAVE._replace(is_bannable=True)],
    ids=["refundable", "bannable"],
)
def test_no_tokens_are_taken_in_advance_that_a_refund_or_a_ban_would_miss(
    way: Way, valkey: Valkey, claim: TokenRequest
) -> None:
    """Every request takes exactly its own."""
    uri = f"redis://{valkey.place}"
    with drive_store(way, uri, prefetch=50) as store, drive_store(way, uri) as other:
        for taken in range(1, 20):
            assert store.admits(claim)
            (left,) = other.peek(claim._replace(cost=0))
            assert left is not None
            assert left // claim.quota.interval == 100 - taken
        other.block(3 * 360 * 24 * HOUR, claim)
        assert not store.admits(claim)


def test_a_refund_is_sent_with_the_age_of_the_tokens(store: StoreDriver) -> None:
    """Rounded up to the server's microseconds."""
    claim = TokenRequest("api:erin", Quota("1/minute", burst=5))
    for _ in range(5):
        store.take(claim)
    store.give_back(claim._replace(age=2 * MINUTE))
    assert not store.admits(claim)
    store.give_back(claim._replace(age=SECOND + 1))
    (room,) = store.peek(claim._replace(cost=0))
    assert room is not None
    assert 0 < room < claim.quota.interval * 2
