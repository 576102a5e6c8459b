"""Vault by its documented API, and failures of Vault and of proxies."""

import contextlib
import gzip
import logging
import socket
import subprocess
import sys
import time
import traceback
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mantlet.secrets import (
    Secret,
    SecretField,
    SecretLoader,
    SecretModel,
    SecretsError,
    SourceError,
)
from mantlet.secrets.sources.remote import SourceUnavailable
from mantlet.secrets.sources.vault import AppRoleAuth, KubernetesAuth, TokenAuth, Vault
from tests.secrets.sources import assertions
from tests.secrets.sources.assertions import FIELD, assert_unlogged, value
from tests.secrets.sources.server import (
    Behavior,
    closes_early,
    drops_connection,
    responds,
    sends_slowly,
)
from tests.secrets.sources.vault.vault_server import Clock, VaultServer

VALUE, NEW = "kR7-vT2_qX9.mB4w", "new-kR7-vT2_qX9.mB4w"
TOKEN = "hvs.given-8Uj4Rf"
SECRET_ID = "secret-id-5tGb7Yhn"
JWT = "jwt-9mB4wkR7"
HIDDEN = (VALUE, NEW, TOKEN, SECRET_ID, JWT, "hvs.login")

LOGIN = "POST /v1/auth/approle/login"
RENEWAL = "POST /v1/auth/token/renew-self"
LOOK_UP = "GET /v1/auth/token/lookup-self"
READING = "GET /v1/secret/data/app"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove everything from the environment and the home directory that the sources use."""
    for name in ("ADDR", "TOKEN", "NAMESPACE", "CACERT"):
        monkeypatch.delenv(f"VAULT_{name}", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Assert that no library logs a secret during a test."""
    caplog.set_level(logging.DEBUG)
    yield
    assert_unlogged(caplog, HIDDEN)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[VaultServer]:
    with VaultServer(clock) as running:
        running.secret = {"password": VALUE}
        running.grant(TOKEN)
        yield running


def vault(server: VaultServer, path: str = "app", **options: Any) -> Vault:
    """Return a source without retries, with a valid token."""
    return Vault(path, **{"url": server.url, "auth": TokenAuth(TOKEN), "retries": 0, **options})


def by_role(server: VaultServer, clock: Clock, **options: Any) -> Vault:
    """Return a source that logs in with AppRole."""
    auth = AppRoleAuth("role-id-1", SECRET_ID)
    return vault(server, **{"auth": auth, "clock": clock, **options})


def read_error(source: Vault) -> SourceError:
    """Return the error of a source that can't be read."""
    return assertions.read_error(source, HIDDEN)


# -- what is read ---------------------------------------------------------------------------------


def test_version_2_has_values_and_the_time_of_the_version(server: VaultServer) -> None:
    """The API's ``data.data`` and ``metadata.created_time``, to the microsecond."""
    found = value(vault(server))
    assert found.raw == VALUE
    assert found.location == "vault secret/app password"
    assert found.changed_at == datetime(2018, 3, 22, 2, 24, 6, 945319, UTC).timestamp()
    assert READING in server.lines


def test_version_1_has_values_alone(server: VaultServer) -> None:
    """The API has no time there."""
    found = value(vault(server, version=1, mount="kv"))
    assert (found.raw, found.location, found.changed_at) == (VALUE, "vault kv/app password", None)


def test_a_key_may_be_the_name_of_the_variable(server: VaultServer) -> None:
    """Values other than text become JSON, and missing ones are left out."""
    server.secret = {"APP_PASSWORD": {"a": 1}}
    assert value(vault(server)).raw == '{"a": 1}'
    assert vault(server).read([SecretField("other", "OTHER", "other")]) == {}


def test_a_key_that_resembles_a_secrets_is_told(server: VaultServer) -> None:
    """The error has the name, not the value."""
    server.secret = {"pasword": VALUE}
    source = vault(server)
    assert source.read([FIELD]) == {}
    assert list(source.similar_names([FIELD])) == [("pasword", "password")]


@pytest.mark.parametrize("time_", [None, 7, "yesterday", "2018-03-22T02:24:06"], ids=str)
def test_a_time_that_is_none_is_not_known(server: VaultServer, time_: object) -> None:
    """The value is used nevertheless."""
    data = {"data": {"password": VALUE}, "metadata": {"created_time": time_}}
    server.next = [None, responds(200, {"data": data})]
    found = value(vault(server))
    assert (found.raw, found.changed_at) == (VALUE, None)


