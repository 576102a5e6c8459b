"""Liveness and readiness, in front of everything that refuses requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import (
    ErrorEnvelope,
    Health,
    OutputSanitizer,
    Policy,
    Problem,
    RateLimiter,
    Reply,
    SchemaGuard,
    Secret,
    SecretLoader,
    SecretModel,
    StoreError,
    StoreOutage,
)
from mantlet.ratelimit.stores.memory import MemoryStore
from mantlet.secrets import SecretFiles
from mantlet.testing import PROTOCOLS, PolicyClient, Protocol
from tests.drive import Adapter, AsgiAdapter, WsgiAdapter, both_adapters, hello

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mantlet import ModeOption, Request
    from mantlet.core.policy import HealthState
    from mantlet.ratelimit.engine import OutageAction

both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS)

LIVE, READY = "/-/health", "/-/ready"


class Reports(Policy):
    """Has the states that it is given."""

    def __init__(self, *states: Any, mode: ModeOption = "enforce") -> None:
        self.mode = mantlet.check_mode(mode)
        self.states = states
        self.asked = 0

    async def health(self) -> Mapping[str, HealthState]:
        self.asked += 1
        state = self.states[min(self.asked, len(self.states)) - 1]
        if isinstance(state, Exception):
            raise state
        return {"vault": state}


class Refuses(Policy):
    """Refuses every request."""

    position = 90

    def on_request(self, request: Request) -> Reply:
        return Reply(403)


def checks(client: PolicyClient) -> tuple[int, str, dict[str, dict[str, str]]]:
    """Return the status, the word for it and the states of a readiness check."""
    response = client.get(READY)
    document = response.json()
    return response.status, document["status"], document["checks"]


# -- answers --------------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    ("path", "document"),
    [(LIVE, {"status": "live"}), (READY, {"status": "ready", "checks": {}})],
    ids=["live", "ready"],
)
def test_checks_are_answered_by_get_and_head(
    adapter: Adapter, path: str, document: dict[str, Any]
) -> None:
    """They are not cached, and have the headers of the baseline."""
    stack: Any = adapter.module.wrap(adapter.app(hello), Health())
    answer = adapter.drive(stack, path=path)
    assert answer.status == 200
    assert answer.json() == document
    assert answer.get("content-type") == "application/json"
    assert answer.get("cache-control") == "no-store"
    assert answer.get("x-content-type-options") == "nosniff"
    assert answer.get("x-request-id")
    head = adapter.drive(stack, "HEAD", path)
    assert (head.status, head.body) == (200, b"")


@both_protocols
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get"])
@pytest.mark.parametrize("path", [LIVE, READY])
def test_other_methods_are_not_allowed(protocol: Protocol, method: str, path: str) -> None:
    """With those that are."""
    response = PolicyClient(ErrorEnvelope(), Health(), protocol=protocol).request(method, path)
    assert response.status == 405
    assert response.headers["allow"] == "GET, HEAD"
    assert response.json()["detail"] == "Health checks accept GET and HEAD only."


@both_protocols
@pytest.mark.parametrize("path", ["/", "/-/health/", "/-/healthy", "/a/-/health", "/-/Health"])
def test_other_paths_are_the_apps(protocol: Protocol, path: str) -> None:
    """The path has to be the same."""
    client = PolicyClient(Health(), protocol=protocol)
    assert client.get(path).body == b"ok"
    assert len(client.requests) == 1


@both_protocols
def test_the_paths_can_be_chosen(protocol: Protocol) -> None:
    """The usual ones are then the app's."""
    client = PolicyClient(Health(path="/livez", ready="/readyz"), protocol=protocol)
    assert client.get("/livez").json() == {"status": "live"}
    assert client.get("/readyz").json()["status"] == "ready"
    assert client.get(LIVE).body == b"ok"


@pytest.mark.parametrize("root", ["root_path", "SCRIPT_NAME"])
def test_paths_are_those_within_a_mounted_app(root: str) -> None:
    """As routes are."""
    if root == "root_path":
        stack: Any = mantlet.asgi.wrap(AsgiAdapter().app(hello), Health())
        answer = AsgiAdapter().drive(stack, path=f"/api{LIVE}", scope={"root_path": "/api"})
    else:
        adapter = WsgiAdapter()
        stack = mantlet.wsgi.wrap(adapter.app(hello), Health())
        answer = adapter.drive(stack, path=LIVE, environ={"SCRIPT_NAME": "/api"})
    assert answer.json() == {"status": "live"}


