"""Records on a server: calls that are sent twice, outages, permissions, and what is in its keys."""

from __future__ import annotations

import logging
import re
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.exceptions import StoreError, StoreOutage
from mantlet.stores.factory import create_record_store
from mantlet.stores.redis import records as page
from mantlet.stores.redis.records import RedisRecords
from tests.servers.server import HOST, poll
from tests.stores.redis.conftest import AMPLE, Way
from tests.stores.redis.servers import Valkey, listen, quiet_port
from tests.stores.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.stores.redis.servers import Cluster

PASSWORD = "correct-horse"


@contextmanager
def records(way: Way, uri: str, *, timeout: float = AMPLE) -> Iterator[Subject]:
    """Yield a store, and close its connections."""
    store = RedisRecords(uri, name="test", timeout=timeout).bind(way.is_async)
    subject = Subject(store, lambda _: None, way.run)
    try:
        yield subject
    finally:
        subject.run(store.close)


def key_of(server: Valkey) -> bytes:
    """Return the only key on a server."""
    (key,) = server.ask("KEYS", "*")
    return bytes(key)


# -- calls that are sent twice --------------------------------------------------------------------


class Forgetful:
    """A proxy that loses the connection in place of the first reply to some commands.

    Attributes:
        losing: how many replies to scripts are still to be lost.
    """

    def __init__(self, server: Valkey) -> None:
        self.losing = 0
        self.lost = 0
        self._server = server

    def talk(self, taken: socket.socket) -> None:
        """Pass on one connection."""
        with socket.create_connection((HOST, self._server.port), 10) as inside:
            while command := taken.recv(1 << 20):
                inside.sendall(command)
                reply = inside.recv(1 << 20)
                if self.losing and b"EVAL" in command and b"NOSCRIPT" not in reply:
                    self.losing -= 1
                    self.lost += 1
                    return
                taken.sendall(reply)


@pytest.fixture
def forgetful(valkey: Valkey) -> Iterator[tuple[Forgetful, str]]:
    """A proxy, and its URI."""
    proxy = Forgetful(valkey)
    with listen(proxy.talk) as place:
        yield proxy, f"redis://{place}"


def test_a_record_whose_creation_was_sent_twice_is_ours(
    way: Way, forgetful: tuple[Forgetful, str]
) -> None:
    """The second copy finds the first one, which is not another's record."""
    proxy, uri = forgetful
    with records(way, uri) as store:
        store.run(store.store.open)
        proxy.losing = 1
        assert store.create(b"key", b"value") is None
        assert proxy.lost == 1
        found = store.create(b"key", b"value")
        assert found is not None, "another call with the same value is another one"


def test_a_replacement_that_was_sent_twice_has_succeeded(
    way: Way, forgetful: tuple[Forgetful, str]
) -> None:
    """Although the value is not the old one any more."""
    proxy, uri = forgetful
    with records(way, uri) as store:
        store.create(b"key", b"old")
        proxy.losing = 1
        assert store.replace(b"key", b"old", b"new")
        assert proxy.lost == 1
        assert store.value(b"key") == b"new"
        assert not store.replace(b"key", b"old", b"new")


def test_a_deletion_that_was_sent_twice_has_succeeded(
    way: Way, forgetful: tuple[Forgetful, str]
) -> None:
    """Although there is no record any more; it can be created again at once."""
    proxy, uri = forgetful
    with records(way, uri) as store:
        store.create(b"key", b"old")
        proxy.losing = 1
        assert store.delete(b"key", b"old")
        assert proxy.lost == 1
        assert not store.delete(b"key", b"old")
        assert store.create(b"key", b"new") is None
        assert store.value(b"key") == b"new"


def test_a_call_whose_replies_are_all_lost_is_an_outage(
    way: Way, forgetful: tuple[Forgetful, str]
) -> None:
    """Whether it was run is unknown, as the error of its caller has to say."""
    proxy, uri = forgetful
    with records(way, uri) as store:
        store.run(store.store.open)
        proxy.losing = 2
        with pytest.raises(StoreOutage):
            store.create(b"key", b"value")
        assert store.value(b"key") == b"value"


