"""Calls to one server, from threads and from event loops alike."""

from __future__ import annotations

import asyncio
import copy
import importlib
import pickle
import ssl
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.exceptions import StoreError, StoreOutage
from mantlet.stores.redis import RedisBackend
from mantlet.stores.redis import resp as wire
from mantlet.stores.redis.resp import (
    CommandError,
    ConnectionLost,
    ServerUnavailable,
)
from tests.servers.server import poll
from tests.stores.redis.servers import Valkey, tls_front

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stores.redis.conftest import Way

PASSWORD = "pa@ss wörd/1"
ENCODED = "pa%40ss%20w%C3%B6rd%2F1"


# -- replies and errors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (("PING",), b"PONG"),
        (("ECHO", "é"), "é".encode()),
        (("ECHO", b"\x00\xff\r\n"), b"\x00\xff\r\n"),
        (("ECHO", ""), b""),
        (("ECHO", "x" * 100_000), b"x" * 100_000),
        (("INCRBY", "n", 2**62), 2**62),
        (("GET", "missing"), None),
        (("EVAL", "return {1, {2, 'a'}, false}", 0), [1, [2, b"a"], None]),
        (("EVAL", "redis.setresp(3); return {double=1.5}", 0), 1.5),
        (("EVAL", "redis.setresp(3); return {map={a=1}}", 0), {b"a": 1}),
        (("EVAL", "redis.setresp(3); return false", 0), False),
        (("EVAL", "return {}", 0), []),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_reply_is_what_the_server_says(
    way: Way, backend: RedisBackend, command: tuple[Any, ...], reply: Any
) -> None:
    """Bytes, numbers, lists and the types of RESP3, and then the next reply."""
    assert way.call(backend, *command) == reply
    assert way.call(backend, "ECHO", "next") == b"next"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("EVALSHA", "0" * 40, 0), "NOSCRIPT"),
        (("INCR", "text"), "ERR"),
        (("LPUSH", "text", 1), "WRONGTYPE"),
        (("NONSENSE",), "ERR"),
        (("EVAL", "return redis.error_reply('lower case')", 0), "ERR"),
        (("EVAL", "return redis.error_reply('CUSTOM words')", 0), "CUSTOM"),
        (("EVAL", "return redis.error_reply('LOADINGS of things')", 0), "LOADINGS"),
    ],
    ids=lambda value: str(value[-2]) if isinstance(value, tuple) and len(value) > 1 else str(value),
)
def test_an_error_of_the_server_has_its_code(
    way: Way, backend: RedisBackend, valkey: Valkey, command: tuple[Any, ...], code: str
) -> None:
    """It is not an outage, and the connection stays open."""
    valkey.ask("SET", "text", "a")
    with pytest.raises(CommandError) as raised:
        way.call(backend, *command)
    assert raised.value.code == code
    assert valkey.place in str(raised.value)
    assert way.call(backend, "PING") == b"PONG"
    assert len(valkey.clients()) == 1


@pytest.mark.parametrize(
    "code",
    [
        *("LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "BUSY", "OOM"),
        *("MISCONF", "NOREPLICAS"),
    ],
)
def test_a_server_that_cannot_serve_anyone_is_an_outage(
    way: Way, backend: RedisBackend, code: str
) -> None:
    """The cause is the server's state, not the command."""
    with pytest.raises(ServerUnavailable, match=code):
        way.call(backend, "EVAL", f"return redis.error_reply('{code} some words')", 0)


def test_a_server_that_runs_a_script_without_end_is_an_outage(
    way: Way, backend: RedisBackend, valkey: Valkey
) -> None:
    """It replies BUSY to everyone."""
    valkey.ask("CONFIG", "SET", "busy-reply-threshold", 1)
    with pytest.raises(ServerUnavailable):
        way.call(backend, "EVAL", "while true do end", 0, within=0.05)
    with pytest.raises(ServerUnavailable, match="BUSY"):
        way.call(backend, "PING")
    valkey.ask("SCRIPT", "KILL")
    poll(valkey.is_up, "the script's end")
    assert way.call(backend, "PING") == b"PONG"


def test_a_long_error_is_shown_in_part_and_on_one_line(way: Way, backend: RedisBackend) -> None:
    """It may end up in a log."""
    with pytest.raises(CommandError) as raised:
        way.call(backend, "EVAL", "return redis.error_reply('ODD ' .. ARGV[1])", 0, "\t\x1b" * 5000)
    assert len(str(raised.value)) < 1000
    assert str(raised.value).isprintable()


def test_errors_are_those_that_every_store_raises() -> None:
    """They can be copied and pickled."""
    for error in (CommandError("ODD", "text"), ServerUnavailable("text"), ConnectionLost("text")):
        assert isinstance(error, StoreError)
        assert isinstance(error, StoreOutage) == isinstance(error, ServerUnavailable)
        for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
            assert (type(twin), str(twin)) == (type(error), "text")
            assert getattr(twin, "code", None) == getattr(error, "code", None)


def test_pushed_messages_are_no_replies(way: Way, backend: RedisBackend, valkey: Valkey) -> None:
    """In RESP3, a server may push messages before a reply or between two calls."""
    way.call(backend, "CLIENT", "TRACKING", "ON", "BCAST")
    for number in range(3):
        valkey.ask("SET", "key", number)
        assert way.call(backend, "INCR", "key") == number + 1
    assert len(valkey.clients()) == 1


def test_each_kind_has_one_client(backend: RedisBackend) -> None:
    """All users of a kind share its connections."""
    assert backend.client(is_async=True) is backend.client(is_async=True)
    assert backend.client(is_async=False) is backend.client(is_async=False)
    assert backend.client(is_async=True) is not backend.client(is_async=False)


def test_a_backend_connects_to_nothing_before_a_call() -> None:
    """It can be created without a server, and closed."""
    backend = RedisBackend("redis://127.0.0.1:1", timeout=1)
    asyncio.run(backend.client(is_async=True).close())


# -- where and how --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        "redis://{place}",
        "valkey://localhost:{port}/5",
        "unix://{socket}",
        "redis+unix://{socket}?db=5",
    ],
)
def test_a_server_is_reached_by_tcp_and_by_unix_socket(way: Way, valkey: Valkey, uri: str) -> None:
    """By address or by name."""
    written = uri.format(place=valkey.place, port=valkey.port, socket=valkey.socket)
    assert way.call(RedisBackend(written), "PING") == b"PONG"