def test_a_websocket_is_the_apps() -> None:
    """A health check is a request."""
    assert PolicyClient(Health()).websocket(LIVE, ["a"]).messages == ["a"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "health"}, "path must begin with a slash, not 'health'"),
        ({"ready": ""}, "ready must begin with a slash, not ''"),
        ({"path": "/a", "ready": "/a"}, "path and ready must differ, but both are '/a'"),
        ({"path": None}, "path must be text, not None"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_option_is_refused(options: dict[str, Any], message: str) -> None:
    """With the option and the value."""
    with pytest.raises((TypeError, ValueError), match=message):
        Health(**options)


# -- nothing refuses them -------------------------------------------------------------------------


@both_adapters
def test_neither_limits_nor_guards_refuse_a_check(adapter: Adapter) -> None:
    """They are inside of it, as is the app's own check of hosts."""
    guard = SchemaGuard(
        openapi={"openapi": "3.1.0", "info": {"title": "a", "version": "1"}, "paths": {}}
    )

    def no_host(carrier: Any) -> Any:
        raise Problem(421)

    limiter = RateLimiter("1/hour", deny=["192.0.2.0/24"])
    stack: Any = adapter.module.wrap(adapter.app(no_host), Health(), limiter, guard)
    for path in (LIVE, READY) * 3:
        answer = adapter.drive(stack, path=path, headers=[("Host", "10.0.0.7")])
        assert answer.status == 200
        assert "ratelimit" not in answer.names
    assert adapter.drive(stack, path="/").status == 403


def test_a_policy_that_may_refuse_a_check_is_warned_of() -> None:
    """By the order of the stack."""
    with pytest.warns(UserWarning, match="Health is inside Refuses, so Refuses may refuse"):
        mantlet.wsgi.wrap(WsgiAdapter().app(hello), Refuses(), Health())


@both_protocols
def test_a_check_is_answered_whatever_the_mode(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else switching all policies off would end the process."""
    for mode in ("off", "report"):
        monkeypatch.setenv("MANTLET_MODE", mode)
        client = PolicyClient(OutputSanitizer(), Health(), Refuses(), protocol=protocol)
        assert client.get(LIVE).json() == {"status": "live"}
        assert client.get(READY).json()["status"] == "ready"


# -- readiness ------------------------------------------------------------------------------------


@both_protocols
@pytest.mark.parametrize(
    ("state", "status"),
    [("ok", 200), ("stale", 200), ("down", 503)],
)
def test_readiness_follows_the_states_of_policies(
    protocol: Protocol, state: str, status: int
) -> None:
    """One that is down makes the app unready; liveness does not change."""
    client = PolicyClient(Health(), Reports(state), protocol=protocol)
    word = "ready" if status == 200 else "not ready"
    assert checks(client) == (status, word, {"Reports": {"vault": state}})
    assert client.get(LIVE).status == 200


@both_protocols
def test_policies_of_one_class_are_told_apart(protocol: Protocol) -> None:
    """By their order."""
    client = PolicyClient(Health(), Reports("ok"), Reports("stale"), protocol=protocol)
    assert checks(client)[2] == {"Reports": {"vault": "ok"}, "Reports 2": {"vault": "stale"}}


@both_protocols
def test_a_policy_in_report_mode_counts_for_nothing(protocol: Protocol) -> None:
    """It is shown; one that is off is not."""
    report = Reports("down", mode="report")
    client = PolicyClient(Health(), report, protocol=protocol)
    assert checks(client) == (200, "ready", {"Reports": {"vault": "down"}})
    off = PolicyClient(Health(), Reports("down", mode="off"), protocol=protocol)
    assert checks(off) == (200, "ready", {})


@both_protocols
@pytest.mark.parametrize(
    "state", [LookupError("db1.internal is gone"), "db1.internal"], ids=["raises", "unknown"]
)
def test_a_broken_check_is_down_and_shows_nothing(
    protocol: Protocol, state: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The reason is in the log."""
    client = PolicyClient(ErrorEnvelope(), Health(), Reports(state), protocol=protocol)
    response = client.get(READY)
    assert response.status == 503
    assert response.json()["checks"] == {"Reports": {"health": "down"}}
    assert b"internal" not in response.body
    assert "db1.internal" in caplog.text


@both_protocols
def test_policies_are_asked_at_most_once_a_second(protocol: Protocol) -> None:
    """Else anyone could have a store asked without limit."""
    policy = Reports("ok")
    client = PolicyClient(Health(), policy, protocol=protocol)
    for _ in range(100):
        client.get(READY)
    assert 0 < policy.asked < 20


def test_concurrent_checks_ask_once() -> None:
    """The others wait for the result."""

    class Slow(Reports):
        async def health(self) -> Mapping[str, HealthState]:
            await asyncio.sleep(0)
            return await super().health()

    policy = Slow("ok")
    stack: Any = mantlet.asgi.wrap(AsgiAdapter().app(hello), Health(), policy)
    bodies: list[bytes] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            bodies.append(message["body"])

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": READY, "headers": [], "query_string": b""}

    async def play() -> None:
        await asyncio.gather(*(stack(dict(scope), receive, send) for _ in range(20)))

    asyncio.run(play())
    assert len(bodies) == 20
    assert policy.asked == 1


class Starts(Policy):
    """Starts at the second attempt."""

    def __init__(self) -> None:
        self.attempts = 0

    def startup(self) -> None:
        self.attempts += 1
        if self.attempts < 2:
            raise StoreError("no")


@both_protocols
def test_a_readiness_check_drives_a_lazy_start(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app that is not ready gets no other requests that would."""
    monkeypatch.setattr("mantlet.core.lifecycle._MIN_DELAY", 0.002)
    policy = Starts()
    client = PolicyClient(Health(), policy, protocol=protocol)
    assert client.get(LIVE).status == 200
    assert policy.attempts == 0
    assert checks(client) == (503, "not ready", {"Starts": {"startup": "down"}})
    while policy.attempts < 2:
        client.get(READY)
    assert checks(client) == (200, "ready", {})
    assert client.get("/").status == 200


# -- the states of the package's own policies -----------------------------------------------------


class Store(MemoryStore):
    """A store that can be unavailable."""

    is_down = False

    def peek(self, requests: Any) -> Any:
        if self.is_down:
            raise StoreOutage("the store redis://db1.internal is unavailable")
        return super().peek(requests)


@both_protocols
def test_a_limiter_has_the_state_of_its_store(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By asking it, and without its name. Where it counts locally, the app is ready meanwhile."""
    monkeypatch.setattr("mantlet.core.lifecycle._CACHE_SECONDS", 0)
    cases: list[tuple[OutageAction, int, str, str]] = [
        ("local", 200, "ready", "stale"),
        ("allow", 200, "ready", "stale"),
        ("refuse", 503, "not ready", "down"),
    ]
    for on_outage, status, summary, state in cases:
        store = Store()
        limiter = RateLimiter("1/minute", store=store, on_outage=on_outage)
        client = PolicyClient(Health(), limiter, protocol=protocol)
        assert checks(client) == (200, "ready", {"RateLimiter": {"store": "ok"}})
        store.is_down = True
        assert checks(client) == (status, summary, {"RateLimiter": {"store": state}})
        store.is_down = False
        assert checks(client)[0] == 200


@both_protocols
def test_a_readiness_check_takes_no_token(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of nobody's bucket."""
    monkeypatch.setattr("mantlet.core.lifecycle._CACHE_SECONDS", 0)
    client = PolicyClient(Health(), RateLimiter("1/hour"), protocol=protocol)
    for _ in range(5):
        assert checks(client)[0] == 200
    assert [client.get("/").status for _ in range(2)] == [200, 429]


class Secrets(SecretModel):
    token: Secret[str]


@both_protocols
def test_a_loader_that_works_on_with_its_last_secrets_is_stale(
    protocol: Protocol, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has valid ones, so the app is ready."""
    monkeypatch.setattr("mantlet.core.lifecycle._CACHE_SECONDS", 0)
    file = tmp_path / "token"
    file.write_text("k3Vq9mZt2LxWc7Rb")
    file.chmod(0o600)
    loader = SecretLoader(Secrets, sources=[SecretFiles(tmp_path)], poll_interval=0)
    client = PolicyClient(Health(), loader, protocol=protocol)
    assert checks(client) == (200, "ready", {"SecretLoader": {"secrets": "ok"}})
    file.unlink()
    client.get("/")
    assert checks(client) == (200, "ready", {"SecretLoader": {"secrets": "stale"}})
    file.write_text("p8Yd4nQs6HvJf1Ka")
    file.chmod(0o600)
    client.get("/")
    assert checks(client) == (200, "ready", {"SecretLoader": {"secrets": "ok"}})


@both_protocols
def test_a_guard_that_works_on_with_its_last_document_is_stale(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until a document has been accepted."""
    monkeypatch.setattr("mantlet.core.lifecycle._CACHE_SECONDS", 0)
    document = {"openapi": "3.1.0", "info": {"title": "a", "version": "1"}, "paths": {}}
    guard = SchemaGuard(openapi=document)
    client = PolicyClient(Health(), guard, protocol=protocol)
    assert checks(client) == (200, "ready", {"SchemaGuard": {"document": "ok"}})
    with pytest.raises(ValueError, match="openapi"):
        guard.reload({"openapi": "9"})
    assert checks(client) == (200, "ready", {"SchemaGuard": {"document": "stale"}})
    guard.reload(document)
    assert checks(client) == (200, "ready", {"SchemaGuard": {"document": "ok"}})
