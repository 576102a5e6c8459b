"""A real cluster of three nodes: slots, redirects, and a node that is gone."""

from __future__ import annotations

import asyncio
import time
from binascii import crc_hqx
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.stores.redis import RedisBackend
from mantlet.stores.redis.clients import hash_slot
from mantlet.stores.redis.resp import CommandError, ServerUnavailable
from tests.servers.server import HOST
from tests.stores.redis.conftest import AMPLE
from tests.stores.redis.servers import SLOTS, Cluster, Valkey, listen, quiet_port

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence

    from tests.stores.redis.conftest import Way


@pytest.fixture
def whole(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, with its original slots, and its statistics reset."""
    for node in cluster.nodes:
        node.ask("FLUSHALL")
        node.ask("CONFIG", "RESETSTAT")
    yield cluster
    for node in cluster.nodes:
        node.ask("FLUSHALL")
    cluster.restore()


@pytest.fixture
def backend(whole: Cluster) -> RedisBackend:
    """The cluster, by the address of its first node."""
    return RedisBackend(f"redis+cluster://{whole.nodes[0].place}")


def key_in(slot: int) -> bytes:
    """Return a key of a slot."""
    return next(key for n in range(10**6) if hash_slot(key := b"%d" % n) == slot)


#: One key for each node, in the order of the nodes.
KEYS = [key_in(slot) for slot in (100, SLOTS // 2, SLOTS - 1)]


@given(key=st.binary(max_size=20) | st.text("{}ab", max_size=12).map(str.encode))
def test_a_slot_is_the_same_as_the_servers(cluster: Cluster, key: bytes) -> None:
    """With hash tags."""
    assert hash_slot(key) == cluster.nodes[0].ask("CLUSTER", "KEYSLOT", key)


@pytest.mark.parametrize(
    ("key", "same"),
    [
        (b"{user1000}.following", b"user1000"),
        (b"foo{}{bar}", b"foo{}{bar}"),
        (b"foo{{bar}}zap", b"{bar"),
        (b"foo{bar}{zap}", b"bar"),
        (b"foo{bar", b"foo{bar"),
        (b"foo}bar{x}", b"x"),
    ],
)
def test_a_hash_tag_decides_alone(key: bytes, same: bytes) -> None:
    """The examples of the Redis cluster specification, "Hash tags"."""
    assert hash_slot(key) == crc_hqx(same, 0) % SLOTS


def test_each_key_is_asked_for_where_it_is(way: Way, backend: RedisBackend, whole: Cluster) -> None:
    """All nodes are found through one, by one look-up, and no call goes to the wrong node."""
    for _ in range(3):
        for key in KEYS:
            way.call(backend, "INCR", key, key=key)
    for node, key in zip(whole.nodes, KEYS, strict=True):
        assert node.ask("GET", key) == b"3"
        assert node.calls("incr") == 3
    assert whole.look_ups() == 1


def test_without_a_key_some_node_is_asked(way: Way, backend: RedisBackend) -> None:
    """For commands without a key."""
    assert way.call(backend, "PING") == b"PONG"


def test_a_seed_that_is_gone_is_passed_over(way: Way, whole: Cluster) -> None:
    """Also one that is silent, which gets only its share of the time."""

    def stay_silent(taken: socket.socket) -> None:
        while taken.recv(65536):
            pass

    with listen(stay_silent) as silent:
        nobody = f"{HOST}:{quiet_port()}"
        backend = RedisBackend(f"redis+cluster://{nobody},{silent},{whole.nodes[1].place}")
        for key in KEYS:
            assert way.call(backend, "INCR", key, key=key, within=0.3) == 1
        way.close()


def test_where_no_seed_answers_it_is_an_outage(way: Way) -> None:
    """Later calls reach the seeds beyond the first three."""
    seeds = ",".join(f"{HOST}:{quiet_port()}" for _ in range(5))
    backend = RedisBackend(f"redis+cluster://{seeds}")
    for _ in range(3):
        with pytest.raises(ServerUnavailable):
            way.call(backend, "PING", key=b"a")


def test_the_only_seed_that_answers_is_found_in_the_end(way: Way, whole: Cluster) -> None:
    """Those that failed are asked last the next time."""
    seeds = ",".join(f"{HOST}:{quiet_port()}" for _ in range(4))
    backend = RedisBackend(f"redis+cluster://{seeds},{whole.nodes[2].place}")
    with pytest.raises(ServerUnavailable):
        way.call(backend, "PING", key=b"a")
    assert way.call(backend, "PING", key=b"a") == b"PONG"


def test_a_server_without_a_cluster_is_an_error(way: Way, valkey: Valkey) -> None:
    """It is an error of the URI, so not an outage."""
    with pytest.raises(CommandError, match="cluster support disabled"):
        way.call(RedisBackend(f"redis+cluster://{valkey.place}"), "PING", key=b"a")


def test_a_node_that_is_asked_as_a_single_server_says_what_to_write(
    way: Way, whole: Cluster
) -> None:
    """A single-server client can't follow its redirects."""
    backend = RedisBackend(f"redis://{whole.nodes[0].place}")
    with pytest.raises(CommandError, match=r"use redis\+cluster://") as raised:
        way.call(backend, "GET", KEYS[2], key=KEYS[2])
    assert raised.value.code == "MOVED"


def test_a_slot_that_has_moved_is_followed(way: Way, backend: RedisBackend, whole: Cluster) -> None:
    """The call and later ones go to the new owner; other slots are looked up again."""
    slot = hash_slot(KEYS[0])
    assert way.call(backend, "INCR", KEYS[1], key=KEYS[1]) == 1
    whole.move(slot, whole.nodes[2])
    for count in (1, 2, 3):
        assert way.call(backend, "INCR", KEYS[0], key=KEYS[0]) == count
    assert whole.nodes[2].ask("GET", KEYS[0]) == b"3"
    assert whole.look_ups() == 1
    neighbour = key_in(slot + 1)
    for count in (1, 2):
        assert way.call(backend, "INCR", neighbour, key=neighbour) == count
    assert whole.look_ups() == 2


def test_a_slot_that_is_just_being_moved_is_followed_once(
    way: Way, backend: RedisBackend, whole: Cluster
) -> None:
    """A key that has already moved is requested from the new node, with ASKING."""
    source, target = whole.nodes[0], whole.nodes[1]
    slot = hash_slot(KEYS[0])
    assert way.call(backend, "PING", key=KEYS[0]) == b"PONG"
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", whole.identity(source))
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", whole.identity(target))
    for count in (1, 2):
        assert way.call(backend, "INCR", KEYS[0], key=KEYS[0]) == count
    assert target.calls("asking") == 2
    assert whole.look_ups() == 1
    whole.move(slot, target)
    assert way.call(backend, "INCR", KEYS[0], key=KEYS[0]) == 3


def test_nodes_that_do_not_agree_are_an_outage(
    way: Way, backend: RedisBackend, whole: Cluster
) -> None:
    """A slot that each assigns to the other is not pursued for ever."""
    way.call(backend, "PING", key=KEYS[0])
    slot = hash_slot(KEYS[0])
    whole.nodes[0].ask("CLUSTER", "SETSLOT", slot, "NODE", whole.identity(whole.nodes[1]))
    with pytest.raises(ServerUnavailable, match="disagree"):
        way.call(backend, "INCR", KEYS[0], key=KEYS[0])


def test_a_slot_that_nobody_has_is_an_outage(
    way: Way, backend: RedisBackend, whole: Cluster
) -> None:
    """Until a node owns it."""
    slot = hash_slot(KEYS[0])
    for node in whole.nodes:
        node.ask("CLUSTER", "DELSLOTS", slot)
    for _ in range(2):
        with pytest.raises(ServerUnavailable, match=f"slot {slot}"):
            way.call(backend, "INCR", KEYS[0], key=KEYS[0])
    assert way.call(backend, "INCR", KEYS[1], key=KEYS[1]) == 1
    whole.nodes[0].ask("CLUSTER", "ADDSLOTS", slot)
    assert way.call(backend, "INCR", KEYS[0], key=KEYS[0]) == 1


def test_one_node_that_hangs_is_an_outage_for_its_keys_alone(
    way: Way, backend: RedisBackend, whole: Cluster
) -> None:
    """The others are called as before, without a look-up."""
    for key in KEYS:
        way.call(backend, "INCR", key, key=key)
    first, *others = whole.nodes
    with first.paused():
        for _ in range(2):
            with pytest.raises(ServerUnavailable):
                way.call(backend, "INCR", KEYS[0], key=KEYS[0], within=0.1)
            before = sum(node.calls("cluster|slots") for node in others)
            for key in KEYS[1:] * 3:
                way.call(backend, "INCR", key, key=key)
            assert sum(node.calls("cluster|slots") for node in others) == before
    assert way.call(backend, "PING", key=KEYS[0]) == b"PONG"


def test_an_error_is_the_callers_and_an_outage_is_looked_into(
    way: Way, backend: RedisBackend, whole: Cluster
) -> None:
    """A node that replies READONLY may no longer be the owner."""
    way.call(backend, "SET", KEYS[0], "text", key=KEYS[0])
    with pytest.raises(CommandError, match="not an integer"):
        way.call(backend, "INCR", KEYS[0], key=KEYS[0])
    way.call(backend, "GET", KEYS[0], key=KEYS[0])
    assert whole.look_ups() == 1
    with pytest.raises(ServerUnavailable, match="READONLY"):
        way.call(backend, "EVAL", "return redis.error_reply('READONLY x')", 0, key=KEYS[0])
    way.call(backend, "GET", KEYS[0], key=KEYS[0])
    assert whole.look_ups() == 2


def test_a_burst_looks_up_once(backend: RedisBackend, whole: Cluster) -> None:
    """The other callers wait for the look-up."""
    client = backend.client(is_async=True)

    async def main() -> None:
        deadline = time.monotonic() + AMPLE
        calls = [client.call("INCR", key, key=key, deadline=deadline) for key in KEYS * 50]
        assert len(await asyncio.gather(*calls)) == 150

    asyncio.run(main())
    assert whole.look_ups() == 1


def say(replies: Sequence[bytes]) -> Callable[[socket.socket], None]:
    """Return a server that replies to each command with the next of these replies."""

    def talk(taken: socket.socket) -> None:
        for index in range(9):
            if not taken.recv(65536):
                return
            taken.sendall(replies[index])

    return talk


@pytest.mark.parametrize(
    "slots",
    [
        b"+what\r\n",
        b":1\r\n",
        b"*1\r\n:1\r\n",
        b"*1\r\n*3\r\n+a\r\n+b\r\n*0\r\n",
        b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$3\r\na b\r\n:1\r\n",
        b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\na\r\n:70000\r\n",
        b"*1\r\n*3\r\n:0\r\n:99999\r\n*2\r\n$1\r\na\r\n:1\r\n",
        b"*0\r\n",
    ],
    ids=repr,
)
def test_nonsense_about_slots_is_an_outage(way: Way, slots: bytes) -> None:
    """It leads to no connection."""
    with listen(say([b"+OK\r\n", slots])) as place, pytest.raises(ServerUnavailable):
        way.call(RedisBackend(f"redis+cluster://{place}"), "PING", key=b"a")


@pytest.mark.parametrize("error", [b"MOVED", b"MOVED 1 what", b"ASK 1 a/b:1", b"MOVED 1 :0"])
def test_a_redirect_to_nowhere_is_an_outage(way: Way, error: bytes) -> None:
    """It leads to no connection."""
    replies = [b"+OK\r\n", b"", b"-" + error + b"\r\n"]
    with listen(say(replies)) as place:
        port = place.partition(":")[2].encode()
        replies[1] = b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n_\r\n:" + port + b"\r\n"
        with pytest.raises(ServerUnavailable, match="no node"):
            way.call(RedisBackend(f"redis+cluster://{place}"), "PING", key=b"a")
        way.close()


@pytest.mark.parametrize("host", [b"$0\r\n\r\n", b"$-1\r\n", b"_\r\n", b"$1\r\n?\r\n"], ids=repr)
def test_a_node_that_does_not_know_its_name_is_where_it_was_found(way: Way, host: bytes) -> None:
    """``CLUSTER SLOTS`` and ``MOVED`` leave the host out then."""
    replies = [b"+OK\r\n", b""]
    with listen(say(replies)) as place:
        port = place.partition(":")[2].encode()
        replies[1] = b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n" + host + b":" + port + b"\r\n"
        replies += [b"-MOVED 1 :" + port + b"\r\n", b"+PONG\r\n"]
        assert way.call(RedisBackend(f"redis+cluster://{place}"), "PING", key=b"a") == b"PONG"
        way.close()