def test_keys_are_those_of_the_database(way: Way, valkey: Valkey) -> None:
    """Each number has its own."""
    for uri in (f"redis://{valkey.place}/3", f"unix://{valkey.socket}?db=4"):
        way.call(RedisBackend(uri), "SET", "key", uri)
    assert valkey.ask("GET", "key") is None
    for db, uri in ((3, f"redis://{valkey.place}/3"), (4, f"unix://{valkey.socket}?db=4")):
        assert way.call(RedisBackend(f"redis://{valkey.place}/{db}"), "GET", "key") == uri.encode()


def test_a_database_that_is_not_there_is_an_error(way: Way, valkey: Valkey) -> None:
    """It is an error of the URI, so not an outage, and not database 0."""
    with pytest.raises(CommandError, match="to SELECT"):
        way.call(RedisBackend(f"redis://{valkey.place}/9999"), "PING")


def test_the_server_lists_the_connection_by_its_name(way: Way, valkey: Valkey) -> None:
    """So that operators can identify it."""
    backend = RedisBackend(f"redis://{valkey.place}?client_name=limits%3Aapi")
    way.call(backend, "PING")
    assert valkey.clients() == ["limits:api"]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server that requires a password, with two more users."""
    with Valkey(tmp_path_factory.mktemp("secured"), "--requirepass", PASSWORD) as server:
        server.ask("AUTH", PASSWORD)
        server.ask("ACL", "SETUSER", "narrow", "on", f">{PASSWORD}", "~*", "+get", "+ping")
        yield server


@pytest.fixture(scope="module")
def ancient(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server without HELLO, as before Redis 6.0, that requires a password."""
    options = ("--rename-command", "HELLO", "", "--requirepass", PASSWORD)
    with Valkey(tmp_path_factory.mktemp("ancient"), *options) as server:
        server.ask("AUTH", PASSWORD)
        yield server


@pytest.mark.parametrize(
    "uri",
    [
        "redis://:{password}@{place}/1",
        "redis://default:{password}@{place}/1",
        "redis://{place}/1?password={password}",
        "redis://{place}?username=default&password={password}&db=1",
        "unix://:{password}@{socket}?db=1",
    ],
)
@pytest.mark.parametrize("kind", ["secured", "ancient"])
def test_a_password_opens_the_server(
    way: Way, kind: str, uri: str, request: pytest.FixtureRequest
) -> None:
    """Also a server without HELLO and RESP3."""
    server: Valkey = request.getfixturevalue(kind)
    written = uri.format(password=ENCODED, place=server.place, socket=server.socket)
    backend = RedisBackend(f"{written}{'&' if '?' in written else '?'}client_name=here")
    assert way.call(backend, "SET", "key", "1") == b"OK"
    assert way.call(backend, "EVAL", "return {1, 'a', false}", 0) == [1, b"a", None]
    assert server.clients() == ["here"]
    way.run(way.client(backend).close())
    server.ask("SELECT", 1)
    assert server.ask("GET", "key") == b"1"


def test_a_user_may_do_what_the_server_lets_it(way: Way, secured: Valkey) -> None:
    """An ACL that allows too little is an error with the server's code for it."""
    backend = RedisBackend(f"redis://narrow:{ENCODED}@{secured.place}")
    assert way.call(backend, "GET", "nothing") is None
    with pytest.raises(CommandError) as raised:
        way.call(backend, "SET", "key", 1)
    assert raised.value.code == "NOPERM"