# -- keys on the server ---------------------------------------------------------------------------


def test_keys_are_hashed_and_expire(way: Way, valkey: Valkey) -> None:
    """Nobody who chooses a key chooses its length or its characters on the server."""
    with records(way, f"redis://{valkey.place}") as store:
        store.create(b"x} *\r\n" * 10, b"value", 100)
        key = key_of(valkey)
        assert re.fullmatch(rb"mantlet:test:\{[A-Za-z0-9_-]{32}\}", key)
        assert 99_000 < valkey.ask("PTTL", key) <= 100_000
        store.delete(b"x} *\r\n" * 10, b"value")
        assert valkey.ask("STRLEN", key) == 17
        assert 0 < valkey.ask("PTTL", key) <= 10_000


def test_names_are_apart(valkey: Valkey) -> None:
    """The same key of two users of a server is two records."""
    one, two = (RedisRecords(f"redis://{valkey.place}", name=name) for name in ("one", "two"))
    assert one.create(b"key", b"1", 60) is None
    assert two.create(b"key", b"2", 60) is None
    assert len(valkey.ask("KEYS", "*")) == 2
    one.close()
    two.close()


@pytest.mark.parametrize(
    "content",
    [
        ("SET", ""),
        ("SET", "text"),
        ("SET", b"\x01" * 24),
        ("SET", b"\x00" * 16),
        ("SET", b"\x00" * 18),
        ("SET", b"\x02" + b"\x01" * 40),
        ("LPUSH", "a"),
        ("SADD", "a"),
        ("ZADD", 1, "a"),
        ("XADD", "*", "a", "b"),
    ],
    ids=lambda content: repr(content)[:30],
)
def test_what_another_program_has_written_to_a_key_is_an_outage(
    way: Way, valkey: Valkey, content: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """It is neither a record nor the absence of one; other keys are not concerned."""
    with records(way, f"redis://{valkey.place}") as store:
        store.create(b"key", b"value")
        key = key_of(valkey)
        valkey.ask("DEL", key)
        valkey.ask(content[0], key, *content[1:])
        for _ in range(5):
            with pytest.raises(StoreOutage):
                store.create(b"key", b"value")
            with pytest.raises(StoreOutage):
                store.replace(b"key", b"value", b"new")
            with pytest.raises(StoreOutage):
                store.delete(b"key", b"value")
            assert store.value(b"other") is None
        logged: list[Any] = caplog.records
        assert [(one.event, one.policy) for one in logged] == [("lost", "test")]


@pytest.mark.parametrize("kept", [b"\x7f\xf8" + bytes(6), b"\x7f\xf0" + bytes(6), b"\xff" * 8])
def test_a_record_with_an_impossible_time_is_an_outage(
    way: Way, valkey: Valkey, kept: bytes
) -> None:
    """Not a number, or endless: another program has written it."""
    with records(way, f"redis://{valkey.place}") as store:
        store.create(b"key", b"value")
        valkey.ask("SET", key_of(valkey), b"\x01" + bytes(16) + kept + b"value")
        with pytest.raises(StoreOutage):
            store.create(b"key", b"value")


@pytest.mark.parametrize("left", [None, 10_000_000])
def test_a_record_that_is_kept_for_too_long_starts_anew(
    way: Way, valkey: Valkey, left: int | None
) -> None:
    """As after the server's time was set back, or a key has lost its end."""
    with records(way, f"redis://{valkey.place}") as store:
        store.create(b"key", b"value", 100)
        key = key_of(valkey)
        if left is None:
            valkey.ask("PERSIST", key)
        else:
            valkey.ask("PEXPIRE", key, left)
        assert store.age(b"key") == 0
        assert 90_000 < valkey.ask("PTTL", key) <= 100_000


# -- outages --------------------------------------------------------------------------------------


def test_a_server_that_is_gone_is_an_outage_until_it_is_back(
    way: Way, own_valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    """What it has lost is said loudly, since nobody would notice otherwise."""
    with records(way, f"redis://{own_valkey.place}", timeout=1) as store:
        store.create(b"key", b"value")
        own_valkey.kill()
        for _ in range(5):
            with pytest.raises(StoreOutage):
                store.create(b"key", b"value")
        own_valkey.start()

        def works() -> bool:
            try:
                return store.value(b"key") is None
            except StoreOutage:
                return False

        poll(works, "a store that works again")
        poll(lambda: works() and "available again" in caplog.text, "its recovery")
        logged: list[Any] = caplog.records
        kinds = [(one.event, one.levelno) for one in logged]
        assert sorted(kinds) == [
            ("lost", logging.WARNING),
            ("not_called", logging.WARNING),
            ("recovered", logging.WARNING),
            ("reset", logging.ERROR),
        ]
        assert "what they were to prevent can happen again" in caplog.text


def test_a_server_that_hangs_is_given_up_in_time(way: Way, own_valkey: Valkey) -> None:
    """And then not called for a while."""
    with records(way, f"redis://{own_valkey.place}", timeout=0.1) as store:
        store.create(b"key", b"value")
        with own_valkey.paused():
            began = time.monotonic()
            for _ in range(20):
                with pytest.raises(StoreOutage):
                    store.create(b"key", b"value")
            assert time.monotonic() - began < AMPLE


def test_a_server_without_memory_is_an_outage_that_loses_nothing(
    way: Way, own_valkey: Valkey
) -> None:
    """With ``noeviction``, records that exist are still found."""
    with records(way, f"redis://{own_valkey.place}") as store:
        store.create(b"key", b"value")
        own_valkey.ask("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StoreOutage, match="OOM"):
            store.create(b"other", b"value")
        own_valkey.ask("CONFIG", "SET", "maxmemory", "0")
        assert store.value(b"key") == b"value"


def test_a_server_without_memory_changes_records_that_need_no_more(
    way: Way, own_valkey: Valkey
) -> None:
    """However many others it has refused, so the end of a request is stored."""
    with records(way, f"redis://{own_valkey.place}") as store:
        for key in (b"one", b"other"):
            store.create(key, b"begun")
        own_valkey.ask("CONFIG", "SET", "maxmemory", "1")
        for number in range(20):
            with pytest.raises(StoreOutage, match="OOM"):
                store.create(b"%d" % number, b"begun")
        with pytest.raises(StoreOutage, match="OOM"):
            store.replace(b"one", b"begun", b"a response")
        assert store.replace(b"one", b"begun", b"ended", 77)
        assert store.delete(b"other", b"begun")
        assert store.value(b"one") == b"ended"
        own_valkey.ask("CONFIG", "SET", "maxmemory", "0")
        assert store.value(b"one") == b"ended"
        assert store.create(b"other", b"begun") is None


@pytest.mark.parametrize(
    ("policy", "memory", "warns"),
    [("allkeys-lru", "100mb", True), ("allkeys-lru", "0", False), ("noeviction", "100mb", False)],
)
def test_a_server_that_evicts_keys_is_warned_of(
    way: Way,
    own_valkey: Valkey,
    caplog: pytest.LogCaptureFixture,
    policy: str,
    memory: str,
    *,
    warns: bool,
) -> None:
    """When the store is opened: it would drop records before their time."""
    own_valkey.ask("CONFIG", "SET", "maxmemory-policy", policy)
    own_valkey.ask("CONFIG", "SET", "maxmemory", memory)
    with records(way, f"redis://{own_valkey.place}") as store:
        store.run(store.store.open)
    logged: list[Any] = caplog.records
    assert [one.event for one in logged] == ["evicting"] * warns
    assert ("maxmemory-policy allkeys-lru" in caplog.text) is warns


def test_a_server_that_is_not_there_yet_is_no_error(
    way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    """It may come up later; until then it is an outage."""
    with records(way, f"redis://{HOST}:{quiet_port()}", timeout=0.2) as store:
        store.run(store.store.open)
        with pytest.raises(StoreOutage):
            store.create(b"key", b"value")
    assert "can't be used" in caplog.text


# -- permissions ----------------------------------------------------------------------------------


def documented_rights() -> list[str]:
    """Return the permissions that the store's docstring names."""
    said = re.search(r"An ACL user needs ``(.+?)``", page.__doc__ or "", re.DOTALL)
    assert said is not None
    return said[1].split()


@contextmanager
def user(server: Valkey, rights: list[str]) -> Iterator[str]:
    """Create a user with exactly these permissions; yield the server's URI for it."""
    server.ask("ACL", "SETUSER", "app", "reset", "on", f">{PASSWORD}", *rights)
    try:
        yield f"redis://app:{PASSWORD}@{server.place}"
    finally:
        server.ask("ACL", "DELUSER", "app")


def test_a_user_with_the_documented_rights_can_do_everything(
    way: Way, valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    """And opening leaves nothing behind."""
    with user(valkey, documented_rights()) as uri, records(way, uri) as store:
        store.run(store.store.open)
        poll(lambda: valkey.ask("DBSIZE") == 0, "an empty server")
        assert store.create(b"key", b"value") is None
        assert store.replace(b"key", b"value", b"new")
        assert store.delete(b"key", b"new")
    assert not caplog.records


@pytest.mark.parametrize(
    "missing", ["+evalsha", "+eval", "+get", "+set", "+pttl", "+pexpire", "~mantlet:*"]
)
def test_a_missing_right_is_known_when_the_store_is_opened(
    way: Way, valkey: Valkey, missing: str
) -> None:
    """Not with the first request that needs it."""
    rights = [right for right in documented_rights() if right != missing]
    assert len(rights) == len(documented_rights()) - 1
    with user(valkey, rights) as uri, records(way, uri) as store:
        with pytest.raises(StoreError, match="permission") as raised:
            store.run(store.store.open)
        assert PASSWORD not in str(raised.value)


def test_a_user_of_a_cluster_needs_one_right_more(way: Way, cluster: Cluster) -> None:
    """To find the node of a key."""
    rights = [*documented_rights(), "+cluster|slots"]
    for node in cluster.nodes:
        node.ask("ACL", "SETUSER", "app", "reset", "on", f">{PASSWORD}", *rights)
    try:
        uri = f"redis+cluster://app:{PASSWORD}@{cluster.nodes[0].place}"
        with records(way, uri) as store:
            store.run(store.store.open)
            for number in range(20):
                assert store.create(b"%d" % number, b"value") is None
    finally:
        for node in cluster.nodes:
            node.ask("ACL", "DELUSER", "app")
            node.ask("FLUSHALL")


def test_a_wrong_password_is_an_error_that_hides_it(way: Way, valkey: Valkey) -> None:
    """With the remedy."""
    with (
        user(valkey, documented_rights()) as uri,
        records(way, uri.replace(PASSWORD, "battery-staple")) as store,
    ):
        with pytest.raises(StoreError, match="correct the user and the password") as raised:
            store.run(store.store.open)
        assert "staple" not in str(raised.value)


def test_the_log_shows_no_password(valkey: Valkey, caplog: pytest.LogCaptureFixture) -> None:
    """Neither does the store itself."""
    store = RedisRecords(f"redis://:secret-1@{HOST}:{quiet_port()}", name="test", timeout=0.1)
    with pytest.raises(StoreOutage):
        store.create(b"key", b"value", 60)
    assert "secret-1" not in caplog.text + repr(store)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: RedisRecords("redis://localhost", name="A b"), ValueError),
        (lambda: RedisRecords("redis://localhost", timeout=0), ValueError),
        (lambda: RedisRecords("http://localhost"), ValueError),
        (lambda: create_record_store("redis://", name="test"), ValueError),
        (lambda: create_record_store(b"redis://localhost", name="test"), TypeError),  # type: ignore[arg-type]
    ],
    ids=["name", "timeout", "scheme", "host", "bytes"],
)
def test_a_wrong_option_is_an_error(make: Callable[[], object], error: type[Exception]) -> None:
    """At construction."""
    with pytest.raises(error):
        make()


def test_every_scheme_of_a_server_is_a_store() -> None:
    """Nothing is called before a call."""
    for uri in ("redis://a", "valkey://a", "redis+cluster://a,b", "redis+sentinel://a/s"):
        assert isinstance(create_record_store(uri, name="test"), RedisRecords)