def test_address_namespace_and_token_are_found_in_the_environment(
    server: VaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like Vault's own command."""
    monkeypatch.setenv("VAULT_ADDR", f"{server.url}/")
    monkeypatch.setenv("VAULT_NAMESPACE", "team/a/")
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    assert value(Vault("/app/")).raw == VALUE
    assert server.received[-1].headers["x-vault-namespace"] == "team/a"
    assert server.received[-1].headers["x-vault-token"] == TOKEN
    assert server.received[-1].headers["x-vault-request"] == "true"


def test_a_token_in_the_home_directory_is_read_at_every_reading(
    server: VaultServer, tmp_path: Path
) -> None:
    """Vault's agent replaces it."""
    source = vault(server, auth=None)
    assert str(read_error(source)).startswith("no token found: ")
    path = tmp_path / ".vault-token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    assert value(source).raw == VALUE
    server.grant("hvs.other")
    path.write_text("hvs.other")
    assert value(source).raw == VALUE
    assert server.received[-1].headers["x-vault-token"] == "hvs.other"
    path.unlink()
    path.mkdir()
    assert str(read_error(source)) == f"{path} is a directory"


def test_who_has_no_home_has_no_token_there(
    server: VaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is that for a missing file."""

    def nobody(_path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nobody)
    assert str(read_error(vault(server, auth=None))).startswith("no token found: ")


@pytest.mark.parametrize("token", ["", f"{TOKEN}\n", f"{TOKEN} x", f"{TOKEN}\xe9"], ids=ascii)
def test_a_token_that_no_header_field_can_have_is_none(server: VaultServer, token: str) -> None:
    """No request is made with it."""
    assert str(read_error(vault(server, auth=TokenAuth(Secret(token))))).startswith(
        "token is not a token"
    )
    assert server.received == []


# -- logins and leases ----------------------------------------------------------------------------


def test_a_login_is_made_once_for_many_readings(server: VaultServer, clock: Clock) -> None:
    """Its token is used until its lease ends."""
    source = by_role(server, clock)
    assert [value(source).raw, value(source).raw] == [VALUE, VALUE]
    assert server.lines == [LOGIN, READING, READING]
    assert "x-vault-token" not in server.received[0].headers


def test_the_token_of_a_service_account_is_read_at_every_login(
    server: VaultServer, clock: Clock, tmp_path: Path
) -> None:
    """Kubernetes rotates it."""
    path = tmp_path / "token"
    source = vault(server, auth=KubernetesAuth("demo", token_path=path), clock=clock)
    assert str(read_error(source)) == f"{path} is missing or empty: is this process in a pod?"
    path.write_text(JWT)
    assert str(read_error(source)) == (
        "403: auth/kubernetes/login was refused: "
        "check whether the role is bound to this service account"
    )
    server.jwt = f"{JWT}-2"
    path.write_text(f"{JWT}-2\n")
    assert value(source).raw == VALUE


def test_a_refused_login_says_what_to_look_at(server: VaultServer, clock: Clock) -> None:
    """No error contains the SecretID."""
    wrong = AppRoleAuth("role-id-2", Secret(SECRET_ID))
    assert str(read_error(vault(server, auth=wrong))) == (
        "400: auth/approle/login was refused: check role_id, and whether secret_id is still valid"
    )
    elsewhere = AppRoleAuth("role-id-1", SECRET_ID, mount="other/role")
    server.next = [responds(404, {"errors": []})]
    assert str(read_error(vault(server, auth=elsewhere))) == (
        "404: auth/other/role/login does not exist: check the mount"
    )


def test_a_token_is_renewed_at_two_thirds_of_its_lease(server: VaultServer, clock: Clock) -> None:
    """The source is read again in time for that."""
    source = by_role(server, clock, refresh_interval=300.0)
    value(source)
    assert source.lifetime == 300
    clock.now += 799
    value(source)
    assert source.lifetime == 1
    clock.now += 1
    value(source)
    assert server.lines == [LOGIN, READING, READING, RENEWAL, READING]
    assert source.lifetime == 300


@pytest.mark.parametrize(
    ("refresh_interval", "lease", "lifetime"),
    [(300.0, 90, 60.0), (10.0, 90, 10.0), (None, 90, 60.0), (300.0, 1, 1.0), (None, 0, None)],
    ids=["lease", "refresh", "lease-alone", "least", "for-ever"],
)
def test_a_lifetime_ends_with_what_ends_first(
    server: VaultServer,
    clock: Clock,
    refresh_interval: float | None,
    lease: int,
    lifetime: float | None,
) -> None:
    """Two thirds of the token's lease, or ``refresh_interval``; but never less than a second."""
    server.lease = lease
    source = by_role(server, clock, refresh_interval=refresh_interval)
    value(source)
    assert source.lifetime == lifetime


def test_a_lifetime_ends_with_the_secrets_own_lease(server: VaultServer) -> None:
    """Version 1 of the engine has such leases."""
    server.kv_lease = 30
    source = vault(server, version=1, mount="kv")
    value(source)
    assert source.lifetime == 20


@pytest.mark.parametrize("renewable", [False, True], ids=["not-renewable", "worn"])
def test_a_token_that_is_not_to_be_renewed_is_had_anew(
    server: VaultServer, clock: Clock, renewable: bool
) -> None:
    """If it can't be renewed, or nears its maximum lifetime."""
    server.renewable = renewable
    server.renewed_lease = 500
    source = by_role(server, clock)
    value(source)
    clock.now += 800
    value(source)
    assert server.lines == [LOGIN, READING, *([RENEWAL] * renewable), LOGIN, READING]


def test_a_refused_renewal_is_followed_by_a_login(server: VaultServer, clock: Clock) -> None:
    """For example, if the token was revoked."""
    source = by_role(server, clock)
    value(source)
    server.revoke()
    clock.now += 800
    assert value(source).raw == VALUE
    assert server.lines == [LOGIN, READING, RENEWAL, LOGIN, READING]


def test_a_token_that_has_ended_is_had_anew_at_once(server: VaultServer, clock: Clock) -> None:
    """No request is made with it."""
    source = by_role(server, clock)
    value(source)
    clock.now += 1200
    value(source)
    assert server.lines == [LOGIN, READING, LOGIN, READING]


def test_a_revoked_token_is_had_anew_once(server: VaultServer, clock: Clock) -> None:
    """The reading is repeated once; a second refusal is an error."""
    source = by_role(server, clock)
    value(source)
    server.revoke()
    assert value(source).raw == VALUE
    assert server.lines[2:] == [READING, LOGIN, READING]
    denied = by_role(server, clock, path="denied")
    server.received.clear()
    assert str(read_error(denied)).startswith("403: the token may not read secret/data/denied")
    assert server.lines == [LOGIN, "GET /v1/secret/data/denied"]
    assert str(read_error(denied)).startswith("403: ")
    assert len(server.lines) == 5


def test_a_given_token_is_renewed_while_it_can_be(server: VaultServer, clock: Clock) -> None:
    """As documented for periodic tokens."""
    server.grant(TOKEN, 90, renewable=True)
    source = vault(server, clock=clock)
    value(source)
    assert source.lifetime == 60
    clock.now += 60
    value(source)
    assert server.lines == [LOOK_UP, READING, RENEWAL, READING]
    assert source.lifetime == 60


def test_a_given_token_that_can_not_be_renewed_is_used_until_it_ends(
    server: VaultServer, clock: Clock
) -> None:
    """After one refused renewal, since there is no login."""
    server.grant(TOKEN, 90, renewable=True)
    source = vault(server, clock=clock)
    value(source)
    server.grant(TOKEN, 90, renewable=False)
    clock.now += 60
    value(source)
    value(source)
    assert server.lines == [LOOK_UP, READING, RENEWAL, READING, READING]
    assert source.lifetime == 300
    clock.now += 90
    assert str(read_error(source)) == "403: the token may not read secret/data/app, or has expired"
    assert server.lines[5:] == [READING]


def test_a_token_that_may_not_look_itself_up_is_used(server: VaultServer) -> None:
    """Reading the secret shows whether it is valid."""
    server.next = [responds(403, {"errors": ["permission denied"]})]
    assert value(vault(server)).raw == VALUE


# -- what is wrong --------------------------------------------------------------------------------

ERRORS: Any = {"errors": ["token hvs.given-8Uj4Rf is bad"]}
HTML = responds(200, f"<html>{VALUE}</html>".encode(), content_type="text/html")
ELSEWHERE = responds(307, b"", location="http://192.0.2.1/v1/secret/data/app")
TOO_MUCH = "sent a response of more than 1024 KiB"
STRANGE = "sent a response that does not follow the API"
NO_JSON = (
    "200: sent something other than a JSON object: check whether url is that of a Vault server"
)

FINAL: dict[str, tuple[Behavior, str]] = {
    "bad-request": (responds(400, ERRORS), "400: the server refused to read secret/data/app"),
    "uninitialized": (responds(501, ERRORS), "501: the server is not initialized"),
    "html": (HTML, "200: sent an HTML page: check whether url is that of a Vault server"),
    "html-forbidden": (
        responds(403, b" <!doctype html>"),
        "403: sent an HTML page: check whether url is that of a Vault server",
    ),
    "redirect": (
        ELSEWHERE,
        (
            "307: redirects to another address, which is not followed: "
            "set url to that of the active server"
        ),
    ),
    "list": (responds(200, [VALUE]), NO_JSON),
    "text": (responds(200, b"\xff\xfe" + VALUE.encode()), NO_JSON),
    "empty": (responds(200, b""), NO_JSON),
    "nested": (responds(200, b"[" * 200_000), NO_JSON),
    "no-data": (responds(200, {}), STRANGE),
    "data-list": (responds(200, {"data": [VALUE]}), STRANGE),
    "inner-list": (responds(200, {"data": {"data": [VALUE], "metadata": {}}}), STRANGE),
    "no-metadata": (responds(200, {"data": {"data": {"password": VALUE}}}), STRANGE),
    "null": (
        responds(200, {"data": {"data": None, "metadata": {}}}),
        "200: the latest version of secret/data/app is deleted",
    ),
    "huge": (responds(200, b'"' + b"x" * 2**20 + b'"'), TOO_MUCH),
    "endless": (sends_slowly(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536, 0), TOO_MUCH),
    "endless-head": (
        sends_slowly(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 60000 + b"\r\n", 0),
        TOO_MUCH,
    ),
    "compressed": (
        responds(200, gzip.compress(b" " * 2**20, mtime=0), content_encoding="gzip"),
        "sent a compressed response, which was not requested",
    ),
}


@pytest.mark.parametrize(("behavior", "why"), FINAL.values(), ids=FINAL)
def test_what_will_not_pass_is_a_line_and_not_tried_again(
    server: VaultServer, behavior: Behavior, why: str
) -> None:
    """The error names the problem and shows nothing of the response."""
    server.next = [None, behavior]
    error = read_error(vault(server, retries=2))
    assert str(error) == why
    assert not isinstance(error, SourceUnavailable)
    assert server.lines == [LOOK_UP, READING]


LATER: dict[str, tuple[Behavior, str]] = {
    "limited": (responds(429, ERRORS), "429: too many requests"),
    "limited-html": (responds(429, b"<html>"), "429: too many requests"),
    "sealed": (
        responds(503, {"errors": ["Vault is sealed"]}),
        "503: the server is sealed, or down for maintenance",
    ),
    "proxy": (responds(503, b"<html>"), "503: the server failed"),
    "internal": (responds(500, ERRORS), "500: the server failed"),
    "behind": (responds(412, ERRORS), "412: the server failed"),
    "drops": (drops_connection, "can't be reached, or closed the connection early"),
    "breaks-off": (closes_early, "can't be reached, or closed the connection early"),
    "endless-chunk-size": (
        sends_slowly(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 65536, 0),
        "can't be reached, or closed the connection early",
    ),
}


@pytest.mark.parametrize(("behavior", "why"), LATER.values(), ids=LATER)
def test_what_may_pass_is_tried_again(server: VaultServer, behavior: Behavior, why: str) -> None:
    """As often as ``retries`` allows; then it is an error."""
    source = vault(server, retries=1)
    server.next = [behavior]
    assert value(source).raw == VALUE
    server.next = [behavior, behavior]
    error = read_error(source)
    assert str(error) == why
    assert isinstance(error, SourceUnavailable)
    assert server.next == []


def test_a_server_that_asks_for_patience_gets_it(server: VaultServer) -> None:
    """For the time of ``Retry-After``, unless that exceeds the timeout."""
    source = vault(server, retries=1)
    server.next = [responds(429, ERRORS, retry_after="1")]
    began = time.monotonic()
    assert value(source).raw == VALUE
    assert time.monotonic() - began >= 1
    server.next = [responds(429, ERRORS, retry_after="3600")]
    assert str(read_error(source)) == "429: too many requests"
    server.next = [responds(429, ERRORS, retry_after="Fri, 31 Dec 1999 23:59:59 GMT")]
    assert value(source).raw == VALUE


DRIPS: dict[str, Behavior] = {
    "head": sends_slowly(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x", 0.02),
    "body": sends_slowly(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{", b" ", 0.02),
    "chunks": sends_slowly(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.02
    ),
    "interim": sends_slowly(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
    "silence": sends_slowly(b"", b"", 0.02),
}


@pytest.mark.parametrize("behavior", DRIPS.values(), ids=DRIPS)
def test_the_deadline_holds_however_steadily_bytes_come(
    server: VaultServer, behavior: Behavior
) -> None:
    """For all attempts together: the first one takes all of the time."""
    source = vault(server, timeout=0.4, retries=2)
    server.next = [behavior] * 3
    began = time.monotonic()
    error = read_error(source)
    assert time.monotonic() - began > 0.3
    assert server.next
    assert str(error) == "did not respond in time"
    assert isinstance(error, SourceUnavailable)


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 1000000000\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n3b9aca00\r\n{"],
    ids=["length", "chunk"],
)
def test_memory_is_not_what_the_server_says_it_will_send(server: VaultServer, head: bytes) -> None:
    """The server announces a gigabyte and sends a few bytes."""
    value(vault(server))
    source = vault(server, timeout=0.3)
    server.next = [sends_slowly(b"HTTP/1.1 200 OK\r\n" + head, b" ", 0.02)]
    tracemalloc.start()
    try:
        assert str(read_error(source)) == "did not respond in time"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20


def test_addresses_of_which_none_answers_share_the_deadline(
    server: VaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name may have many addresses."""
    with socket.socket() as deaf, contextlib.ExitStack() as stack:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        # Its queue is full, so no other client can connect.
        for _ in range(4):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", deaf.getsockname())]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found * 3000)
        source = vault(server, url="http://vault.test", allow_http=True, timeout=0.4)
        began = time.monotonic()
        assert str(read_error(source)) == "did not respond in time"
        assert time.monotonic() - began < 3000 * 0.4


def test_nothing_is_asked_once_the_time_is_over(server: VaultServer) -> None:
    """For example, after a slow login."""
    with pytest.raises(SourceUnavailable, match="did not respond in time"):
        vault(server).read_once([FIELD], time.monotonic() - 1)
    assert server.received == []


def test_a_secret_that_is_not_there_is_not_one_that_is_forbidden(server: VaultServer) -> None:
    """Neither counts as an empty store."""
    assert str(read_error(vault(server, path="none", mount="team/kv"))) == (
        "404: team/kv/data/none does not exist (KV version 2): "
        "check the mount, the path and the version"
    )
    assert str(read_error(vault(server, version=1))) == (
        "404: secret/app does not exist (KV version 1): check the mount, the path and the version"
    )
    assert str(read_error(vault(server, path="denied"))) == (
        "403: the token may not read secret/data/denied, or has expired"
    )


def test_a_version_that_is_gone_is_not_a_secret_that_is_not_there(server: VaultServer) -> None:
    """The API responds with 404 to both, here with metadata."""
    server.deleted = "2018-03-22T02:36:43.986212308Z"
    assert str(read_error(vault(server))) == "404: the latest version of secret/data/app is deleted"
    server.destroyed = True
    assert (
        str(read_error(vault(server))) == "404: the latest version of secret/data/app is destroyed"
    )


STRANGE_LOGINS: dict[str, Any] = {
    "no-auth": {"auth": None},
    "no-token": {"auth": {"lease_duration": 1}},
    "token-number": {"auth": {"client_token": 1}},
    "lease-text": {"auth": {"client_token": "hvs.login", "lease_duration": "1h"}},
    "lease-bool": {"auth": {"client_token": "hvs.login", "lease_duration": True}},
    "lease-negative": {"auth": {"client_token": "hvs.login", "lease_duration": -1}},
    "lease-infinite": {"auth": {"client_token": "hvs.login", "lease_duration": float("inf")}},
    "lease-huge": {"auth": {"client_token": "hvs.login", "lease_duration": 10**400}},
}


@pytest.mark.parametrize("answer", STRANGE_LOGINS.values(), ids=STRANGE_LOGINS)
def test_a_login_that_is_none_of_vaults_is_a_line(
    server: VaultServer, clock: Clock, answer: Any
) -> None:
    """Wherever the response deviates."""
    server.next = [responds(200, answer)]
    assert str(read_error(by_role(server, clock))) == STRANGE


def test_a_token_of_a_login_can_not_be_another_header_field(
    server: VaultServer, clock: Clock
) -> None:
    """No request is made with it."""
    server.next = [responds(200, {"auth": {"client_token": "hvs.login\r\nX: y"}})]
    assert str(read_error(by_role(server, clock))).startswith(
        "the response of the login is not a token"
    )


def test_nobody_there_is_a_line(server: VaultServer) -> None:
    """For example, if the address is wrong."""
    error = read_error(vault(server, url="http://127.0.0.1:1"))
    assert str(error) == "can't be reached, or closed the connection early"
    assert isinstance(error, SourceUnavailable)


def test_a_proxy_that_is_not_there_is_a_line(
    server: VaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxies in the environment are used."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    source = vault(server, allow_http=True)
    assert str(read_error(source)) == "can't be reached through the proxy"


def test_a_name_that_no_host_can_have_is_a_line(server: VaultServer) -> None:
    """It is not retried."""
    error = read_error(vault(server, url="http://a..b:1", allow_http=True))
    assert str(error) == "can't be reached, or closed the connection early"


def test_what_the_libraries_raise_otherwise_is_told_by_its_type_alone(
    server: VaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message may contain anything."""
    source = vault(server)

    def fails(*_: object, **_options: object) -> None:
        raise LookupError(TOKEN)

    monkeypatch.setattr("requests.Session.request", fails)
    assert str(read_error(source)) == "can't be read: LookupError"


# -- TLS ------------------------------------------------------------------------------------------


def test_a_server_is_trusted_by_its_ca_alone(
    clock: Clock, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the option or by ``$VAULT_CACERT``; the timeout applies there too."""
    with VaultServer(clock, certificate) as server:
        server.secret = {"password": VALUE}
        server.grant(TOKEN)
        assert value(vault(server, verify=certificate[0])).raw == VALUE
        error = read_error(vault(server))
        assert str(error) == "its certificate can't be verified: set verify to its CA certificate"
        assert not isinstance(error, SourceUnavailable)
        monkeypatch.setenv("VAULT_CACERT", str(certificate[0]))
        assert value(vault(server)).raw == VALUE
        server.next = [DRIPS["body"]]
        assert str(read_error(vault(server, timeout=0.5))) == "did not respond in time"


# -- the loader -----------------------------------------------------------------------------------


class App(SecretModel, prefix="APP_"):
    password: Secret[str]


def test_a_new_version_is_taken_over_once_its_time_has_come(
    server: VaultServer, clock: Clock
) -> None:
    """If the server can't be reached, the last valid snapshot stays."""
    source = by_role(server, clock, refresh_interval=100.0)
    loader = SecretLoader(App, sources=[source], clock=clock)
    assert loader.current.password.reveal() == VALUE
    server.secret, server.version = {"password": NEW}, 2
    clock.now += 99
    assert loader.current.password.reveal() == VALUE
    server.next = [responds(503, ERRORS)]
    clock.now += 30
    assert loader.current.password.reveal() == VALUE
    clock.now += 45
    assert loader.current.password.reveal() == NEW


def test_a_start_that_fails_says_why_in_the_one_error(server: VaultServer) -> None:
    """It has a line for the source, and none for each secret."""
    with pytest.raises(SecretsError) as caught:
        SecretLoader(App, sources=[vault(server, path="denied")])
    assert caught.value.problems == (
        "vault secret/denied: 403: the token may not read secret/data/denied, or has expired",
    )


# -- options --------------------------------------------------------------------------------------


def test_reprs_show_no_secret(server: VaultServer, clock: Clock) -> None:
    """Neither those of logins, nor that of the source after a login."""
    source = by_role(server, clock)
    value(source)
    logins = [TokenAuth(TOKEN), AppRoleAuth("role-id-1", SECRET_ID), KubernetesAuth("demo")]
    shown = repr([source, vars(source), *map(vars, logins), vars(source._tokens), *logins])
    assert not [one for one in HIDDEN if one in shown]
    assert [repr(behavior) for behavior in logins] == [
        "TokenAuth()",
        "AppRoleAuth(mount='approle')",
        "KubernetesAuth(mount='kubernetes')",
    ]


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "version": ({"version": 3}, "version must be 1 or 2, not 3"),
    "path": ({"path": ""}, "path must be a path"),
    "path-dots": ({"path": "a/../b"}, "path must be a path"),
    "path-line": ({"path": "a\nb"}, "path must be a path"),
    "mount": ({"mount": "a//b"}, "mount must be a path"),
    "namespace": ({"namespace": "a/./b"}, "namespace must be a path"),
    "timeout": ({"timeout": 0.0}, "timeout must be more than 0"),
    "no-url": ({"url": None}, "url, or .VAULT_ADDR, must be"),
    "url-scheme": ({"url": "ftp://vault"}, "url, or .VAULT_ADDR, must be"),
    "url-user": ({"url": f"https://user:{SECRET_ID}@vault"}, "url, or .VAULT_ADDR, must be"),
    "url-port": ({"url": f"https://vault:{SECRET_ID}"}, "url, or .VAULT_ADDR, must be"),
    "verify": ({"verify": False}, "verify must be True, or the path"),
    "verify-path": ({"verify": "none.pem"}, "verify must be the path"),
}


@pytest.mark.parametrize(("options", "why"), OPTIONS.values(), ids=OPTIONS)
def test_an_option_that_can_not_be_is_refused_where_it_is_written(
    options: dict[str, Any], why: str
) -> None:
    """The error names the option and shows no password."""
    given = {"path": "app", "url": "http://127.0.0.1:1", **options}
    with pytest.raises(ValueError, match=why) as caught:
        Vault(given.pop("path"), **given)
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET_ID not in shown.split("ValueError: ", 1)[1]
    assert caught.value.__context__ is None


def test_ways_to_log_in_are_checked_too() -> None:
    """Including their types."""
    wrong: Any = "hvs.token"
    with pytest.raises(
        TypeError, match="auth must be a TokenAuth, AppRoleAuth or KubernetesAuth, not str"
    ):
        Vault("app", url="http://127.0.0.1:1", auth=wrong)
    with pytest.raises(ValueError, match="mount must be a path"):
        AppRoleAuth("role", "id", mount="..")
    with pytest.raises(ValueError, match="role must not be empty"):
        KubernetesAuth("")


def test_libraries_are_imported_where_there_is_a_vault() -> None:
    """The module does not import them; without them the error names the extra."""
    code = (
        "import sys\n"
        "from mantlet.secrets.sources.vault import Vault\n"
        "assert not {'hvac', 'requests', 'urllib3'} & set(sys.modules)\n"
        "sys.modules['hvac'] = None\n"
        "try:\n"
        "    Vault('app', url='http://127.0.0.1:1')\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == 'hvac is needed for this: pip install "mantlet[vault]"\n'


# -- without TLS ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "vault.internal:8200",
        "10.0.0.7:8200",
        "127.0.0.1.example.com",
        "localhost.example.com",
        "[::ffff:10.0.0.7]",
        "0.0.0.0",
        "2130706433",
        "xn--lcalhost-54a",
    ],
)
def test_http_to_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """As an argument and in the variable; the message says how it is accepted."""
    url = f"http://{host}"
    with pytest.raises(ValueError, match=r"url, or \$VAULT_ADDR, must be https") as told:
        Vault("app", url=url)
    assert "allow_http=True accepts that" in str(told.value)
    Vault("app", url=url, allow_http=True)
    Vault("app", url=f"https://{host}")
    monkeypatch.setenv("VAULT_ADDR", url)
    with pytest.raises(ValueError, match="must be https"):
        Vault("app")


@pytest.mark.parametrize(
    "host",
    ["localhost:8200", "127.0.0.1", "127.9.9.9:1", "[::1]:8200", "vault.localhost", "LOCALHOST"],
)
def test_http_to_this_machine_is_accepted(host: str) -> None:
    """As of an agent or a sidecar."""
    Vault("app", url=f"http://{host}")


def test_no_proxy_gets_what_stays_on_this_machine(
    server: VaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would go over the network in clear."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    assert value(vault(server)).raw == VALUE
    assert "proxy" in str(read_error(vault(server, allow_http=True)))