@pytest.mark.parametrize(
    ("user_info", "code"),
    [
        ("", "NOAUTH"),
        (":Zq9x@", "WRONGPASS"),
        ("narrow:Zq9x@", "WRONGPASS"),
        ("who:Zq9x@", "WRONGPASS"),
    ],
    ids=["none", "wrong", "wrong-of-user", "unknown-user"],
)
def test_a_wrong_password_is_an_error_that_does_not_show_it(
    way: Way, secured: Valkey, user_info: str, code: str
) -> None:
    """It is an error of the configuration, so not an outage."""
    backend = RedisBackend(f"redis://{user_info}{secured.place}")
    for _ in range(2):
        with pytest.raises(CommandError) as raised:
            way.call(backend, "PING")
        assert raised.value.code == code
        assert "Zq9x" not in str(raised.value)
    secured.wait_for_clients(0)


def test_an_old_server_repeats_what_it_does_not_know_but_the_error_does_not(
    way: Way, ancient: Valkey
) -> None:
    """It quotes unknown commands with their arguments, and one of those is the password."""
    with pytest.raises(CommandError) as raised:
        way.call(RedisBackend(f"redis://:Zq9x@{ancient.place}"), "PING")
    assert raised.value.code == "WRONGPASS"
    assert "Zq9x" not in str(raised.value)
    assert "Zq9x" not in repr(raised.value)


def test_a_server_that_does_not_know_auth_does_not_get_the_password_shown(
    way: Way, tmp_path: Path
) -> None:
    """Its error for AUTH quotes the password too."""
    options = ("--rename-command", "HELLO", "", "--rename-command", "AUTH", "")
    with Valkey(tmp_path, *options) as server, pytest.raises(CommandError) as raised:
        way.call(RedisBackend(f"redis://:Zq9x@{server.place}"), "PING")
    assert "AUTH" in str(raised.value)
    assert "Zq9x" not in repr(raised.value) + str(raised.value)


# -- TLS ------------------------------------------------------------------------------------------


def test_tls_reaches_a_server_whose_certificate_is_known(
    way: Way, valkey: Valkey, server_context: ssl.SSLContext, certificate: tuple[Path, Path]
) -> None:
    """With the name in the certificate, or without checking it."""
    with tls_front(valkey, server_context) as place:
        port = place.partition(":")[2]
        for uri in (
            f"rediss://localhost:{port}/2?ssl_ca_certs={certificate[0]}",
            f"rediss://{place}/2?ssl_ca_certs={certificate[0]}&ssl_check_hostname=false",
            f"valkeys://{place}/2?ssl_cert_reqs=none",
        ):
            backend = RedisBackend(uri)
            assert way.call(backend, "PING") == b"PONG"
            assert way.call(backend, "ECHO", "x" * 50_000) == b"x" * 50_000
            way.run(way.client(backend).close())


def test_tls_shows_a_certificate_of_the_client(
    way: Way, valkey: Valkey, server_context: ssl.SSLContext, certificate: tuple[Path, Path]
) -> None:
    """For servers that require one."""
    server_context.verify_mode = ssl.CERT_REQUIRED
    server_context.load_verify_locations(certificate[0])
    files = f"ssl_certfile={certificate[0]}&ssl_keyfile={certificate[1]}"
    with tls_front(valkey, server_context) as place:
        backend = RedisBackend(f"rediss://{place}?ssl_cert_reqs=none&{files}")
        assert way.call(backend, "PING") == b"PONG"
        way.run(way.client(backend).close())
        with pytest.raises(ServerUnavailable):
            way.call(RedisBackend(f"rediss://{place}?ssl_cert_reqs=none"), "PING")


@pytest.mark.parametrize("options", ["", "?ssl_ca_certs={}"], ids=["unknown", "other-name"])
def test_tls_refuses_a_server_that_does_not_prove_its_name(
    way: Way,
    valkey: Valkey,
    server_context: ssl.SSLContext,
    certificate: tuple[Path, Path],
    options: str,
) -> None:
    """Not even the handshake, with the password, is sent to it."""
    valkey.ask("CONFIG", "RESETSTAT")
    with tls_front(valkey, server_context) as place:
        backend = RedisBackend(f"rediss://:pw@{place}{options.format(certificate[0])}")
        with pytest.raises(ServerUnavailable, match="certificate"):
            way.call(backend, "PING")
    assert valkey.calls("hello") == 0


def test_tls_to_a_server_without_it_is_an_outage(way: Way, valkey: Valkey) -> None:
    """The server takes the TLS handshake for an incomplete command, and waits for the rest."""
    with pytest.raises(ServerUnavailable, match="did not accept a connection in time"):
        way.call(RedisBackend(f"rediss://{valkey.place}"), "PING", within=0.2)


# -- without hiredis ------------------------------------------------------------------------------


def test_without_hiredis_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's libraries are an extra."""
    monkeypatch.setitem(sys.modules, "hiredis", None)
    with pytest.raises(ImportError, match=r'pip install "mantlet\[redis\]"'):
        importlib.reload(wire)
