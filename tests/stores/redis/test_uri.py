"""Storage URIs: their parts, and the secrets that are never shown."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mantlet.stores.redis import RedisBackend
from mantlet.stores.redis.uri import (
    RedisCredentials,
    ServerAddress,
    parse_redis_uri,
    redact_redis_uri,
)
from tests.stores.redis.servers import openssl

if TYPE_CHECKING:
    from pathlib import Path

SCHEMES = ("redis", "rediss", "valkey", "valkeys")


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("redis://localhost", ServerAddress("localhost", 6379)),
        ("valkey://10.0.0.7:6380", ServerAddress("10.0.0.7", 6380)),
        ("redis://[::1]", ServerAddress("::1", 6379)),
        ("redis://[2001:db8::7]:6380/", ServerAddress("2001:db8::7", 6380)),
        ("redis://my_service.internal./3", ServerAddress("my_service.internal.", 6379)),
        ("unix:///run/valkey.sock", ServerAddress("/run/valkey.sock", 0)),
        ("redis+unix:///run/my%20valkey.sock", ServerAddress("/run/my valkey.sock", 0)),
        ("valkey+unix://:pw@/run/valkey.sock?db=2", ServerAddress("/run/valkey.sock", 0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_server_is_where_its_uri_says(uri: str, address: ServerAddress) -> None:
    """Names, IP addresses of both kinds and Unix sockets, with the default port of Redis."""
    location = parse_redis_uri(uri)
    assert (location.topology, location.addresses) == ("single", (address,))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_only_schemes_with_another_s_have_tls(scheme: str) -> None:
    """As in `limits` and the clients of Redis and Valkey."""
    for topology in ("", "+cluster", "+sentinel"):
        path = "/service" if "sentinel" in topology else ""
        location = parse_redis_uri(f"{scheme}{topology}://localhost{path}")
        assert (location.tls is not None) == (scheme in ("rediss", "valkeys"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_cluster_has_several_hosts(scheme: str) -> None:
    """The hosts are separated by commas, and each may have a port."""
    location = parse_redis_uri(f"{scheme}+cluster://user:pw@a:1,[::1]:2,c")
    assert location.topology == "cluster"
    assert location.addresses == (
        ServerAddress("a", 1),
        ServerAddress("::1", 2),
        ServerAddress("c", 6379),
    )
    assert RedisBackend(f"{scheme}+cluster://a").is_cluster
    assert not RedisBackend(f"{scheme}://a").is_cluster


@pytest.mark.parametrize("scheme", SCHEMES)
def test_sentinels_are_asked_for_a_service(scheme: str) -> None:
    """The path names the service and may name a database; sentinels have another default port."""
    location = parse_redis_uri(
        f"{scheme}+sentinel://user:pw@a:1,b/mymaster/4?sentinel_username=s&sentinel_password=t"
    )
    assert location.topology == "sentinel"
    assert location.addresses == (ServerAddress("a", 1), ServerAddress("b", 26379))
    assert (location.service, location.db) == ("mymaster", 4)
    assert location.credentials == RedisCredentials("user", "pw")
    assert location.sentinel_credentials == RedisCredentials("s", "t")


@pytest.mark.parametrize(
    ("uri", "login"),
    [
        ("redis://h", RedisCredentials()),
        ("redis://:p%40ss%2Fw%3Ard@h", RedisCredentials(None, "p@ss/w:rd")),
        ("redis://:a:b@h", RedisCredentials(None, "a:b")),
        ("redis://us%3Aer:pw@h", RedisCredentials("us:er", "pw")),
        ("redis://h?username=user&password=a%26b%3D+c", RedisCredentials("user", "a&b=+c")),
        ("redis://user@h?password=pw", RedisCredentials("user", "pw")),
        ("redis://h?password=%C3%A9", RedisCredentials(None, "é")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_logs_in_is_before_the_host_or_in_the_query(uri: str, login: RedisCredentials) -> None:
    """Percent-encoded in both places; a plus is a plus."""
    assert parse_redis_uri(uri).credentials == login


@pytest.mark.parametrize(
    ("uri", "db"),
    [("redis://h/7", 7), ("redis://h/", 0), ("redis://h?db=7", 7), ("unix:///s?db=1", 1)],
)
def test_the_database_is_in_the_path_or_in_the_query(uri: str, db: int) -> None:
    """The default is 0."""
    assert parse_redis_uri(uri).db == db


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("", "scheme must be"),
        ("localhost:6379", "scheme must be"),
        ("http://localhost", "scheme must be"),
        ("REDIS://localhost", "scheme must be"),
        ("rediss+unix:///run/s", "scheme must be"),
        ("redis://", "a host must be"),
        ("redis:///0", "a host must be"),
        ("redis://h:0", "a host must be"),
        ("redis://h:65536", "a host must be"),
        ("redis://h:port", "a host must be"),
        ("redis://::1", "a host must be"),
        ("redis://[localhost]", "a host must be"),
        ("redis://[::g]", "a host must be"),
        ("redis://a b", "a host must be"),
        (f"redis://{'a' * 64}", "a host must be"),
        ("redis://.a", "a host must be"),
        ("redis+cluster://a,,b", "a host must be"),
        ("redis://a,b", "several hosts need"),
        ("redis://h/x", "db must be a number"),
        ("redis://h/-1", "db must be a number"),
        ("redis://h?db=²", "db must be a number"),
        ("redis://h/1?db=1", "db is both in the path and in the query"),
        ("redis+cluster://h/1", "a cluster has no database other than 0"),
        ("redis+sentinel://h", "must name the service"),
        ("redis+sentinel://h/a%20b", "must name the service"),
        ("redis://h?color=red", "unknown option color"),
        ("redis://h?color", "unknown option ("),
        ("redis://h?password=half&theOther=half", "unknown option ("),
        ("redis://h?db", "option db has no value"),
        ("redis://h?db=", "option db has no value"),
        ("redis://h?db=1&db=1", "duplicate option db"),
        ("redis://user@h", "a user name needs a password"),
        ("redis://h?username=user", "a user name needs a password"),
        ("redis://:a@h?password=b", "the password is both before the host and in the query"),
        ("redis://:%ff@h", "must be UTF-8"),
        ("redis://h?client_name=a%20b", "client_name must be"),
        ("redis://h?sentinel_password=x", "options that start with sentinel_"),
        ("redis://h?ssl_cert_reqs=none", "options that start with ssl_"),
        ("rediss://h?ssl_cert_reqs=optional", "ssl_cert_reqs must be required or none"),
        ("rediss://h?ssl_check_hostname=1", "ssl_check_hostname must be true or false"),
        ("rediss://h?ssl_cert_reqs=none&ssl_check_hostname=true", "needs ssl_cert_reqs=required"),
        ("rediss://h?ssl_ca_certs=/nowhere", "ssl_ca_certs can't be read: No such file"),
        ("rediss://h?ssl_certfile=/nowhere", "ssl_certfile, with ssl_keyfile, can't be read"),
        ("rediss://h?ssl_keyfile=/nowhere", "ssl_keyfile needs ssl_certfile"),
        ("unix://run/s", "unix:// needs an absolute path"),
        ("unix:///", "unix:// needs an absolute path"),
        ("unix:///%00s", "unix:// needs an absolute path"),
        ("redis://h#f", "must be written %40"),
        ("redis://a@b@c", "must be written %40"),
    ],
    ids=repr,
)
def test_a_wrong_uri_is_a_value_error_at_construction(uri: str, says: str) -> None:
    """The message names the problem and shows a valid URI."""
    with pytest.raises(ValueError, match=r"must be such as (redis|unix)") as refused:
        RedisBackend(uri)
    assert says in str(refused.value)


@pytest.mark.parametrize("uri", [None, 5, b"redis://localhost", ["redis://h"]], ids=repr)
def test_what_is_no_string_is_a_type_error(uri: Any) -> None:
    """The message shows a valid URI, and not the value, which may contain a password."""
    with pytest.raises(TypeError, match="redis://:password@localhost"):
        RedisBackend(uri)


@pytest.mark.parametrize("timeout", [0, -1, 0.0001, float("inf"), float("nan"), 1e9], ids=repr)
def test_a_timeout_out_of_range_is_a_value_error(timeout: float) -> None:
    """The message names the option, its value and the valid range."""
    with pytest.raises(ValueError, match=r"timeout must be from 0\.001 to 3600 seconds, not"):
        RedisBackend("redis://h", timeout=timeout)


@pytest.mark.parametrize("timeout", ["1", None, True], ids=repr)
def test_a_timeout_of_another_type_is_a_type_error(timeout: Any) -> None:
    """The message names the valid type."""
    with pytest.raises(TypeError, match="timeout must be a number of seconds"):
        RedisBackend("redis://h", timeout=timeout)


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
    backend = RedisBackend(uri)
    assert backend.safe_uri == shown
    assert repr(backend) == f"RedisBackend({shown!r})"


SECRET = "Zq9x"
# Entire passwords as people write them, encoded or not.
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
    """Not in errors nor in a store's `repr()`, even if the URI is malformed."""
    # Without a host, the text after an @ in the password is taken for one.
    assume(encoded or "@" not in password or not written.endswith(":{}"))
    uri = written.replace("{}", quote(password, safe="") if encoded else password)
    shown = [redact_redis_uri(uri)]
    try:
        backend = RedisBackend(uri)
    except ValueError as error:
        shown.append(str(error))
    else:
        shown += [backend.safe_uri, repr(backend), repr(parse_redis_uri(uri))]
    for text in shown:
        assert SECRET not in text


def test_a_key_with_a_passphrase_is_refused_and_not_asked_for(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    """OpenSSL would wait for someone to type it."""
    locked = tmp_path / "locked.pem"
    openssl("pkey", "-in", certificate[1], "-aes256", "-passout", "pass:x", "-out", locked)
    with pytest.raises(ValueError, match="ssl_keyfile, can't be read"):
        RedisBackend(f"rediss://h?ssl_certfile={certificate[0]}&ssl_keyfile={locked}")


def test_tls_checks_names_unless_told_not_to(certificate: tuple[Path, Path]) -> None:
    """By default the server must prove its identity."""
    default = parse_redis_uri("rediss://h").tls
    nameless = parse_redis_uri(
        f"rediss://h?ssl_ca_certs={certificate[0]}&ssl_check_hostname=false"
    ).tls
    trusting = parse_redis_uri("rediss://h?ssl_cert_reqs=none").tls
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
        RedisBackend("unix:///run/s")
