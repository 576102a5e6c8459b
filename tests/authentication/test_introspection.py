"""`Introspection`: what the provider says counts, within bounds, and its absence is no answer."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from base64 import b64decode, b64encode
from contextlib import suppress
from time import monotonic, time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mantlet
from mantlet import (
    Authenticator,
    Introspection,
    Secret,
    SecretLoader,
    SecretModel,
    secret_field,
)
from mantlet._internal.coroutines import run_sync
from mantlet.authentication import introspection as module
from mantlet.authentication.errors import AuthenticationUnavailable, InvalidCredential
from mantlet.authentication.http import ProviderError
from mantlet.core.identity import Identity
from mantlet.secrets import Environment
from mantlet.wsgi.request import WsgiRequest
from tests.authentication.provider import (
    Behavior,
    Provider,
    breaks_off,
    drips,
    drops,
    hangs,
    make_certificate,
    raw,
    says,
)
from tests.drive import Adapter, both_adapters, make_environ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping
    from pathlib import Path

    from tests.drive import Said

CLIENT = ("api", "not-a-real-secret")
TOKEN = "an-opaque-token"
OTHER = "another-token"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        provider.tokens[TOKEN] = {"active": True, "sub": "alice", "exp": time() + 600}
        yield provider


def make(provider: Provider, **options: Any) -> Introspection:
    return Introspection(
        f"{provider.url}/introspect", **{"client": CLIENT, "timeout": 30.0, **options}
    )


def verify(scheme: Introspection, token: str = TOKEN) -> Identity:
    found = scheme.verify(WsgiRequest(make_environ()), token)
    if isinstance(found, Identity):
        return found

    async def wait() -> Identity:
        return await found

    return run_sync(wait())


def refused(scheme: Introspection, token: str = TOKEN) -> str:
    """Return why a token is invalid."""
    with pytest.raises(InvalidCredential) as caught:
        verify(scheme, token)
    assert caught.value.error == "invalid_token"
    return caught.value.reason


def unavailable(scheme: Introspection, token: str = TOKEN) -> AuthenticationUnavailable:
    with pytest.raises(AuthenticationUnavailable) as caught:
        verify(scheme, token)
    return caught.value


def whoami(raw: MutableMapping[str, Any]) -> Said:
    identity = mantlet.state(raw).identity
    return 200, [("content-type", "text/plain")], (identity.subject if identity else "-").encode()


# The request (RFC 7662, 2.1)


def test_the_provider_is_asked_with_the_token_and_the_credentials(provider: Provider) -> None:
    verify(make(provider, client=("a:p i", "s%cré/t+")))
    (received,) = provider.received
    assert (received.method, received.path) == ("POST", "/introspect")
    assert parse_qs(received.body.decode()) == {
        "token": [TOKEN],
        "token_type_hint": ["access_token"],
    }
    kind, _, pair = received.headers["authorization"].partition(" ")
    client, _, secret = b64decode(pair).decode().partition(":")
    assert kind == "Basic"
    assert (client, secret) == ("a%3Ap+i", "s%25cr%C3%A9%2Ft%2B")  # RFC 6749, 2.3.1
    assert (unquote_plus(client), unquote_plus(secret)) == ("a:p i", "s%cré/t+")


def test_a_token_can_not_add_parameters(provider: Provider) -> None:
    token = "a+b/c~d-e._f=="
    provider.tokens[token] = {"active": True, "sub": "bob"}
    assert verify(make(provider), token).subject == "bob"
    assert b"token=a%2Bb%2Fc~d-e._f%3D%3D&" in provider.received[0].body


@pytest.mark.parametrize(
    "token", ["", "a b", "a&b", "a=b", "=", "a\r\nb", "ä", "\ud800", "a" * 8193, "a" * 8192 + "="]
)
def test_a_malformed_token_costs_no_request(provider: Provider, token: str) -> None:
    assert refused(make(provider), token) == "the token is too long or malformed"
    assert not provider.received


class Rotating:
    client_id = "api"
    client_secret = Secret("first")


class Credentials(SecretModel, prefix="INTROSPECTION_"):
    client_id: Secret[str] = secret_field(min_length=1, allow_weak=True)
    client_secret: Secret[str]


def sent_secrets(provider: Provider) -> list[str]:
    pairs = [one.headers["authorization"].removeprefix("Basic ") for one in provider.received]
    return [b64decode(pair).decode().removeprefix("api:") for pair in pairs]


@pytest.mark.parametrize("kind", ["object", "function"])
def test_a_secret_can_be_replaced(provider: Provider, kind: str) -> None:
    credentials = Rotating()
    client = credentials if kind == "object" else lambda: ("api", credentials.client_secret)
    scheme = make(provider, client=client, cache=0)
    verify(scheme)
    credentials.client_secret = Secret("second")
    verify(scheme)
    assert sent_secrets(provider) == ["first", "second"]


def test_a_loader_replaces_the_secret(provider: Provider) -> None:
    values = {
        "INTROSPECTION_CLIENT_ID": "api",
        "INTROSPECTION_CLIENT_SECRET": "kR7vT2qX9mB4wL1p",
    }
    secrets = SecretLoader(Credentials, sources=[Environment(values)])
    scheme = make(provider, client=secrets, cache=0)
    verify(scheme)
    values["INTROSPECTION_CLIENT_SECRET"] = "zQ8nF3sD6jH5gY2c"
    secrets.reload()
    verify(scheme)
    assert sent_secrets(provider) == ["kR7vT2qX9mB4wL1p", "zQ8nF3sD6jH5gY2c"]


@pytest.mark.parametrize(
    "client",
    [
        lambda: 1 / 0,
        lambda: ("api",),
        lambda: ("api", ""),
        lambda: ("api", None),
        lambda: None,
        lambda: ("api", "\ud800"),
    ],
)
def test_credentials_that_are_missing_later_are_no_answer(
    provider: Provider, caplog: pytest.LogCaptureFixture, client: Callable[[], Any]
) -> None:
    unavailable(make(provider, client=client))
    assert "Introspection: the provider can't be asked: client raised" in caplog.text
    assert not provider.received


# The response (RFC 7662, 2.2)


def test_the_identity(provider: Provider) -> None:
    claims = {
        "active": True,
        "sub": "alice",
        "client_id": "app",
        "scope": "orders:read  orders:write",
        "exp": int(time()) + 600,
        "nbf": time() - 1,
        "iss": "https://id.example",
        "aud": ["https://api.example", "other"],
        "token_type": "bearer",
        "realm_access": {"roles": ["admin", "clerk"]},
        "cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
    }
    provider.tokens[TOKEN] = claims
    scheme = make(
        provider,
        issuer="https://id.example",
        audience="https://api.example",
        roles="/realm_access/roles",
    )
    identity = verify(scheme)
    assert identity.subject == "alice"
    assert identity.scheme == "introspection"
    assert identity.scopes == {"orders:read", "orders:write"}
    assert identity.roles == {"admin", "clerk"}
    assert identity.expires == claims["exp"]
    assert identity.claims["cnf"] == claims["cnf"]
    assert identity.claims["client_id"] == "app"
    assert "active" not in identity.claims
    with pytest.raises(TypeError):
        identity.claims["sub"] = "mallory"  # type: ignore[index]  # later requests get the same
    with pytest.raises(TypeError):
        identity.claims["realm_access"]["roles"] = ["root"]
    assert TOKEN not in repr(identity) + repr(scheme)
    assert CLIENT[1] not in repr(scheme)


def test_a_client_without_a_user_is_its_own_subject(provider: Provider) -> None:
    provider.tokens[TOKEN] = {"active": True, "client_id": "robot"}
    identity = verify(make(provider))
    assert (identity.subject, identity.expires, identity.roles) == ("robot", None, frozenset())


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"active": False}, "the provider says that the token is not active"),
        ({"active": False, "sub": "alice"}, "the provider says that the token is not active"),
        ({"exp": 1}, "the token has expired"),
        ({"exp": 1.5}, "the token has expired"),
        ({"exp": -(10**18)}, "the token has expired"),
        ({"nbf": 9_999_999_999}, "the token is not valid yet"),
        ({"iss": "https://other.example"}, "the token is from another issuer"),
        ({"iss": "https://id.example/"}, "the token is from another issuer"),
        ({"iss": None}, "the token is from another issuer"),
        ({"iss": ["https://id.example"]}, "the token is from another issuer"),
        ({"aud": "other"}, "the token is for another audience"),
        ({"aud": ["other", "api2"]}, "the token is for another audience"),
        ({"aud": ["api", 7]}, "the token is for another audience"),
        ({"aud": {"api": 1}}, "the token is for another audience"),
        ({"aud": None}, "the token is for another audience"),
        ({"aud": []}, "the token is for another audience"),
        ({"token_type": "refresh_token"}, "the token is not an access token"),
        ({"token_type": "N_A"}, "the token is not an access token"),
        ({"typ": "Refresh"}, "the token is not an access token"),
        ({"typ": "ID"}, "the token is not an access token"),
        ({"token_use": "refresh_token"}, "the token is not an access token"),
        ({"sub": None}, "the token has neither sub nor client_id"),
        ({"sub": ""}, "the token has neither sub nor client_id"),
    ],
)
def test_a_token_that_is_not_valid_here(
    provider: Provider, claims: dict[str, object], reason: str
) -> None:
    valid = {"active": True, "sub": "alice", "iss": "https://id.example", "aud": "api"}
    provider.tokens[TOKEN] = {**valid, **claims}
    scheme = make(provider, issuer="https://id.example", audience=["api", "api3"])
    assert refused(scheme) == reason
    assert refused(scheme) == reason
    assert len(provider.received) == 2  # a wrong token is not cached
    provider.tokens[TOKEN] = valid
    assert verify(scheme).subject == "alice"


@pytest.mark.parametrize("typ", ["Bearer", "DPoP", "at+jwt"])
def test_types_of_access_tokens(provider: Provider, typ: str) -> None:
    provider.tokens[TOKEN] = {"active": True, "sub": "alice", "typ": typ, "token_type": "DPoP"}
    assert verify(make(provider)).subject == "alice"


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
UNUSABLE: list[tuple[Callable[[Provider], Behavior], str]] = [
    (lambda _: says({}), '"active" is neither true nor false'),
    (lambda _: says({"active": "true", "sub": "a"}), '"active" is neither true nor false'),
    (lambda _: says({"active": 1, "sub": "a"}), '"active" is neither true nor false'),
    (lambda _: says({"active": [True], "sub": "a"}), '"active" is neither true nor false'),
    (lambda _: says({"active": None}), '"active" is neither true nor false'),
    (lambda _: says(b'{"active":false,"active":true,"sub":"a"}'), "duplicate name"),
    (lambda _: says([{"active": True}]), "not a JSON object"),
    (lambda _: says({"active": True, "sub": 7}), '"sub" is not a string'),
    (lambda _: says({"active": True, "sub": "a", "scope": ["x"]}), '"scope" is not a string'),
    (lambda _: says({"active": True, "sub": "a", "exp": "9"}), '"exp" is not a number'),
    (lambda _: says({"active": True, "sub": "a", "exp": True}), '"exp" is not a number'),
    (lambda _: says(b'{"active":true,"sub":"a","exp":1e999}'), "out of range"),
    (lambda _: says(b'{"active":true,"sub":"a","exp":NaN}'), "NaN or Infinity"),
    (lambda _: says({"active": True, "sub": "a", "nbf": []}), '"nbf" is not a number'),
    (lambda _: says({"active": True, "sub": "a", "typ": 1}), '"typ" is not a string'),
    (lambda _: says(b'{"active":true,"sub":"\\ud800"}'), "sent a document"),
    (lambda _: says({"active": True, "sub": "a", "x": "y" * 70_000}), "more than 65536 bytes"),
    (lambda _: says(b"<html>", content_type="text/html"), "an HTML page"),
    (lambda _: says({"active": True}, content_type="application/jwt"), "another type"),
    (lambda _: says({"error": "invalid_client"}, status=401), "status 401"),
    (lambda _: says({}, status=500), "status 500"),
    (lambda _: says({}, status=302, headers={"Location": "https://evil.example"}), "redirects"),
    (lambda _: drops, "closed the connection early"),
    (lambda _: raw(OK + b"Content-Length: 99\r\n\r\n{"), "closed the connection early"),
    (lambda _: breaks_off(OK + b"Content-Length: 99\r\n\r\n{"), "closed the connection early"),
    (hangs, "did not respond in time"),
    (lambda p: drips(OK + b"\r\n", p), "did not respond in time"),
]


@pytest.mark.parametrize(("behavior", "reason"), UNUSABLE)
def test_an_unusable_response_is_no_answer(
    provider: Provider,
    caplog: pytest.LogCaptureFixture,
    behavior: Callable[[Provider], Behavior],
    reason: str,
) -> None:
    scheme = make(provider, timeout=0.5 if "in time" in reason else 30.0)
    provider.routes["/introspect"] = behavior(provider)
    error = unavailable(scheme)
    assert error.retry_after >= 1
    for thread in threading.enumerate():
        if thread.name == "mantlet-provider":
            thread.join(120)
    assert reason in caplog.text
    for hidden in (TOKEN, CLIENT[1], "Basic", "evil.example", "127.0.0.1"):
        assert hidden not in caplog.text + error.reason
    assert len(provider.received) == 1
    del provider.routes["/introspect"]
    assert verify(scheme).subject == "alice"


# The cache


class Time:
    """The clocks of the module."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.passed = 0.0
        patch.setattr(module, "monotonic", lambda: monotonic() + self.passed)
        patch.setattr(module, "time", lambda: time() + self.passed)


