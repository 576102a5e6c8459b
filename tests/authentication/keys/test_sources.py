"""Sources of keys: what they take, when they ask, and what they keep when the provider fails."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from typing import TYPE_CHECKING

import pytest

from mantlet._internal.coroutines import run_sync
from mantlet.authentication.http import ProviderError
from mantlet.authentication.keys.discovery import Discovery
from mantlet.authentication.keys.jwks_file import JwksFile
from mantlet.authentication.keys.jwks_url import JwksUrl
from mantlet.authentication.keys.source import LoadedKeys, RenewedKeys
from mantlet.exceptions import MantletError
from tests.authentication.provider import (
    Behavior,
    Provider,
    breaks_off,
    drips,
    drops,
    hangs,
    make_certificate,
    new_key,
    public,
    raw,
    says,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONFIGURATION = "/.well-known/openid-configuration"
METADATA = "/.well-known/oauth-authorization-server"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def with_clock(source: RenewedKeys) -> Clock:
    clock = source._clock = Clock()
    return clock


def start(source: RenewedKeys) -> RenewedKeys:
    run_sync(source.startup())
    return source


def join(source: RenewedKeys) -> None:
    """Wait for a loading that has begun."""
    loading = source._loading
    if loading is not None:
        loading[1].result(30)


def kids(source: RenewedKeys) -> list[str | None]:
    return [] if source.key_set is None else [key.kid for key in source.key_set]


def state(source: RenewedKeys) -> tuple[list[str | None], int, str]:
    source.next_renewal = 1e12  # health() would renew them
    return kids(source), source.generation, source.health()


# What they ask for


def test_discovery_leads_to_the_keys(provider: Provider) -> None:
    source = start(Discovery(provider.url))
    assert state(source) == (["first"], 1, "ok")
    assert provider.paths == [CONFIGURATION, "/jwks"]
    assert {one.method for one in provider.received} == {"GET"}


def test_the_path_of_an_issuer_is_kept(provider: Provider) -> None:
    issuer = f"{provider.url}/realms/a"
    document = {"issuer": issuer, "jwks_uri": f"{provider.url}/jwks"}
    provider.routes["/realms/a" + CONFIGURATION] = says(document)
    assert kids(start(Discovery(issuer))) == ["first"]


def test_a_slash_at_the_end_of_an_issuer_counts(provider: Provider) -> None:
    """It belongs to the name, and is not doubled in the URL."""
    issuer = f"{provider.url}/realms/a"
    document = {"issuer": issuer + "/", "jwks_uri": f"{provider.url}/jwks"}
    provider.routes["/realms/a" + CONFIGURATION] = says(document)
    assert kids(start(Discovery(issuer + "/"))) == ["first"]
    assert kids(start(Discovery(issuer))) == []


def test_the_metadata_of_oauth_are_taken_where_openid_has_none(provider: Provider) -> None:
    issuer = f"{provider.url}/tenant"
    document = {"issuer": issuer, "jwks_uri": f"{provider.url}/jwks"}
    provider.routes[METADATA + "/tenant"] = says(document)
    assert kids(start(Discovery(issuer))) == ["first"]
    assert provider.paths == ["/tenant" + CONFIGURATION, METADATA + "/tenant", "/jwks"]


def test_other_failures_do_not_lead_to_the_metadata_of_oauth(provider: Provider) -> None:
    provider.routes[CONFIGURATION] = says({}, status=500)
    provider.routes[METADATA] = says(provider.metadata())
    assert kids(start(Discovery(provider.url))) == []
    assert provider.paths == [CONFIGURATION]


def test_a_url_is_asked_alone(provider: Provider) -> None:
    assert state(start(JwksUrl(f"{provider.url}/jwks"))) == (["first"], 1, "ok")
    assert provider.paths == ["/jwks"]


def test_the_media_type_of_key_sets_is_taken(provider: Provider) -> None:
    provider.routes["/jwks"] = says(provider.jwks(), content_type="application/jwk-set+json")
    assert kids(start(JwksUrl(f"{provider.url}/jwks"))) == ["first"]


def test_keys_over_tls(tmp_path: Path) -> None:
    import ssl

    with Provider(make_certificate(tmp_path, "127.0.0.1")) as provider:
        tls = ssl.create_default_context(cafile=tmp_path / "certificate.pem")
        assert kids(start(Discovery(provider.url, tls=tls))) == ["first"]
        assert kids(start(Discovery(provider.url))) == []


def test_the_metadata_of_a_provider_do_not_lead_to_this_machine(tmp_path: Path) -> None:
    import ssl

    with Provider(make_certificate(tmp_path, "127.0.0.1")) as provider, Provider() as inner:
        tls = ssl.create_default_context(cafile=tmp_path / "certificate.pem")
        document = {"issuer": provider.url, "jwks_uri": f"{inner.url}/jwks"}
        provider.routes[CONFIGURATION] = says(document)
        assert kids(start(Discovery(provider.url, tls=tls))) == []
        assert not inner.received


# Unusable answers: the app starts all the same, and the last keys go on

JWKS = {"keys": [public(new_key("other"))]}
UNUSABLE: list[tuple[str, str, Callable[[Provider], Behavior], str]] = [
    (CONFIGURATION, "issuer", lambda _: says({"issuer": "https://x.example"}), "another issuer"),
    (CONFIGURATION, "no issuer", lambda p: says({"jwks_uri": f"{p.url}/jwks"}), "another issuer"),
    (CONFIGURATION, "no URL", lambda p: says({"issuer": p.url}), "whose jwks_uri is missing"),
    (
        CONFIGURATION,
        "a URL of another kind",
        lambda p: says({"issuer": p.url, "jwks_uri": "file:///etc/passwd"}),
        "whose jwks_uri is missing",
    ),
    (
        CONFIGURATION,
        "a number as URL",
        lambda p: says({"issuer": p.url, "jwks_uri": 7}),
        "whose jwks_uri is missing",
    ),
    (
        CONFIGURATION,
        "twice the issuer",
        lambda p: says(
            f'{{"issuer":"{p.url}","issuer":"{p.url}","jwks_uri":"{p.url}/jwks"}}'.encode()
        ),
        "duplicate name",
    ),
    (CONFIGURATION, "a list", lambda _: says([]), "not a JSON object"),
    (CONFIGURATION, "large", lambda _: says(b" " * 300_000), "more than 262144 bytes"),
    ("/jwks", "large", lambda _: says(b" " * 600_000), "more than 524288 bytes"),
    ("/jwks", "a page", lambda _: says(b"<html>", content_type="text/html"), "an HTML page"),
    ("/jwks", "a page as JSON", lambda _: says(b"<html>"), "not JSON"),
    ("/jwks", "redirect", lambda _: says({}, status=301, headers={"Location": "/j"}), "redirects"),
    ("/jwks", "an error", lambda _: says(JWKS, status=503), "status 503"),
    ("/jwks", "another type", lambda _: says(JWKS, content_type="text/plain"), "another type"),
    ("/jwks", "half", lambda _: raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), "sent"),
    (
        "/jwks",
        "reset",
        lambda _: breaks_off(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        ),
        "closed the connection early",
    ),
    ("/jwks", "closed", lambda _: drops, "closed the connection early"),
    ("/jwks", "not a set", lambda _: says({"a": 1}), "must have a list of keys"),
    ("/jwks", "no keys", lambda _: says({"keys": []}), "must have a key that can be used"),
    (
        "/jwks",
        "private keys",
        lambda _: says({"keys": [new_key("private").as_dict(private=True)]}),
        "must have a key that can be used",
    ),
    ("/jwks", "silence", hangs, "did not respond in time"),
    (
        "/jwks",
        "drops of bytes",
        lambda p: drips(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", p),
        "did not respond in time",
    ),
]


@pytest.mark.parametrize(
    ("path", "behavior", "reason"),
    [pytest.param(path, behavior, reason, id=name) for path, name, behavior, reason in UNUSABLE],
)
def test_an_unusable_answer(
    provider: Provider,
    caplog: pytest.LogCaptureFixture,
    path: str,
    behavior: Callable[[Provider], Behavior],
    reason: str,
) -> None:
    """It brings no keys at the start, takes none away later, and is logged."""
    caplog.set_level(logging.INFO, "mantlet.authentication")
    usual = provider.routes.get(path)
    provider.routes[path] = behavior(provider)
    is_slow = "in time" in reason
    fresh = Discovery(provider.url, timeout=0.3 if is_slow else 30.0)
    start(fresh)
    assert state(fresh) == ([], 0, "down")
    assert reason in caplog.text
    assert "no keys have been loaded" in caplog.text

    if usual is None:
        del provider.routes[path]
    source = start(Discovery(provider.url, timeout=0.3 if is_slow else 30.0))
    assert state(source) == (["first"], 1, "ok")
    provider.routes[path] = behavior(provider)
    source.next_renewal = 0.0
    source.renew()
    join(source)
    assert state(source) == (["first"], 1, "stale")
    assert "the last keys are used" in caplog.text
    assert "https://x.example" not in caplog.text
    assert "etc/passwd" not in caplog.text

    del provider.routes[path]
    source.next_renewal = 0.0
    source.renew()
    join(source)
    assert state(source) == (["first"], 1, "ok")
    assert "the keys can be loaded again" in caplog.text


def test_before_the_start_tokens_can_not_be_verified_yet() -> None:
    assert Discovery("https://id.example").unavailable().retry_after == 1


def test_a_provider_that_is_away_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    """The app starts; once the provider is back, its keys are loaded."""
    with Provider() as gone:
        port = gone.port
        source = Discovery(gone.url)
        clock = with_clock(source)
    start(source)
    unavailable = source.unavailable()
    assert 1 <= unavailable.retry_after <= 5
    assert "127.0.0.1" not in caplog.text + unavailable.reason
    assert source.health() == "down"
    assert source._loading is None  # it was not due
    with Provider(port=port) as back:
        clock.now += 5
        source.health()  # of an app that is not ready, and so gets no requests
        join(source)
        assert state(source) == (["first"], 1, "ok")
        assert back.paths == [CONFIGURATION, "/jwks"]


def test_failures_are_further_and_further_apart_and_logged_seldom(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(RenewedKeys):
        def load(self, deadline: float) -> LoadedKeys:
            raise ProviderError("is away", retry_after=retry_after)

    retry_after = 0.0
    source = Failing("Failing", timeout=10.0)
    clock = with_clock(source)
    delays = []
    for _ in range(7):
        source.renew()
        join(source)
        delays.append(source.next_renewal - clock.now)
        source.renew()  # not due
        assert source._loading is None
        clock.now = source.next_renewal
    for delay, longest in zip(delays, (5, 10, 20, 40, 60, 60, 60), strict=True):
        assert 0.9 * longest <= delay <= longest
    retry_after = 300.0
    source.renew()
    join(source)
    assert source.next_renewal - clock.now == 300
    for _ in range(1000):
        clock.now += 0.01
        source.next_renewal = 0.0
        source.renew()
        join(source)
    assert 10 <= len(caplog.records) <= 30


def test_a_fault_of_a_source_does_not_end_the_renewal(caplog: pytest.LogCaptureFixture) -> None:
    class Faulty(RenewedKeys):
        def load(self, deadline: float) -> LoadedKeys:
            raise KeyError("a-secret")

    source = start(Faulty("Faulty", timeout=10.0))
    assert "Faulty: can't be loaded: KeyError; no keys have been loaded" in caplog.text
    assert "a-secret" not in caplog.text
    source.next_renewal = 0.0
    source.renew()
    join(source)
    assert source._failures == 2


# When they ask


@pytest.mark.parametrize(
    ("header", "shortest", "longest"),
    [
        ("max-age=600", 540, 600),
        ("public, MAX-AGE = 900, must-revalidate", 810, 900),
        ('max-age="900"', 810, 900),
        ("max-age=0", 270, 300),
        ("max-age=15, stale-if-error=86400", 270, 300),
        ("max-age=99999999999999999999", 3240, 3600),
        ("max-age=31536000", 3240, 3600),
        ("s-maxage=600", 3240, 3600),
        ("no-cache", 270, 300),
        ("no-store", 270, 300),
        ("max-age=-1", 3240, 3600),
        ("max-age=a", 3240, 3600),
        (None, 3240, 3600),
    ],
)
def test_keys_are_renewed_after_their_time_within_bounds(
    provider: Provider, header: str | None, shortest: float, longest: float
) -> None:
    provider.max_age = header
    source = JwksUrl(f"{provider.url}/jwks")
    clock = with_clock(source)
    start(source)
    assert shortest <= source.next_renewal - clock.now <= longest
    clock.now = source.next_renewal - 0.01
    source.renew()
    assert source._loading is None
    clock.now += 0.02
    source.renew()
    join(source)
    assert len(provider.received) == 2


def test_a_rotation_is_a_new_generation(provider: Provider) -> None:
    source = start(Discovery(provider.url))
    provider.rotate("second")
    source.next_renewal = 0.0
    source.renew()
    join(source)
    assert state(source) == (["second"], 2, "ok")


def test_the_same_keys_in_another_form_are_the_same_generation(provider: Provider) -> None:
    second = new_key("second")
    provider.published.append(second)
    source = start(JwksUrl(f"{provider.url}/jwks"))
    before = source.key_set
    keys = [dict(reversed(public(one).items())) for one in (second, provider.key)]
    provider.routes["/jwks"] = says(json.dumps({"keys": keys, "more": 1}, indent=4).encode())
    source.next_renewal = 0.0
    source.renew()
    join(source)
    assert source.generation == 1
    assert source.key_set is before


def test_unknown_keys_cost_one_loading_in_30_seconds(provider: Provider) -> None:
    source = Discovery(provider.url)
    clock = with_clock(source)
    start(source)
    for number in range(1000):
        source.report_unknown(f"kid-{number}")
    assert provider.paths == [CONFIGURATION, "/jwks"]  # they have just been loaded
    provider.rotate("second")
    for _ in range(300):
        clock.now += 0.1
        source.report_unknown("second")
        join(source)
    assert provider.paths.count("/jwks") == 2
    assert kids(source) == ["second"]
    for _ in range(3000):
        clock.now += 0.1
        source.report_unknown("never")
        join(source)
    assert provider.paths.count("/jwks") <= 12


def test_unknown_keys_do_not_hurry_a_provider_that_fails(provider: Provider) -> None:
    source = JwksUrl(f"{provider.url}/jwks")
    clock = with_clock(source)
    start(source)
    clock.now += 30
    provider.routes["/jwks"] = says({}, status=429, headers={"Retry-After": "60"})
    source.report_unknown("kid")
    join(source)
    for _ in range(59):
        clock.now += 1
        source.report_unknown("kid")
        join(source)
    assert len(provider.received) == 2
    clock.now += 1
    source.report_unknown("kid")
    join(source)
    assert len(provider.received) == 3


def test_the_start_does_not_wait_for_addresses_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their look-up has no deadline of ours."""
    gate = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_options: gate.wait(120) and [])
    source = Discovery("https://id.example", timeout=0.1)
    start(source)
    assert state(source) == ([], 0, "down")
    source.next_renewal = 0.0
    source.renew()  # the thread still waits: no other one begins
    assert sum(one.name == "mantlet-provider" for one in threading.enumerate()) == 1
    gate.set()
    join(source)


