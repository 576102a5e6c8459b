"""A store's keys on its server: named by hashes, and kept no longer than needed."""

from __future__ import annotations

import re
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mantlet import Quota
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.stores.base import SlotRequest, TokenRequest
from mantlet.ratelimit.stores.redis.script_client import server_key
from mantlet.stores.redis.clients import hash_slot
from tests.ratelimit.stores.redis.store_driver import StoreDriver, drive_store
from tests.servers.server import poll
from tests.stores.redis.conftest import Way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stores.redis.servers import Valkey

SECOND = 1_000_000_000
NAME = re.compile(rb"mantlet:[\w-]+:\{[\w-]{22}\}(:slots)?")


def seat(key: str, lease: int = 60 * SECOND) -> SlotRequest:
    return SlotRequest(key, 2, lease, "0" * 16)


@pytest.fixture
def store(way: Way, valkey: Valkey) -> Iterator[StoreDriver]:
    """A store on an empty server."""
    with drive_store(way, f"redis://{valkey.place}") as store:
        yield store


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "client",
    [
        "seeded-secret",
        "{seeded-secret}",
        "a:b}:slots",
        "\r\nFLUSHALL\r\n",
        "\0\ud800\U0001f511",
        "x" * 10_000,
        "",
        "*",
    ],
    ids=ascii,
)
def test_a_name_holds_nothing_that_a_client_chose(
    store: StoreDriver, valkey: Valkey, client: str
) -> None:
    """It is a digest of fixed length, in braces."""
    assert store.admits(TokenRequest(f"api:{client}", Quota("1/hour")), seat(f"seats:{client}"))
    names = valkey.ask("KEYS", "*")
    assert len(names) == 2
    for name in names:
        assert NAME.fullmatch(name)
        assert b"secret" not in name


def test_all_of_a_client_lies_in_one_slot_and_clients_are_spread(valkey: Valkey) -> None:
    """By the part in braces, whatever the limit is named."""
    slots = set()
    for client in range(100):
        claims = [TokenRequest(f"{limit}:{client}", Quota("1/hour")) for limit in ("api", "login")]
        keys = [*map(server_key, claims), server_key(seat(f"seats:{client}"))]
        assert len({*keys}) == 3
        (slot,) = {hash_slot(key) for key in keys}
        assert slot == valkey.ask("CLUSTER", "KEYSLOT", keys[0])
        slots.add(slot)
    assert len(slots) > 90


# -- times ----------------------------------------------------------------------------------------


def time_left(valkey: Valkey, one: TokenRequest | SlotRequest) -> int:
    """Return a key's time to live in milliseconds; negative if it has none or is missing."""
    left: int = valkey.ask("PTTL", server_key(one))
    return left


@pytest.mark.parametrize(
    ("quota", "cost"),
    [
        (Quota("1/minute"), 1),
        (Quota("7/3 hours", burst=5), 3),
        (Quota("1000000/second", burst=1_000_000), 1_000_000),
        (Quota("1/year", burst=1_000_000), 1_000_000),
    ],
    ids=lambda given: given.rate if isinstance(given, Quota) else str(given),
)
def test_a_bucket_is_gone_when_it_is_full_and_not_before(
    store: StoreDriver, valkey: Valkey, quota: Quota, cost: int
) -> None:
    """The server expires it; every key has an expiry."""
    claim = TokenRequest("api:1", quota, cost)
    started = time.monotonic()
    assert store.admits(claim)
    left = time_left(valkey, claim)
    passed = 1000 * (time.monotonic() - started)
    until_full = cost * quota.period * 1000 / quota.amount
    # The latest expiry in Redis is some 285 million years from now.
    assert min(until_full, 9e15) - passed - 1 <= left <= min(until_full, 9e15) + 2


