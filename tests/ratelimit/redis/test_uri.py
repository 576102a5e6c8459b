"""What a storage URI says, and what it never shows."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mantlet.ratelimit.stores.redis.client import Remote
from mantlet.ratelimit.stores.redis.client.uri import Address, Login, hide, parse
from tests.ratelimit.redis.servers import openssl

if TYPE_CHECKING:
    from pathlib import Path

SCHEMES = ("redis", "rediss", "valkey", "valkeys")


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("redis://localhost", Address("localhost", 6379)),
        ("valkey://10.0.0.7:6380", Address("10.0.0.7", 6380)),
        ("redis://[::1]", Address("::1", 6379)),
        ("redis://[2001:db8::7]:6380/", Address("2001:db8::7", 6380)),
        ("redis://my_service.internal./3", Address("my_service.internal.", 6379)),
        ("unix:///run/valkey.sock", Address("/run/valkey.sock", 0)),
        ("redis+unix:///run/my%20valkey.sock", Address("/run/my valkey.sock", 0)),
        ("valkey+unix://:pw@/run/valkey.sock?db=2", Address("/run/valkey.sock", 0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_server_is_where_its_uri_says(uri: str, address: Address) -> None:
    """Names, IP addresses of both kinds and Unix sockets, with the port of Redis by default."""
    location = parse(uri)
    assert (location.topology, location.addresses) == ("single", (address,))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_only_schemes_with_another_s_have_tls(scheme: str) -> None:
    """As `limits` and the clients of Redis and Valkey have it."""
    for topology in ("", "+cluster", "+sentinel"):
        path = "/service" if "sentinel" in topology else ""
        location = parse(f"{scheme}{topology}://localhost{path}")
        assert (location.tls is not None) == (scheme in ("rediss", "valkeys"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_cluster_has_several_hosts(scheme: str) -> None:
    """The hosts are separated by commas, and each may have a port."""
    location = parse(f"{scheme}+cluster://user:pw@a:1,[::1]:2,c")
    assert location.topology == "cluster"
    assert location.addresses == (Address("a", 1), Address("::1", 2), Address("c", 6379))
    assert Remote(f"{scheme}+cluster://a").is_cluster
    assert not Remote(f"{scheme}://a").is_cluster


@pytest.mark.parametrize("scheme", SCHEMES)
def test_sentinels_are_asked_for_a_service(scheme: str) -> None:
    """The path names the service and may have a database; sentinels have a port of their own."""
    location = parse(
        f"{scheme}+sentinel://user:pw@a:1,b/mymaster/4?sentinel_username=s&sentinel_password=t"
    )
    assert location.topology == "sentinel"
    assert location.addresses == (Address("a", 1), Address("b", 26379))
    assert (location.service, location.db) == ("mymaster", 4)
    assert location.login == Login("user", "pw")
    assert location.sentinel_login == Login("s", "t")


@pytest.mark.parametrize(
    ("uri", "login"),
    [
        ("redis://h", Login()),
        ("redis://:p%40ss%2Fw%3Ard@h", Login(None, "p@ss/w:rd")),
        ("redis://:a:b@h", Login(None, "a:b")),
        ("redis://us%3Aer:pw@h", Login("us:er", "pw")),
        ("redis://h?username=user&password=a%26b%3D+c", Login("user", "a&b=+c")),
        ("redis://user@h?password=pw", Login("user", "pw")),
        ("redis://h?password=%C3%A9", Login(None, "é")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_logs_in_is_before_the_host_or_in_the_query(uri: str, login: Login) -> None:
    """Percent-encoded in both places; a plus is a plus."""
    assert parse(uri).login == login


@pytest.mark.parametrize(
    ("uri", "db"),
    [("redis://h/7", 7), ("redis://h/", 0), ("redis://h?db=7", 7), ("unix:///s?db=1", 1)],
)
def test_the_database_is_in_the_path_or_in_the_query(uri: str, db: int) -> None:
    """Without one it is 0."""
    assert parse(uri).db == db


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("", "begins with redis://"),
        ("localhost:6379", "begins with redis://"),
        ("http://localhost", "begins with redis://"),
        ("REDIS://localhost", "begins with redis://"),
        ("rediss+unix:///run/s", "begins with redis://"),
        ("redis://", "a host is"),
        ("redis:///0", "a host is"),
        ("redis://h:0", "a host is"),
        ("redis://h:65536", "a host is"),
        ("redis://h:port", "a host is"),
        ("redis://::1", "a host is"),
        ("redis://[localhost]", "a host is"),
        ("redis://[::g]", "a host is"),
        ("redis://a b", "a host is"),
        (f"redis://{'a' * 64}", "a host is"),
        ("redis://.a", "a host is"),
        ("redis+cluster://a,,b", "a host is"),
        ("redis://a,b", "several hosts need"),
        ("redis://h/x", "db must be a number"),
        ("redis://h/-1", "db must be a number"),
        ("redis://h?db=²", "db must be a number"),
        ("redis://h/1?db=1", "db is in the path and in the query"),
        ("redis+cluster://h/1", "a cluster has no db but 0"),
        ("redis+sentinel://h", "must name the service"),
        ("redis+sentinel://h/a%20b", "must name the service"),
        ("redis://h?color=red", "option color is not known"),
        ("redis://h?color", "an option is not known"),
        ("redis://h?password=half&theOther=half", "an option is not known"),
        ("redis://h?db", "option db has no value"),
        ("redis://h?db=", "option db has no value"),
        ("redis://h?db=1&db=1", "option db is there twice"),
        ("redis://user@h", "a user name needs a password"),
        ("redis://h?username=user", "a user name needs a password"),
        ("redis://:a@h?password=b", "the password is before the host and in the query"),
        ("redis://:%ff@h", "not UTF-8"),
        ("redis://h?client_name=a%20b", "client_name must be"),
        ("redis://h?sentinel_password=x", "options that begin with sentinel_"),
        ("redis://h?ssl_cert_reqs=none", "options that begin with ssl_"),
        ("rediss://h?ssl_cert_reqs=optional", "ssl_cert_reqs must be required or none"),
        ("rediss://h?ssl_check_hostname=1", "ssl_check_hostname must be true or false"),
        ("rediss://h?ssl_cert_reqs=none&ssl_check_hostname=true", "needs ssl_cert_reqs=required"),
        ("rediss://h?ssl_ca_certs=/nowhere", "ssl_ca_certs can't be read: No such file"),
        ("rediss://h?ssl_certfile=/nowhere", "ssl_certfile, with ssl_keyfile, can't be read"),
        ("rediss://h?ssl_keyfile=/nowhere", "ssl_keyfile needs ssl_certfile"),
        ("unix://run/s", "unix:// wants a path"),
        ("unix:///", "unix:// wants a path"),
        ("unix:///%00s", "unix:// wants a path"),
        ("redis://h#f", "are %40"),
        ("redis://a@b@c", "are %40"),
    ],
    ids=repr,
)
def test_a_wrong_uri_is_a_value_error_at_construction(uri: str, says: str) -> None:
    """The message says what is wrong and shows a right one."""
    with pytest.raises(ValueError, match=r"must read like (redis|unix)") as refused:
        Remote(uri)
    assert says in str(refused.value)


@pytest.mark.parametrize("uri", [None, 5, b"redis://localhost", ["redis://h"]], ids=repr)
def test_what_is_no_string_is_a_type_error(uri: Any) -> None:
    """The message shows a right one, and not the value, which might have a password."""
    with pytest.raises(TypeError, match="redis://:password@localhost"):
        Remote(uri)


@pytest.mark.parametrize("deadline", [0, -1, 0.0001, float("inf"), float("nan"), 1e9], ids=repr)
def test_a_deadline_that_is_no_time_is_a_value_error(deadline: float) -> None:
    """The message names the option, its value and what would be right."""
    with pytest.raises(ValueError, match=r"deadline must be from 0\.001 to 3600 seconds, not"):
        Remote("redis://h", deadline=deadline)


@pytest.mark.parametrize("deadline", ["1", None, True], ids=repr)
def test_a_deadline_of_another_type_is_a_type_error(deadline: Any) -> None:
    """The message has the unit."""
    with pytest.raises(TypeError, match="deadline must be a number of seconds"):
        Remote("redis://h", deadline=deadline)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("redis://h:1/2", "redis://h:1/2"),
        ("redis://user:pw@h", "redis://***@h"),
        ("redis://h?password=pw&db=1", "redis://h?password=***&db=1"),
        ("unix://:pw@/run/s?db=1", "unix://***@/run/s?db=1"),
        ("redis+cluster://:pw@a:1,[::1]:2", "redis+cluster://***@a:1,[::1]:2"),
        (
            "redis+sentinel://a,b/service?sentinel_password=pw&username=u&password=pw",
            "redis+sentinel://a,b/service?sentinel_password=***&username=***&password=***",
        ),
    ],
)
def test_the_safe_uri_shows_all_but_the_secrets(uri: str, shown: str) -> None:
    """It names the server in logs and errors."""
    remote = Remote(uri)
    assert remote.safe_uri == shown
    assert repr(remote) == f"Remote({shown!r})"


SECRET = "Zq9x"
# Whole passwords as people write them, encoded or not.
PASSWORDS = st.text(st.sampled_from("a1:/?#@&=%+,[]. "), max_size=4).map(
    lambda text: SECRET + text + SECRET
)
WRITTEN = [
    "redis://user:{}@h",
    "redis://:{}@h:1/2",
    "redis://user:{}",
    "redis://:{}",
    "redis://{}@h",
    "redis+cluster://:{}@a,b",
    "redis+sentinel://:{}@a,b/service",
    "redis://h?password={}",
    "redis+sentinel://a/service?password={}&sentinel_password={}",
    "unix://:{}@/run/s",
    "unix:///run/s?password={}",
    "http://user:{}@h",
    "redis:/user:{}@h",
    ":{}@h",
]


@pytest.mark.parametrize("encoded", [True, False], ids=["encoded", "raw"])
@pytest.mark.parametrize("written", WRITTEN)
@settings(max_examples=25)
@given(password=PASSWORDS)
def test_no_piece_of_a_password_is_ever_shown(written: str, encoded: bool, password: str) -> None:
    """Not in errors and not in what describes a store, even where the URI is written wrong."""
    # Without a host, what is behind an @ in the password is one.
    assume(encoded or "@" not in password or not written.endswith(":{}"))
    uri = written.replace("{}", quote(password, safe="") if encoded else password)
    shown = [hide(uri)]
    try:
        remote = Remote(uri)
    except ValueError as error:
        shown.append(str(error))
    else:
        shown += [remote.safe_uri, repr(remote), repr(parse(uri))]
    for text in shown:
        assert SECRET not in text


def test_a_key_with_a_passphrase_is_refused_and_not_asked_for(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    """OpenSSL would wait for someone to type it."""
    locked = tmp_path / "locked.pem"
    openssl("pkey", "-in", certificate[1], "-aes256", "-passout", "pass:x", "-out", locked)
    with pytest.raises(ValueError, match="ssl_keyfile, can't be read"):
        Remote(f"rediss://h?ssl_certfile={certificate[0]}&ssl_keyfile={locked}")


def test_tls_checks_names_unless_told_not_to(certificate: tuple[Path, Path]) -> None:
    """By default the server must prove who it is."""
    default = parse("rediss://h").tls
    nameless = parse(f"rediss://h?ssl_ca_certs={certificate[0]}&ssl_check_hostname=false").tls
    trusting = parse("rediss://h?ssl_cert_reqs=none").tls
    assert default
    assert nameless
    assert trusting
    assert (default.check_hostname, default.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert (nameless.check_hostname, nameless.verify_mode) == (False, ssl.CERT_REQUIRED)
    assert (trusting.check_hostname, trusting.verify_mode) == (False, ssl.CERT_NONE)


def test_where_there_are_no_unix_sockets_their_uri_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on Windows."""
    monkeypatch.delattr(socket, "AF_UNIX")
    with pytest.raises(ValueError, match="no Unix sockets"):
        Remote("unix:///run/s")
