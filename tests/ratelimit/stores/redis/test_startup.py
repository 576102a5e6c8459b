"""A limiter's start and its health, with a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import Health, RateLimiter, StartupError
from mantlet.testing import PROTOCOLS, PolicyClient, Protocol
from tests.servers.server import poll
from tests.stores.redis.servers import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "correct-horse"
both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server that wants a password."""
    with Valkey(tmp_path_factory.mktemp("locked")) as server:
        server.ask("CONFIG", "SET", "requirepass", PASSWORD)
        server.ask("AUTH", PASSWORD)
        yield server


@both_protocols
@pytest.mark.parametrize(
    ("login", "reason"),
    [("", "NOAUTH"), (":battery-staple@", "WRONGPASS")],
    ids=["missing", "wrong"],
)
def test_a_limiter_whose_store_refuses_it_does_not_start(
    protocol: Protocol, login: str, reason: str, locked: Valkey
) -> None:
    """The error has the server's reason and the remedy, and not the password."""
    limiter = RateLimiter("1/minute", store=f"valkey://{login}{locked.place}")
    with pytest.raises(StartupError) as caught, PolicyClient(limiter, protocol=protocol):
        pass
    first, second = str(caught.value).splitlines()
    shown = login and "***@"
    assert first.startswith(f"RateLimiter can't start: the store valkey://{shown}{locked.place} ")
    assert f"replied {reason} to " in first
    assert first.endswith("; correct the user and the password in the URI")
    assert second.startswith("Fix this and restart")
    assert "staple" not in str(caught.value)


@both_protocols
def test_a_limiter_starts_once_its_store_lets_it(
    protocol: Protocol, locked: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a context the client starts it with its first request."""
    monkeypatch.setattr("mantlet.core.lifecycle._MIN_DELAY", 0.002)
    monkeypatch.setattr("mantlet.core.lifecycle._MAX_DELAY", 0.01)
    locked.ask("ACL", "SETUSER", "app", "reset")
    limiter = RateLimiter("1/hour", store=f"valkey://app:{PASSWORD}@{locked.place}")
    client = PolicyClient(Health(), limiter, protocol=protocol)
    assert client.get("/").status == 503
    assert client.get("/-/ready").json()["checks"] == {"RateLimiter": {"startup": "down"}}
    locked.ask("ACL", "SETUSER", "app", "on", f">{PASSWORD}", "+@all", "~*")
    poll(lambda: client.get("/-/ready").status == 200, "readiness")
    try:
        assert [client.get("/").status for _ in range(2)] == [200, 429]
    finally:
        locked.ask("FLUSHALL")
        locked.ask("ACL", "DELUSER", "app")


@pytest.mark.parametrize("on_outage", ["local", "refuse"])
@both_protocols
def test_readiness_follows_the_store(
    protocol: Protocol,
    on_outage: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also without any other request; the check itself finds out that the store is back."""
    monkeypatch.setattr("mantlet.core.lifecycle._CACHE_SECONDS", 0)
    status, state = (200, "stale") if on_outage == "local" else (503, "down")
    with Valkey(tmp_path) as server:
        store = f"valkey://{server.place}"
        limiter = RateLimiter("100/minute", store=store, timeout=1, on_outage=on_outage)
        client = PolicyClient(Health(), limiter, protocol=protocol)

        def ready() -> Any:
            response = client.get("/-/ready")
            return response.status, response.json()["checks"]

        with client:
            assert ready() == (200, {"RateLimiter": {"store": "ok"}})
            server.kill()
            assert ready() == (status, {"RateLimiter": {"store": state}})
            assert client.get("/").status == status
            assert client.get("/-/health").status == 200
            server.start()
            poll(lambda: ready() == (200, {"RateLimiter": {"store": "ok"}}), "store")


def test_a_wsgi_stack_is_not_made_with_a_store_that_refuses(locked: Valkey) -> None:
    """A server that imports it ends."""
    limiter = RateLimiter("1/minute", store=f"valkey://{locked.place}")

    def app(environ: Any, start_response: Any) -> list[bytes]:
        raise AssertionError

    with pytest.raises(StartupError, match="NOAUTH"):
        mantlet.wrap(app, limiter)
