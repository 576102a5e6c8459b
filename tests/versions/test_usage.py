"""Who still uses which version is counted, in bounded memory."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import ApiKeys, Authenticator, Version, Versions
from mantlet.testing import PolicyClient
from mantlet.versions import CallerUsage, VersionUsage, header, path

if TYPE_CHECKING:
    from mantlet.testing import Protocol

both_protocols = pytest.mark.parametrize("protocol", ["asgi", "wsgi"])
KEYS = {name: f"key-of-{name}-7vT2qX9mB4wK1" for name in ("ann", "ben")}
AUTHENTICATOR = Authenticator(
    ApiKeys({sha256(key.encode()).hexdigest(): name for name, key in KEYS.items()}),
    public=["* /v1/open", "* /open"],
)


def make(**options: Any) -> Versions:
    """Return a policy that has counted nothing yet."""
    versions = {"1": Version(sunset="2020-01-01", mode="report"), "2": Version()}
    read = [path("/v{version}"), header("API-Version")]
    return Versions(**{"versions": versions, "read": read, "neutral": ["* /health"], **options})


@both_protocols
@pytest.mark.parametrize("mode", ["enforce", "report"])
def test_usage_by_identity(protocol: Protocol, mode: str) -> None:
    """Counts the requests of each subject, those of nobody, and no others."""
    policy = make(mode=mode)
    start = datetime.now(UTC)
    client = PolicyClient(policy, AUTHENTICATOR, protocol=protocol)
    ann, ben = (("X-API-Key", KEYS[name]) for name in ("ann", "ben"))
    for headers, target in (
        ([ann], "/v1/items"),
        ([ben], "/v1/items"),
        ([ben], "/v1/other"),
        ([], "/v1/open"),
        ([("X-API-Key", "wrong")], "/v1/items"),  # refused: by nobody
        ([ann, ("API-Version", "2")], "/items"),
        ([ann], "/v9/items"),
        ([ann], "/health"),
    ):
        client.get(target, headers=headers)
    usage = policy.usage()
    assert list(usage) == ["1", "2"]
    old = usage["1"]
    assert isinstance(old, VersionUsage)
    assert (old.requests, old.anonymous, old.others) == (5, 2, 0)
    assert [(name, one.requests) for name, one in old.callers.items()] == [("ben", 2), ("ann", 1)]
    assert all(isinstance(one, CallerUsage) for one in old.callers.values())
    assert old.last_seen is not None
    assert start <= old.callers["ann"].last_seen <= old.callers["ben"].last_seen <= old.last_seen
    assert (usage["2"].requests, list(usage["2"].callers)) == (1, ["ann"])


def test_usage_before_any_request() -> None:
    """Is none."""
    assert make().usage()["2"] == VersionUsage(0, None, {}, 0, 0)


@both_protocols
def test_usage_by_a_function(protocol: Protocol, caplog: pytest.LogCaptureFixture) -> None:
    """Names the caller; if it fails, the request is counted all the same, and passes."""

    def caller(request: Any) -> str | None:
        name: str | None = request.headers.get("X-Client")
        if name == "fail":
            raise RuntimeError("fails")
        return name

    policy = make(caller=caller)
    client = PolicyClient(policy, protocol=protocol)
    for name in ("app/1.0", "app/1.0", "fail"):
        assert client.get("/v2/items", headers=[("X-Client", name)]).status == 200
    client.get("/v2/items")
    usage = policy.usage()["2"]
    assert (usage.requests, usage.anonymous) == (4, 2)
    assert usage.callers["app/1.0"].requests == 2
    assert "Versions: caller failed with RuntimeError" in caplog.text


@both_protocols
def test_usage_is_bounded(protocol: Protocol) -> None:
    """A thousand callers of a version are counted apart, and no long names are kept."""
    policy = make(caller=lambda request: request.headers.get("X-Client"))
    client = PolicyClient(policy, protocol=protocol)
    client.get("/v2/items", headers=[("X-Client", "a" * 257)])
    for number in range(1005):
        client.get("/v2/items", headers=[("X-Client", str(number))])
    client.get("/v2/items", headers=[("X-Client", "7")])
    usage = policy.usage()["2"]
    assert (usage.requests, len(usage.callers), usage.others) == (1007, 1000, 6)
    assert next(iter(usage.callers)) == "7"


@both_protocols
def test_usage_of_a_version_that_is_gone(protocol: Protocol) -> None:
    """Counts too: its clients have not moved on."""
    policy = make(versions={"1": Version(sunset="2020-01-01"), "2": Version()})
    client = PolicyClient(policy, protocol=protocol)
    assert client.get("/v1/items").status == 410
    assert policy.usage()["1"].requests == 1


def test_usage_of_websockets() -> None:
    """Counts connections."""
    policy = make()
    assert PolicyClient(policy).websocket("/v2/live", ["a"]).messages == ["a"]
    assert policy.usage()["2"].requests == 1