def test_a_valid_token_is_cached_for_a_while(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Time(monkeypatch)
    scheme = make(provider, cache="1m")
    first = verify(scheme)
    clock.passed = 59
    assert verify(scheme) is first
    assert len(provider.received) == 1
    clock.passed = 61
    assert verify(scheme) is not first
    assert len(provider.received) == 2
    provider.tokens.clear()
    clock.passed = 122
    refused(scheme)


def test_a_token_is_not_cached_past_its_end(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Time(monkeypatch)
    provider.tokens[TOKEN] = {"active": True, "sub": "alice", "exp": time() + 5}
    scheme = make(provider, cache="1h")
    verify(scheme)
    clock.passed = 4
    verify(scheme)
    assert len(provider.received) == 1
    clock.passed = 6
    assert refused(scheme) == "the token has expired"
    assert len(provider.received) == 2


@pytest.mark.parametrize("cache", [0, "0s"])
def test_without_a_cache_each_request_asks(provider: Provider, cache: str | float) -> None:
    scheme = make(provider, cache=cache)
    for _ in range(3):
        verify(scheme)
    assert len(provider.received) == 3
    assert len(scheme._cache) == 0


def test_the_cache_is_bounded_and_holds_no_token(provider: Provider) -> None:
    scheme = make(provider, cache_size=10)
    for number in range(25):
        provider.tokens[f"token-{number}"] = {"active": True, "sub": f"user-{number}"}
        assert verify(scheme, f"token-{number}").subject == f"user-{number}"
    assert len(scheme._cache) == 10
    assert not scheme._flights
    verify(scheme, "token-24")
    assert len(provider.received) == 25
    verify(scheme, "token-0")
    assert len(provider.received) == 26
    assert all(len(key) == 32 for key in scheme._cache._entries)
    for _ in range(50):
        refused(scheme, OTHER)
    assert len(scheme._cache) == 10  # wrong tokens take no room


def test_the_memory_of_the_cache_is_bounded(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_CACHE_MEMORY", 300_000)
    scheme = make(provider)
    for number in range(20):
        large = {"active": True, "sub": f"user-{number}", "more": "x" * 50_000}
        provider.tokens[f"token-{number}"] = large
        verify(scheme, f"token-{number}")
    assert len(scheme._cache) == 5


# Many requests at once


def in_threads(count: int, call: Callable[[int], object]) -> list[object]:
    """Call a function in threads, and return the results, or the exceptions."""
    results: list[object] = [None] * count

    def run(number: int) -> None:
        try:
            results[number] = call(number)
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return results


def wait_until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(30_000):
        if condition():
            return
        pause.wait(0.001)
    raise AssertionError("it never happened")


@pytest.mark.parametrize("is_valid", [True, False])
def test_requests_with_the_same_token_cost_one(provider: Provider, is_valid: bool) -> None:
    scheme = make(provider, timeout=30.0)
    provider.gate.clear()
    token = TOKEN if is_valid else OTHER

    def ask(number: int) -> object:
        if number:
            return verify(scheme, token)
        wait_until(lambda: bool(provider.received))
        pause = threading.Event()
        pause.wait(0.1)  # for the others to join
        provider.gate.set()
        return None

    results = in_threads(20, ask)[1:]
    if is_valid:
        assert all(isinstance(one, Identity) for one in results)
        assert len(provider.received) == 1
    else:
        assert all(isinstance(one, InvalidCredential) for one in results)
        assert len({id(one) for one in results}) == 19  # no traceback is shared
        assert len(provider.received) <= 2


def test_requests_to_the_provider_are_bounded(provider: Provider) -> None:
    scheme = make(provider, concurrency=3, timeout=30.0)
    for number in range(40):
        provider.tokens[f"token-{number}"] = {"active": True, "sub": f"user-{number}"}
    provider.gate.clear()

    def ask(number: int) -> object:
        if number < 40:
            return verify(scheme, f"token-{number}").subject
        wait_until(lambda: provider.concurrent >= 3 and len(scheme._flights) == 40)
        threading.Event().wait(0.1)  # for another request, which must not come
        try:
            return len(provider.received)
        finally:
            provider.gate.set()

    results = in_threads(41, ask)
    assert results[40] == 3
    assert results[:40] == [f"user-{number}" for number in range(40)]


def test_more_tokens_than_may_wait_get_503_at_once(provider: Provider) -> None:
    scheme = make(provider, concurrency=1, timeout=30.0)
    for number in range(20):
        provider.tokens[f"token-{number}"] = {"active": True, "sub": f"user-{number}"}
    provider.gate.clear()

    def ask(number: int) -> object:
        if number < 17:
            return verify(scheme, f"token-{number}").subject
        wait_until(lambda: len(scheme._flights) == 17)
        try:
            return unavailable(scheme, f"token-{number}").reason
        finally:
            provider.gate.set()

    results = in_threads(18, ask)
    assert results[17] == "too many tokens are waiting for the provider"
    assert results[:17] == [f"user-{number}" for number in range(17)]


def test_a_wait_for_a_busy_provider_ends(provider: Provider) -> None:
    """The token in the queue is not sent after its request has given up."""
    scheme = make(provider, concurrency=1, timeout=1.0)
    provider.gate.clear()
    results = in_threads(2, lambda number: verify(scheme, (TOKEN, OTHER)[number]))
    assert all(isinstance(one, AuthenticationUnavailable) for one in results)
    provider.gate.set()
    wait_until(lambda: not scheme._flights)
    assert len(provider.received) == 1
    assert scheme._failures <= 1  # waiting in the queue is not the provider's failure


def test_a_look_up_of_addresses_does_not_hold_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no deadline of ours; its thread stays in the count until it ends."""
    gate = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_options: gate.wait(120) and [])
    scheme = Introspection("https://id.example/", client=CLIENT, timeout=0.2, concurrency=1)
    assert unavailable(scheme).reason == "the provider is busy"
    assert unavailable(scheme, OTHER).reason == "the provider is busy"
    assert sum(one.name == "mantlet-provider" for one in threading.enumerate()) == 1
    gate.set()
    wait_until(lambda: not scheme._flights)


# The provider is away


def test_the_provider_is_left_alone_after_failures_and_tokens_in_the_cache_go_on(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Time(monkeypatch)
    scheme = make(provider, cache="1h")
    verify(scheme)
    provider.tokens[OTHER] = {"active": True, "sub": "bob"}
    provider.routes["/introspect"] = drops
    assert scheme.health() == "ok"
    for number in range(3):
        unavailable(scheme, f"token-{number}")
    assert scheme.health() == "stale"
    assert len(provider.received) == 4
    for number in range(100):
        assert unavailable(scheme, f"token-{number}").retry_after <= 1
    assert len(provider.received) == 4
    assert verify(scheme).subject == "alice"

    pauses = []
    for _ in range(7):  # one request at a time finds out, less and less often
        clock.passed = scheme._retry_at - monotonic() + 0.001
        before = len(provider.received)
        pauses.append(round(unavailable(scheme, OTHER).retry_after))
        unavailable(scheme, OTHER)
        assert len(provider.received) == before + 1
    assert pauses == [2, 4, 8, 16, 30, 30, 30]

    del provider.routes["/introspect"]
    clock.passed += 31
    assert verify(scheme, OTHER).subject == "bob"
    assert scheme.health() == "ok"
    assert "the provider responds again" in caplog.text
    assert len(caplog.records) < 20


def test_failures_at_the_same_time_count_once_the_provider_is_away(provider: Provider) -> None:
    scheme = make(provider, timeout=30.0)
    provider.routes["/introspect"] = drops
    provider.gate.clear()

    def ask(number: int) -> object:
        if number < 16:
            return verify(scheme, f"token-{number}")
        wait_until(lambda: provider.concurrent == 16)
        provider.gate.set()
        return None

    in_threads(17, ask)
    assert scheme._failures == 3


def test_one_request_alone_finds_out_whether_the_provider_is_back(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Time(monkeypatch)
    scheme = make(provider, timeout=30.0)
    provider.routes["/introspect"] = drops
    for number in range(3):
        unavailable(scheme, f"token-{number}")
    clock.passed += 2
    provider.gate.clear()

    def ask(number: int) -> object:
        if number == 0:
            return verify(scheme, "token-0")
        wait_until(lambda: provider.concurrent == 1)
        try:
            return unavailable(scheme, "token-1").reason
        finally:
            provider.gate.set()

    results = in_threads(2, ask)
    assert results[1] == "the provider is away"
    assert len(provider.received) == 4


def test_the_provider_may_ask_to_be_left_alone(provider: Provider) -> None:
    scheme = make(provider)
    provider.next.append(says({}, status=429, headers={"Retry-After": "20"}))
    assert 19 <= unavailable(scheme).retry_after <= 20
    assert 19 <= unavailable(scheme).retry_after <= 20
    assert len(provider.received) == 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_asks_by_itself(provider: Provider) -> None:
    """Of a request of its parent there is no thread."""
    scheme = make(provider, concurrency=1, timeout=30.0)
    provider.gate.clear()
    parent = threading.Thread(target=verify, args=(scheme,))
    parent.start()
    wait_until(lambda: provider.concurrent == 1)
    pid = os.fork()
    if not pid:
        code = 1
        try:
            code = 42 if verify(scheme).subject == "alice" else 2
        finally:
            os._exit(code)
    wait_until(lambda: provider.concurrent == 2)
    provider.gate.set()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42
    parent.join(120)
    assert len(provider.received) == 2


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_the_event_loop_goes_on_while_the_provider_is_asked(provider: Provider, loop: str) -> None:
    scheme = make(provider, timeout=30.0)
    provider.gate.clear()
    subjects = []

    async def ask() -> None:
        found = scheme.verify(WsgiRequest(make_environ()), TOKEN)
        subjects.append((found if isinstance(found, Identity) else await found).subject)

    if loop == "trio":
        trio = pytest.importorskip("trio")

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                for _ in range(50):
                    nursery.start_soon(ask)
                while not provider.received:
                    await trio.sleep(0.001)
                provider.gate.set()

        trio.run(main)
    else:

        async def release() -> None:
            while not provider.received:  # noqa: ASYNC110  # of another thread
                await asyncio.sleep(0.001)
            provider.gate.set()

        async def both() -> None:
            await asyncio.gather(*(ask() for _ in range(50)), release())

        asyncio.run(both())
    assert subjects == ["alice"] * 50
    assert len(provider.received) == 1


# Through a whole stack


@both_adapters
def test_tokens_through_a_stack(provider: Provider, adapter: Adapter) -> None:
    app = adapter.wrap(whoami, Authenticator(make(provider)))

    def ask(token: str) -> Any:
        return adapter.drive(app, headers=[("Authorization", f"Bearer {token}")])

    assert ask(TOKEN).body == b"alice"
    assert ask(TOKEN).body == b"alice"
    assert len(provider.received) == 1
    wrong = ask(OTHER)
    assert wrong.status == 401
    assert wrong.get("www-authenticate") == 'Bearer realm="api", error="invalid_token"'
    assert OTHER not in wrong.text()
    assert adapter.drive(app).get("www-authenticate") == 'Bearer realm="api"'
    provider.stop()
    away = ask(OTHER)
    assert away.status == 503
    assert away.get("retry-after") == "1"
    assert ask(TOKEN).body == b"alice"


@both_adapters
def test_a_token_bound_to_a_key_needs_the_key(provider: Provider, adapter: Adapter) -> None:
    provider.tokens[TOKEN] = {"active": True, "sub": "alice", "cnf": {"jkt": "a" * 43}}
    app = adapter.wrap(whoami, Authenticator(make(provider)))
    for _ in range(2):  # also from the cache
        answer = adapter.drive(app, headers=[("Authorization", f"Bearer {TOKEN}")])
        assert answer.status == 401


def test_introspection_over_tls(tmp_path: Path) -> None:
    import ssl

    with Provider(make_certificate(tmp_path, "127.0.0.1")) as provider:
        provider.tokens[TOKEN] = {"active": True, "sub": "alice"}
        tls = ssl.create_default_context(cafile=tmp_path / "certificate.pem")
        assert verify(make(provider, tls=tls)).subject == "alice"
        unavailable(make(provider))
        assert len(provider.received) == 1  # the token is not sent to an unknown server


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
NAMES = ("active", "sub", "client_id", "exp", "nbf", "iss", "aud", "scope", "typ", "roles", "cnf")


@given(st.dictionaries(st.sampled_from(NAMES), JSON | st.just(True) | st.just("a")))
def test_any_response_is_an_identity_or_an_error_of_its_kind(claims: dict[str, Any]) -> None:
    scheme = Introspection("https://id.example/", client=CLIENT, audience="a", roles="roles")
    is_active = claims.get("active") is True
    with suppress(InvalidCredential, ProviderError):
        identity = scheme._judge(claims)
        assert is_active
        assert identity.subject
        assert identity.expires is None or identity.expires > time()


# Options


@pytest.mark.parametrize(
    ("options", "error", "reason"),
    [
        ({"client": ("a", "")}, TypeError, "client must be a pair"),
        ({"client": ("a", 1)}, TypeError, "client must be a pair"),
        ({"client": ("a",)}, TypeError, "client must be a pair"),
        ({"client": "a:b"}, TypeError, "client must be a pair"),
        ({"client": None}, TypeError, "client must be a pair"),
        ({"cache": "30"}, ValueError, "cache must be a number with a unit"),
        ({"cache": "1d"}, ValueError, "cache must be a number with a unit"),
        ({"cache": "2h"}, ValueError, "cache must be from 0 to 3600"),
        ({"cache": -1}, ValueError, "cache must be from 0 to 3600"),
        ({"cache": True}, TypeError, "cache must be a number"),
        ({"cache_size": 0}, ValueError, "cache_size must be at least 1"),
        ({"issuer": ""}, ValueError, "issuer must not be empty"),
        ({"issuer": 7}, TypeError, "issuer must be"),
        ({"audience": ""}, ValueError, "audience must"),
        ({"audience": []}, ValueError, "audience must"),
        ({"audience": ["a", 7]}, TypeError, "audience must be"),
        ({"roles": ""}, ValueError, "roles must"),
        ({"roles": "/a~2"}, ValueError, "roles must be"),
        ({"roles": 7}, TypeError, "roles must be"),
        ({"timeout": 0}, ValueError, "timeout must be more than 0"),
        ({"timeout": 61}, ValueError, "at most 60"),
        ({"concurrency": 0}, ValueError, "concurrency must be from 1 to 256"),
        ({"tls": True}, TypeError, "tls must be"),
        ({"scopes": 1}, TypeError, "has no option 'scopes'"),
        ({"url": "http://id.example/"}, ValueError, "url must begin with https"),
        ({"url": 7}, TypeError, "url must be a URL"),
    ],
)
def test_options_are_checked(options: dict[str, Any], error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason) as caught:
        Introspection(**{"url": "https://id.example/", "client": CLIENT, **options})
    assert CLIENT[1] not in str(caught.value)


def test_introspection_before_jwt_is_refused() -> None:
    """It takes every token, so it comes last."""
    scheme = Introspection("https://id.example/", client=CLIENT)
    with pytest.raises(ValueError, match="Introspection would never be used"):
        Authenticator(scheme, Introspection("https://id.example/", client=CLIENT))


def test_the_log_has_no_credential(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    scheme = make(provider)
    verify(scheme)
    refused(scheme, OTHER)
    provider.next.append(says({"active": True, "sub": "a", "scope": [OTHER]}))
    unavailable(scheme, OTHER)
    for hidden in (TOKEN, OTHER, CLIENT[1], b64encode(b":".join(one.encode() for one in CLIENT))):
        assert str(hidden) not in caplog.text