rates = st.builds("{}/{}".format, st.integers(1, 1_000_000), st.sampled_from(["second", "year"]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rates, st.integers(1, 1_000_000), st.data())
def test_no_bucket_is_without_an_end(
    valkey: Valkey, rate: str, burst: int, data: st.DataObject
) -> None:
    """Nor does it expire before it is full, however small the quota or large the cost."""
    valkey.ask("FLUSHALL")
    cost = data.draw(st.integers(0, burst))
    claim = TokenRequest("api:1", Quota(rate, burst=burst), cost)
    way = Way("blocking", None)
    with drive_store(way, f"redis://{valkey.place}") as store:
        assert store.admits(claim)
    kept = valkey.ask("PTTL", server_key(claim))
    quick = cost * claim.quota.period < claim.quota.amount  # it may be full by now
    assert kept > 0 or (kept in (0, -2) and quick)  # 0: its last millisecond


def test_keys_are_gone_when_they_say_nothing_more(store: StoreDriver, valkey: Valkey) -> None:
    """Buckets that are full, and slots whose leases have ended."""
    claims = [
        TokenRequest(f"api:{number}", Quota("100/second", burst=20), 20) for number in range(5)
    ]
    assert store.admits(*claims, seat("seats:1", SECOND // 5))
    assert valkey.ask("DBSIZE") == 6
    poll(lambda: valkey.ask("DBSIZE") == 0, "an empty server")


def test_each_way_to_write_a_key_gives_it_an_end(store: StoreDriver, valkey: Valkey) -> None:
    """Taking, giving back, blocking, and taking the first slot and the next."""
    claim = TokenRequest("api:1", Quota("1/hour", burst=3))
    ends = []
    for work in (
        lambda: store.take(claim._replace(cost=3)),
        lambda: store.give_back(claim),
        lambda: store.block(10 * 3600 * SECOND, claim),
    ):
        work()
        ends.append(time_left(valkey, claim) / 3_600_000)
    # A ban ends when there is one token; then two are still to come.
    assert ends == pytest.approx([3, 2, 12], abs=0.01)
    for holder, lease in enumerate([10, 60, 20]):
        place = SlotRequest("seats:1", 9, lease * SECOND, f"{holder:016x}")
        store.take(place)
        ends.append(time_left(valkey, place) / 1000)
    assert ends[3:] == pytest.approx([10, 60, 60], abs=5)


def test_what_is_given_back_in_full_leaves_no_key(store: StoreDriver, valkey: Valkey) -> None:
    """Nor does a reset, a denial or a peek."""
    claim, place = TokenRequest("api:1", Quota("1/hour", burst=3)), seat("seats:1")
    store.take(claim, place)
    store.give_back(claim, place)
    store.give_back(claim, place)
    assert valkey.ask("KEYS", "*") == []
    store.take(claim, place)
    store.reset(claim.key, place.key)
    store.peek(claim, place)
    store.take(claim._replace(cost=4), place)
    assert valkey.ask("KEYS", "*") == []


# -- what is not ours -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["SET", "RPUSH", "SADD"])
def test_a_key_of_another_kind_is_an_outage_of_the_store(
    store: StoreDriver, valkey: Valkey, kind: str
) -> None:
    """Another program has written there; the limiter handles it as an outage."""
    place = seat("seats:1")
    valkey.ask(kind, server_key(place), "nonsense")
    with pytest.raises(StoreOutage):
        store.take(place)


def test_a_list_where_a_bucket_should_be_is_an_outage_of_the_store(
    store: StoreDriver, valkey: Valkey
) -> None:
    """Until it is reset, after which there is a bucket."""
    claim = TokenRequest("api:1", Quota("1/hour"))
    valkey.ask("RPUSH", server_key(claim), "nonsense")
    for ask in (store.take, store.peek):
        with pytest.raises(StoreOutage):
            ask(claim)
    store.reset(claim.key)
    assert store.admits(claim)


def test_one_wrong_key_keeps_nobody_from_asking_for_others(
    store: StoreDriver, valkey: Valkey
) -> None:
    """The error is about this key, not about the server."""
    claim = TokenRequest("api:1", Quota("1/hour"))
    valkey.ask("RPUSH", server_key(claim), "nonsense")
    for _ in range(5):
        with pytest.raises(StoreOutage):
            store.take(claim)
    assert store.admits(claim._replace(key="api:2"))


@pytest.mark.parametrize(
    "value", [b"", b"x", b"x" * 23, b"x" * 25, b"\xff" * 1000], ids=lambda value: str(len(value))
)
def test_a_value_of_another_length_is_taken_for_none(
    store: StoreDriver, valkey: Valkey, value: bytes
) -> None:
    """The bucket is full then, and works like any other from then on."""
    claim = TokenRequest("api:1", Quota("1/hour", burst=2))
    valkey.ask("SET", server_key(claim), value)
    assert [store.admits(claim) for _ in range(3)] == [True, True, False]
    assert time_left(valkey, claim) > 0


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    "numbers",
    [
        (NAN,) * 3,
        (INFINITE,) * 3,
        (-INFINITE,) * 3,
        (1e300,) * 3,
        (2e9, NAN, 0),
        (2e9, 0, INFINITE),
    ],
    ids=str,
)
def test_numbers_that_are_no_time_raise_nothing_but_an_outage(
    store: StoreDriver, valkey: Valkey, numbers: tuple[float, ...]
) -> None:
    """Whatever the value is, a request gets a response."""
    claim = TokenRequest("api:1", Quota("1/hour", burst=2))
    valkey.ask("SET", server_key(claim), struct.pack(">3d", *numbers))
    for ask in (store.take, store.peek, store.give_back, store.take):
        with suppress(StoreOutage):
            ask(claim)
    store.reset(claim.key)
    assert store.admits(claim)