def test_one_loading_at_a_time(provider: Provider) -> None:
    source = start(JwksUrl(f"{provider.url}/jwks"))
    provider.gate.clear()
    barrier = threading.Barrier(16)

    def renew() -> None:
        barrier.wait(120)
        for _ in range(20):
            source.next_renewal = -1e12
            source.renew()

    threads = [threading.Thread(target=renew) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    provider.gate.set()
    join(source)
    assert len(provider.received) == 2
    assert provider.most_concurrent == 1


def test_a_renewal_never_waits(provider: Provider) -> None:
    source = start(JwksUrl(f"{provider.url}/jwks"))
    provider.gate.clear()
    source.next_renewal = 0.0
    source.renew()  # would not return
    source.report_unknown("kid")
    assert kids(source) == ["first"]
    assert source.next_renewal > 0.0  # not due again while it runs
    provider.gate.set()
    join(source)
    assert len(provider.received) == 2


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_the_start_does_not_block_an_event_loop(provider: Provider, loop: str) -> None:
    source = Discovery(provider.url)
    provider.gate.clear()

    if loop == "trio":
        trio = pytest.importorskip("trio")

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(source.startup)
                while not provider.received:
                    await trio.sleep(0.001)
                provider.gate.set()

        trio.run(main)
    else:

        async def other() -> None:
            while not provider.received:  # noqa: ASYNC110  # of another thread
                await asyncio.sleep(0.001)
            provider.gate.set()

        async def both() -> None:
            await asyncio.gather(source.startup(), other())

        asyncio.run(both())
    assert kids(source) == ["first"]


def test_a_second_start_asks_only_when_it_is_time(provider: Provider) -> None:
    """As in a process that was forked after the first one."""
    source = start(Discovery(provider.url))
    start(source)
    assert len(provider.received) == 2
    source.next_renewal = 0.0
    start(source)
    assert len(provider.received) == 4
    source.shutdown()


def test_a_process_without_threads_tries_again_with_the_next_request(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    source = Discovery(provider.url)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        start(source)
    assert source.key_set is None
    source.renew()
    join(source)
    assert kids(source) == ["first"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("moment", ["loaded", "loading", "locked"])
def test_a_forked_process_renews_by_itself(provider: Provider, moment: str) -> None:
    source = Discovery(provider.url)
    start(source)
    if moment == "loading":  # the thread does not exist in the child
        provider.gate.clear()
        source.next_renewal = 0.0
        source.renew()
    elif moment == "locked":
        assert source._lock.plain.acquire()
        assert source._threads._lock.plain.acquire()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            assert kids(source) == ["first"]
            if moment == "loading":
                provider.gate.set()  # of the child alone
            source.next_renewal = 0.0
            source.renew()
            loading = source._loading
            assert loading is not None
            assert loading[0] == os.getpid()
            loading[1].result(30)
            code = 42 if kids(source) == ["second"] else 2
        finally:
            os._exit(code)
    if moment == "locked":
        source._threads._lock.plain.release()
        source._lock.plain.release()
    provider.rotate("second")
    provider.gate.set()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42
    join(source)


# Files


def write(path: Path, *keys: object, padding: str = "") -> None:
    """Replace a file as one should: by renaming another one."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"keys": [public(key) for key in keys]}) + padding)  # type: ignore[arg-type]
    new.chmod(0o644)
    new.rename(path)


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    first = new_key("first")
    write(path, first)
    source = JwksFile(path)
    clock = with_clock(source)
    start(source)
    assert state(source) == (["first"], 1, "ok")
    write(path, first, new_key("second"))
    clock.now += 1
    source.next_renewal = clock.now + 0.01
    source.renew()
    assert source._loading is None
    clock.now += 5
    source.renew()
    join(source)
    assert state(source) == (["first", "second"], 2, "ok")


def test_an_unchanged_file_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jwks.json"
    write(path, new_key("first"))
    monkeypatch.setattr("mantlet.authentication.keys.jwks_file._SETTLING", -(10**18))
    source = start(JwksFile(str(path)))
    assert source.load(0.0) == LoadedKeys(None, 5.0)
    write(path, new_key("second"))
    assert source.load(0.0).document is not None


def test_a_file_that_has_just_changed_is_read_again(tmp_path: Path) -> None:
    """Another change may have the same time."""
    path = tmp_path / "jwks.json"
    write(path, new_key("first"))
    source = start(JwksFile(path))
    assert source.load(0.0).document is not None


@pytest.mark.parametrize("content", [b"", b"{", b'{"keys": []}', b" " * 600_000])
def test_a_changed_file_that_is_unusable_takes_no_keys_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr("mantlet.authentication.keys.jwks_file._SETTLING", -(10**18))
    path = tmp_path / "jwks.json"
    write(path, new_key("first"))
    source = start(JwksFile(path))
    path.write_bytes(content)
    for _ in range(2):  # it stays stale while the file stays as it is
        source.next_renewal = 0.0
        source.renew()
        join(source)
        assert state(source) == (["first"], 1, "stale")
    path.unlink()
    source.next_renewal = 0.0
    source.renew()
    join(source)
    assert state(source) == (["first"], 1, "stale")
    write(path, new_key("third"))
    source.next_renewal = 0.0
    source.renew()
    join(source)
    assert state(source) == (["third"], 2, "ok")


def test_a_file_that_changes_while_it_is_read_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jwks.json"
    write(path, new_key("first"))
    states = iter([(1, 1), (2, 2)])
    monkeypatch.setattr("mantlet.authentication.keys.jwks_file._check", lambda _: next(states))
    with pytest.raises(ProviderError, match="is being written"):
        JwksFile(path).load(0.0)


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    write(path, new_key("first"), padding=" " * 600_000)
    with pytest.raises(MantletError, match="larger than 512 KiB"):
        start(JwksFile(path))


def test_a_file_that_can_not_be_used_stops_the_server(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    with pytest.raises(MantletError, match="can't be opened: No such file"):
        start(JwksFile(path))
    path.write_text("{}")
    with pytest.raises(MantletError, match="must have a list of keys"):
        start(JwksFile(path))
    path.unlink()
    path.mkdir()
    with pytest.raises(MantletError, match="not a regular file"):
        start(JwksFile(path))
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(MantletError, match="not a regular file"):
        start(JwksFile(path))
    with pytest.raises(MantletError, match="invalid path"):
        start(JwksFile("a\0b"))


def test_a_file_that_others_can_change_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    write(path, new_key("first"))
    path.chmod(0o666)
    with pytest.raises(MantletError, match=r"written to by every user of this machine: chmod go-w"):
        start(JwksFile(path))
    path.chmod(0o644)
    inner = tmp_path / "open"
    inner.mkdir(mode=0o755)
    inner.chmod(0o777)
    path.rename(inner / "jwks.json")
    with pytest.raises(MantletError, match="every user of this machine may write to"):
        start(JwksFile(inner / "jwks.json"))


# Options


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="issuer must begin with https"):
        Discovery("http://id.example")
    with pytest.raises(ValueError, match="issuer must not have a query"):
        Discovery("https://id.example/?a=b")
    with pytest.raises(ValueError, match="timeout must be more than 0 seconds and at most 60"):
        Discovery("https://id.example", timeout=61)
    with pytest.raises(TypeError, match="timeout must be a number of seconds"):
        JwksUrl("https://id.example/jwks", timeout="1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="url must begin with https"):
        JwksUrl("http://id.example/jwks")
    with pytest.raises(TypeError, match=r"tls must be an ssl\.SSLContext"):
        JwksUrl("https://id.example/jwks", tls=False)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="path must be a path"):
        JwksFile(b"x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="has no option 'time_out'"):
        Discovery("https://id.example", time_out=1)  # type: ignore[call-arg]
